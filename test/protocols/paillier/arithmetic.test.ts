import fc from 'fast-check';
import { expect, it } from 'vitest';
import { searchBlumPrime } from '../../../protocols/paillier/blum-primes.ts';
import { bestShape, FixedBase } from '../../../protocols/paillier/fixed-base.ts';
import {
  gcd,
  integerRoot,
  isPerfectPower,
  jacobi,
  lcm,
  modInverse,
  modPow,
  primesBelow,
} from '../../../protocols/paillier/number-theory.ts';
import {
  hasSmallFactor,
  isProbablePrime,
  productOfSmallFactors,
  withoutSmallFactors,
} from '../../../protocols/paillier/primality.ts';
import {
  modPowSquare,
  multiPowSquare,
  SquareRing,
} from '../../../protocols/paillier/square-ring.ts';
import { hasCloseFactors } from '../../../protocols/paillier/weak-moduli.ts';
import { seeded } from '../support.ts';

/** By the definition, to compare with. */
function slowPower(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n % modulus;
  for (const bit of exponent.toString(2)) {
    result = (result * result) % modulus;
    if (bit === '1') result = (result * base) % modulus;
  }
  return result;
}

const exponents = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 10n }),
  fc.bigInt({ min: 0n, max: 2n ** 100n }),
  fc.bigInt({ min: 0n, max: 2n ** 600n }),
);

it('takes powers', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 2n ** 130n }),
      exponents,
      fc.bigInt({ min: 2n, max: 2n ** 120n }),
      (base, exponent, root) => {
        expect(modPow(base, exponent, root)).toBe(slowPower(base, exponent, root));
        expect(modPowSquare(base, exponent, root)).toBe(slowPower(base, exponent, root * root));
      },
    ),
  );
});

it('takes products of powers', () => {
  const power = fc.record({ base: fc.bigInt({ min: 0n, max: 2n ** 90n }), exponent: exponents });
  fc.assert(
    fc.property(
      fc.array(power, { maxLength: 5 }),
      fc.bigInt({ min: 2n, max: 2n ** 60n }),
      (powers, root) => {
        const expected = powers.reduce(
          (product, { base, exponent }) =>
            (product * slowPower(base, exponent, root * root)) % (root * root),
          1n,
        );
        const bases = powers.map(({ base }) => base);
        const all = powers.map(({ exponent }) => exponent);
        expect(multiPowSquare(bases, all, root)).toBe(expected);
      },
    ),
  );
});

it('multiplies in the ring modulo a square', () => {
  const value = fc.bigInt({ min: 0n, max: 2n ** 200n });
  fc.assert(
    fc.property(value, value, fc.bigInt({ min: 2n, max: 2n ** 90n }), (left, right, root) => {
      const ring = new SquareRing(root);
      const product = ring.multiply(ring.element(left), ring.element(right));
      expect(ring.value(product)).toBe((left * right) % (root * root));
      expect(ring.value(ring.square(ring.element(left)))).toBe((left * left) % (root * root));
    }),
  );
});

it('takes powers of a fixed base, whatever the shape of its table', () => {
  const ring = new SquareRing(2n ** 89n - 1n);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 90 }),
      fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 4 }),
      fc.nat(),
      (exponentBits, reservations, seed) => {
        const base = new FixedBase(ring, 3n, exponentBits);
        const rng = seeded(seed);
        for (const count of reservations) {
          base.reserve(count);
          const exponent = BigInt.asUintN(
            exponentBits,
            rng(12).reduce((v, b) => (v << 8n) | BigInt(b), 0n),
          );
          for (const wanted of [exponent, 0n, 2n ** BigInt(exponentBits) - 1n]) {
            expect(base.power(wanted)).toBe(slowPower(3n, wanted, ring.root ** 2n));
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

it('makes larger tables for more powers, up to a limit', () => {
  const entries = [1, 10, 100, 10_000, 1e9].map((powers) => {
    const { teeth, sections } = bestShape(1024, powers);
    return sections << teeth;
  });
  expect(entries).toEqual([...entries].sort((a, b) => a - b));
  expect(entries.at(-1)).toBeLessThanOrEqual(4096);
});

it('inverts what has an inverse', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 1n, max: 10_000n }),
      fc.bigInt({ min: 2n, max: 10_000n }),
      (a, m) => {
        const inverse = modInverse(a, m);
        if (gcd(a, m) === 1n) expect((inverse! * a) % m).toBe(1n);
        else expect(inverse).toBeUndefined();
        expect(lcm(a, m) * gcd(a, m)).toBe(a * m);
      },
    ),
  );
});

it('finds roots and powers', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 2n, max: 2n ** 80n }), fc.integer({ min: 2, max: 9 }), (a, k) => {
      const power = a ** BigInt(k);
      expect(integerRoot(power, k)).toBe(a);
      expect(integerRoot(power - 1n, k)).toBe(a - 1n);
      expect(isPerfectPower(power)).toBe(true);
    }),
  );
  for (const value of [2n, 3n, 5n, 6n, 7n, 10n, 12n, 2n ** 61n - 1n]) {
    expect(isPerfectPower(value)).toBe(false);
  }
});

it('finds every factor below 2^20', () => {
  const large = 2n ** 127n - 1n;
  expect(primesBelow(30)).toEqual([2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
  for (const factor of [2n, 3n, 65_521n, 65_537n, 1_048_573n]) {
    expect(hasSmallFactor(large * factor)).toBe(true);
  }
  expect(hasSmallFactor(large)).toBe(false);
  expect(hasSmallFactor(large * 1_048_583n)).toBe(false);
});

it('gives the Jacobi symbol by its definition', () => {
  for (const modulus of [3n, 5n, 7n, 9n, 15n, 21n, 35n, 45n, 77n, 105n, 1155n]) {
    for (let value = 0n; value < modulus; value += 1n) {
      const expected = primesBelow(12)
        .slice(1)
        .reduce((symbol, prime) => {
          const p = BigInt(prime);
          let times = 0;
          for (let rest = modulus; rest % p === 0n; rest /= p) times += 1;
          const power = Number(slowPower(value, (p - 1n) / 2n, p));
          const legendre = power === prime - 1 ? -1 : power;
          return symbol * legendre ** times;
        }, 1);
      expect(jacobi(value, modulus), `${value} over ${modulus}`).toBe(expected + 0);
      expect(jacobi(value - modulus, modulus)).toBe(expected + 0);
    }
  }
});

it('takes small factors out', () => {
  const large = 2n ** 127n - 1n;
  expect(productOfSmallFactors(large * 3n * 3n * 65_537n)).toBe(3n * 65_537n);
  expect(withoutSmallFactors(large * 2n ** 9n * 3n ** 4n * 1_048_573n)).toBe(large);
  expect(withoutSmallFactors(large * 1_048_583n)).toBe(large * 1_048_583n);
  expect(withoutSmallFactors(1n)).toBe(1n);
});

it('finds factors that are close to each other, and no others', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 2n ** 199n, max: 2n ** 200n }),
      fc.bigInt({ min: 0n, max: 2n ** 108n }),
      (half, distance) => {
        const [p, q] = [2n * half + 1n, 2n * (half + distance) + 1n];
        expect(hasCloseFactors(p * q)).toBe(true);
      },
    ),
    { numRuns: 50 },
  );
  const p = 2n ** 521n - 1n;
  expect(hasCloseFactors(p * (2n ** 523n + 7n))).toBe(false);
  expect(hasCloseFactors(p)).toBe(false);
});

it('searches Blum primes with both top bits set where the platform makes none', async () => {
  const rng = seeded('search');
  for (const bits of [40, 64, 200]) {
    const prime = await searchBlumPrime(bits, rng);
    expect(prime % 4n).toBe(3n);
    expect(prime >> BigInt(bits - 2)).toBe(3n);
    expect(isProbablePrime(prime, rng)).toBe(true);
  }
  expect(await searchBlumPrime(100, seeded(1))).toBe(await searchBlumPrime(100, seeded(1)));
});
