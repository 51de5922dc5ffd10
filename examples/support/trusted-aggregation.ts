/**
 * @file A secure aggregation of your own: clients seal their integers for an aggregator that all of
 * them trust (a process run by somebody else, an enclave), which gives out the sum and nothing else.
 * The server carries messages that it cannot open. It does choose whose key the clients get, so it
 * must follow the protocol; a real deployment pins the aggregator's key.
 */

import {
  bytesOf,
  bytesValue,
  defineOperator,
  ExecutionError,
  encodeSetup,
  inputVectors,
  type ProtocolParties,
  type SecureAggregation,
  type SecureSum,
  type SecureSumTask,
  secureAggregation,
} from 'fedloom';
import { fromHex, toHex } from 'fedloom/protocols';
import {
  fromBytes,
  makeRecipientKeys,
  openJson,
  RECIPIENT_KEY_PAIR,
  readSetup,
  sealJson,
  toBytes,
} from './sealing.ts';

export function trustedAggregator({ minimumClients = 2 } = {}): SecureAggregation {
  return secureAggregation({
    name: 'trusted aggregator',
    roles: ['aggregator'],
    operators: [makeRecipientKeys, sealInput(minimumClients), addInputs(minimumClients)],
    open: (parties) => ({ sum: (task) => sum(task, parties), close: () => {} }),
  });
}

/** The server's part: it asks the others and carries what they say. */
async function sum(task: SecureSumTask, parties: ProtocolParties): Promise<SecureSum> {
  const aggregator = parties.role('aggregator');
  const made = await aggregator.call('make_recipient_keys', [], RECIPIENT_KEY_PAIR);
  const [secretKeys, publicKey] = await aggregator.split(made);
  using keys = secretKeys!;
  const key = await aggregator.read(publicKey!);
  const asked = parties.clients.map(async ({ name, request }, i) => {
    const args = [encodeSetup(task, parties, name), key, task.inputs[i]!];
    const sealed = await request('trusted_seal', args).catch((cause) => {
      throw new ExecutionError('execution.client_failed', `${name} failed.`, { cause });
    });
    return [name, toHex(sealed)];
  });
  const inputs = toBytes(await Promise.all(asked));
  const setup = encodeSetup(task, parties, aggregator.name);
  const total = await aggregator.request('trusted_add', [keys, setup, inputs]);
  const sums = fromBytes<string[][]>(total).map((vector) => vector.map(BigInt));
  return { sums, clients: parties.clients.map(({ name }) => name) };
}

/** At a client: its integers, checked against their bounds, sealed under its name. */
const sealInput = (minimumClients: number) =>
  defineOperator({
    uri: 'trusted_seal',
    signature: '(<uint8[?],uint8[?],V> -> uint8[?])',
    purity: 'random',
    run: async ([setup, key, value], { random }) => {
      const round = readSetup(setup);
      if (round.clients < minimumClients) throw new Error('Too few clients.');
      const vectors = inputVectors(value, round.terms).map((vector) => Array.from(vector, String));
      return bytesValue(await sealJson(vectors, bytesOf(key), round, random));
    },
  });

/** At the aggregator: opens one input of each client and adds them up. */
const addInputs = (minimumClients: number) =>
  defineOperator({
    uri: 'trusted_add',
    signature: '(<recipient_keys,uint8[?],uint8[?]> -> uint8[?])',
    purity: 'linear',
    run: async ([keys, setup, messages]) => {
      const { session, clients, terms } = readSetup(setup);
      const inputs = new Map(fromBytes<[string, string][]>(bytesOf(messages)));
      if (inputs.size < Math.max(clients, minimumClients)) throw new Error('Too few clients.');
      const sums = terms.map(({ length }) => new Array<bigint>(length).fill(0n));
      for (const [name, sealed] of inputs) {
        const vectors = await openJson<string[][]>(fromHex(sealed), keys, { session, name });
        for (const [t, { kind, bound, length }] of terms.entries()) {
          for (let i = 0; i < length; i += 1) {
            const sum = sums[t]![i]! + BigInt(vectors[t]![i]!);
            sums[t]![i] = kind === 'sum' ? sum : sum % bound;
          }
        }
      }
      return bytesValue(toBytes(sums.map((vector) => vector.map(String))));
    },
  });
