import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { uniformBits } from '../../../protocols/crypto/random.ts';
import {
  addCiphertexts,
  addPlaintexts,
  concatBytes,
  createEncryptor,
  type Decryption,
  decodeCiphertexts,
  decrypt,
  decryptVerifiably,
  encodeCiphertexts,
  PaillierError,
  utf8,
  verifyDecryption,
} from '../../../protocols/index.ts';
import { hashStream } from '../../../protocols/paillier/hash-stream.ts';
import { modPow } from '../../../protocols/paillier/number-theory.ts';
import { encodePlaintexts } from '../../../protocols/paillier/plaintexts.ts';
import {
  PaillierPrivateKey,
  type PrimeHalf,
  type PrivateParameters,
} from '../../../protocols/paillier/private-key.ts';
import { seeded } from '../support.ts';
import { smallKey, standardKey } from './keys.ts';

const { publicKey } = smallKey;
const { n, nSquared } = publicKey;
const encryptor = createEncryptor(publicKey, { rng: seeded('encryptor') });
const plaintexts = fc.array(
  fc.oneof(fc.bigInt({ min: 0n, max: n - 1n }), fc.constantFrom(0n, 1n, n - 1n)),
  { maxLength: 6 },
);

it('decrypts what it encrypted', () => {
  fc.assert(
    fc.property(plaintexts, (values) => {
      expect(decrypt(smallKey, encryptor.encrypt(values))).toEqual(values);
    }),
    { numRuns: 40 },
  );
});

it('works at 2048 bits', () => {
  const key = standardKey();
  const values = [0n, 1n, key.publicKey.n - 1n];
  expect(decrypt(key, createEncryptor(key.publicKey).encrypt(values))).toEqual(values);
});

it('adds ciphertexts and plaintexts mod n', () => {
  fc.assert(
    fc.property(plaintexts, fc.bigInt({ min: -(2n ** 600n), max: 2n ** 600n }), (values, known) => {
      const ciphertexts = encryptor.encrypt(values);
      const doubled = addCiphertexts(publicKey, ciphertexts, encryptor.encrypt(values));
      expect(decrypt(smallKey, doubled)).toEqual(values.map((value) => (2n * value) % n));
      const shifted = addPlaintexts(
        publicKey,
        ciphertexts,
        values.map(() => known),
      );
      expect(decrypt(smallKey, shifted)).toEqual(
        values.map((value) => (((value + known) % n) + n) % n),
      );
    }),
    { numRuns: 30 },
  );
  expect(() => addCiphertexts(publicKey, [1n], [])).toThrow(/invalid-ciphertext/);
});

it('refuses plaintexts outside [0, n)', () => {
  expect(() => encryptor.encrypt([-1n])).toThrow(/invalid-plaintext/);
  expect(() => encryptor.encrypt([0n, n])).toThrow(/invalid-plaintext/);
});

describe('randomness', () => {
  /** The randomizer r^n of a ciphertext, up to the plaintext: what the key holder could compare. */
  const randomizer = (ciphertext: bigint) => {
    const [plaintext] = decrypt(smallKey, [ciphertext]);
    return (ciphertext * (1n + (n - plaintext!) * n)) % nSquared;
  };

  it('is fresh for equal plaintexts, and never trivial', () => {
    const ciphertexts = encryptor.encrypt(new Array<bigint>(200).fill(5n));
    expect(new Set(ciphertexts).size).toBe(200);
    const randomizers = ciphertexts.map(randomizer);
    expect(new Set(randomizers).size).toBe(200);
    expect(randomizers).not.toContain(1n);
  });

  it('is an n-th power, and refreshing changes nothing else', () => {
    const ciphertexts = encryptor.encrypt([5n, 6n]);
    const refreshed = encryptor.refresh(ciphertexts);
    expect(decrypt(smallKey, refreshed)).toEqual([5n, 6n]);
    expect(refreshed.some((value, i) => value === ciphertexts[i])).toBe(false);
    const { p, q } = smallKey.reveal();
    const lambda = (p.prime - 1n) * (q.prime - 1n);
    for (const ciphertext of refreshed) {
      expect(modPow(randomizer(ciphertext), lambda, nSquared)).toBe(1n);
    }
  });

  it('comes from the source given, so that a run replays, and differs by encryptor', () => {
    const run = (seed: string) => createEncryptor(publicKey, { rng: seeded(seed) }).encrypt([1n]);
    expect(run('a')).toEqual(run('a'));
    expect(run('a')).not.toEqual(run('b'));
  });

  it('survives a source that starts with zeros', () => {
    let calls = 0;
    const rng = seeded('later');
    const stubborn = (length: number) => {
      calls += 1;
      return calls <= 2 ? new Uint8Array(length) : rng(length);
    };
    const [ciphertext] = createEncryptor(publicKey, { rng: stubborn }).encrypt([9n]);
    expect(randomizer(ciphertext!)).not.toBe(1n);
    expect(decrypt(smallKey, [ciphertext!])).toEqual([9n]);
  });
});

describe('ciphertexts from outside', () => {
  const good = encryptor.encrypt([1n, 2n, 3n]);
  const { p } = smallKey.reveal();

  it('come back from their bytes', () => {
    const bytes = encodeCiphertexts(publicKey, good);
    expect(bytes.length).toBe(3 * publicKey.ciphertextBytes);
    expect(decodeCiphertexts(publicKey, bytes, 3)).toEqual(good);
  });

  it.each<[string, bigint, RegExp]>([
    ['0', 0n, /ciphertext 1 is not in/],
    ['n', n, /ciphertext 1 is a multiple of n/],
    ['5 n', 5n * n, /ciphertext 1 is a multiple of n/],
    ['n^2', nSquared, /ciphertext 1 is not in/],
    ['c + n^2', good[1]! + nSquared, /ciphertext 1 is not in/],
    ['a multiple of p', 12_345n * p.prime, /ciphertext 1 has a factor in common/],
    ['-1', -1n, /ciphertext 1 is not in/],
  ])('are refused if one is %s', (_, bad, reason) => {
    expect(() => decrypt(smallKey, [good[0]!, bad, good[2]!])).toThrow(/invalid-ciphertext/);
    expect(() => decrypt(smallKey, [good[0]!, bad, good[2]!])).toThrow(reason);
    if (bad >= 0n && bad < 2n ** 1024n) {
      const bytes = encodeCiphertexts(publicKey, [good[0]!, bad]);
      expect(() => decodeCiphertexts(publicKey, bytes, 2)).toThrow(/invalid-ciphertext/);
    }
  });

  it('are refused in another number of bytes', () => {
    const bytes = encodeCiphertexts(publicKey, good);
    expect(() => decodeCiphertexts(publicKey, bytes, 2)).toThrow(/invalid-ciphertext/);
    expect(() => decodeCiphertexts(publicKey, bytes.subarray(1), 3)).toThrow(/invalid-ciphertext/);
    expect(() => decodeCiphertexts(publicKey, Uint8Array.of(0, ...bytes), 3)).toThrow(
      /invalid-ciphertext/,
    );
  });
});

describe('a fault in decryption', () => {
  const plain = [n - 11n, n / 2n, n / 3n];
  const ciphertexts = encryptor.encrypt(plain);
  const parameters = smallKey.reveal();
  const faults: [string, Partial<PrivateParameters>][] = [
    ['the factor of p', { p: { ...parameters.p, factor: parameters.p.factor ^ 4n } }],
    ['the factor of q', { q: { ...parameters.q, factor: parameters.q.factor ^ 1n } }],
    ['the modulus of p', { p: { ...parameters.p, primeSquared: parameters.p.primeSquared ^ 2n } }],
    ['the inverse of p', { pInverse: parameters.pInverse ^ 8n }],
  ];

  it.each(faults)('in %s releases nothing', (_, fault) => {
    const faulty = new PaillierPrivateKey(publicKey, { ...parameters, ...fault });
    expect(() => decrypt(faulty, ciphertexts)).toThrow(/decryption-fault/);
  });

  it('in one use of one number releases nothing, whichever bit flips', () => {
    const halves = [
      ['p', 'prime'],
      ['p', 'primeSquared'],
      ['p', 'factor'],
      ['q', 'prime'],
      ['q', 'primeSquared'],
      ['q', 'factor'],
    ] as const;
    /** How often a run reads that number. */
    const readsOf = (half: 'p' | 'q', field: keyof PrimeHalf): number => {
      const counter = new FlippingHalf(parameters[half], field, -1, 0n);
      decrypt(new PaillierPrivateKey(publicKey, { ...parameters, [half]: counter }), ciphertexts);
      return counter.reads;
    };
    let attempts = 0;
    for (const [half, field] of halves) {
      for (let read = 0; read < readsOf(half, field); read += 1) {
        for (const bit of [0n, 7n, 200n]) {
          const flipping = new FlippingHalf(parameters[half], field, read, 1n << bit);
          const faulty = new PaillierPrivateKey(publicKey, { ...parameters, [half]: flipping });
          attempts += 1;
          // A flip that does no harm gives the plaintexts; none gives anything else.
          let outcome: unknown;
          try {
            outcome = decrypt(faulty, ciphertexts);
          } catch (error) {
            outcome = error;
          }
          if (outcome instanceof PaillierError) expect(outcome.code).toBe('decryption-fault');
          else if (!(outcome instanceof Error)) expect(outcome).toEqual(plain);
        }
      }
    }
    expect(attempts).toBeGreaterThan(30);
  });
});

describe('a decryption that others can check', () => {
  it('cannot be bent by who knows the exponents beforehand: they follow from the plaintexts', () => {
    const [first, second] = encryptor.encrypt([100n, 200n]);
    const decryption = decryptVerifiably(smallKey, [first!, second!]);
    const domain = utf8('fedloom paillier decryption v1');
    const bytes = encodeCiphertexts(publicKey, [first!, second!]);
    const { fingerprint } = publicKey;
    const told = [domain, fingerprint, bytes];
    const plain = encodePlaintexts(publicKey, decryption.plaintexts);
    for (const seed of [told, [...told, plain]]) {
      const stream = hashStream(concatBytes(...seed));
      const [left, right] = [uniformBits(stream, 128), uniformBits(stream, 128)];
      // The product with those exponents stays the same.
      const plaintexts = [100n + right, (200n - left + n) % n];
      expect(verifyDecryption(publicKey, [first!, second!], { ...decryption, plaintexts })).toBe(
        false,
      );
    }
  });

  const ciphertexts = encryptor.encrypt([5n, 0n, n - 1n]);
  const decryption = decryptVerifiably(smallKey, ciphertexts);

  it('is right', () => {
    fc.assert(
      fc.property(plaintexts, (values) => {
        const encrypted = encryptor.encrypt(values);
        const made = decryptVerifiably(smallKey, encrypted);
        expect(made.plaintexts).toEqual(values);
        expect(verifyDecryption(publicKey, encrypted, made)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it('is refused if anything of it is wrong', () => {
    const refuses = (changes: Partial<Decryption>, of: readonly bigint[] = ciphertexts) =>
      expect(verifyDecryption(publicKey, of, { ...decryption, ...changes })).toBe(false);
    refuses({ plaintexts: [6n, 0n, n - 1n] });
    refuses({ plaintexts: [0n, 5n, n - 1n] });
    refuses({ plaintexts: [5n, 0n] });
    refuses({ root: decryption.root + 1n });
    refuses({ root: n - decryption.root });
    refuses({ root: 0n });
    refuses({ root: decryption.root + n });
    refuses({}, [ciphertexts[1]!, ciphertexts[0]!, ciphertexts[2]!]);
    refuses({}, encryptor.encrypt([5n, 0n, n - 1n]));
  });
});

/** Half of a private key in which one read of one number, counted from 0, has a bit flipped. */
class FlippingHalf implements PrimeHalf {
  readonly #half: PrimeHalf;
  readonly #field: keyof PrimeHalf;
  readonly #at: number;
  readonly #mask: bigint;
  reads = 0;

  constructor(half: PrimeHalf, field: keyof PrimeHalf, at: number, mask: bigint) {
    this.#half = half;
    this.#field = field;
    this.#at = at;
    this.#mask = mask;
  }

  get prime(): bigint {
    return this.#read('prime');
  }

  get primeSquared(): bigint {
    return this.#read('primeSquared');
  }

  get factor(): bigint {
    return this.#read('factor');
  }

  #read(field: keyof PrimeHalf): bigint {
    const value = this.#half[field];
    if (field !== this.#field) return value;
    this.reads += 1;
    return this.reads - 1 === this.#at ? value ^ this.#mask : value;
  }
}
