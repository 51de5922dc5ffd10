/**
 * @file Many powers of one base: a table of base^(digit * 2^(window * row)) turns a power into one
 * multiplication a row (Brickell, Gordon, McCurley, Wilson, EUROCRYPT 1992; no squarings).
 *
 * A table costs (2^window - 1) multiplications a row to make, so the window follows the number of
 * powers wanted: the table is made at the first power and made wider when many more follow. At a
 * window of 8 bits it holds exponentBits / 8 * 255 numbers: 17 MB for a modulus n^2 of 4096 bits
 * with exponents of 1024 bits, 38 MB for 6144 and 1536 bits; at 3 bits a tenth of that.
 */

const WIDEST_WINDOW = 8;

export class FixedBase {
  readonly #base: bigint;
  readonly #modulus: bigint;
  readonly #exponentBits: number;
  #used = 0;
  #window = 0;
  #rows: bigint[][] = [];

  /** Exponents lie in [0, 2^exponentBits). */
  constructor(base: bigint, modulus: bigint, exponentBits: number) {
    this.#base = base;
    this.#modulus = modulus;
    this.#exponentBits = exponentBits;
  }

  /** Makes the table fit `count` more powers. Without it the table grows as powers are asked for. */
  reserve(count: number): void {
    const best = windowFor(this.#used + count);
    // One bit more saves too little to make up for a new table.
    if (this.#window === 0 || best >= this.#window + 2) this.#build(best);
  }

  power(exponent: bigint): bigint {
    this.reserve(1);
    this.#used += 1;
    const digits = exponent.toString(2).padStart(this.#rows.length * this.#window, '0');
    let result = 1n;
    for (let row = 0; row < this.#rows.length; row += 1) {
      const end = digits.length - row * this.#window;
      const digit = Number.parseInt(digits.slice(end - this.#window, end), 2);
      if (digit > 0) result = (result * this.#rows[row]![digit]!) % this.#modulus;
    }
    return result;
  }

  #build(window: number): void {
    const rows: bigint[][] = [];
    let step = this.#base;
    for (let row = 0; row < Math.ceil(this.#exponentBits / window); row += 1) {
      const powers = [1n];
      for (let digit = 1; digit < 1 << window; digit += 1) {
        powers.push((powers[digit - 1]! * step) % this.#modulus);
      }
      rows.push(powers);
      step = (powers[powers.length - 1]! * step) % this.#modulus;
    }
    this.#rows = rows;
    this.#window = window;
  }
}

/** The window with the fewest multiplications for a table and `powers` powers. */
export function windowFor(powers: number): number {
  let best = 1;
  const cost = (window: number): number => (2 ** window - 1 + powers) / window;
  for (let window = 2; window <= WIDEST_WINDOW; window += 1) {
    if (cost(window) < cost(best)) best = window;
  }
  return best;
}
