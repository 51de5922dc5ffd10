/**
 * @file Attacks on the roles of a Paillier sum by whoever drives them: absurd set-ups, bad keys and
 * ciphertexts, a key holder asked twice or for too little, inputs that are replayed or forged.
 */

import { inspect } from 'node:util';
import { paillier } from 'fedloom';
import { describe, expect, test } from 'vitest';
import type { ExecutorValue } from '../../../executors/executor.ts';
import { signChannelKey } from '../../../executors/secure/paillier/channel-key.ts';
import { KEY_PAIR } from '../../../executors/secure/paillier/key-operators.ts';
import { packingPlan } from '../../../executors/secure/paillier/policy.ts';
import type { RoundSetup } from '../../../executors/secure/round-setup.ts';
import {
  type AnnouncedKey,
  bigIntToBytes,
  decryptedSumCodec,
  type EncryptedSum,
  encodeCiphertexts,
  encryptedSumCodec,
  generateX25519KeyPair,
  memoryLedger,
  proveForHolder,
  randomBytes,
} from '../../../protocols/index.ts';
import { smallBlumKey, smallKey, smallPrimes } from '../../protocols/paillier/keys.ts';
import {
  announced,
  encryptor,
  identities,
  listed,
  NO_HASH,
  pinned,
  plan,
  prepare,
  publicKey,
  quick,
  rosterHash,
  signerOf,
  strangers,
} from './paillier-parties.ts';
import { failureOf, partyOf, printed, putPair, SESSION, setupFor, TERM } from './parties.ts';

describe('a Paillier client refuses', () => {
  const client = async (aggregation = paillier(pinned)) => {
    const party = await partyOf(aggregation, 'clients/0');
    const prepared = await prepare(party);
    const value = await putPair(party, 77, 3);
    const { publicKey: own } = generateX25519KeyPair(randomBytes);
    const recipient = signChannelKey('aggregator/0', own, identities.signer('aggregator/0'));
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
    const { encrypt } = await client(paillier({ ...pinned, minimumClients: 5 }));
    const setup = setupFor('clients/0', { clients: 4, terms: [{ ...TERM, bound: 1n }] });
    const error = await failureOf(encrypt(setup));
    expect(error).toMatchObject({ code: 'protocol.too_few_clients', reason: 'cohort-too-small' });
  });

  test.each<[string, bigint, number, string]>([
    ['even', publicKey.n - 1n, 512, 'weak-modulus'],
    ['with a small factor (BitForge)', (publicKey.n / 65_537n) * 65_537n, 512, 'weak-modulus'],
    ['a square', smallPrimes.p ** 2n, 512, 'weak-modulus'],
    ['a prime', 2n ** 521n - 1n, 521, 'weak-modulus'],
    ['of primes that are close', smallPrimes.p * (smallPrimes.p + 6n), 512, 'weak-modulus'],
    ['of another size', publicKey.n >> 8n, 512, 'modulus-too-small'],
    ['zero', 0n, 512, 'modulus-too-small'],
    ['not proven', publicKey.n, 512, 'unproven-key'],
  ])('a modulus that is %s', async (_what, n, modulusBits, reason) => {
    const trusting = { ...quick, modulusBits, acceptUnprovenKeys: reason !== 'unproven-key' };
    const party = await partyOf(paillier(trusting), 'clients/0');
    expect(await failureOf(prepare(party, { ...announced(), n }))).toMatchObject({
      code: 'protocol.bad_parameters',
      reason,
    });
  });

  test('a key whose proof is of another key or holder, or that its holder did not sign', async () => {
    const party = await partyOf(paillier(quick), 'clients/0');
    const proof = proveForHolder(smallBlumKey, signerOf('server/0'));
    await prepare(party, announced(smallBlumKey, proof));
    const attempts: [AnnouncedKey, string][] = [
      [announced(smallKey, proof), 'invalid-key-proof'],
      [
        announced(smallBlumKey, proveForHolder(smallBlumKey, signerOf('server/0', strangers))),
        'invalid-key-proof',
      ],
      [announced(smallBlumKey, proof, 'key_holder/0'), 'wrong-key'],
      [{ ...announced(smallBlumKey, proof), round: 7 }, 'wrong-signature'],
    ];
    for (const [message, reason] of attempts) {
      expect(await failureOf(prepare(party, message))).toMatchObject({
        reason,
        offender: 'server/0',
      });
    }
  });

  test('a key other than the pinned one, and a pinned aggregator exchanged for another', async () => {
    const aggregator = generateX25519KeyPair(randomBytes);
    const aggregation = paillier({ ...pinned, keys: { ...pinned.keys, aggregator } });
    const { party, encrypt } = await client(aggregation);
    expect(await failureOf(prepare(party, announced(smallBlumKey)))).toMatchObject({
      reason: 'wrong-key',
    });
    const setup = setupFor('clients/0');
    expect(await failureOf(encrypt(setup))).toMatchObject({ reason: 'wrong-key' });
    const signer = identities.signer('aggregator/0');
    const right = signChannelKey('aggregator/0', aggregator.publicKey, signer);
    expect(await encrypt(setup, right)).toBeInstanceOf(Uint8Array);
  });

  test('a key to seal for that the aggregator did not sign (a server that would read along)', async () => {
    const { encrypt } = await client();
    const setup = setupFor('clients/0');
    const own = generateX25519KeyPair(randomBytes).publicKey;
    const forgeries = [
      signChannelKey('aggregator/0', own, strangers.signer('aggregator/0')),
      signChannelKey('aggregator/0', own, identities.signer('server/0')),
      signChannelKey('server/0', own, identities.signer('server/0')),
    ];
    for (const forged of forgeries) {
      expect(await failureOf(encrypt(setup, forged))).toMatchObject({
        reason: 'wrong-signature',
        offender: 'aggregator/0',
      });
    }
    expect(await failureOf(encrypt(setup, own))).toMatchObject({ reason: 'malformed-message' });
  });

  test('a recipient whose key makes no secret', async () => {
    const { encrypt } = await client();
    const signer = identities.signer('aggregator/0');
    const zeros = signChannelKey('aggregator/0', new Uint8Array(32), signer);
    expect(await failureOf(encrypt(setupFor('clients/0'), zeros))).toMatchObject({
      name: 'ProtocolAbortError',
    });
  });

  test('to sign as somebody whose key it does not have', async () => {
    const own = {
      roster: (names: readonly string[]) => identities.roster(names),
      signer: (name: string) => (name === 'clients/0' ? identities.signer(name) : undefined),
    };
    const { encrypt } = await client(paillier({ ...pinned, identities: own }));
    expect(await encrypt(setupFor('clients/0'))).toBeInstanceOf(Uint8Array);
    expect(await failureOf(encrypt(setupFor('clients/1')))).toMatchObject({
      reason: 'unknown-identity',
    });
  });

  test('to send unmasked what it should mask: it has no operator for it', () => {
    const urisOf = (options: Parameters<typeof paillier>[0]) =>
      paillier({ ...quick, ...options })
        .secureStack()
        .operators.map(({ uri }) => uri);
    const masked = urisOf({ keyHolder: 'key_holder' });
    const plain = urisOf({ keyHolder: 'key_holder', verifyInputs: false });
    for (const uri of ['paillier_encrypt', 'paillier_aggregate', 'paillier_decrypt']) {
      expect(masked).not.toContain(uri);
      expect(plain).toContain(uri);
    }
    for (const uri of ['paillier_encrypt_masked', 'paillier_keep_masks', 'paillier_collect']) {
      expect(masked).toContain(uri);
      expect(plain).not.toContain(uri);
    }
  });
});

describe('a key holder', () => {
  const separate = { ...pinned, keyHolder: 'key_holder', verifyInputs: false } as const;
  const holder = async (
    aggregation = paillier(separate),
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
      key: publicKey.fingerprint,
      plan: plan.hash,
      roster: rosterHash(2),
      contextHash: NO_HASH,
      inputs: [listed('clients/0'), listed('clients/1')],
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
    ['a single client’s ciphertext', { inputs: [listed('clients/0')] }, 'too-few-inputs'],
    [
      'one client named twice',
      { inputs: [listed('clients/0'), listed('clients/0')] },
      'duplicate-client',
    ],
    [
      'more inputs than its slots hold',
      { inputs: ['clients/0', 'clients/1', 'clients/2'].map((client) => listed(client)) },
      'too-many-inputs',
    ],
    ['a client of no roster', { inputs: [listed('clients/0'), listed('sybil')] }, 'unknown-client'],
    [
      'a list that nobody signed',
      { inputs: [listed('clients/0'), { ...listed('clients/1'), signature: new Uint8Array(64) }] },
      'wrong-signature',
    ],
    [
      'inputs that were signed for another session',
      { inputs: [listed('clients/0'), listed('clients/1', { session: NO_HASH })] },
      'wrong-signature',
    ],
    [
      'inputs that were signed for another key',
      { inputs: [listed('clients/0'), listed('clients/1', { key: NO_HASH })] },
      'wrong-signature',
    ],
    [
      'fewer inputs than a client agreed to',
      { inputs: [listed('clients/0'), listed('clients/1', { minimumClients: 3 })] },
      'below-client-minimum',
    ],
    ['a sum of another roster', { roster: NO_HASH }, 'wrong-roster'],
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

  test('decrypts the sum of a part of the cohort, down to its own minimum', async () => {
    const three = packingPlan([TERM], 3, 512);
    const setup = setupFor('key_holder/0', { clients: 3 });
    const common = { plan: three.hash, roster: rosterHash(3) };
    const part = sumOf({
      ...common,
      inputs: [listed('clients/0', common), listed('clients/1', common)],
    });
    const careful = await holder(paillier({ ...separate, minimumClients: 3 }));
    expect(await failureOf(careful.decrypt(part, setup))).toMatchObject({
      code: 'protocol.too_few_clients',
      reason: 'too-few-inputs',
    });
    const { decrypt } = await holder();
    expect(decryptedSumCodec.decode(await decrypt(part, setup)).kind).toBe('decrypted-sum');
  });

  test('decrypts once a session though it was restarted, by a ledger that lasts', async () => {
    const ledger = memoryLedger();
    const first = await holder(paillier({ ...separate, ledger }));
    await first.decrypt(sumOf());
    const second = await holder(paillier({ ...separate, ledger }));
    expect(await failureOf(second.decrypt(sumOf()))).toMatchObject({ reason: 'session-used' });
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
    const common = { plan: alone.hash, roster: rosterHash(1) };
    const sum = sumOf({ ...common, inputs: [listed('clients/0', common)] });
    expect(await failureOf(decrypt(sum, setup))).toMatchObject({
      code: 'protocol.too_few_clients',
      reason: 'cohort-too-small',
    });
  });

  test('refuses another label’s opaque value as its key, and does not print its own', async () => {
    const { party, secret } = await holder();
    const prepared = await prepare(party, announced(smallKey, undefined, 'key_holder/0'));
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
