/**
 * @file A secure aggregation of your own: clients seal their integers for an aggregator that all of
 * them trust (a process run by somebody else, an enclave), which gives out the sum and nothing else.
 * The server carries messages that it cannot open. It does choose whose key the clients get, so it
 * must follow the protocol; a real deployment pins the aggregator's key.
 */

import {
  atEveryone,
  bytesOf,
  bytesValue,
  CHANNEL_KEY_PAIR,
  channelKeyOperator,
  channelKeys,
  cohortOf,
  decoded,
  defineOperator,
  encodeSetup,
  inputVectors,
  type OperatorValue,
  openFrom,
  type ProtocolParties,
  requireEveryInput,
  roundSetupCodec,
  type SecureAggregation,
  type SecureSum,
  type SecureSumTask,
  sealFor,
  secureAggregation,
} from 'fedloom';
import { fromHex, toHex, utf8 } from 'fedloom/protocols';

const json = (value: unknown): Uint8Array => utf8(JSON.stringify(value));
const parse = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));
const setupOf = (message?: OperatorValue) => decoded(roundSetupCodec.decode(bytesOf(message)));
const route = (session: Uint8Array, from: string) => ({ session, from, to: 'aggregator/0' });

export function trustedAggregator({ minimumClients = 2 } = {}): SecureAggregation {
  return secureAggregation({
    name: 'trusted aggregator',
    roles: ['aggregator'],
    operators: [channelKeyOperator(), sealInput(minimumClients), addInputs],
    open: (parties) => ({ sum: (task) => sum(task, parties), close: () => {} }),
  });
}

/** The server's part: it asks the others and carries what they say. */
async function sum(task: SecureSumTask, parties: ProtocolParties): Promise<SecureSum> {
  const values = requireEveryInput(task.inputs);
  const aggregator = parties.role('aggregator');
  const made = await aggregator.call('channel_key_pair', [], CHANNEL_KEY_PAIR);
  const [secretKeys, publicKey] = await aggregator.split(made);
  using keys = secretKeys!;
  const key = await aggregator.read(publicKey!);
  const setup = (name: string) => encodeSetup(task, parties, name);
  const stage = { stage: 'seal', timeoutMs: 60_000, request: task.options };
  const inputs = await atEveryone(parties.clients, stage, ({ name, request }, i) =>
    request('trusted_seal', [setup(name), key, values[i]!]),
  );
  const args = [keys, setup(aggregator.name), json(inputs.map(toHex))];
  const sums: string[][] = parse(await aggregator.request('trusted_add', args));
  const clients = parties.clients.map(({ name }) => name);
  return { sums: sums.map((vector) => vector.map(BigInt)), clients };
}

/** At a client: its integers, checked against their bounds, sealed under its name. */
const sealInput = (minimumClients: number) =>
  defineOperator({
    uri: 'trusted_seal',
    signature: '(<uint8[?],uint8[?],V> -> uint8[?])',
    purity: 'random',
    run: async ([message, key, value], { random }) => {
      const { session, name, clients, terms } = setupOf(message);
      if (clients < minimumClients) throw new Error('Too few clients.');
      const vectors = inputVectors(value, terms).map((vector) => Array.from(vector, String));
      return bytesValue(await sealFor(route(session, name), bytesOf(key), json(vectors), random));
    },
  });

/** At the aggregator: opens one input of each client, in their order, adds them up, and does so once. */
const addInputs = defineOperator({
  uri: 'trusted_add',
  signature: '(<channel_keys,uint8[?],uint8[?]> -> uint8[?])',
  purity: 'random',
  run: async ([keys, message, inputs]) => {
    const setup = setupOf(message);
    const { session, terms } = setup;
    const held = channelKeys.unwrap(keys);
    if (held.sessions.has(toHex(session))) throw new Error('This session had its sum.');
    held.sessions.set(toHex(session), Symbol('summed'));
    const sealed: Uint8Array[] = parse(bytesOf(inputs)).map(fromHex);
    // Exact sums stay far below 2^128.
    const moduli = terms.map(({ kind, bound }) => (kind === 'sum' ? 2n ** 128n : bound));
    let sums = terms.map(({ length }) => new Array<bigint>(length).fill(0n));
    for (const [i, client] of cohortOf(setup).entries()) {
      const vectors = parse(await openFrom(route(session, client), held.keys, sealed[i]!));
      sums = sums.map((sum, t) => sum.map((x, j) => (x + BigInt(vectors[t][j])) % moduli[t]!));
    }
    return bytesValue(json(sums.map((vector) => vector.map(String))));
  },
});
