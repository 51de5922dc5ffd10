import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bigIntFromBytes } from '../../../protocols/crypto/bytes.ts';
import {
  type AnnouncedKey,
  announcedKeyCodec,
  announceKey,
  createEncryptor,
  createPackingPlan,
  type DecryptedSum,
  decodeCiphertexts,
  decrypt,
  decryptAtKeyHolder,
  decryptedSumCodec,
  type EncryptedInput,
  type EncryptedSum,
  encodeCiphertexts,
  encryptClientInput,
  encryptedInputCodec,
  encryptedSumCodec,
  finishAggregator,
  handleAnnouncedKey,
  handleAtAggregator,
  importPrivateKey,
  inputMaskCodec,
  maskEncryptedSum,
  maskSumCodec,
  memoryLedger,
  type PackingPlan,
  proveForHolder,
  readDecryptedSum,
  startAggregator,
  startKeyHolder,
  unmaskDecryptedSum,
  utf8,
} from '../../../protocols/index.ts';
import { chiSquare, chiSquareLimit, codeOf, expectKind, seeded } from '../support.ts';
import {
  aggregate,
  clientOf,
  cohortOf,
  encrypted,
  holder,
  identityOf,
  inputsOf,
  masked,
  names,
  planOf,
  publicKey,
  refresher,
  rosterOf,
  run,
  serverOf,
  signedAnew,
  signingKeyOf,
  three,
} from './cohort.ts';
import { smallKey, standardBlumPrimes } from './keys.ts';

/** By a separate key holder: the sums, and what the key holder decrypted. */
function decrypted(plan: PackingPlan, sum: EncryptedSum, seed: string | number = 0) {
  const step = expectKind(maskEncryptedSum(serverOf(plan), sum, { rng: seeded(seed) }), 'continue');
  const state = holder(plan, { minimumClients: sum.inputs.length });
  const { message } = expectKind(decryptAtKeyHolder(state, step.message), 'finish');
  const { sums, clients } = expectKind(unmaskDecryptedSum(step.state, message), 'finish');
  return { sums, clients, seen: message };
}

describe('the sum', () => {
  it('is the same by both arrangements of roles, for 1 to 50 clients', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1, 2, 3, 17, 50),
        fc.constantFrom(0n, 1n, 2n ** 31n - 1n, 2n ** 32n - 1n, 2n ** 63n - 1n),
        fc.nat(12),
        fc.nat(),
        (clients, maximum, length, seed) => {
          const rng = seeded(seed);
          const values = names(clients).map(() =>
            Array.from({ length }, () => [0n, maximum, maximum / 2n][rng(1)[0]! % 3]!),
          );
          const plan = planOf(
            [
              { kind: 'sum', length, maximum },
              { kind: 'modular-sum', length, modulus: maximum + 1n },
            ],
            clients,
          );
          const totals = Array.from({ length }, (_, i) =>
            values.reduce((total, vector) => total + vector[i]!, 0n),
          );
          const expected = [totals, totals.map((total) => total % (maximum + 1n))];
          const inputs = names(clients).map((name, i) =>
            encrypted(plan, name, [values[i]!, values[i]!]),
          );
          const sum = aggregate(plan, inputs);
          expect(decrypted(plan, sum, seed)).toMatchObject({
            sums: expected,
            clients: names(clients),
          });

          const keyHolder = holder(plan, { decrypts: 'unmasked' });
          const { message } = expectKind(decryptAtKeyHolder(keyHolder, sum), 'finish');
          const read = readDecryptedSum(serverOf(plan), message, names(clients));
          expect(expectKind(read, 'finish').sums).toEqual(expected);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('works with a key of 2048 bits, proven and announced over the wire', () => {
    const privateKey = importPrivateKey(standardBlumPrimes);
    const plan = createPackingPlan({
      segments: [{ kind: 'sum', length: 60, maximum: 2n ** 32n - 1n }],
      clients: 2,
      modulusBits: 2048,
    });
    const signer = { holder: 'holder', signingKey: signingKeyOf('holder') };
    const proof = proveForHolder(privateKey, signer);
    const announced = announcedKeyCodec.decode(
      announcedKeyCodec.encode(announceKey({ ...run, ...signer, privateKey, proof })),
    );
    const expected = { client: 'holder', publicKey: identityOf('holder').publicKey };
    const { publicKey: key } = expectKind(
      handleAnnouncedKey(expectKind(announced, 'announced-key'), { holder: expected }),
      'finish',
    );
    const encryptors = names(2).map(() => createEncryptor(key));
    const cohort = cohortOf(plan);
    let state = startAggregator({ ...cohort, encryptor: encryptors[0]! });
    for (const [i, client] of names(2).entries()) {
      const { message } = expectKind(
        encryptClientInput(
          { ...clientOf(plan, client), encryptor: encryptors[i]! },
          { vectors: [new Uint32Array(60).fill(2 ** 32 - 1)] },
        ),
        'finish',
      );
      const bytes = encryptedInputCodec.encode(message);
      const decoded = expectKind(encryptedInputCodec.decode(bytes), 'encrypted-input');
      state = expectKind(handleAtAggregator(state, decoded), 'continue').state;
    }
    const sum = expectKind(finishAggregator(state), 'finish').message;
    const keyHolder = startKeyHolder({ ...cohort, privateKey, decrypts: 'unmasked' });
    const { message } = expectKind(decryptAtKeyHolder(keyHolder, sum), 'finish');
    const server = { ...cohort, publicKey: key };
    const { sums } = expectKind(readDecryptedSum(server, message, names(2)), 'finish');
    expect(sums).toEqual([new Array<bigint>(60).fill(2n ** 33n - 2n)]);
  });

  it('is of those who sent, and says who they are', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat(5), { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(9), { minLength: 6, maxLength: 6 }),
        (senders, values) => {
          const plan = planOf(
            [
              { kind: 'sum', length: 1, maximum: 9n },
              { kind: 'modular-sum', length: 1, modulus: 5n },
            ],
            6,
          );
          const inputs = senders.map((i) =>
            encrypted(plan, `client ${i}`, [[values[i]!], [values[i]! % 5]]),
          );
          const sum = aggregate(plan, inputs, { minimumClients: 1 });
          const total = senders.reduce((sumOf, i) => sumOf + BigInt(values[i]!), 0n);
          expect(decrypted(plan, sum)).toMatchObject({
            sums: [[total], [total % 5n]],
            clients: senders.map((i) => `client ${i}`),
          });
        },
      ),
      { numRuns: 15 },
    );
  });
});

describe('what the others see', () => {
  it('is uniform at the key holder, whatever the sum', () => {
    const counts = new Array<number>(16).fill(0);
    const plan = planOf([{ kind: 'sum', length: 40, maximum: 2n ** 300n }], 1);
    for (let seed = 0; seed < 12; seed += 1) {
      const sum = aggregate(plan, [encrypted(plan, 'client 0', [new Array<number>(40).fill(0)])]);
      const { plaintexts } = decrypted(plan, sum, `uniform ${seed}`).seen;
      for (let i = 0; i < plaintexts.length; i += publicKey.plaintextBytes) {
        const value = bigIntFromBytes(plaintexts.subarray(i, i + publicKey.plaintextBytes));
        counts[Number((value * 16n) / publicKey.n)]! += 1;
      }
    }
    expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(16));
  });

  it('are other ciphertexts each time, for equal values and after each role', () => {
    const [first, second] = [1, 2].map(() => encrypted(three, 'client 0', [[1, 1]]));
    expect(first!.ciphertexts).not.toEqual(second!.ciphertexts);
    const inputs = inputsOf(three);
    const product = inputs
      .map(({ ciphertexts }) => decodeCiphertexts(publicKey, ciphertexts, three.plaintexts)[0]!)
      .reduce((left, right) => (left * right) % publicKey.nSquared);
    const sum = aggregate(three, inputs);
    const [refreshed] = decodeCiphertexts(publicKey, sum.ciphertexts, three.plaintexts);
    expect(refreshed).not.toBe(product);
    expect(decrypt(smallKey, [refreshed!])).toEqual(decrypt(smallKey, [product]));
  });
});

describe('a client refuses', () => {
  const { minimumClients: _, ...setup } = clientOf(three, 'client 0');
  it.each<[string, string, object, object]>([
    ['values of another length', 'invalid-length', {}, { vectors: [[1]] }],
    ['values over the maximum', 'out-of-range', {}, { vectors: [[1, 10]] }],
    ['NaN', 'not-an-integer', {}, { vectors: [[1, Number.NaN]] }],
    ['another number of vectors', 'invalid-plaintext', {}, { vectors: [] }],
    ['a cohort below its minimum', 'cohort-too-small', { minimumClients: 4 }, {}],
    [
      'a cohort of one by default',
      'cohort-too-small',
      { plan: planOf([{ kind: 'sum', length: 2, maximum: 9n }], 1) },
      {},
    ],
    [
      'a plan for another size of key',
      'wrong-key',
      { plan: createPackingPlan({ segments: [], clients: 3, modulusBits: 2048 }) },
      {},
    ],
    ['a roster that it is not in', 'unknown-client', { roster: rosterOf(['client 1']) }, {}],
  ])('%s (%s)', (_, code, changes, input) => {
    const outcome = encryptClientInput({ ...setup, ...changes }, { vectors: [[1, 2]], ...input });
    expect(codeOf(outcome)).toBe(code);
  });

  it('a session that identifies nothing', () => {
    const short = { ...setup, session: new Uint8Array(3) };
    expect(() => encryptClientInput(short, { vectors: [[1, 2]] })).toThrow(/invalid-argument/);
  });
});

describe('the aggregator', () => {
  const start = (changes: object = {}) =>
    startAggregator({ ...cohortOf(three), encryptor: refresher, ...changes });
  const [first, second, third] = inputsOf(three);
  const size = publicKey.ciphertextBytes;

  // Each is signed by who sends it, so that only the one rule is broken.
  it.each<[string, string, Partial<EncryptedInput>]>([
    ['of another session', 'wrong-session', { session: new Uint8Array(32) }],
    ['of another round', 'wrong-session', { round: 1 }],
    ['under another key', 'wrong-key', { key: new Uint8Array(32) }],
    ['by another plan', 'wrong-plan', { plan: new Uint8Array(32) }],
    ['for another roster', 'wrong-roster', { roster: new Uint8Array(32) }],
    ['of a stranger', 'unknown-client', { client: 'sybil' }],
    ['sent twice', 'duplicate-client', { client: 'client 0' }],
    ['from another context', 'context-mismatch', { contextHash: new Uint8Array(32) }],
    ['copied from another client', 'copied-input', { ciphertexts: first!.ciphertexts }],
    ['with a mask that nobody would take off', 'already-masked', { maskCommitment: third!.key }],
    ['of another length', 'invalid-ciphertext', { ciphertexts: new Uint8Array(size - 1) }],
    ['of zeros', 'invalid-ciphertext', { ciphertexts: new Uint8Array(size) }],
    ['above n^2', 'invalid-ciphertext', { ciphertexts: new Uint8Array(size).fill(255) }],
    [
      'sharing a factor with n',
      'invalid-ciphertext',
      { ciphertexts: encodeCiphertexts(publicKey, [7n * publicKey.n]) },
    ],
  ])('refuses an input %s (%s) and still gets the sum', (_, code, changes) => {
    let state = expectKind(handleAtAggregator(start(), first!), 'continue').state;
    const refused = handleAtAggregator(state, signedAnew(second!, changes));
    expect(refused).toMatchObject({ code, offender: changes.client ?? 'client 1' });
    for (const input of [second!, third!]) {
      state = expectKind(handleAtAggregator(state, input), 'continue').state;
    }
    const { message } = expectKind(finishAggregator(state), 'finish');
    expect(decrypted(three, message).sums).toEqual([[3n, 27n]]);
  });

  it('refuses an input that its client did not sign so', () => {
    const state = start();
    const forged: EncryptedInput[] = [
      { ...first!, signature: new Uint8Array(64) },
      { ...first!, signature: second!.signature },
      { ...first!, ciphertexts: second!.ciphertexts },
      { ...first!, client: 'client 1' },
      { ...first!, minimumClients: 0 },
      { ...first!, contextHash: new Uint8Array(32) },
      signedAnew(first!, {}, 'client 1'),
      signedAnew(first!, {}, 'sybil'),
    ];
    for (const input of forged) {
      expect(handleAtAggregator(state, input)).toMatchObject({ code: 'wrong-signature' });
    }
    expect(codeOf(handleAtAggregator(state, first!))).toBe('continue');
  });

  it('refuses what its client signed for something else, whatever it is called now', () => {
    const right = { ...first! };
    const others: Partial<EncryptedInput>[] = [
      { session: new Uint8Array(32) },
      { round: 5 },
      { key: new Uint8Array(32) },
      { plan: new Uint8Array(32) },
      { roster: new Uint8Array(32) },
      { contextHash: new Uint8Array(32) },
      { maskCommitment: new Uint8Array(32).fill(1) },
      { minimumClients: 0 },
      { ciphertexts: second!.ciphertexts },
    ];
    for (const other of others) {
      const { signature } = signedAnew(right, other);
      expect(codeOf(handleAtAggregator(start(), { ...right, signature }))).toBe('wrong-signature');
    }
    expect(codeOf(handleAtAggregator(start(), right))).toBe('continue');
  });

  it('gives no sum of fewer than it must, naming who is missing, and waits for them', () => {
    const state = expectKind(handleAtAggregator(start(), second!), 'continue').state;
    expect(finishAggregator(state)).toMatchObject({
      code: 'too-few-inputs',
      message: expect.stringMatching(/client 0, client 2/),
    });
    const next = expectKind(handleAtAggregator(state, first!), 'continue').state;
    expect(() => finishAggregator(state)).toThrow(/state-consumed/);
    expect(codeOf(finishAggregator(next))).toBe('too-few-inputs');
    for (const minimumClients of [0, 1]) {
      expect(codeOf(finishAggregator(start({ minimumClients })))).toBe('too-few-inputs');
    }
  });

  it('gives no sum of fewer than one of its clients agreed to', () => {
    const careful = encrypted(three, 'client 0', [[1, 1]], { minimumClients: 3 });
    let state = start({ minimumClients: 1 });
    for (const input of [careful, second!]) {
      state = expectKind(handleAtAggregator(state, input), 'continue').state;
    }
    expect(finishAggregator(state)).toMatchObject({
      code: 'below-client-minimum',
      message: expect.stringContaining('"client 0"'),
    });
    state = expectKind(handleAtAggregator(state, third!), 'continue').state;
    expect(codeOf(finishAggregator(state))).toBe('finish');
  });

  it('gives one sum of a session, after a restart too', () => {
    const ledger = memoryLedger();
    const sum = (inputs: readonly EncryptedInput[]) => {
      let state = start({ ledger, minimumClients: 2 });
      for (const input of inputs) {
        state = expectKind(handleAtAggregator(state, input), 'continue').state;
      }
      return codeOf(finishAggregator(state));
    };
    expect(sum([first!, second!, third!])).toBe('finish');
    expect(sum([first!, second!])).toBe('session-used');
  });

  it('refuses inputs that the clients made for different models', () => {
    const [a, b] = ['a', 'b'].map((model, i) =>
      encrypted(three, `client ${i}`, [[1, 1]], { context: utf8(model) }),
    );
    const state = expectKind(handleAtAggregator(start(), a!), 'continue').state;
    expect(codeOf(handleAtAggregator(state, b!))).toBe('context-mismatch');
  });

  it('throws for a cohort or key that its plan was not made for', () => {
    expect(() => start({ clients: names(2) })).toThrow(/invalid-argument/);
    expect(() => start({ clients: ['a', 'a', 'b'] })).toThrow(/invalid-argument/);
    expect(() => start({ session: new Uint8Array(8) })).toThrow(/invalid-argument/);
    const plan = createPackingPlan({ segments: [], clients: 3, modulusBits: 2048 });
    expect(() => start({ plan })).toThrow(/invalid-argument/);
  });
});

describe('the messages', () => {
  const input = inputsOf(three)[0]!;
  const sum = aggregate(three, inputsOf(three));
  const { mask } = masked(three, 'client 0', [[1, 2]]);
  const common = { ...run, key: sum.key, plan: sum.plan, roster: sum.roster };
  const keyMessage: AnnouncedKey = announceKey({
    ...run,
    privateKey: smallKey,
    holder: 'holder',
    signingKey: signingKeyOf('holder'),
  });
  const decryptedMessage: DecryptedSum = {
    kind: 'decrypted-sum',
    ...common,
    clients: names(2),
    plaintexts: new Uint8Array(64).fill(1),
    root: 77n,
  };
  const maskSum = {
    kind: 'mask-sum',
    ...common,
    clients: names(2),
    masks: new Uint8Array(64).fill(1),
  } as const;
  const messages = [
    ['announced key', announcedKeyCodec, keyMessage],
    ['encrypted input', encryptedInputCodec, input],
    ['input mask', inputMaskCodec, mask],
    ['encrypted sum', encryptedSumCodec, sum],
    ['mask sum', maskSumCodec, maskSum],
    ['decrypted sum', decryptedSumCodec, decryptedMessage],
  ] as const;

  it.each(messages)('of the kind "%s" come back, and are refused damaged', (_, codec, message) => {
    const bytes = codec.encode(message as never);
    expect(codec.decode(bytes)).toEqual(message);
    for (let length = 0; length < bytes.length; length += 1) {
      expect(codeOf(codec.decode(bytes.subarray(0, length)))).toBe('malformed-message');
    }
    expect(codeOf(codec.decode(Uint8Array.of(...bytes, 0)))).toBe('malformed-message');
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (index, value) => {
        const changed = bytes.slice();
        changed[index] = value;
        expect(codec.decode(changed)).toBeTypeOf('object');
      }),
    );
  });
});
