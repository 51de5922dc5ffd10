/**
 * @file The other half of a secure sum: what each party gets to see is independent of a single
 * client's input, given the sum.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import {
  atClients,
  ExecutionContext,
  type Executor,
  federatedComputation,
  federatedSecureModularSum,
  federatedSecureSum,
  int32,
  int64,
  localExecutorFactory,
  masking,
  paillier,
  type SecureAggregation,
  TensorValue,
  withContext,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import {
  announcedKeyCodec,
  decryptedSumCodec,
  encryptedSumCodec,
  maskedInputCodec,
  maskSumCodec,
  toHex,
} from '../../../protocols/index.ts';
import { SpyExecutor } from '../spy.helpers.ts';

/** Everything that leaves each participant, by its name, as bytes. */
type Views = Map<string, Uint8Array[]>;

/** Notes the bytes of every tensor brought out of a participant. */
function spyOn(leaf: Executor, seen: Uint8Array[]): Executor {
  return new SpyExecutor(leaf, (value) => {
    if (value instanceof TensorValue) {
      const { buffer, byteOffset, byteLength } = value.data as Uint8Array;
      seen.push(new Uint8Array(buffer, byteOffset, byteLength));
    }
    return value;
  });
}

async function viewsOf(
  secureAggregation: SecureAggregation,
  run: () => Promise<unknown>,
): Promise<Views> {
  const views: Views = new Map();
  await using context = new ExecutionContext(
    localExecutorFactory({
      secureAggregation,
      wrapLeaf: (leaf, placement, index) => {
        const seen: Uint8Array[] = [];
        views.set(`${placement}/${index}`, seen);
        return spyOn(leaf, seen);
      },
    }),
  );
  await withContext(context, run);
  return views;
}

/** Pearson's statistic against the uniform distribution over `cells` values. */
function chiSquare(values: ArrayLike<number | bigint>, cells: number): number {
  const counts = new Array<number>(cells).fill(0);
  for (let i = 0; i < values.length; i++)
    counts[Number(values[i])] = (counts[Number(values[i])] ?? 0) + 1;
  const expected = values.length / cells;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

const LENGTH = 20_000;

describe('masking', () => {
  const sum = federatedComputation([atClients(int32(LENGTH))], (x) => federatedSecureSum(x, 3));
  const modular = federatedComputation([atClients(int32(LENGTH))], (x) =>
    federatedSecureModularSum(x, 12),
  );

  test.each([
    ['a sum, all zero', sum, 0, 16],
    ['a sum, all at the maximum', sum, 3, 16],
    ['a modular sum, all zero', modular, 0, 12],
    ['a modular sum, all eleven', modular, 11, 12],
  ])('the server sees uniform vectors: %s', async (_what, computation, value, ring) => {
    const own = new Int32Array(LENGTH).fill(value);
    const others = [new Int32Array(LENGTH).fill(1), new Int32Array(LENGTH).fill(2)];
    const views = await viewsOf(masking(), () => computation([own, ...others]));
    for (const name of ['clients/0', 'clients/1', 'clients/2']) {
      const messages = (views.get(name) ?? []).map((bytes) => maskedInputCodec.decode(bytes));
      const masked = messages.filter((message) => message.kind === 'masked-input');
      expect(masked).toHaveLength(1);
      const [vector] = masked[0]?.vectors ?? [];
      expect(vector?.values).toHaveLength(LENGTH);
      // 99.999th percentile of chi-square with 15 degrees of freedom: 50.5 (with 11: 43.2).
      expect(chiSquare(vector?.values ?? [], ring)).toBeLessThan(51);
    }
  });

  test('the same input is masked differently each time', async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const views = await viewsOf(masking(), () =>
        sum([new Int32Array(LENGTH), new Int32Array(LENGTH)]),
      );
      for (const bytes of views.get('clients/0') ?? [])
        seen.add(Buffer.from(bytes).toString('base64'));
    }
    expect(seen.size).toBe(6);
  });
});

describe('paillier', () => {
  const quick = { modulusBits: 512, allowInsecureModulus: true } as const;
  // How an input and a mask begin.
  const inputFrame = Buffer.from([0x46, 0x4c, 2, 2, 2]);
  const maskFrame = Buffer.from([0x46, 0x4c, 2, 5, 1]);
  // What clients say beforehand of where their values come from: nothing that is tracked.
  const noContext = toHex(sha256(new Uint8Array(0)));
  const sentBy = (views: ReadonlyMap<string, readonly Uint8Array[]>, client: number) => {
    const all = views.get(`clients/${client}`) ?? [];
    const messages = all.filter((bytes) => toHex(bytes) !== noContext);
    expect(all).toHaveLength(messages.length + 1);
    return messages;
  };
  const sum = federatedComputation([atClients(int64(3))], (x) => federatedSecureSum(x, 1000));
  const data = [
    [0n, 1n, 2n],
    [3n, 4n, 5n],
    [1000n, 0n, 1n],
  ];

  test('clients send messages of one length that never repeat and show nothing of the input', async () => {
    const lengths = new Set<number>();
    const seen = new Set<string>();
    for (const own of [
      [0n, 0n, 0n],
      [0n, 0n, 0n],
      [1000n, 1000n, 1000n],
    ]) {
      const views = await viewsOf(paillier(quick), () => sum([own, [1n, 1n, 1n]]));
      const sent = sentBy(views, 0);
      expect(sent).toHaveLength(1);
      for (const bytes of sent) {
        lengths.add(bytes.length);
        seen.add(Buffer.from(bytes).toString('base64'));
      }
    }
    expect(lengths.size).toBe(1);
    expect(seen.size).toBe(3);
  });

  test('the server cannot open what clients send, although it holds the key', async () => {
    const views = await viewsOf(paillier(quick), () => sum(data));
    // Sealed: no byte of the ciphertext's frame is to be found in what the server carries.
    for (let client = 0; client < 3; client++) {
      const [sent] = sentBy(views, client);
      expect(Buffer.from(sent ?? []).includes(inputFrame)).toBe(false);
    }
    // Unsealed the frame is there: the search is able to find it.
    const open = await viewsOf(
      paillier({
        ...quick,
        keyHolder: 'key_holder',
        aggregator: 'server',
        verifyInputs: false,
      }),
      () => sum(data),
    );
    expect(Buffer.from(sentBy(open, 0)[0] ?? []).includes(inputFrame)).toBe(true);
  });

  test('a server that keeps the masks cannot open the inputs that they are for', async () => {
    const views = await viewsOf(
      paillier({ ...quick, keyHolder: 'key_holder', aggregator: 'server' }),
      () => sum(data),
    );
    for (let client = 0; client < 3; client++) {
      const [mask, input] = sentBy(views, client).map((sent) => Buffer.from(sent));
      expect(mask?.includes(maskFrame)).toBe(true);
      expect(input?.includes(inputFrame)).toBe(false);
    }
  });

  test('an aggregator that keeps masks sees no input, and gives out the sum of the masks', async () => {
    const views = await viewsOf(paillier({ ...quick, keyHolder: 'key_holder' }), () => sum(data));
    const given = (views.get('aggregator/0') ?? []).map((bytes) => maskSumCodec.decode(bytes));
    expect(given.filter(({ kind }) => kind === 'mask-sum')).toHaveLength(1);
    for (let client = 0; client < 3; client++) {
      const sent = sentBy(views, client).map((bytes) => Buffer.from(bytes));
      expect(sent).toHaveLength(2);
      // Each is sealed for its own receiver; what they share is the session alone.
      for (const frame of [inputFrame, maskFrame]) {
        expect(sent.some((bytes) => bytes.includes(frame))).toBe(false);
      }
    }
  });

  test('the aggregator gives out one refreshed sum', async () => {
    const views = await viewsOf(paillier(quick), () => sum(data));
    const sums = (views.get('aggregator/0') ?? [])
      .map((bytes) => encryptedSumCodec.decode(bytes))
      .filter((message) => message.kind === 'encrypted-sum');
    expect(sums).toHaveLength(1);
    expect(sums[0]?.inputs.map(({ client }) => client)).toEqual([
      'clients/0',
      'clients/1',
      'clients/2',
    ]);
  });

  test('a separate key holder sees uniform numbers, whatever the sum', async () => {
    const tops: number[] = [];
    const repeats = new Set<bigint>();
    const one = federatedComputation([atClients(int64())], (x) => federatedSecureSum(x, 1));
    const decryptions: Uint8Array[] = [];
    await using context = new ExecutionContext(
      localExecutorFactory({
        secureAggregation: paillier({ ...quick, keyHolder: 'key_holder' }),
        wrapLeaf: (leaf, placement) =>
          placement === 'key_holder' ? spyOn(leaf, decryptions) : leaf,
      }),
    );
    for (let i = 0; i < 160; i++) await withContext(context, () => one([0n, 0n]));
    let modulus = 0n;
    for (const bytes of decryptions) {
      const announced = announcedKeyCodec.decode(bytes);
      if (announced.kind === 'announced-key') modulus = announced.n;
      const decrypted = decryptedSumCodec.decode(bytes);
      if (decrypted.kind !== 'decrypted-sum') continue;
      const plaintext = BigInt(`0x${Buffer.from(decrypted.plaintexts).toString('hex')}`);
      repeats.add(plaintext);
      tops.push(Number((plaintext * 8n) / modulus));
    }
    expect(repeats.size).toBe(160);
    // 99.999th percentile of chi-square with 7 degrees of freedom.
    expect(chiSquare(tops, 8)).toBeLessThan(35);
  });
});
