import { inspect } from 'node:util';
import { generateRandomKeysSync, PrivateKey, PublicKey } from 'paillier-bigint';
import { describe, expect, it } from 'vitest';
import {
  createEncryptor,
  decrypt,
  generatePaillierKey,
  importPrivateKey,
  importPublicKey,
  type PublicKeyLike,
} from '../../../protocols/index.ts';
import { gcd, primesBelow } from '../../../protocols/paillier/number-theory.ts';
import { hasSmallFactor, isProbablePrime } from '../../../protocols/paillier/primality.ts';
import { seeded } from '../support.ts';
import { smallPrimes, standardKey, standardPrimes } from './keys.ts';

const insecure = { allowInsecureModulus: true };

/** 2048 bits. */
const LARGE_PRIME = BigInt(
  '0x' +
    'f33d555669183cd759a768755e6433dfbe9610a9724237f86f6c4caa02cc1baf970b4825252756f5e6c52cea' +
    '2deb67a6a769e1b251b90b0f7535fddf6320613741557b5815f6e52b45d89a1fa203bc6cedb330cd201585c4' +
    '1ac9780f767bfa4475a3dc5471571d7fb856ff092cf6050968bb27eaf0f52e6548ceead1a2368b6ae8c734a1' +
    '6468aa528fe82b4fb087f4c200cbc2fa6864285ad44076bd2ebcc01d3df80a2bcc15dff93d987635f3c854d6' +
    'df771d5a94124857db85cf04f63275e345b2506abd68b35d38d25e2c186761558a12bea000edc210e721a314' +
    '3cb6fded8a3d066733dcb077200337b1654b4a135610984c648ae8ab513b4a5b0b73c18d',
);

describe('a public key', () => {
  it('is accepted from paillier-bigint or as a number, and known by its fingerprint', () => {
    const { n } = standardPrimes;
    const key = importPublicKey(new PublicKey(n, n + 1n));
    expect(key.modulusBits).toBe(2048);
    expect(key.ciphertextBytes).toBe(512);
    expect(importPublicKey({ n }, { modulusBits: 2048 }).fingerprint).toEqual(key.fingerprint);
    const other = importPublicKey({ n: smallPrimes.n }, insecure);
    expect(other.fingerprint).not.toEqual(key.fingerprint);
  });

  it('is refused below 2048 bits unless insecurity is asked for', () => {
    expect(() => importPublicKey({ n: smallPrimes.n })).toThrow(/modulus-too-small/);
    expect(() => importPublicKey({ n: smallPrimes.n }, insecure)).not.toThrow();
    expect(() => importPublicKey({ n: 0n }, insecure)).toThrow(/modulus-too-small/);
    expect(() => importPublicKey({ n: -standardPrimes.n })).toThrow(/modulus-too-small/);
  });

  it('is refused in another size than agreed on', () => {
    const { n } = standardPrimes;
    expect(() => importPublicKey({ n }, { modulusBits: 3072 })).toThrow(/modulus-too-small/);
    expect(() => importPublicKey({ n }, { modulusBits: 2047 })).toThrow(/modulus-too-small/);
  });

  const { p, n } = standardPrimes;
  /** The next number without small factors. */
  const neighbourOf = (value: bigint): bigint => {
    let next = value + 2n;
    while (hasSmallFactor(next)) next += 2n;
    return next;
  };
  const sixteen = primesBelow(2 ** 16)
    .slice(-16)
    .map(BigInt);
  it.each<[string, bigint, RegExp]>([
    ['even', n * 2n, /is even/],
    ['a prime', LARGE_PRIME, /is prime/],
    ['a square', p * p, /is a power/],
    ['a cube', p ** 3n, /is a power/],
    [
      'sixteen primes of 16 bits and a large one',
      sixteen.reduce((product, prime) => product * prime, LARGE_PRIME),
      /factor below/,
    ],
    ['a multiple of 3', n * 3n, /factor below/],
    ['a multiple of 1048573', n * 1_048_573n, /factor below/],
    ['absurdly long', 2n ** 20_000n + 1n, /beyond/],
    [
      'the product of neighbours',
      LARGE_PRIME * neighbourOf(LARGE_PRIME),
      /close to its square root/,
    ],
    [
      'the product of close factors',
      LARGE_PRIME * neighbourOf(LARGE_PRIME + 2n ** 1030n),
      /close to its square root/,
    ],
  ])('is refused if it is %s', (_, modulus, reason) => {
    const check = () => importPublicKey({ n: modulus });
    expect(check).toThrow(reason);
    expect(check).toThrow(/weak-modulus/);
  });

  it('is refused if it is no bigint', () => {
    const forged: PublicKeyLike = JSON.parse('{"n": 12345}');
    expect(() => importPublicKey(forged)).toThrow(/modulus-too-small/);
  });
});

describe('a private key', () => {
  const roundTrip = (key: ReturnType<typeof importPrivateKey>) => {
    const [ciphertext] = createEncryptor(key.publicKey).encrypt([42n]);
    return decrypt(key, [ciphertext!]);
  };

  it.each([
    ['simple', true],
    ['with its own generator', false],
  ])('is taken from paillier-bigint (%s)', (_, simple) => {
    const { privateKey } = generateRandomKeysSync(512, simple);
    expect(roundTrip(importPrivateKey(privateKey, insecure))).toEqual([42n]);
  });

  it('decrypts what paillier-bigint encrypted, and the other way round', () => {
    const { publicKey, privateKey } = generateRandomKeysSync(512, true);
    const key = importPrivateKey(privateKey, insecure);
    expect(decrypt(key, [publicKey.encrypt(1234n)])).toEqual([1234n]);
    const [ciphertext] = createEncryptor(key.publicKey).encrypt([4321n]);
    expect(privateKey.decrypt(ciphertext!)).toBe(4321n);
  });

  it('is found from lambda where the primes are not given', () => {
    const { p, q, n } = smallPrimes;
    const lambda = (p - 1n) * (q - 1n);
    expect(roundTrip(importPrivateKey({ n, lambda }, { ...insecure, rng: seeded(1) }))).toEqual([
      42n,
    ]);
    const bare = new PrivateKey(lambda, 1n, new PublicKey(n, n + 1n));
    expect(roundTrip(importPrivateKey(bare, insecure))).toEqual([42n]);
    expect(() => importPrivateKey({ n, lambda: lambda - 2n }, insecure)).toThrow(
      /invalid-private-key/,
    );
    expect(() => importPrivateKey({ n }, insecure)).toThrow(/invalid-private-key/);
  });

  it('is made of two primes that are 3 modulo 4 and share no other factor of p - 1', async () => {
    for (const modulusBits of [512, 513]) {
      const key = await generatePaillierKey({ modulusBits, ...insecure });
      expect(key.publicKey.modulusBits).toBe(modulusBits);
      expect(roundTrip(key)).toEqual([42n]);
      const { p, q } = key.reveal();
      expect([p.prime % 4n, q.prime % 4n]).toEqual([3n, 3n]);
      expect(gcd(p.prime - 1n, q.prime - 1n)).toBe(2n);
    }
    await expect(generatePaillierKey({ modulusBits: 1024 })).rejects.toThrow(/modulus-too-small/);
  });

  const { p, q, n } = smallPrimes;
  const prime = (candidate: bigint) => isProbablePrime(candidate, seeded('primes'));
  // Beyond the reach of the steps that everybody makes, and still too close.
  let near = p + 2n ** 200n;
  while (!prime(near)) near += 2n;
  // Two primes of some 128 bits, so of the size of p and q together.
  const composite = (2n ** 127n - 1n) * (2n ** 128n - 159n);
  let germain = 2n ** 40n + 1n;
  while (!prime(germain) || !prime(2n * germain + 1n)) germain += 2n;
  const safe = 2n * germain + 1n;
  let smooth = 2n ** 240n;
  for (let factor = 65_521n; !prime(smooth + 1n); factor -= 2n) smooth = 2n ** 240n * factor;
  smooth += 1n;
  it.each<[string, { n: bigint; p: bigint; q: bigint; lambda?: bigint }, RegExp]>([
    ['other primes', { n, p: p + 2n, q }, /p times q/],
    ['a lambda of others', { n, p, q, lambda: (p - 1n) * q }, /lambda/],
    ['primes of different size', { n: LARGE_PRIME * p, p: LARGE_PRIME, q: p }, /differ in size/],
    ['primes too close', { n: p * near, p, q: near }, /too close/],
    ['a composite for a prime', { n: composite * q, p: composite, q }, /not prime/],
    ['a smooth p - 1', { n: smooth * q, p: smooth, q }, /small factors only/],
    ['p = 2 q + 1', { n: safe * germain, p: safe, q: germain }, /in common with phi/],
  ])('is refused with %s', (_, key, reason) => {
    expect(() => importPrivateKey(key, insecure)).toThrow(reason);
  });

  it('does not print', () => {
    const key = standardKey();
    const texts = [inspect(key, { depth: 9 }), JSON.stringify(key), `${key}`];
    for (const text of texts) expect(text).toContain('Paillier private key of 2048 bits');
    expect(inspect({ key }).length).toBeLessThan(100);
  });
});
