/**
 * @file Parties of a secure aggregation that a test drives by hand, in the place of the server: one
 * executor each, with the operators that the protocol gives them.
 */

import type { BuildingBlock } from '../../../computations/building-blocks.ts';
import { loadBackend } from '../../../computations/tensors/index.ts';
import {
  atClients,
  int32,
  structOf,
  TensorValue,
  type Type,
} from '../../../computations/types/index.ts';
import type { Executor, ExecutorValue } from '../../../executors/executor.ts';
import type { SecureAggregation } from '../../../executors/secure/index.ts';
import { maskingState } from '../../../executors/secure/masking-operators.ts';
import { BYTES, participant } from '../../../executors/secure/participant.ts';
import type { Participant, SecureTerm } from '../../../executors/secure/protocol.ts';
import { type RoundSetup, roundSetupCodec } from '../../../executors/secure/round-setup.ts';
import { compileForExecution } from '../../../intrinsics/index.ts';
import { advertisedKeyCodec, rosterCodec } from '../../../protocols/index.ts';
import {
  type LocalExecutorFactoryOptions,
  leafExecutor,
  localExecutorFactory,
} from '../../../runtime/index.ts';
import { federatedInts, INT, plain } from '../blocks.ts';

export interface Party extends Participant {
  readonly executor: Executor;
  /** Puts data where the party is. */
  put(value: TensorValue, type: Type): Promise<ExecutorValue>;
}

/** @param random where its operators draw from. */
export async function partyOf(
  aggregation: SecureAggregation,
  name: string,
  random?: (n: number) => Uint8Array,
): Promise<Party> {
  const { operators } = aggregation.secureStack();
  const options = random === undefined ? { operators } : { operators, random };
  const executor = leafExecutor(await loadBackend(), options);
  return {
    ...participant(name, executor),
    executor,
    put: (value, type) => executor.createValue(value, type),
  };
}

export const SESSION = new Uint8Array(32).fill(9);

/** Two int32 values from 0 to 100. */
export const TERM: SecureTerm = { kind: 'sum', dtype: 'int32', length: 2, bound: 100n };

export function setupFor(name: string, changes: Partial<RoundSetup> = {}): Uint8Array {
  return roundSetupCodec.encode({ session: SESSION, name, clients: 2, terms: [TERM], ...changes });
}

export async function putPair(party: Party, first: number, second: number): Promise<ExecutorValue> {
  return party.put(new TensorValue('int32', [2], Int32Array.of(first, second)), int32(2));
}

export const ADVERTISED = structOf([
  { name: null, type: maskingState.type },
  { name: null, type: BYTES },
]);

export interface Advertised {
  readonly state: ExecutorValue;
  readonly publicKey: Uint8Array;
}

/** A masking client's first step. */
export async function advertise(party: Party, setup: Uint8Array): Promise<Advertised> {
  const [state, key] = await party.split(
    await party.call('masking_advertise', [setup], ADVERTISED),
  );
  const message = advertisedKeyCodec.decode(await party.read(key as ExecutorValue));
  if (message.kind === 'fault') throw new Error(message.message);
  return { state: state as ExecutorValue, publicKey: message.publicKey };
}

export function rosterOf(
  keys: { readonly [client: string]: Uint8Array },
  session: Uint8Array = SESSION,
): Uint8Array {
  const entries = Object.entries(keys).map(([client, publicKey]) => ({ client, publicKey }));
  return rosterCodec.encode({ kind: 'roster', session, round: 0, entries });
}

/** What a call fails with; a call that does not fail fails the test. */
export async function failureOf(attempt: Promise<unknown>): Promise<Error & { reason?: string }> {
  const outcome = await attempt.then(
    (value) => {
      throw new Error(`expected a failure; got ${JSON.stringify(value)}`);
    },
    (error: unknown) => error,
  );
  if (!(outcome instanceof Error)) throw new TypeError(`thrown: ${outcome}`);
  return outcome;
}

/** Everything of an error that could travel: messages of it and of its causes, and its properties. */
export function printed(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message, stack, cause, ...rest } = error as Error & { cause?: unknown };
  return [message, stack, JSON.stringify(rest), cause === undefined ? '' : printed(cause)].join(
    '\n',
  );
}

export const CLIENT_INTS = atClients(INT);

export async function stackOf(
  aggregation: SecureAggregation,
  clients = 2,
  options: LocalExecutorFactoryOptions = {},
): Promise<Executor> {
  const factory = localExecutorFactory({ secureAggregation: aggregation, ...options });
  return factory.createExecutor({ clients });
}

/** Runs a computation of `{int32}@CLIENTS` on a stack, compiled as a context does it. */
export async function run(
  stack: Executor,
  block: BuildingBlock,
  ...values: number[]
): Promise<unknown> {
  const compiled = compileForExecution(block);
  using fn = await stack.createValue(compiled, compiled.type);
  using argument = await stack.createValue(federatedInts(...values), CLIENT_INTS);
  using result = await stack.createCall(fn, argument);
  return plain(await result.compute());
}
