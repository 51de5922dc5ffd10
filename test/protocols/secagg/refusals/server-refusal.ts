/** @file One check of the server: the smallest lie of a client that it refuses, and what it does then. */

import { type ClientMessage, isFault, type SecAggServerStage } from 'fedloom/protocols';
import { expect } from 'vitest';
import type { SecAggServerFaultCode } from '../../../../protocols/secagg/server/state.ts';
import { type CohortOptions, clientCodec, sumOf, sumsIn } from '../cohort.ts';
import { type Shape, StagedRound } from '../staged.ts';

export interface ServerRefusal {
  /** What the server checks. */
  readonly check: string;
  readonly shape: Shape;
  readonly options?: Partial<CohortOptions>;
  /** The round is honest up to this stage... */
  readonly at: SecAggServerStage;
  /** ...but for what this does at its beginning. */
  readonly before?: (round: StagedRound) => void;
  /** In the place of client 1's honest message. */
  readonly sent: (message: ClientMessage, round: StagedRound) => ClientMessage;
  /** Whom the transport takes for the sender. @default client 1 */
  readonly from?: number;
  readonly code: SecAggServerFaultCode;
  /** @default client 1 */
  readonly offender?: string | null;
  /** No bytes say this; a caller without a codec could. */
  readonly unencodable?: boolean;
}

/** Who lies. */
export const LIAR = 1;

/** A lie in the place of a message of one kind. */
export function inPlaceOf<K extends ClientMessage['kind']>(
  kind: K,
  change: (
    message: Extract<ClientMessage, { readonly kind: K }>,
    round: StagedRound,
  ) => ClientMessage,
): (message: ClientMessage, round: StagedRound) => ClientMessage {
  return (message, round) => {
    if (message.kind !== kind) throw new Error(`expected ${kind}, got ${message.kind}`);
    return change(message as Extract<ClientMessage, { readonly kind: K }>, round);
  };
}

/**
 * Runs the round, tells the lie, and checks that the server refuses it by this code and names who
 * told it; that the round goes on, takes the honest message after all, and ends with the exact sum.
 */
export function expectServerRefusal(refusal: ServerRefusal): void {
  const { shape, options, at, before, sent, from = LIAR, code, unencodable } = refusal;
  const { offender = shape === 'believed' || shape === 'ring' ? 'client 1' : 'client-1' } = refusal;
  const round = StagedRound.of(shape, options);
  before?.(round);
  round.to(at);
  const honest = round.answer(LIAR);
  const told = sent(honest, round);
  const lie = unencodable ? told : onTheWire(told);
  const sums = valuesIn(round);

  const outcome = round.deliver(from, lie);

  expect(outcome).toEqual({
    kind: 'fault',
    stage: at,
    code,
    message: expect.any(String),
    ...(offender !== null && { offender }),
  });
  // Nothing of it was taken, and its sender may do better.
  expect(valuesIn(round)).toEqual(sums);
  expect(round.server.consumed).toBe(false);
  expect(round.deliver(LIAR, honest).kind).toBe('continue');
  const end = round.finish([LIAR]);
  if (end.kind === 'fault') throw new Error(`${end.code}: ${end.message}`);
  expect(sumsIn(end)).toEqual(sumOf(round.cohort, end.report.clients));
  expect(end.report.clients).toContain(LIAR);
  expect(end.report.blamed).toEqual([]);
}

/** Client 1 sends something else than it should, and the server takes it. */
export function lie<K extends ClientMessage['kind']>(
  round: StagedRound,
  kind: K,
  change: (
    message: Extract<ClientMessage, { readonly kind: K }>,
    round: StagedRound,
  ) => ClientMessage,
): void {
  const taken = round.deliver(LIAR, inPlaceOf(kind, change)(round.answer(LIAR), round));
  if (taken.kind === 'fault') throw new Error(`${taken.code}: ${taken.message}`);
}

function valuesIn({ server }: StagedRound): readonly (readonly (number | bigint)[])[] {
  return server.peek().sums.map(({ values }) => Array.from<number | bigint>(values));
}

function onTheWire(message: ClientMessage): ClientMessage {
  const codec = clientCodec(message);
  const decoded = codec.decode(codec.encode(message));
  if (isFault(decoded)) throw new Error(`${message.kind} does not travel: ${decoded.message}`);
  return decoded as ClientMessage;
}
