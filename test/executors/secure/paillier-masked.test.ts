/**
 * @file Attacks on a Paillier sum that the key holder adds itself: a mask keeper, a key holder and a
 * client driven by hand, in the place of a server that does as it likes.
 */

import { paillier, simulatedIdentities } from 'fedloom';
import { describe, expect, test } from 'vitest';
import { structOf } from '../../../computations/types/index.ts';
import type { ExecutorValue } from '../../../executors/executor.ts';
import type { OpaqueKind } from '../../../executors/leaf/opaque.ts';
import { CHANNEL_KEY_PAIR } from '../../../executors/secure/channel-operators.ts';
import { paillierMasks } from '../../../executors/secure/paillier/aggregator-operators.ts';
import { signChannelKey } from '../../../executors/secure/paillier/channel-key.ts';
import { type Collection, takenType } from '../../../executors/secure/paillier/collecting.ts';
import { paillierInputs } from '../../../executors/secure/paillier/key-holder-operators.ts';
import { KEY_PAIR, paillierEncryptor } from '../../../executors/secure/paillier/key-operators.ts';
import { namesCodec } from '../../../executors/secure/paillier/names.ts';
import { packingPlan } from '../../../executors/secure/paillier/policy.ts';
import { verdictCodec } from '../../../executors/secure/paillier/verdict.ts';
import { BYTES } from '../../../executors/secure/participant.ts';
import {
  bigIntFromBytes,
  decryptedSumCodec,
  generateX25519KeyPair,
  maskSumCodec,
  memoryLedger,
  randomBytes,
} from '../../../protocols/index.ts';
import { smallKey, smallPrimes } from '../../protocols/paillier/keys.ts';
import { failureOf, type Party, partyOf, putPair, SESSION, setupFor, TERM } from './parties.ts';

const identities = simulatedIdentities(new Uint8Array(32).fill(3));
const options = {
  modulusBits: 512,
  allowInsecureModulus: true,
  identities,
  keyHolder: 'key_holder',
  keys: { paillier: smallPrimes },
} as const;
const { n, plaintextBytes } = smallKey.publicKey;
const text = new TextEncoder();
const CLIENTS = 3;
const setup = (name: string, session = SESSION) => setupFor(name, { clients: CLIENTS, session });

interface Sent {
  readonly mask: Uint8Array;
  readonly input: Uint8Array;
}

/** A whole cohort, to be driven: everything that a server could have. */
async function cohort(changes: Parameters<typeof paillier>[0] = {}) {
  const aggregation = paillier({ ...options, ...changes });
  const keyHolder = await partyOf(aggregation, 'key_holder/0');
  const keeper = await partyOf(aggregation, 'aggregator/0');
  const [secret, published] = await keyHolder.split(
    await keyHolder.call('paillier_key_pair', [setup('key_holder/0')], KEY_PAIR),
  );
  const announced = await keyHolder.read(published as ExecutorValue);
  const channelOf = async (party: Party, uri: string) => {
    const [keys, open] = await party.split(await party.call(uri, [], CHANNEL_KEY_PAIR));
    await party.read(open as ExecutorValue);
    const signed = await party.request('paillier_sign_channel_key', [
      keys as ExecutorValue,
      setup(party.name),
    ]);
    return { keys: keys as ExecutorValue, signed };
  };
  const toHolder = await channelOf(keyHolder, 'paillier_input_key_pair');
  const toKeeper = await channelOf(keeper, 'channel_key_pair');
  const prepare = (party: Party) =>
    party.call('paillier_prepare', [announced], paillierEncryptor.type);
  const keeperKey = await prepare(keeper);

  const send = async (
    index: number,
    { session = SESSION, first = index, holderKey = toHolder.signed } = {},
  ): Promise<Sent> => {
    const name = `clients/${index}`;
    const party = await partyOf(aggregation, name);
    const pair = await party.call(
      'paillier_encrypt_masked',
      [
        await prepare(party),
        setup(name, session),
        toKeeper.signed,
        holderKey,
        await putPair(party, first, 10),
      ],
      structOf([
        { name: null, type: BYTES },
        { name: null, type: BYTES },
      ]),
    );
    const [mask, input] = await party.split(pair);
    return {
      mask: await party.read(mask as ExecutorValue),
      input: await party.read(input as ExecutorValue),
    };
  };
  const take = async <S>(
    party: Party,
    [uri, kind, keys]: readonly [string, OpaqueKind<Collection<S>>, ExecutorValue],
    collection: ExecutorValue,
    from: string,
    message: Uint8Array,
  ) => {
    const args = [collection, keys, text.encode(from), message];
    const [next, bytes] = await party.split(await party.call(uri, args, takenType(kind)));
    const verdict = verdictCodec.decode(await party.read(bytes as ExecutorValue));
    if (verdict.kind === 'fault') throw new Error(verdict.message);
    return { next: next as ExecutorValue, refusal: verdict.refusal?.code };
  };
  return {
    keyHolder,
    keeper,
    send,
    toHolder,
    keep: (masks: ExecutorValue, from: string, message: Uint8Array) =>
      take(keeper, ['paillier_keep_mask', paillierMasks, toKeeper.keys], masks, from, message),
    collect: (inputs: ExecutorValue, from: string, message: Uint8Array) => {
      const how = ['paillier_collect_input', paillierInputs, toHolder.keys] as const;
      return take(keyHolder, how, inputs, from, message);
    },
    beginMasks: () =>
      keeper.call('paillier_keep_masks', [keeperKey, setup('aggregator/0')], paillierMasks.type),
    beginInputs: () =>
      keyHolder.call(
        'paillier_collect',
        [secret as ExecutorValue, setup('key_holder/0')],
        paillierInputs.type,
      ),
    release: async (masks: ExecutorValue, clients: readonly string[]) =>
      maskSumCodec.decode(
        await keeper.request('paillier_release_masks', [
          masks,
          namesCodec.encode({ kind: 'names', clients }),
        ]),
      ),
    decrypt: async (inputs: ExecutorValue) =>
      decryptedSumCodec.decode(await keyHolder.request('paillier_decrypt_inputs', [inputs])),
  };
}

type Driven = Awaited<ReturnType<typeof cohort>>;

async function allIn({ send, keep, collect, beginMasks, beginInputs }: Driven, indices: number[]) {
  let masks = await beginMasks();
  let inputs = await beginInputs();
  for (const index of indices) {
    const sent = await send(index);
    const kept = await keep(masks, `clients/${index}`, sent.mask);
    const taken = await collect(inputs, `clients/${index}`, sent.input);
    expect([kept.refusal, taken.refusal]).toEqual([undefined, undefined]);
    [masks, inputs] = [kept.next, taken.next];
  }
  return { masks, inputs };
}

describe('a sum of masked inputs', () => {
  test('is what the two give out, less the masks', async () => {
    const driven = await cohort();
    const { masks, inputs } = await allIn(driven, [0, 2]);
    const decrypted = await driven.decrypt(inputs);
    const maskSum = await driven.release(masks, ['clients/0', 'clients/2']);
    if (decrypted.kind === 'fault' || maskSum.kind === 'fault') throw new Error('no sum');
    const difference = bigIntFromBytes(decrypted.plaintexts) - bigIntFromBytes(maskSum.masks);
    const plan = packingPlan([TERM], CLIENTS, 512);
    const width = BigInt(plan.segments[0]!.slotBits);
    const packed = ((difference % n) + n) % n;
    expect([BigInt.asUintN(Number(width), packed), packed >> width]).toEqual([2n, 20n]);
    expect(decrypted.plaintexts.length).toBe(plaintextBytes);
  });

  test('is not to be had of one client, at either of the two', async () => {
    const driven = await cohort();
    const { masks, inputs } = await allIn(driven, [1]);
    expect(await failureOf(driven.decrypt(inputs))).toMatchObject({
      code: 'protocol.too_few_clients',
      reason: 'too-few-inputs',
    });
    expect(await failureOf(driven.release(masks, ['clients/1']))).toMatchObject({
      reason: 'too-few-inputs',
    });
  });

  test('is not to be had twice, of others, after a restart (differencing)', async () => {
    const ledger = memoryLedger();
    const first = await cohort({ ledger });
    const { masks, inputs } = await allIn(first, [0, 1, 2]);
    await first.decrypt(inputs);
    await first.release(masks, ['clients/0', 'clients/1', 'clients/2']);
    const second = await cohort({ ledger });
    const again = await allIn(second, [0, 1]);
    expect(await failureOf(second.decrypt(again.inputs))).toMatchObject({ reason: 'session-used' });
    expect(await failureOf(second.release(again.masks, ['clients/0', 'clients/1']))).toMatchObject({
      reason: 'session-used',
    });
  });

  test('takes inputs and masks by their own route and session, once each', async () => {
    const driven = await cohort();
    const { send, keep, collect, beginMasks, beginInputs } = driven;
    const sent = await send(0);
    const elsewhere = await send(0, { session: new Uint8Array(32) });
    const changed = sent.input.slice();
    changed[changed.length - 1]! ^= 1;
    const attempts: [string, Uint8Array, string][] = [
      ['clients/1', sent.input, 'open-failed'],
      ['clients/0', changed, 'open-failed'],
      ['clients/0', elsewhere.input, 'open-failed'],
      ['clients/0', sent.mask, 'open-failed'],
      ['clients/0', new Uint8Array(3), 'malformed-message'],
    ];
    let inputs = await beginInputs();
    for (const [from, message, refusal] of attempts) {
      const taken = await collect(inputs, from, message);
      expect(taken.refusal).toBe(refusal);
      inputs = taken.next;
    }
    const good = await collect(inputs, 'clients/0', sent.input);
    expect(good.refusal).toBeUndefined();
    expect((await collect(good.next, 'clients/0', sent.input)).refusal).toBe('duplicate-client');
    const kept = await keep(await beginMasks(), 'clients/0', sent.mask);
    expect((await keep(kept.next, 'clients/0', sent.mask)).refusal).toBe('duplicate-client');
    // Another collection of the session does not get to open anything.
    expect(await failureOf(collect(await beginInputs(), 'clients/0', sent.input))).toMatchObject({
      reason: 'session-used',
    });
  });

  test('goes to no key holder but the one whose key is signed', async () => {
    const { send } = await cohort();
    const own = generateX25519KeyPair(randomBytes).publicKey;
    const forged = signChannelKey('key_holder/0', own, identities.signer('aggregator/0'));
    expect(await failureOf(send(0, { holderKey: forged }))).toMatchObject({
      reason: 'wrong-signature',
      offender: 'key_holder/0',
    });
    const swapped = signChannelKey('aggregator/0', own, identities.signer('aggregator/0'));
    expect(await failureOf(send(0, { holderKey: swapped }))).toMatchObject({
      reason: 'wrong-signature',
    });
  });
});
