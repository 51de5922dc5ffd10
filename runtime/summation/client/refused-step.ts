/** @file Why a client does not do a step, in words that the server may hear. */

import {
  type Fault,
  isFault,
  ProtocolError,
  type ProtocolErrorCode,
} from '../../../protocols/index.ts';
import { withoutCode } from '../task.ts';

export class RefusedStep extends Error {
  override readonly name = 'RefusedStep';
  readonly code: string;

  /** @param message quotes no secret and no value of the client. */
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** What is told of an error. */
export interface ToldError {
  readonly code: string;
  readonly message: string;
  /** Whether the client's own code or disk failed: the server is not told how. */
  readonly own: boolean;
}

/** What the server is told: of the client's own trouble only that there is some. */
export function toldOf(error: unknown): ToldError {
  if (error instanceof RefusedStep) {
    return { code: error.code, message: error.message, own: false };
  }
  if (error instanceof ProtocolError && TOLD.has(error.code)) {
    return { code: error.code, message: withoutCode(error), own: false };
  }
  return { code: 'client-failed', message: 'the client failed in work of its own', own: true };
}

/** @throws RefusedStep for a fault. */
export function requireStep<T extends object>(outcome: T | Fault): Exclude<T, Fault> {
  if ('kind' in outcome && isFault(outcome as { readonly kind: string })) {
    const { code, message } = outcome as Fault;
    throw new RefusedStep(code, message);
  }
  return outcome as Exclude<T, Fault>;
}

/** What quantisation says of a client's values: positions, and no value. */
const TOLD: ReadonlySet<ProtocolErrorCode> = new Set<ProtocolErrorCode>([
  'not-finite',
  'out-of-range',
  'not-an-integer',
  'invalid-length',
]);
