import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bigIntFromBytes } from '../../../protocols/crypto/bytes.ts';
import {
  type AnnouncedKey,
  announcedKeyCodec,
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
  handleAtAggregator,
  importPublicKey,
  type KeyHolderSetup,
  maskEncryptedSum,
  type PackedSegment,
  type PackingPlan,
  readDecryptedSum,
  startAggregator,
  startKeyHolder,
  unmaskDecryptedSum,
  utf8,
} from '../../../protocols/index.ts';
import { chiSquare, chiSquareLimit, codeOf, expectKind, SESSION, seeded } from '../support.ts';
import { smallKey, standardKey } from './keys.ts';

const { publicKey } = smallKey;
const encryptor = createEncryptor(publicKey, { rng: seeded('clients') });
const serverEncryptor = createEncryptor(publicKey, { rng: seeded('server') });
const names = (count: number) => Array.from({ length: count }, (_, i) => `client ${i}`);
const run = { session: SESSION, round: 0 };

const planOf = (segments: readonly PackedSegment[], clients: number): PackingPlan =>
  createPackingPlan({ segments, clients, modulusBits: publicKey.modulusBits });

function encrypted(
  plan: PackingPlan,
  client: string,
  vectors: readonly (readonly (number | bigint)[])[],
  context?: Uint8Array,
): EncryptedInput {
  const input = { vectors: vectors as number[][], ...(context === undefined ? {} : { context }) };
  const setup = { ...run, client, plan, encryptor, minimumClients: 1 };
  return expectKind(encryptClientInput(setup, input), 'finish').message;
}

function aggregate(plan: PackingPlan, inputs: readonly EncryptedInput[]): EncryptedSum {
  const clients = names(plan.clients);
  let state = startAggregator({ ...run, plan, clients, encryptor: serverEncryptor });
  for (const input of inputs)
    state = expectKind(handleAtAggregator(state, input), 'continue').state;
  return expectKind(finishAggregator(state), 'finish').message;
}

const holder = (plan: PackingPlan, changes: Partial<KeyHolderSetup> = {}) =>
  startKeyHolder({ ...run, privateKey: smallKey, plan, decrypts: 'masked', ...changes }).state;

/** A separate key holder: the sums, and what the key holder decrypted. */
function masked(plan: PackingPlan, sum: EncryptedSum, seed: string | number = 0) {
  const setup = { ...run, plan, encryptor: serverEncryptor };
  const step = expectKind(maskEncryptedSum(setup, sum, { rng: seeded(seed) }), 'continue');
  const { message } = expectKind(decryptAtKeyHolder(holder(plan), step.message), 'finish');
  const { sums, clients } = expectKind(unmaskDecryptedSum(step.state, message), 'finish');
  return { sums, clients, seen: message };
}

const three = planOf([{ kind: 'sum', length: 2, maximum: 9n }], 3);
const inputsOf = (plan: PackingPlan) =>
  names(plan.clients).map((client, i) => encrypted(plan, client, [[i, 9]]));

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
          expect(masked(plan, sum, seed)).toMatchObject({
            sums: expected,
            clients: names(clients),
          });

          const keyHolder = holder(plan, { decrypts: 'unmasked' });
          const { message } = expectKind(decryptAtKeyHolder(keyHolder, sum), 'finish');
          const read = readDecryptedSum({ ...run, plan, publicKey }, message, sum.clients);
          expect(expectKind(read, 'finish').sums).toEqual(expected);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('works with a key of 2048 bits announced over the wire', () => {
    const privateKey = standardKey();
    const plan = createPackingPlan({
      segments: [{ kind: 'sum', length: 60, maximum: 2n ** 32n - 1n }],
      clients: 2,
      modulusBits: 2048,
    });
    const started = startKeyHolder({ ...run, privateKey, plan, decrypts: 'unmasked' });
    const announced = announcedKeyCodec.decode(announcedKeyCodec.encode(started.message));
    const key = importPublicKey(expectKind(announced, 'announced-key'), { modulusBits: 2048 });
    const encryptors = names(2).map(() => createEncryptor(key));
    let state = startAggregator({ ...run, plan, clients: names(2), encryptor: encryptors[0]! });
    for (const [i, client] of names(2).entries()) {
      const { message } = expectKind(
        encryptClientInput(
          { ...run, client, plan, encryptor: encryptors[i]! },
          { vectors: [new Uint32Array(60).fill(2 ** 32 - 1)] },
        ),
        'finish',
      );
      const bytes = encryptedInputCodec.encode(message);
      const decoded = expectKind(encryptedInputCodec.decode(bytes), 'encrypted-input');
      state = expectKind(handleAtAggregator(state, decoded), 'continue').state;
    }
    const sum = expectKind(finishAggregator(state), 'finish').message;
    const { message } = expectKind(decryptAtKeyHolder(started.state, sum), 'finish');
    const setup = { ...run, plan, publicKey: key };
    const { sums } = expectKind(readDecryptedSum(setup, message, sum.clients), 'finish');
    expect(sums).toEqual([new Array<bigint>(60).fill(2n ** 33n - 2n)]);
  });
});

describe('what the others see', () => {
  it('is uniform at the key holder, whatever the sum', () => {
    const counts = new Array<number>(16).fill(0);
    const plan = planOf([{ kind: 'sum', length: 40, maximum: 2n ** 300n }], 1);
    for (let seed = 0; seed < 12; seed += 1) {
      const sum = aggregate(plan, [encrypted(plan, 'client 0', [new Array<number>(40).fill(0)])]);
      const { plaintexts } = masked(plan, sum, `uniform ${seed}`).seen;
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
  const setup = { ...run, client: 'client 0', plan: three, encryptor };
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
  const start = () =>
    startAggregator({ ...run, plan: three, clients: names(3), encryptor: serverEncryptor });
  const [first, second, third] = inputsOf(three);
  const size = publicKey.ciphertextBytes;

  it.each<[string, string, Partial<EncryptedInput>]>([
    ['of another session', 'wrong-session', { session: new Uint8Array(32) }],
    ['of another round', 'wrong-session', { round: 1 }],
    ['under another key', 'wrong-key', { key: new Uint8Array(32) }],
    ['by another plan', 'wrong-plan', { plan: new Uint8Array(32) }],
    ['of a stranger', 'unknown-client', { client: 'sybil' }],
    ['sent twice', 'duplicate-message', { client: 'client 0' }],
    ['from another context', 'context-mismatch', { contextHash: new Uint8Array(32) }],
    ['copied from another client', 'copied-input', { ciphertexts: first!.ciphertexts }],
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
    const refused = handleAtAggregator(state, { ...second!, ...changes });
    expect(refused).toMatchObject({ code, offender: changes.client ?? 'client 1' });
    for (const input of [second!, third!]) {
      state = expectKind(handleAtAggregator(state, input), 'continue').state;
    }
    const { message } = expectKind(finishAggregator(state), 'finish');
    expect(masked(three, message).sums).toEqual([[3n, 27n]]);
  });

  it('names who is missing instead of giving a sum', () => {
    const state = expectKind(handleAtAggregator(start(), second!), 'continue').state;
    expect(finishAggregator(state)).toMatchObject({
      code: 'missing-clients',
      offender: 'client 0',
    });
    expect(codeOf(handleAtAggregator(state, first!))).toBe('continue');
    expect(() => finishAggregator(state)).toThrow(/state-consumed/);
  });

  it('refuses inputs that the clients made for different models', () => {
    const state = expectKind(
      handleAtAggregator(start(), encrypted(three, 'client 0', [[1, 1]], utf8('a'))),
      'continue',
    ).state;
    const other = encrypted(three, 'client 1', [[1, 1]], utf8('b'));
    expect(codeOf(handleAtAggregator(state, other))).toBe('context-mismatch');
  });

  it('throws for a cohort that its plan was not made for', () => {
    const setup = { ...run, plan: three, encryptor: serverEncryptor };
    expect(() => startAggregator({ ...setup, clients: names(2) })).toThrow(/invalid-argument/);
    expect(() => startAggregator({ ...setup, clients: ['a', 'a', 'b'] })).toThrow(
      /invalid-argument/,
    );
  });
});

describe('the key holder', () => {
  const sum = aggregate(three, inputsOf(three));
  const setup = { ...run, plan: three, encryptor: serverEncryptor };
  const maskedSum = expectKind(maskEncryptedSum(setup, sum), 'continue').message;

  it.each<[string, string, Partial<EncryptedSum>]>([
    ['of another session', 'wrong-session', { session: new Uint8Array(32) }],
    ['under another key', 'wrong-key', { key: new Uint8Array(32) }],
    ['by another plan', 'wrong-plan', { plan: new Uint8Array(32) }],
    ['without a mask', 'not-masked', { masked: false }],
    ['of a single client', 'too-few-inputs', { clients: ['client 0'] }],
    [
      'with a client counted twice',
      'duplicate-client',
      { clients: ['client 0', 'client 1', 'client 1'] },
    ],
    ['with a ciphertext too few', 'invalid-ciphertext', { ciphertexts: new Uint8Array(0) }],
  ])('refuses a sum %s (%s), and then decrypts the true one', (_, code, changes) => {
    const state = holder(three);
    expect(codeOf(decryptAtKeyHolder(state, { ...maskedSum, ...changes }))).toBe(code);
    expect(codeOf(decryptAtKeyHolder(state, maskedSum))).toBe('finish');
  });

  it('decrypts once in a session', () => {
    const state = holder(three);
    expect(codeOf(decryptAtKeyHolder(state, maskedSum))).toBe('finish');
    expect(() => decryptAtKeyHolder(state, maskedSum)).toThrow(/state-consumed/);
  });

  it('can be asked for fewer inputs than the plan has clients, and for more', () => {
    const two = { ...maskedSum, clients: names(2) };
    expect(codeOf(decryptAtKeyHolder(holder(three, { minimumInputs: 2 }), two))).toBe('finish');
    expect(codeOf(decryptAtKeyHolder(holder(three, { minimumInputs: 4 }), maskedSum))).toBe(
      'too-few-inputs',
    );
  });
});

describe('the server', () => {
  const sum = aggregate(three, inputsOf(three));
  const setup = { ...run, plan: three, encryptor: serverEncryptor };

  it('refuses a sum that is masked, or not of this run', () => {
    expect(codeOf(maskEncryptedSum(setup, { ...sum, masked: true }))).toBe('already-masked');
    expect(codeOf(maskEncryptedSum(setup, { ...sum, round: 3 }))).toBe('wrong-session');
    const short = { ...sum, ciphertexts: sum.ciphertexts.subarray(1) };
    expect(codeOf(maskEncryptedSum(setup, short))).toBe('invalid-ciphertext');
  });

  it('refuses decryptions that are not of this run, too short, too large or not of this sum', () => {
    const start = () => expectKind(maskEncryptedSum(setup, sum, { rng: seeded(1) }), 'continue');
    const { message } = expectKind(decryptAtKeyHolder(holder(three), start().message), 'finish');
    const outcome = (changes: Partial<DecryptedSum>) =>
      codeOf(unmaskDecryptedSum(start().state, { ...message, ...changes }));
    expect(outcome({ round: 1 })).toBe('wrong-session');
    expect(outcome({ plaintexts: new Uint8Array(3) })).toBe('invalid-plaintext');
    expect(outcome({ plaintexts: new Uint8Array(publicKey.plaintextBytes).fill(255) })).toBe(
      'invalid-plaintext',
    );
    expect(outcome({ plaintexts: new Uint8Array(publicKey.plaintextBytes) })).toBe('slot-overflow');
    expect(outcome({})).toBe('finish');
  });

  it('takes a mask off once', () => {
    const { state, message } = expectKind(maskEncryptedSum(setup, sum), 'continue');
    const decrypted = expectKind(decryptAtKeyHolder(holder(three), message), 'finish').message;
    expect(codeOf(unmaskDecryptedSum(state, decrypted))).toBe('finish');
    expect(() => unmaskDecryptedSum(state, decrypted)).toThrow(/state-consumed/);
  });

  it('finds a sum that a cheating client made too large', () => {
    const cheat = { ...inputsOf(three)[2]!, client: 'client 2' };
    const plaintext = three.segments[0]!.largestSum + 5n;
    const ciphertexts = encodeCiphertexts(publicKey, encryptor.encrypt([plaintext]));
    const inputs = [...inputsOf(three).slice(0, 2), { ...cheat, ciphertexts }];
    const step = expectKind(maskEncryptedSum(setup, aggregate(three, inputs)), 'continue');
    const { message } = expectKind(decryptAtKeyHolder(holder(three), step.message), 'finish');
    expect(codeOf(unmaskDecryptedSum(step.state, message))).toBe('slot-overflow');
  });
});

describe('the messages', () => {
  const input = inputsOf(three)[0]!;
  const sum = aggregate(three, inputsOf(three));
  const keyMessage: AnnouncedKey = { kind: 'announced-key', ...run, n: publicKey.n };
  const decryptedMessage: DecryptedSum = {
    kind: 'decrypted-sum',
    ...run,
    key: publicKey.fingerprint,
    plan: three.hash,
    plaintexts: new Uint8Array(64).fill(1),
  };
  const messages = [
    ['announced key', announcedKeyCodec, keyMessage],
    ['encrypted input', encryptedInputCodec, input],
    ['encrypted sum', encryptedSumCodec, sum],
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
