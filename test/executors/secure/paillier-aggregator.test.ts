/** @file Attacks on the aggregator of a Paillier sum: forged, copied, replayed and sealed inputs. */

import { paillier } from 'fedloom';
import { describe, expect, test } from 'vitest';
import type { ExecutorValue } from '../../../executors/executor.ts';
import { CHANNEL_KEY_PAIR } from '../../../executors/secure/channel-operators.ts';
import { paillierAggregate } from '../../../executors/secure/paillier/aggregator-operators.ts';
import { takenType } from '../../../executors/secure/paillier/collecting.ts';
import { verdictCodec } from '../../../executors/secure/paillier/verdict.ts';
import type { RoundSetup } from '../../../executors/secure/round-setup.ts';
import {
  type EncryptedInput,
  encryptedInputCodec,
  encryptedSumCodec,
  generateX25519KeyPair,
  randomBytes,
} from '../../../protocols/index.ts';
import { smallKey } from '../../protocols/paillier/keys.ts';
import { announced, inputOf, NO_HASH, pinned, prepare, text } from './paillier-parties.ts';
import { failureOf, partyOf, putPair, setupFor } from './parties.ts';

describe('an aggregator', () => {
  const open = {
    ...pinned,
    keyHolder: 'key_holder',
    aggregator: 'aggregator',
    verifyInputs: false,
    channels: { 'clients->aggregator': 'plaintext' },
  } as const;
  const start = async (
    aggregation = paillier(open),
    changes: Partial<RoundSetup> = {},
    holder = 'key_holder/0',
  ) => {
    const party = await partyOf(aggregation, 'aggregator/0');
    const prepared = await prepare(party, announced(smallKey, undefined, holder));
    const pair = await party.call('channel_key_pair', [], CHANNEL_KEY_PAIR);
    const [keys, published] = await party.split(pair);
    await party.read(published as ExecutorValue);
    const recipient = await party.request('paillier_sign_channel_key', [
      keys as ExecutorValue,
      setupFor('aggregator/0'),
    ]);
    const begin = () =>
      party.call(
        'paillier_aggregate',
        [prepared, setupFor('aggregator/0', changes)],
        paillierAggregate.type,
      );
    const add = async (aggregate: ExecutorValue, from: string, message: Uint8Array) => {
      const args = [aggregate, keys as ExecutorValue, text.encode(from), message];
      const taken = await party.call('paillier_add', args, takenType(paillierAggregate));
      const [next, verdict] = await party.split(taken);
      const decoded = verdictCodec.decode(await party.read(verdict as ExecutorValue));
      if (decoded.kind === 'fault') throw new Error(decoded.message);
      return { next: next as ExecutorValue, refusal: decoded.refusal?.code };
    };
    const finish = (aggregate: ExecutorValue) => party.request('paillier_finish', [aggregate]);
    return { party, begin, add, finish, recipient };
  };
  const encode = (input: EncryptedInput) => encryptedInputCodec.encode(input);

  test.each<[string, string, EncryptedInput, string]>([
    ['of a stranger', 'sybil', inputOf('sybil'), 'unknown-client'],
    ['that names another sender', 'clients/1', inputOf('clients/0'), 'wrong-sender'],
    ['sent twice', 'clients/0', inputOf('clients/0'), 'duplicate-client'],
    [
      'of another session',
      'clients/1',
      inputOf('clients/1', { session: NO_HASH }),
      'wrong-session',
    ],
    [
      'of another plan, such as that of a smaller cohort',
      'clients/1',
      inputOf('clients/1', { plan: NO_HASH }),
      'wrong-plan',
    ],
    ['under another key', 'clients/1', inputOf('clients/1', { key: NO_HASH }), 'wrong-key'],
    [
      'for other identities',
      'clients/1',
      inputOf('clients/1', { roster: NO_HASH }),
      'wrong-roster',
    ],
    [
      'that another than its client signed',
      'clients/1',
      { ...inputOf('clients/1'), signature: inputOf('clients/0').signature },
      'wrong-signature',
    ],
    [
      'too long',
      'clients/1',
      inputOf('clients/1', { ciphertexts: new Uint8Array(129) }),
      'invalid-ciphertext',
    ],
    [
      'of zeros',
      'clients/1',
      inputOf('clients/1', { ciphertexts: new Uint8Array(128) }),
      'invalid-ciphertext',
    ],
  ])('refuses an input %s, and takes that of the others', async (_what, from, input, refusal) => {
    const { begin, add, finish } = await start();
    const first = await add(await begin(), 'clients/0', encode(inputOf('clients/0')));
    expect(first.refusal).toBeUndefined();
    const second = await add(first.next, from, encode(input));
    expect(second.refusal).toBe(refusal);
    const third = await add(second.next, 'clients/1', encode(inputOf('clients/1')));
    expect(third.refusal).toBeUndefined();
    const sum = encryptedSumCodec.decode(await finish(third.next));
    if (sum.kind === 'fault') throw new Error(sum.message);
    expect(sum.inputs.map(({ client }) => client)).toEqual(['clients/0', 'clients/1']);
    // An aggregation that went on cannot be gone back to.
    const again = add(first.next, 'clients/1', encode(inputOf('clients/1')));
    expect(await failureOf(again)).toMatchObject({ code: 'execution.linear_reuse' });
  });

  test('refuses one client’s ciphertext from another, and bytes that are no input', async () => {
    const { begin, add } = await start();
    const input = inputOf('clients/0');
    const { next } = await add(await begin(), 'clients/0', encode(input));
    const { ciphertexts } = input;
    const copy = await add(next, 'clients/1', encode(inputOf('clients/1', { ciphertexts })));
    expect(copy.refusal).toBe('copied-input');
    const garbage = await add(copy.next, 'clients/1', new Uint8Array(40));
    expect(garbage.refusal).toBe('malformed-message');
  });

  test('gives no sum of fewer than its minimum, and one of a session', async () => {
    const { begin, add, finish } = await start();
    const { next } = await add(await begin(), 'clients/0', encode(inputOf('clients/0')));
    expect(await failureOf(finish(next))).toMatchObject({
      code: 'protocol.too_few_clients',
      reason: 'too-few-inputs',
    });
    const whole = async () => {
      const first = await add(await begin(), 'clients/0', encode(inputOf('clients/0')));
      return (await add(first.next, 'clients/1', encode(inputOf('clients/1')))).next;
    };
    const aggregate = await whole();
    expect(encryptedSumCodec.decode(await finish(aggregate)).kind).toBe('encrypted-sum');
    expect(await failureOf(finish(aggregate))).toMatchObject({ code: 'execution.linear_reuse' });
    expect(await failureOf(finish(await whole()))).toMatchObject({ reason: 'session-used' });
  });

  test('refuses a cohort of one, a cohort without end, and a key of another size', async () => {
    const alone = await start(paillier(open), { clients: 1 });
    expect(await failureOf(alone.begin())).toMatchObject({ reason: 'cohort-too-small' });
    const endless = await start(paillier(open), { clients: 2 ** 32 - 1 });
    expect(await failureOf(endless.begin())).toMatchObject({ reason: 'malformed-message' });
  });

  test('opens what is sealed for it by its route only, and for one aggregation of a session', async () => {
    const { begin, add, recipient } = await start(paillier(pinned), {}, 'server/0');
    const client = await partyOf(paillier(pinned), 'clients/0');
    const prepared = await prepare(client);
    const seal = async (changes: Partial<RoundSetup> = {}) =>
      client.request('paillier_encrypt', [
        prepared,
        setupFor('clients/0', changes),
        recipient,
        await putPair(client, 1, 2),
      ]);
    const sealed = await seal();
    const changed = sealed.slice();
    changed[changed.length - 1]! ^= 1;
    const attempts: [string, Uint8Array, string][] = [
      ['clients/1', sealed, 'open-failed'],
      ['clients/0', changed, 'open-failed'],
      ['clients/0', await seal({ session: NO_HASH }), 'open-failed'],
      ['clients/0', encode(inputOf('clients/0')), 'malformed-message'],
      ['clients/0', new Uint8Array(0), 'malformed-message'],
    ];
    for (const [from, message, refusal] of attempts) {
      expect((await add(await begin(), from, message)).refusal).toBe(refusal);
    }
    expect((await add(await begin(), 'clients/0', sealed)).refusal).toBeUndefined();
    const second = await failureOf(add(await begin(), 'clients/0', sealed));
    expect(second).toMatchObject({ reason: 'session-used' });
  });

  test('opens the inputs of a session once, by whichever handle on its keys', async () => {
    const aggregator = generateX25519KeyPair(randomBytes);
    const aggregation = paillier({ ...pinned, keys: { ...pinned.keys, aggregator } });
    const first = await start(aggregation, {}, 'server/0');
    const second = await start(aggregation, {}, 'server/0');
    const client = await partyOf(aggregation, 'clients/0');
    const sealed = await client.request('paillier_encrypt', [
      await prepare(client),
      setupFor('clients/0'),
      first.recipient,
      await putPair(client, 1, 2),
    ]);
    await first.add(await first.begin(), 'clients/0', sealed);
    expect(await failureOf(second.add(await second.begin(), 'clients/0', sealed))).toMatchObject({
      reason: 'session-used',
    });
  });
});
