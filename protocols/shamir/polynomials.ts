/**
 * @file Polynomials over a prime field, as their coefficients from the constant one up. The highest is
 * not 0, so the zero polynomial has none.
 */

import type { PrimeField } from './prime-field.ts';

export type Polynomial = readonly bigint[];

/** Drops zeros at the top. */
export function trimmed(coefficients: readonly bigint[]): Polynomial {
  const last = coefficients.findLastIndex((coefficient) => coefficient !== 0n);
  return coefficients.slice(0, last + 1);
}

/** The degree; -1 of the zero polynomial. */
export function degreeOf(polynomial: Polynomial): number {
  return polynomial.length - 1;
}

export function evaluate(field: PrimeField, polynomial: Polynomial, point: number): bigint {
  const x = BigInt(point);
  return polynomial.reduceRight((sum, coefficient) => (sum * x + coefficient) % field.modulus, 0n);
}

/** Π (X - x_i). */
export function vanishingPolynomial(field: PrimeField, points: readonly number[]): Polynomial {
  let product = [1n];
  for (const point of points) {
    const x = BigInt(point);
    product = [...product, 0n].map((_, k) =>
      field.reduce((product[k - 1] ?? 0n) - x * (product[k] ?? 0n)),
    );
  }
  return product;
}

/** The quotient of a division by X - point that leaves nothing over. */
export function dividedByRoot(field: PrimeField, dividend: Polynomial, point: number): bigint[] {
  const x = BigInt(point);
  const quotient = new Array<bigint>(dividend.length - 1);
  let coefficient = 0n;
  for (let k = quotient.length - 1; k >= 0; k -= 1) {
    coefficient = (dividend[k + 1]! + x * coefficient) % field.modulus;
    quotient[k] = coefficient;
  }
  return quotient;
}

/** `minuend - factor * subtrahend` */
export function subtractProduct(
  field: PrimeField,
  minuend: Polynomial,
  factor: Polynomial,
  subtrahend: Polynomial,
): Polynomial {
  const length = Math.max(minuend.length, factor.length + subtrahend.length - 1, 0);
  const sums = Array.from({ length }, (_, k) => minuend[k] ?? 0n);
  factor.forEach((left, i) => {
    subtrahend.forEach((right, j) => {
      sums[i + j] = sums[i + j]! - left * right;
    });
  });
  return trimmed(sums.map((sum) => field.reduce(sum)));
}

/** @param divisor not zero */
export function divide(
  field: PrimeField,
  dividend: Polynomial,
  divisor: Polynomial,
): { readonly quotient: Polynomial; readonly remainder: Polynomial } {
  const rest = [...dividend];
  const inverse = field.invert(divisor.at(-1)!);
  const quotient = new Array<bigint>(Math.max(dividend.length - divisor.length + 1, 0)).fill(0n);
  for (let k = quotient.length - 1; k >= 0; k -= 1) {
    const factor = field.reduce(rest[k + divisor.length - 1]! * inverse);
    quotient[k] = factor;
    divisor.forEach((coefficient, j) => {
      rest[k + j] = (rest[k + j]! - factor * coefficient) % field.modulus;
    });
  }
  return {
    quotient: trimmed(quotient),
    remainder: trimmed(rest.map((coefficient) => field.reduce(coefficient))),
  };
}
