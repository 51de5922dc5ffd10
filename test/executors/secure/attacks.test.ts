/**
 * @file Attacks of whoever drives a client, a key holder or an aggregator: the server, or something
 * in its place. Each party must see to its own part, whatever it is told. The rows are those of the
 * lists of attacks of Bonawitz et al. 2017 (what each party checks) and of Paillier's roles.
 */

import { inspect } from 'node:util';
import { masking, TensorValue } from 'fedloom';
import { describe, expect, test } from 'vitest';
import {
  DTYPES,
  float32,
  int32,
  int64,
  sequence,
  structOf,
} from '../../../computations/types/index.ts';
import type { ExecutorValue } from '../../../executors/executor.ts';
import { maskingState } from '../../../executors/secure/masking-operators.ts';
import { BYTES, bytesValue } from '../../../executors/secure/participant.ts';
import type { RoundSetup } from '../../../executors/secure/round-setup.ts';
import { maskedInputCodec } from '../../../protocols/index.ts';
import { callIntrinsic, computation, pair, unnamed } from '../blocks.ts';
import {
  ADVERTISED,
  advertise,
  failureOf,
  type Party,
  partyOf,
  printed,
  putPair,
  rosterOf,
  SESSION,
  setupFor,
  TERM,
} from './parties.ts';

const OTHER_KEY = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
const SECRET = 77;

/** A client that advertised for a cohort of two, and its value. */
async function ready(setup: Uint8Array = setupFor('clients/0')) {
  const client = await partyOf(masking(), 'clients/0');
  const { state, publicKey } = await advertise(client, setup);
  const value = await putPair(client, SECRET, 3);
  const mask = (roster: Uint8Array, given: ExecutorValue = value) =>
    client.request('masking_mask_input', [state, roster, given]);
  return { client, state, publicKey, value, mask };
}

describe('a masking client refuses', () => {
  test.each<[string, Partial<RoundSetup>, string]>([
    ['a cohort of itself alone', { clients: 1 }, 'cohort-too-small'],
    ['a cohort of nobody', { clients: 0 }, 'malformed-message'],
    ['a session that identifies nothing', { session: new Uint8Array(15) }, 'malformed-message'],
    ['an empty name', { name: '' }, 'malformed-message'],
    ['nothing to sum', { terms: [] }, 'invalid-parameters'],
    [
      'a modulus of 1',
      { terms: [{ ...TERM, kind: 'modular-sum', bound: 1n }] },
      'malformed-message',
    ],
    [
      'a modulus of 0',
      { terms: [{ ...TERM, kind: 'modular-sum', bound: 0n }] },
      'malformed-message',
    ],
    ['a maximum beyond the dtype', { terms: [{ ...TERM, bound: 2n ** 31n }] }, 'malformed-message'],
    ['an absurd maximum', { terms: [{ ...TERM, bound: 2n ** 4000n }] }, 'malformed-message'],
    [
      'a modulus beyond the dtype',
      { terms: [{ ...TERM, kind: 'modular-sum', bound: 2n ** 31n + 1n }] },
      'malformed-message',
    ],
    ['a cohort without end', { clients: 2 ** 32 - 1 }, 'malformed-message'],
    [
      'more values in all than a message holds',
      { terms: [1, 2, 3].map(() => ({ ...TERM, length: 2 ** 27 })) },
      'malformed-message',
    ],
  ])('%s (malformed set-up, absurd parameters)', async (_what, changes, reason) => {
    const client = await partyOf(masking(), 'clients/0');
    const setup = setupFor('clients/0', changes);
    const error = await failureOf(client.call('masking_advertise', [setup], ADVERTISED));
    expect(error).toMatchObject({ name: 'ProtocolAbortError', reason });
  });

  test('a set-up that is cut off, changed or no set-up at all', async () => {
    const client = await partyOf(masking(), 'clients/0');
    const whole = setupFor('clients/0');
    // The last term ends in its kind, its dtype, four bytes of length, and its bound in three; four bytes
    // of the length of no context, and of no names, follow each.
    const changed = (fromEnd: number, byte: number) => whole.with(whole.length - fromEnd, byte);
    for (const bytes of [
      new Uint8Array(0),
      whole.subarray(0, -1),
      Uint8Array.of(...whole, 0),
      changed(17, 7),
      changed(16, DTYPES.indexOf('float32')),
      changed(16, 200),
      setupFor('clients/0', { contextHash: new Uint8Array(31) }),
      setupFor('clients/0', { cohort: ['clients/0'] }),
      setupFor('clients/0', { cohort: ['clients/0', 'x'.repeat(300)] }),
    ]) {
      const error = await failureOf(client.call('masking_advertise', [bytes], ADVERTISED));
      expect(error).toMatchObject({ name: 'ProtocolAbortError', reason: 'malformed-message' });
    }
  });

  test.each<[string, (own: Uint8Array) => Uint8Array, string]>([
    [
      'of another session (replayed)',
      (own) => rosterOf({ 'clients/0': own, b: OTHER_KEY }, new Uint8Array(32)),
      'wrong-session',
    ],
    ['of itself alone', (own) => rosterOf({ 'clients/0': own }), 'wrong-cohort-size'],
    [
      'without itself',
      () => rosterOf({ a: OTHER_KEY, b: OTHER_KEY.map((x) => x + 1) }),
      'own-key-missing',
    ],
    [
      'with another key of its own',
      () => rosterOf({ 'clients/0': OTHER_KEY, b: OTHER_KEY.map((x) => x + 1) }),
      'own-key-altered',
    ],
    ['that reflects its own key', (own) => rosterOf({ 'clients/0': own, b: own }), 'duplicate-key'],
    [
      'with a key of low order',
      (own) => rosterOf({ 'clients/0': own, b: new Uint8Array(32) }),
      'low-order-key',
    ],
    [
      'with a key of low order, in another form',
      (own) => rosterOf({ 'clients/0': own, b: Uint8Array.of(1, ...new Uint8Array(31)) }),
      'low-order-key',
    ],
    [
      'with a key that is not canonical',
      (own) => rosterOf({ 'clients/0': own, b: new Uint8Array(32).fill(255) }),
      'invalid-key',
    ],
    ['that is no roster', () => new Uint8Array(5), 'malformed-message'],
  ])('a roster %s, and its value stays hidden for good', async (_what, roster, reason) => {
    const { publicKey, mask } = await ready();
    const error = await failureOf(mask(roster(publicKey)));
    expect(error).toMatchObject({ name: 'ProtocolAbortError', reason });
    // The state is used up by the refusal: the server cannot try rosters until one pleases it.
    const again = await failureOf(mask(rosterOf({ 'clients/0': publicKey, b: OTHER_KEY })));
    expect(again).toMatchObject({ code: 'execution.linear_reuse' });
  });

  test('to mask twice under one key, also at the same time (two-time pad)', async () => {
    const { client, publicKey, mask } = await ready();
    const roster = rosterOf({ 'clients/0': publicKey, b: OTHER_KEY });
    const other = await putPair(client, 0, 0);
    const outcomes = await Promise.allSettled([mask(roster), mask(roster, other), mask(roster)]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await failureOf(mask(roster))).toMatchObject({ code: 'execution.linear_reuse' });
  });

  test('to use a copy of a state in a struct (replayed state)', async () => {
    const { client, state, publicKey, mask } = await ready();
    const roster = rosterOf({ 'clients/0': publicKey, b: OTHER_KEY });
    const copies = await client.executor.createStruct([
      { name: null, value: state },
      { name: null, value: state },
    ]);
    expect(await failureOf(mask(roster, copies))).toMatchObject({ code: 'execution.linear_reuse' });
    const [first, second] = await client.split(copies);
    const use = async (copy: ExecutorValue | undefined) =>
      client.request('masking_mask_input', [
        copy as ExecutorValue,
        roster,
        await putPair(client, 1, 2),
      ]);
    expect(maskedInputCodec.decode(await use(first)).kind).toBe('masked-input');
    expect(await failureOf(use(second))).toMatchObject({ code: 'execution.linear_reuse' });
  });

  test('to mask twice by a program that names its state twice (lambdas)', async () => {
    const { client, state, publicKey, value, mask } = await ready();
    const bytes = rosterOf({ 'clients/0': publicKey, b: OTHER_KEY });
    const roster = await client.put(bytesValue(bytes), BYTES);
    const given = structOf([maskingState.type, BYTES, int32(2)].map(unnamed));
    const program = computation(given, (argument) => {
      const masked = callIntrinsic('masking_mask_input', [argument], BYTES);
      return pair(masked, masked);
    });
    const fn = await client.executor.createValue(program, program.type);
    const elements = [state, roster, value].map((element) => ({ name: null, value: element }));
    const argument = await client.executor.createStruct(elements);
    const attempt = async () => (await client.executor.createCall(fn, argument)).compute();
    expect(await failureOf(attempt())).toMatchObject({ code: 'execution.linear_reuse' });
    expect(await failureOf(mask(bytes))).toMatchObject({ code: 'execution.linear_reuse' });
  });

  test('to mask with a state that was disposed, or of another client (wrong handles)', async () => {
    const { client, state, publicKey, mask } = await ready();
    const stranger = await partyOf(masking(), 'clients/1');
    const roster = rosterOf({ 'clients/0': publicKey, b: OTHER_KEY });
    const foreign = await putPair(stranger, 1, 1);
    expect(await failureOf(mask(roster, foreign))).toMatchObject({ code: 'context.unknown_value' });
    state[Symbol.dispose]();
    expect(await failureOf(mask(roster))).toMatchObject({ code: 'execution.released' });
    await client.executor.close();
    expect(await failureOf(mask(roster))).toMatchObject({ code: 'context.closed' });
  });

  test('to show its state', async () => {
    const { state } = await ready();
    expect(await failureOf(state.compute())).toMatchObject({ code: 'execution.opaque_value' });
    expect(inspect(state, { depth: 9, showHidden: true })).not.toMatch(/secretKey|Uint8Array/);
  });
});

describe('a client, asked to put in a value', () => {
  const mask = async (party: Party, setup: Uint8Array, value: ExecutorValue) => {
    const { state, publicKey } = await advertise(party, setup);
    const roster = rosterOf({ 'clients/0': publicKey, b: OTHER_KEY });
    return party.request('masking_mask_input', [state, roster, value]);
  };
  const refusal = (party: Party, setup: Uint8Array, value: ExecutorValue) =>
    failureOf(mask(party, setup, value));
  const terms = (changes: Partial<typeof TERM>) =>
    setupFor('clients/0', { terms: [{ ...TERM, ...changes }] });

  test.each<[string, Uint8Array]>([
    ['of another length', terms({ length: 3 })],
    ['of another dtype', terms({ dtype: 'int64' })],
    ['in more tensors', setupFor('clients/0', { terms: [TERM, TERM] })],
  ])('%s refuses (terms that do not describe it)', async (_what, setup) => {
    const client = await partyOf(masking(), 'clients/0');
    const error = await refusal(client, setup, await putPair(client, SECRET, SECRET));
    expect(error).toMatchObject({ name: 'ProtocolAbortError', reason: 'invalid-parameters' });
    expect(printed(error)).not.toMatch(/\b77\b/);
  });

  test('that is no integer refuses', async () => {
    const client = await partyOf(masking(), 'clients/0');
    const value = await client.put(
      new TensorValue('float32', [2], Float32Array.of(0.5, Number.NaN)),
      float32(2),
    );
    const error = await refusal(client, setupFor('clients/0'), value);
    expect(error).toMatchObject({ name: 'ProtocolAbortError', reason: 'invalid-parameters' });
  });

  test('that is a sequence, or a state, refuses', async () => {
    const client = await partyOf(masking(), 'clients/0');
    const type = sequence(int32(2));
    const values = await client.executor.createValue({ kind: 'sequence', elements: [] }, type);
    const other = await advertise(client, setupFor('clients/0'));
    for (const value of [values, other.state]) {
      const error = await refusal(client, setupFor('clients/0'), value);
      expect(error).toMatchObject({ name: 'TypeError' });
    }
  });

  test.each([
    [-SECRET, 'negative'],
    [SECRET + 1000, 'larger than the maximum'],
  ])('out of range (%d) says where, and never what it is', async (value, what) => {
    const client = await partyOf(masking(), 'clients/0');
    const error = await refusal(client, setupFor('clients/0'), await putPair(client, 5, value));
    expect(error).toMatchObject({ code: 'execution.secure_sum_range' });
    expect(error.message).toContain(`position 1 is ${what}`);
    expect(printed(error)).not.toContain(String(value));
  });

  test('checks 64 bits as exactly as 32', async () => {
    const client = await partyOf(masking(), 'clients/0');
    const value = (element: bigint) =>
      client.put(new TensorValue('int64', [1], BigInt64Array.of(element)), int64(1));
    const setup = terms({ dtype: 'int64', length: 1, bound: 2n ** 53n });
    const error = await refusal(client, setup, await value(2n ** 53n + 1n));
    expect(error).toMatchObject({ code: 'execution.secure_sum_range' });
    const fine = await mask(client, setup, await value(2n ** 53n));
    expect(maskedInputCodec.decode(fine).kind).toBe('masked-input');
  });

  test('of tensors in a struct names the tensor', async () => {
    const client = await partyOf(masking(), 'clients/0');
    const [first, second] = [await putPair(client, 1, 2), await putPair(client, 1, 2000)];
    const value = await client.executor.createStruct([
      { name: 'a', value: first },
      { name: 'b', value: second },
    ]);
    expect(value.type).toEqual(
      structOf([
        { name: 'a', type: int32(2) },
        { name: 'b', type: int32(2) },
      ]),
    );
    const error = await refusal(client, setupFor('clients/0', { terms: [TERM, TERM] }), value);
    expect(error.message).toContain('position 1 in tensor 1');
  });

  test('that it cannot mask erases its key all the same', async () => {
    const drawn: Uint8Array[] = [];
    const client = await partyOf(masking(), 'clients/0', (n) => {
      const bytes = crypto.getRandomValues(new Uint8Array(n));
      drawn.push(bytes);
      return bytes;
    });
    await refusal(client, setupFor('clients/0'), await putPair(client, -1, 0));
    expect(drawn).toHaveLength(1);
    expect(drawn[0]).toEqual(new Uint8Array(32));
    const { state } = await advertise(client, setupFor('clients/0', { session: SESSION }));
    expect(drawn[1]).not.toEqual(new Uint8Array(32));
    state[Symbol.dispose]();
    expect(drawn[1]).toEqual(new Uint8Array(32));
  });
});
