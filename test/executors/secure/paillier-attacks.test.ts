/**
 * @file Attacks on the roles of a Paillier sum by whoever drives them: absurd set-ups, bad keys and
 * ciphertexts, a key holder asked twice or for too little, inputs that are replayed or forged.
 */

import { inspect } from 'node:util';
import { paillier } from 'fedloom';
import { describe, expect, test } from 'vitest';
import type { ExecutorValue } from '../../../executors/executor.ts';
import { CHANNEL_KEY_PAIR } from '../../../executors/secure/channel-operators.ts';
import {
  KEY_PAIR,
  packingPlan,
  paillierAggregate,
  paillierEncryptor,
} from '../../../executors/secure/paillier-operators.ts';
import type { RoundSetup } from '../../../executors/secure/round-setup.ts';
import {
  announcedKeyCodec,
  bigIntToBytes,
  createEncryptor,
  decryptedSumCodec,
  type EncryptedInput,
  type EncryptedSum,
  encodeCiphertexts,
  encryptedInputCodec,
  encryptedSumCodec,
  generateX25519KeyPair,
  randomBytes,
} from '../../../protocols/index.ts';
import { smallKey, smallPrimes } from '../../protocols/paillier/keys.ts';
import {
  failureOf,
  type Party,
  partyOf,
  printed,
  putPair,
  SESSION,
  setupFor,
  TERM,
} from './parties.ts';

const quick = { modulusBits: 512, allowInsecureModulus: true } as const;
const pinned = { ...quick, keys: { paillier: smallPrimes } } as const;
const { publicKey } = smallKey;
const encryptor = createEncryptor(publicKey);
const plan = packingPlan([TERM], 2, 512);
const announced = (n: bigint) =>
  announcedKeyCodec.encode({ kind: 'announced-key', session: SESSION, round: 0, n });
const text = new TextEncoder();

const prepare = (party: Party, n: bigint = publicKey.n) =>
  party.call('paillier_prepare', [announced(n)], paillierEncryptor.type);

/** A client's input, or a forged one; sealed for nobody. */
function inputOf(client: string, changes: Partial<EncryptedInput> = {}): EncryptedInput {
  return {
    kind: 'encrypted-input',
    session: SESSION,
    round: 0,
    client,
    key: publicKey.fingerprint,
    plan: plan.hash,
    contextHash: new Uint8Array(32),
    ciphertexts: encodeCiphertexts(publicKey, encryptor.encrypt([5n])),
    ...changes,
  };
}

describe('a Paillier client refuses', () => {
  const client = async (aggregation = paillier(quick)) => {
    const party = await partyOf(aggregation, 'clients/0');
    const prepared = await prepare(party);
    const value = await putPair(party, 77, 3);
    const recipient = generateX25519KeyPair(randomBytes).publicKey;
    const encrypt = (setup: Uint8Array, to: Uint8Array = recipient) =>
      party.request('paillier_encrypt', [prepared, setup, to, value]);
    return { party, encrypt };
  };

  test.each<[string, Partial<RoundSetup>, string]>([
    ['a cohort of itself alone', { clients: 1 }, 'cohort-too-small'],
    ['a cohort of nobody', { clients: 0 }, 'malformed-message'],
    ['a session that identifies nothing', { session: new Uint8Array(3) }, 'malformed-message'],
    ['no name', { name: '' }, 'malformed-message'],
    ['terms for another length', { terms: [{ ...TERM, length: 2 ** 27 }] }, 'invalid-parameters'],
    ['terms for another dtype', { terms: [{ ...TERM, dtype: 'int64' }] }, 'invalid-parameters'],
    [
      'a modulus of 0',
      { terms: [{ ...TERM, kind: 'modular-sum', bound: 0n }] },
      'malformed-message',
    ],
    [
      'a maximum beyond the dtype',
      { terms: [{ ...TERM, bound: 2n ** 500n }] },
      'malformed-message',
    ],
  ])('%s', async (_what, changes, reason) => {
    const { encrypt } = await client();
    const error = await failureOf(encrypt(setupFor('clients/0', changes)));
    expect(error).toMatchObject({ name: 'ProtocolAbortError', reason });
    expect(printed(error)).not.toMatch(/\b77\b/);
  });

  test('a cohort below its own minimum, without looking at the value', async () => {
    const { encrypt } = await client(paillier({ ...quick, minimumClients: 5 }));
    const setup = setupFor('clients/0', { clients: 4, terms: [{ ...TERM, bound: 1n }] });
    const error = await failureOf(encrypt(setup));
    expect(error).toMatchObject({ code: 'protocol.too_few_clients', reason: 'cohort-too-small' });
  });

  test.each<[string, bigint, number, string]>([
    ['even', publicKey.n - 1n, 512, 'weak-modulus'],
    ['with a small factor (BitForge)', (publicKey.n / 65_537n) * 65_537n, 512, 'weak-modulus'],
    ['a square', smallPrimes.p ** 2n, 512, 'weak-modulus'],
    ['a prime', 2n ** 521n - 1n, 521, 'weak-modulus'],
    ['of another size', publicKey.n >> 8n, 512, 'modulus-too-small'],
    ['zero', 0n, 512, 'modulus-too-small'],
  ])('a modulus that is %s', async (_what, n, modulusBits, reason) => {
    const party = await partyOf(paillier({ ...quick, modulusBits }), 'clients/0');
    expect(await failureOf(prepare(party, n))).toMatchObject({
      code: 'protocol.bad_parameters',
      reason,
    });
  });

  test('a key other than the pinned one, and a pinned aggregator exchanged for another', async () => {
    const aggregator = generateX25519KeyPair(randomBytes);
    const aggregation = paillier({ ...pinned, keys: { ...pinned.keys, aggregator } });
    const { party, encrypt } = await client(aggregation);
    const other = generateX25519KeyPair(randomBytes).publicKey;
    expect(await failureOf(prepare(party, publicKey.n + 2n))).toMatchObject({
      reason: 'wrong-key',
    });
    const setup = setupFor('clients/0');
    expect(await failureOf(encrypt(setup, other))).toMatchObject({ reason: 'wrong-key' });
    expect(await encrypt(setup, aggregator.publicKey)).toBeInstanceOf(Uint8Array);
  });

  test('a recipient whose key makes no secret', async () => {
    const { encrypt } = await client();
    for (const key of [new Uint8Array(32), new Uint8Array(31)]) {
      expect(await failureOf(encrypt(setupFor('clients/0'), key))).toMatchObject({
        name: 'ProtocolAbortError',
      });
    }
  });
});

describe('a key holder', () => {
  const holder = async (
    aggregation = paillier({ ...pinned, keyHolder: 'key_holder' }),
    random: (n: number) => Uint8Array = randomBytes,
  ) => {
    const party = await partyOf(aggregation, 'key_holder/0', random);
    const keyPair = async () => {
      const pair = await party.call('paillier_key_pair', [setupFor('key_holder/0')], KEY_PAIR);
      const [secret, published] = await party.split(pair);
      await party.read(published as ExecutorValue);
      return secret as ExecutorValue;
    };
    const secret = await keyPair();
    const decrypt = (sum: Uint8Array, setup = setupFor('key_holder/0'), key = secret) =>
      party.request('paillier_decrypt', [key, setup, sum]);
    return { party, secret, keyPair, decrypt };
  };
  const sumOf = (changes: Partial<EncryptedSum> = {}) =>
    encryptedSumCodec.encode({
      kind: 'encrypted-sum',
      masked: true,
      session: SESSION,
      round: 0,
      clients: ['clients/0', 'clients/1'],
      key: publicKey.fingerprint,
      plan: plan.hash,
      ciphertexts: encodeCiphertexts(publicKey, encryptor.encrypt([5n])),
      ...changes,
    });
  const raw = (value: bigint) => bigIntToBytes(value, publicKey.ciphertextBytes);

  test('decrypts once a session, for whichever handle on its key (decryption oracle)', async () => {
    const { decrypt, keyPair } = await holder();
    const outcomes = await Promise.allSettled([decrypt(sumOf()), decrypt(sumOf())]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await failureOf(decrypt(sumOf()))).toMatchObject({ reason: 'session-used' });
    const again = await failureOf(decrypt(sumOf(), setupFor('key_holder/0'), await keyPair()));
    expect(again).toMatchObject({ reason: 'session-used' });
  });

  test.each<[string, Partial<EncryptedSum>, string]>([
    ['a single client’s ciphertext', { clients: ['clients/0'] }, 'too-few-inputs'],
    ['one client named twice', { clients: ['clients/0', 'clients/0'] }, 'duplicate-client'],
    ['more inputs than its slots hold', { clients: ['a', 'b', 'c'] }, 'too-many-inputs'],
    ['a sum without a mask', { masked: false }, 'not-masked'],
    ['a sum of another session', { session: new Uint8Array(32) }, 'wrong-session'],
    ['a sum under another key', { key: new Uint8Array(32) }, 'wrong-key'],
    ['a sum by another plan', { plan: new Uint8Array(32) }, 'wrong-plan'],
    ['no ciphertext', { ciphertexts: new Uint8Array(0) }, 'invalid-ciphertext'],
    ['a ciphertext cut short', { ciphertexts: raw(5n).subarray(1) }, 'invalid-ciphertext'],
    ['the ciphertext 0', { ciphertexts: raw(0n) }, 'invalid-ciphertext'],
    ['the ciphertext n', { ciphertexts: raw(publicKey.n) }, 'invalid-ciphertext'],
    ['a multiple of a prime', { ciphertexts: raw(smallPrimes.p * 3n) }, 'invalid-ciphertext'],
    ['the ciphertext n^2', { ciphertexts: raw(publicKey.nSquared) }, 'invalid-ciphertext'],
    ['the ciphertext n^2 + 5', { ciphertexts: raw(publicKey.nSquared + 5n) }, 'invalid-ciphertext'],
  ])('refuses %s, and then decrypts the true sum', async (_what, changes, reason) => {
    const { decrypt } = await holder();
    expect(await failureOf(decrypt(sumOf(changes)))).toMatchObject({ reason });
    const decrypted = decryptedSumCodec.decode(await decrypt(sumOf()));
    expect(decrypted.kind).toBe('decrypted-sum');
  });

  test('refuses the sum of a part of the cohort that its slots are for', async () => {
    const { decrypt } = await holder();
    const three = packingPlan([TERM], 3, 512);
    const setup = setupFor('key_holder/0', { clients: 3 });
    expect(await failureOf(decrypt(sumOf({ plan: three.hash }), setup))).toMatchObject({
      reason: 'too-few-inputs',
    });
  });

  test('counts a decryption that failed (provoked faults)', async () => {
    let broken = false;
    const { decrypt } = await holder(undefined, (n) => {
      if (broken) throw new Error('no more randomness');
      return randomBytes(n);
    });
    broken = true;
    expect(await failureOf(decrypt(sumOf()))).toMatchObject({ message: 'no more randomness' });
    broken = false;
    expect(await failureOf(decrypt(sumOf()))).toMatchObject({ reason: 'session-used' });
  });

  test('refuses a plan for one client, whatever it is told of the sum', async () => {
    const { decrypt } = await holder();
    const alone = packingPlan([TERM], 1, 512);
    const setup = setupFor('key_holder/0', { clients: 1 });
    const sum = sumOf({ clients: ['clients/0'], plan: alone.hash });
    expect(await failureOf(decrypt(sum, setup))).toMatchObject({
      code: 'protocol.too_few_clients',
      reason: 'too-few-inputs',
    });
  });

  test('refuses another label’s opaque value as its key, and does not print its own', async () => {
    const { party, secret } = await holder();
    const prepared = await prepare(party);
    const request = party.request('paillier_decrypt', [
      prepared,
      setupFor('key_holder/0'),
      sumOf(),
    ]);
    expect(await failureOf(request)).toMatchObject({ name: 'FederatedTypeError' });
    expect(await failureOf(secret.compute())).toMatchObject({ code: 'execution.opaque_value' });
    const everything = inspect([secret, smallKey, paillier(pinned)], {
      depth: 20,
      showHidden: true,
    });
    expect(everything).not.toContain(String(smallPrimes.p));
    expect(
      String(JSON.stringify(smallKey, (_, v) => (typeof v === 'bigint' ? String(v) : v))),
    ).not.toContain(String(smallPrimes.p));
  });

  test('with a key that is none says why, by a named error', async () => {
    const keys = { paillier: { n: smallPrimes.n, p: smallPrimes.p + 2n, q: smallPrimes.q } };
    const party = await partyOf(paillier({ ...quick, keys }), 'server/0');
    const error = await failureOf(
      party.call('paillier_key_pair', [setupFor('server/0')], KEY_PAIR),
    );
    expect(error).toMatchObject({ name: 'ProtocolAbortError', reason: 'invalid-private-key' });
    expect(printed(error)).not.toContain(String(smallPrimes.q));
  });
});

describe('an aggregator', () => {
  const open = {
    ...quick,
    keyHolder: 'key_holder',
    aggregator: 'aggregator',
    channels: { 'clients->aggregator': 'plaintext' },
  } as const;
  const start = async (aggregation = paillier(open), changes: Partial<RoundSetup> = {}) => {
    const party = await partyOf(aggregation, 'aggregator/0');
    const prepared = await prepare(party);
    const pair = await party.call('channel_key_pair', [], CHANNEL_KEY_PAIR);
    const [keys, published] = await party.split(pair);
    const recipient = await party.read(published as ExecutorValue);
    const begin = () =>
      party.call(
        'paillier_aggregate',
        [prepared, setupFor('aggregator/0', changes)],
        paillierAggregate.type,
      );
    const add = (aggregate: ExecutorValue, from: string, message: Uint8Array) =>
      party.call(
        'paillier_add',
        [aggregate, keys as ExecutorValue, text.encode(from), message],
        paillierAggregate.type,
      );
    return { party, begin, add, recipient };
  };
  const encode = (input: EncryptedInput) => encryptedInputCodec.encode(input);

  test.each<[string, string, EncryptedInput, string]>([
    ['of a stranger', 'sybil', inputOf('sybil'), 'unknown-client'],
    ['that names another sender', 'clients/1', inputOf('clients/0'), 'wrong-sender'],
    ['sent twice', 'clients/0', inputOf('clients/0'), 'duplicate-message'],
    [
      'of another session',
      'clients/1',
      inputOf('clients/1', { session: new Uint8Array(32) }),
      'wrong-session',
    ],
    [
      'of another plan, such as that of a smaller cohort',
      'clients/1',
      inputOf('clients/1', { plan: new Uint8Array(32) }),
      'wrong-plan',
    ],
    [
      'under another key',
      'clients/1',
      inputOf('clients/1', { key: new Uint8Array(32) }),
      'wrong-key',
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
  ])('refuses an input %s, and ends the aggregation', async (_what, from, input, reason) => {
    const { begin, add } = await start();
    const first = await add(await begin(), 'clients/0', encode(inputOf('clients/0')));
    const error = await failureOf(add(first, from, encode(input)));
    expect(error).toMatchObject({ name: 'ProtocolAbortError', reason, offender: from });
    expect(await failureOf(add(first, 'clients/1', encode(inputOf('clients/1'))))).toMatchObject({
      code: 'execution.linear_reuse',
    });
  });

  test('refuses one client’s ciphertext from another, and bytes that are no input', async () => {
    const { begin, add } = await start();
    const input = inputOf('clients/0');
    const first = await add(await begin(), 'clients/0', encode(input));
    const copy = encode({ ...input, client: 'clients/1' });
    expect(await failureOf(add(first, 'clients/1', copy))).toMatchObject({
      reason: 'copied-input',
    });
    const other = await begin();
    const garbage = await failureOf(add(other, 'clients/0', new Uint8Array(40)));
    expect(garbage).toMatchObject({ reason: 'malformed-message', offender: 'clients/0' });
  });

  test('gives no sum before everybody is in it, and one afterwards', async () => {
    const { party, begin, add } = await start();
    const first = await add(await begin(), 'clients/0', encode(inputOf('clients/0')));
    const finish = (aggregate: ExecutorValue) => party.request('paillier_finish', [aggregate]);
    expect(await failureOf(finish(first))).toMatchObject({
      code: 'protocol.client_lost',
      reason: 'missing-clients',
    });
    let aggregate = await begin();
    for (const from of ['clients/0', 'clients/1']) {
      aggregate = await add(aggregate, from, encode(inputOf(from)));
    }
    expect(encryptedSumCodec.decode(await finish(aggregate)).kind).toBe('encrypted-sum');
    expect(await failureOf(finish(aggregate))).toMatchObject({ code: 'execution.linear_reuse' });
  });

  test('refuses a cohort of one, a cohort without end, and a key of another size', async () => {
    const alone = await start(paillier(open), { clients: 1 });
    expect(await failureOf(alone.begin())).toMatchObject({ reason: 'cohort-too-small' });
    const endless = await start(paillier(open), { clients: 2 ** 32 - 1 });
    expect(await failureOf(endless.begin())).toMatchObject({ reason: 'malformed-message' });
  });

  test('opens what is sealed for it by its route only, and for one aggregation of a session', async () => {
    const { begin, add, recipient } = await start(paillier(quick));
    const client = await partyOf(paillier(quick), 'clients/0');
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
      ['clients/0', await seal({ session: new Uint8Array(32) }), 'open-failed'],
      ['clients/0', encode(inputOf('clients/0')), 'malformed-message'],
      ['clients/0', new Uint8Array(0), 'malformed-message'],
    ];
    for (const [from, message, reason] of attempts) {
      const error = await failureOf(add(await begin(), from, message));
      expect(error).toMatchObject({ name: 'ProtocolAbortError', reason, offender: from });
    }
    await add(await begin(), 'clients/0', sealed);
    const second = await failureOf(add(await begin(), 'clients/0', sealed));
    expect(second).toMatchObject({ reason: 'session-used' });
  });

  test('opens the inputs of a session once, by whichever handle on its keys', async () => {
    const aggregator = generateX25519KeyPair(randomBytes);
    const aggregation = paillier({ ...quick, keys: { aggregator } });
    const client = await partyOf(aggregation, 'clients/0');
    const sealed = await client.request('paillier_encrypt', [
      await prepare(client),
      setupFor('clients/0'),
      aggregator.publicKey,
      await putPair(client, 1, 2),
    ]);
    const first = await start(aggregation);
    const second = await start(aggregation);
    await first.add(await first.begin(), 'clients/0', sealed);
    expect(await failureOf(second.add(await second.begin(), 'clients/0', sealed))).toMatchObject({
      reason: 'session-used',
    });
  });
});
