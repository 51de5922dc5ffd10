/**
 * @file Arithmetic modulo a prime on big integers. Its time depends on the operands and nothing can be
 * overwritten, so sharing and reconstruction use it for points and coefficients, which are public;
 * what is secret is computed in `limbs.ts`.
 */

export class PrimeField {
  readonly modulus: bigint;

  constructor(modulus: bigint) {
    this.modulus = modulus;
  }

  /** The residue of any integer in [0, modulus). */
  reduce(value: bigint): bigint {
    const remainder = value % this.modulus;
    return remainder < 0n ? remainder + this.modulus : remainder;
  }

  /** @param exponent a whole number */
  power(base: bigint, exponent: number): bigint {
    let result = 1n;
    let square = this.reduce(base);
    for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
      if (rest % 2 === 1) result = (result * square) % this.modulus;
      square = (square * square) % this.modulus;
    }
    return result;
  }

  /** The inverse, by Euclid's algorithm. @param value not a multiple of the modulus */
  invert(value: bigint): bigint {
    let [larger, smaller] = [this.modulus, this.reduce(value)];
    let [previous, current] = [0n, 1n];
    while (smaller !== 0n) {
      const quotient = larger / smaller;
      [larger, smaller] = [smaller, larger - quotient * smaller];
      [previous, current] = [current, previous - quotient * current];
    }
    return this.reduce(previous);
  }

  /** The inverses of all values, none of them zero, for one inversion and three products each. */
  invertAll(values: readonly bigint[]): bigint[] {
    const prefixes: bigint[] = [];
    let product = 1n;
    for (const value of values) {
      prefixes.push(product);
      product = (product * value) % this.modulus;
    }
    let suffix = this.invert(product);
    const inverses = new Array<bigint>(values.length);
    for (let i = values.length - 1; i >= 0; i -= 1) {
      inverses[i] = this.reduce(suffix * prefixes[i]!);
      suffix = (suffix * values[i]!) % this.modulus;
    }
    return inverses;
  }
}
