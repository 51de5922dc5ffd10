import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  bitLength,
  decodeKeyProof,
  encodeKeyProof,
  generatePaillierKey,
  importPrivateKey,
  importPublicKey,
  type KeyProof,
  proveKey,
  utf8,
  verifyKeyProof,
} from '../../../protocols/index.ts';
import { searchBlumPrime } from '../../../protocols/paillier/blum-primes.ts';
import { responseBits } from '../../../protocols/paillier/key-proof.ts';
import { gcd, jacobi } from '../../../protocols/paillier/number-theory.ts';
import { isProbablePrime } from '../../../protocols/paillier/primality.ts';
import { PaillierPrivateKey } from '../../../protocols/paillier/private-key.ts';
import { seeded } from '../support.ts';
import { type Cheat, cheat } from './cheating-prover.ts';
import { primePair, smallBlumKey, smallKey, standardBlumPrimes } from './keys.ts';

const context = utf8('the key holder');
const { publicKey } = smallBlumKey;
const { n } = publicKey;
const { p } = smallBlumKey.reveal();
const insecure = { allowInsecureModulus: true };

describe('the proof of a key', () => {
  it('holds for keys as they are made here, of any size', async () => {
    for (const modulusBits of [256, 300, 512, 513]) {
      const key = await generatePaillierKey({ modulusBits, ...insecure });
      verifyKeyProof(key.publicKey, proveKey(key, context), context);
    }
  });

  it('holds at 2048 bits, after its way over the wire', () => {
    const key = importPrivateKey(standardBlumPrimes);
    const bytes = encodeKeyProof(key.publicKey, proveKey(key, context));
    const received = importPublicKey({ n: standardBlumPrimes.n });
    verifyKeyProof(received, decodeKeyProof(received, bytes), context);
    expect(bytes.length).toBeLessThan(40_000);
  });

  it('gives roots that are squares only, so that two proofs do not tell the primes', () => {
    const proofs = [1, 2].map((seed) => proveKey(smallBlumKey, context, { rng: seeded(seed) }));
    for (const { fourthRoots } of proofs) {
      for (const { root } of fourthRoots) {
        expect(jacobi(root, p.prime)).toBe(1);
        expect(jacobi(root, n / p.prime)).toBe(1);
      }
    }
    expect(proofs[0]!.twist).not.toBe(proofs[1]!.twist);
  });

  it('cannot be made for primes of another kind', () => {
    expect(() => proveKey(smallKey, context)).toThrow(/unprovable-key.*3 modulo 4/);
    const [left, right] = blumPrimesWithCommonFactor();
    const key = importPrivateKey({ n: left * right, p: left, q: right }, insecure);
    expect(() => proveKey(key, context)).toThrow(/unprovable-key.*odd factor in common/);
  });

  it('is not released with a fault in one half', () => {
    const parameters = smallBlumKey.reveal();
    const faulty = new PaillierPrivateKey(publicKey, {
      ...parameters,
      pInverse: parameters.pInverse ^ 4n,
    });
    expect(() => proveKey(faulty, context)).toThrow(/key-proof-fault/);
  });
});

describe('a verifier refuses', () => {
  let proof: KeyProof;
  beforeAll(() => {
    proof = proveKey(smallBlumKey, context, { rng: seeded('proof') });
  });
  const refuses = (changed: KeyProof, reason: RegExp) => {
    expect(() => verifyKeyProof(publicKey, changed, context)).toThrow(reason);
    expect(() => verifyKeyProof(publicKey, changed, context)).toThrow(/invalid-key-proof/);
  };

  it('the proof of another maker, and that of another key', () => {
    expect(() => verifyKeyProof(publicKey, proof, utf8('another'))).toThrow(/invalid-key-proof/);
    const other = importPublicKey({ n: smallKey.publicKey.n }, insecure);
    expect(() => verifyKeyProof(other, proof, context)).toThrow(/invalid-key-proof/);
  });

  it('every number of it changed by a little', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<keyof KeyProof>(
          'twist',
          'roots',
          'fourthRoots',
          'commitments',
          'responses',
        ),
        fc.nat(127),
        fc.constantFrom(1n, -1n, n / 2n),
        (field, place, difference) => {
          const change = <T>(values: readonly T[], by: (value: T) => T): T[] =>
            values.map((value, i) => (i === place % values.length ? by(value) : value));
          const changed: KeyProof = {
            ...proof,
            ...(field === 'twist' && { twist: proof.twist + difference }),
            ...(field === 'fourthRoots' && {
              fourthRoots: change(proof.fourthRoots, (root) => ({
                ...root,
                root: root.root + difference,
              })),
            }),
            ...(field !== 'twist' &&
              field !== 'fourthRoots' && {
                [field]: change<bigint>(proof[field], (value) => value + difference),
              }),
          };
          refuses(changed, /does not hold/);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('a root without its sign or twist', () => {
    for (const flag of ['negated', 'twisted'] as const) {
      const fourthRoots = proof.fourthRoots.map((root, i) =>
        i === 5 ? { ...root, [flag]: !root[flag] } : root,
      );
      refuses({ ...proof, fourthRoots }, /fourth root 5 is none/);
    }
  });

  it('a twist that is no unit, by which any modulus would have roots of it', () => {
    const zeros = proof.fourthRoots.map(() => ({ root: n, negated: false, twisted: true }));
    refuses({ ...proof, twist: 0n, fourthRoots: zeros }, /out of range/);
    refuses({ ...proof, twist: p.prime }, /Jacobi symbol/);
    refuses({ ...proof, twist: 1n }, /Jacobi symbol/);
  });

  it('numbers out of range, too few and too many', () => {
    const [first, ...others] = proof.responses;
    // The same power of g, as its order divides phi(n); the length is what bounds the primes.
    const { prime: q } = smallBlumKey.reveal().q;
    const long = first! + (p.prime - 1n) * (q - 1n) * 2n ** 512n;
    refuses({ ...proof, responses: [long, ...others] }, /out of range/);
    refuses({ ...proof, responses: [-1n, ...others] }, /out of range/);
    refuses({ ...proof, responses: others }, /out of range/);
    refuses({ ...proof, commitments: proof.commitments.slice(1) }, /out of range/);
    refuses({ ...proof, roots: [...proof.roots, 1n] }, /out of range/);
    refuses({ ...proof, roots: proof.roots.map((root) => root + n) }, /out of range/);
    refuses({ ...proof, fourthRoots: proof.fourthRoots.slice(1) }, /out of range/);
  });

  it('bytes of another length', () => {
    const bytes = encodeKeyProof(publicKey, proof);
    expect(decodeKeyProof(publicKey, bytes)).toEqual(proof);
    for (const wrong of [bytes.subarray(1), Uint8Array.of(...bytes, 0), new Uint8Array(0)]) {
      expect(() => decodeKeyProof(publicKey, wrong)).toThrow(/invalid-key-proof/);
    }
  });
});

describe('whoever makes a bad modulus cannot prove it, though it knows the primes', () => {
  const refusal = (attempt: Omit<Cheat, 'context'>): string => {
    const { key, proof } = cheat({ ...attempt, context });
    try {
      verifyKeyProof(key, proof, context);
    } catch (error) {
      return String(error);
    }
    return 'accepted';
  };
  const primes = (...list: readonly bigint[]) => ({ factors: list.map((prime) => ({ prime })) });
  let blum: readonly bigint[];
  let other: readonly bigint[];
  beforeAll(async () => {
    const rng = seeded('bad moduli');
    blum = await Promise.all([1, 2, 3, 4].map(() => searchBlumPrime(160, rng)));
    other = [primeFrom(2n ** 256n + 1n, 1n), primeFrom(2n ** 257n + 1n, 1n)];
  });

  it('is a helper that proves what can be proven', () => {
    const { q } = smallBlumKey.reveal();
    expect(refusal(primes(p.prime, q.prime))).toBe('accepted');
  });

  it('of three, four or five primes, or of sixteen of 22 bits and a large one', () => {
    expect(refusal(primes(blum[0]!, blum[1]!, blum[2]!))).toMatch(/3 modulo 4/);
    expect(refusal({ ...primes(...blum), short: 0n })).toMatch(/fourth root/);
    const five = primes(...blum, other[0]!);
    expect(refusal({ ...five, short: 0n })).toMatch(/fourth root/);
    const sixteen = Array.from({ length: 16 }, (_, i) => primeFrom(4_000_000n + 9000n * BigInt(i)));
    const attempt = { ...primes(...sixteen, blum[0]!), short: 0n };
    expect(refusal(attempt)).toMatch(/3 modulo 4|fourth root/);
  });

  it('of two primes that are 1 modulo 4, or of one that is', () => {
    expect(refusal(primes(...other))).toMatch(/fourth root/);
    expect(refusal(primes(p.prime, other[0]!))).toMatch(/3 modulo 4/);
  });

  it('with a square in it', () => {
    const factors = [{ prime: blum[0]!, exponent: 3 }, { prime: blum[1]! }];
    expect(refusal({ factors, short: 0n })).toMatch(/: root \d is none/);
  });

  it('with a factor in common with phi(n)', () => {
    // q = 318 p + 1
    const { p, q } = primePair(
      '744150f23a8e0c55de751fbbbfb396afcafd4077341db88bdeaded83c19607bb',
      '9069228ce4bc7352aa557d6b3821152e5e26961412bceb3dbe9c0d09aa785d9a4b',
    );
    expect(refusal(primes(p, q))).toMatch(/: root \d is none/);
  });

  it('with a small prime', () => {
    // 100 and 924 bits: n = p modulo q - 1 makes short what is long modulo p - 1.
    const { p, q } = primePair(
      '8f41da2cb565690ebe38ec17b',
      'fecbaaf3752a8a5249597c99e9cb6957c22e419b7973ef5cdf12b3c44e934f1a1ff30a95a809bc68d3dc' +
        '5710a92ac2bbc6f44662bf84ef97ad1459ea80d50d3d772598fe4bd6a4c7e1c69e84a0341b52038aae1f' +
        'b4b61eb6d14b47bb326e198bb60fa6184f2bb6bdef9e13e4279d4e24edef6ab',
    );
    const shortest = p + q - 1n;
    expect(bitLength(shortest)).toBeGreaterThan(responseBits(1024));
    expect(refusal({ ...primes(p, q), short: p })).toMatch(/response \d+ does not fit/);
  });

  it('with a small prime p where p - 1 divides q - 1, which hides it from responses', () => {
    const large = primePair(
      '6d760bbcb46b5f09ab7ffb660e08e0eb',
      'fffffffffffffffffffffffffffffffda948fd3275edf8c24c70dc183bfa1603703cc52c9a15bdccd3038ebb6ef35e6f',
    );
    expect(gcd(large.n - 1n, large.p - 1n)).toBe(large.p - 1n);
    expect(refusal({ ...primes(large.p, large.q), short: large.p })).toMatch(/: root \d is none/);
    const smooth = primePair(
      '3e05b16138dbc3',
      '210539e1ec66386e5f0f8d956381584c5f1fad10239d4965a20ed02b2eb5f00c6bddb85d3422de17f88911' +
        'a8f194552857fbee4159a4ecf8f87',
    );
    const attempt = { ...primes(smooth.p, smooth.q), short: smooth.p };
    expect(refusal(attempt)).toMatch(/fourth root \d+ is none/);
  });

  function primeFrom(start: bigint, residue = 3n): bigint {
    for (let candidate = start; ; candidate += 1n) {
      if (candidate % 4n === residue && isProbablePrime(candidate, seeded('p'))) return candidate;
    }
  }
});

/** p = q = 1 modulo 7. */
function blumPrimesWithCommonFactor(): [bigint, bigint] {
  const rng = seeded('common');
  const next = (start: bigint): bigint => {
    // 28 k + 15 is 3 modulo 4 and 1 modulo 7.
    for (let k = start; ; k += 1n) if (isProbablePrime(28n * k + 15n, rng)) return 28n * k + 15n;
  };
  return [next(2n ** 250n), next(3n * 2n ** 249n)];
}
