/** @file How the protocols room reports trouble: a peer's fault is a value, a programmer's fault throws. */

/**
 * A peer (or the data it sent) broke a rule of the protocol. Returned, never thrown, and never
 * accompanied by any part of a result.
 */
export interface Fault<Stage extends string = string, Code extends string = string> {
  readonly kind: 'fault';
  /** The step of the protocol in which the rule was broken. */
  readonly stage: Stage;
  readonly code: Code;
  /** Who broke it, where that can be told. */
  readonly offender?: string;
  /** What was found and what was expected. */
  readonly message: string;
}

/** Builds a fault; `offender` is left out of the object when there is none. */
export function fault<Stage extends string, Code extends string>(
  stage: Stage,
  code: Code,
  message: string,
  offender?: string,
): Fault<Stage, Code> {
  return offender === undefined
    ? { kind: 'fault', stage, code, message }
    : { kind: 'fault', stage, code, offender, message };
}

/** Tells a fault from any other outcome with a `kind`. */
export function isFault(outcome: { readonly kind: string }): outcome is Fault {
  return outcome.kind === 'fault';
}

export type ProtocolErrorCode =
  | 'state-consumed'
  | 'invalid-argument'
  | 'invalid-length'
  | 'invalid-modulus'
  | 'not-an-integer'
  | 'out-of-range'
  | 'non-canonical'
  | 'mismatched-residues'
  | 'secret-erased'
  | 'invalid-key-length'
  | 'low-order-key'
  | 'invalid-threshold'
  | 'invalid-point'
  | 'duplicate-point'
  | 'too-few-shares'
  | 'open-failed'
  | 'replayed-message'
  | 'wrong-channel'
  | 'malformed-message'
  | 'malformed-roster'
  | 'malformed-identity'
  | 'insecure-parameters'
  | 'infeasible-parameters'
  | 'not-finite'
  | 'modulus-too-small'
  | 'invalid-quantization';

/** The caller of a protocol function broke its contract. */
export class ProtocolError extends Error {
  override readonly name: string = 'ProtocolError';
  readonly code: ProtocolErrorCode;

  constructor(code: ProtocolErrorCode, message: string, options?: ErrorOptions) {
    super(`[${code}] ${message}`, options);
    this.code = code;
  }
}
