/** @file One check of a client: the smallest lie that it finds out, and what it does then. */

import { inspect } from 'node:util';
import {
  type AdvertisedKeys,
  ed25519Sign,
  generateX25519KeyPair,
  isFault,
  type NeighbourKeys,
  type SecAggClientFaultCode,
  type SecAggClientStage,
  type SecAggServerStage,
  type SecretBytes,
  type ServerMessage,
} from 'fedloom/protocols';
import { expect } from 'vitest';
import { agreementHash } from '../../../../protocols/secagg/agreement.ts';
import { advertisementStatement } from '../../../../protocols/secagg/statements.ts';
import { type CohortOptions, serverCodec } from '../cohort.ts';
import { isShownIn, secretsIn } from '../secrets.ts';
import { type Shape, StagedRound } from '../staged.ts';

export interface ClientRefusal {
  /** What the client checks. */
  readonly check: string;
  readonly shape: Shape;
  readonly options?: Partial<CohortOptions>;
  /** The round is honest up to this stage... */
  readonly at: SecAggServerStage;
  /** ...but for what this does at its beginning. */
  readonly before?: (round: StagedRound) => void;
  /** Then client 0 is told this. @default the truth */
  readonly told?: (message: ServerMessage, round: StagedRound) => ServerMessage;
  /** In which step it refuses. @default that of the stage */
  readonly step?: SecAggClientStage;
  readonly code: SecAggClientFaultCode;
  readonly offender?: string;
}

/** Who is lied to. */
export const VICTIM = 0;

/** A lie for a message of one kind. */
export function instead<K extends ServerMessage['kind']>(
  kind: K,
  change: (
    message: Extract<ServerMessage, { readonly kind: K }>,
    round: StagedRound,
  ) => ServerMessage,
): (message: ServerMessage, round: StagedRound) => ServerMessage {
  return (message, round) => {
    if (message.kind !== kind) throw new Error(`expected ${kind}, got ${message.kind}`);
    return change(message as Extract<ServerMessage, { readonly kind: K }>, round);
  };
}

/**
 * Runs the round, tells the lie, and checks that the client refuses it: by this code, with nothing
 * to send, its state used up and every secret in it erased.
 */
export function expectRefusal(refusal: ClientRefusal): StagedRound {
  const { shape, options, at, before, told, step = at, code, offender } = refusal;
  const round = StagedRound.of(shape, options);
  before?.(round);
  round.to(at);
  const state = round.states.get(VICTIM);
  const secrets = state === undefined ? [] : secretsIn(state.peek());
  const held = secrets.filter((secret) => !isSigner(round, secret));
  const shown = held.map((secret) => secret.reveal().slice());
  const truth = round.messages.get(VICTIM) as ServerMessage;
  const message = onTheWire(told?.(truth, round) ?? truth);

  const outcome = round.step(VICTIM, message);

  // A fault and nothing else: no state to go on with, no message to send.
  expect(outcome).toEqual({
    kind: 'fault',
    stage: step,
    code,
    message: expect.any(String),
    ...(offender !== undefined && { offender }),
  });
  expect(state?.consumed).not.toBe(false);
  expect(held.filter((secret) => !secret.erased)).toEqual([]);
  const printed = `${JSON.stringify(outcome)}\n${inspect(outcome, { depth: 9 })}`;
  expect(shown.filter((secret) => isShownIn(printed, secret))).toEqual([]);
  return round;
}

/** A lie that cannot be put into bytes is none. */
function onTheWire(message: ServerMessage): ServerMessage {
  const codec = serverCodec(message);
  const decoded = codec.decode(codec.encode(message));
  if (isFault(decoded)) throw new Error(`${message.kind} does not travel: ${decoded.message}`);
  return decoded as ServerMessage;
}

/** Its own long-term key stays with a client, whatever comes of a round. */
function isSigner({ cohort }: StagedRound, secret: SecretBytes): boolean {
  return cohort.configs.some(({ signingKey }) => signingKey === secret);
}

/** A client that helps the server signs whatever keys the server likes. */
export function signedKeys(
  { cohort }: Pick<StagedRound, 'cohort'>,
  client: number,
  keys: { readonly channelKey?: Uint8Array; readonly maskKey?: Uint8Array } = {},
): AdvertisedKeys {
  const { channelKey = freshKey(), maskKey = freshKey() } = keys;
  const { agreement, configs } = cohort;
  const statement = advertisementStatement(agreementHash(agreement), client, channelKey, maskKey);
  const signature =
    agreement.model === 'active'
      ? ed25519Sign(configs[client]!.signingKey as SecretBytes, statement)
      : new Uint8Array(0);
  return { channelKey, maskKey, signature };
}

export function freshKey(): Uint8Array {
  return generateX25519KeyPair().publicKey;
}

/** The entries with one of them changed. */
export function changed(
  entries: readonly NeighbourKeys[],
  client: number,
  change: (entry: NeighbourKeys) => Partial<NeighbourKeys>,
): NeighbourKeys[] {
  if (!entries.some((entry) => entry.client === client)) throw new Error(`no entry of ${client}`);
  return entries.map((entry) => (entry.client === client ? { ...entry, ...change(entry) } : entry));
}

export function flipped(bytes: Uint8Array, at = 0): Uint8Array {
  return bytes.with(at, bytes[at]! ^ 1);
}

/** Canonical encodings of points whose product with every clamped scalar is zero (RFC 7748). */
export const LOW_ORDER_KEYS: readonly Uint8Array[] = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map((hex) => new Uint8Array(Buffer.from(hex, 'hex')));

/** 2^255 - 19 and more: other encodings of small numbers. */
export const NON_CANONICAL_KEYS: readonly Uint8Array[] = [
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0900000000000000000000000000000000000000000000000000000000000080',
].map((hex) => new Uint8Array(Buffer.from(hex, 'hex')));
