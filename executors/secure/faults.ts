/** @file Faults of the protocols become errors of the executor stack here, and only here. */

import { ProtocolAbortError, type ProtocolAbortErrorCode } from '../../computations/types/index.ts';
import { type Fault, isFault, PaillierError, ProtocolError } from '../../protocols/index.ts';

/** The error for a fault: it names stage, reason and offender. */
export function faultError(fault: Fault): ProtocolAbortError {
  const who = fault.offender === undefined ? '' : ` (${fault.offender})`;
  return new ProtocolAbortError(
    CODES[fault.code] ?? 'protocol.aborted',
    `The secure aggregation stopped in stage '${fault.stage}'${who}: ${fault.message}. No part of the sum was revealed.`,
    { stage: fault.stage, reason: fault.code, offender: fault.offender },
  );
}

/** @throws ProtocolAbortError if the outcome of a step is a fault. */
export function requireNoFault<T extends { readonly kind: string }>(
  outcome: T,
): Exclude<T, { readonly kind: 'fault' }> {
  if (isFault(outcome)) throw faultError(outcome);
  return outcome as Exclude<T, { readonly kind: 'fault' }>;
}

/** A decoded message, or the error for what was wrong with its bytes. */
export function decoded<T extends object>(message: T | Fault, offender?: string): T {
  if (!('kind' in message && isFault(message as { readonly kind: string }))) return message as T;
  const fault = message as Fault;
  throw faultError(offender === undefined ? fault : { ...fault, offender });
}

/**
 * A message counts as from whom it came from, not as from whom it says.
 * @throws ProtocolAbortError `wrong-sender`
 */
export function requireSender(stage: string, named: string, from: string | undefined): void {
  if (named === from && from !== undefined) return;
  throw faultError({
    kind: 'fault',
    stage,
    code: 'wrong-sender',
    message: `a message of "${from}" names "${named}" as its sender`,
    ...(from === undefined ? {} : { offender: from }),
  });
}

/**
 * Runs a step of a protocol that throws where its parameters or keys are wrong.
 * @throws ProtocolAbortError with the code of what it threw as the reason.
 */
export function requireProtocol<T>(stage: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw protocolError(stage, error);
  }
}

/** What a step of a protocol threw, as an error of the stack; other errors stay as they are. */
export function protocolError(stage: string, error: unknown): unknown {
  if (!(error instanceof PaillierError || error instanceof ProtocolError)) return error;
  return faultError({ kind: 'fault', stage, code: error.code, message: error.message });
}

const CODES: { readonly [code: string]: ProtocolAbortErrorCode | undefined } = {
  'missing-clients': 'protocol.client_lost',
  'cohort-too-small': 'protocol.too_few_clients',
  'too-few-inputs': 'protocol.too_few_clients',
  'too-few-clients': 'protocol.too_few_clients',
  'too-few-shares': 'protocol.too_few_clients',
  'below-client-minimum': 'protocol.too_few_clients',
  'weak-modulus': 'protocol.bad_parameters',
  'unproven-key': 'protocol.bad_parameters',
  'invalid-key-proof': 'protocol.bad_parameters',
  'invalid-parameters': 'protocol.bad_parameters',
  'modulus-too-small': 'protocol.bad_parameters',
  'invalid-plan': 'protocol.bad_parameters',
  'insecure-parameters': 'protocol.bad_parameters',
  'infeasible-parameters': 'protocol.bad_parameters',
};
