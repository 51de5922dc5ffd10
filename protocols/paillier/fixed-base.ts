/**
 * @file Many powers of one base modulo r^2, by a comb (Lim and Lee, "More flexible exponentiation
 * with precomputation", CRYPTO 1994).
 *
 * The exponent's bits are laid out in `teeth` rows, each cut into `sections`. A table per section
 * holds the products of every set of teeth, so one multiplication takes a bit of every row. More
 * teeth and sections make a power cheaper and the table dearer; the shape follows the number of
 * powers wanted. The largest table has 4,096 entries: 2.2 MB for a modulus n^2 of 4096 bits (where
 * a power takes 135 multiplications), 3.3 MB for 6144 bits (203).
 */

import type { SquareRing, SquareRingElement } from './square-ring.ts';

export class FixedBase {
  readonly #ring: SquareRing;
  readonly #base: SquareRingElement;
  readonly #exponentBits: number;
  #used = 0;
  #shape: CombShape | undefined;
  /** By section, then by set of teeth. */
  #tables: SquareRingElement[][] = [];

  /** Exponents lie in [0, 2^exponentBits). */
  constructor(ring: SquareRing, base: bigint, exponentBits: number) {
    this.#ring = ring;
    this.#base = ring.element(base);
    this.#exponentBits = exponentBits;
  }

  /**
   * Makes the table fit `count` powers that are about to be asked for. A table is replaced where a
   * better one would pay for itself if as many powers followed as came before.
   */
  reserve(count: number): void {
    const expected = this.#used + count;
    const best = bestShape(this.#exponentBits, expected);
    if (
      this.#shape === undefined ||
      buildCost(best) + expected * powerCost(best) < expected * powerCost(this.#shape)
    ) {
      this.#tables = this.#build(best);
      this.#shape = best;
    }
  }

  power(exponent: bigint): bigint {
    if (this.#shape === undefined) this.reserve(1);
    this.#used += 1;
    const { teeth, sections, sectionBits } = this.#shape!;
    const rowBits = sections * sectionBits;
    const bits = exponent.toString(2).padStart(teeth * rowBits, '0');
    const top = bits.length - 1;
    let result = this.#ring.one;
    for (let bit = sectionBits - 1; bit >= 0; bit -= 1) {
      if (bit < sectionBits - 1) result = this.#ring.square(result);
      for (let section = 0; section < sections; section += 1) {
        let set = 0;
        for (let tooth = teeth - 1; tooth >= 0; tooth -= 1) {
          const position = tooth * rowBits + section * sectionBits + bit;
          set = 2 * set + (bits.charCodeAt(top - position) & 1);
        }
        if (set > 0) result = this.#ring.multiply(result, this.#tables[section]![set]!);
      }
    }
    return this.#ring.value(result);
  }

  #build({ teeth, sections, sectionBits }: CombShape): SquareRingElement[][] {
    const tables = Array.from({ length: sections }, () => [this.#ring.one]);
    let step = this.#base;
    for (let tooth = 0; tooth < teeth; tooth += 1) {
      for (const table of tables) {
        // All sets with this tooth as the highest.
        const before = table.length;
        for (let set = 0; set < before; set += 1) {
          table.push(set === 0 ? step : this.#ring.multiply(table[set]!, step));
        }
        for (let bit = 0; bit < sectionBits; bit += 1) step = this.#ring.square(step);
      }
    }
    return tables;
  }
}

interface CombShape {
  readonly teeth: number;
  readonly sections: number;
  readonly sectionBits: number;
}

const MOST_ENTRIES = 4096;

/** The shape with the fewest multiplications for a table and `powers` powers. */
export function bestShape(exponentBits: number, powers: number): CombShape {
  let best: CombShape = { teeth: 1, sections: 1, sectionBits: exponentBits };
  let bestCost = Number.POSITIVE_INFINITY;
  for (let teeth = 1; teeth <= 12; teeth += 1) {
    const rowBits = Math.ceil(exponentBits / teeth);
    for (let sections = 1; sections << teeth <= MOST_ENTRIES; sections += 1) {
      if (sections > rowBits) break;
      const shape = { teeth, sections, sectionBits: Math.ceil(rowBits / sections) };
      const cost = buildCost(shape) + powers * powerCost(shape);
      if (cost < bestCost) [best, bestCost] = [shape, cost];
    }
  }
  return best;
}

function buildCost({ teeth, sections, sectionBits }: CombShape): number {
  return teeth * sections * sectionBits + sections * (2 ** teeth - 1 - teeth);
}

function powerCost({ sections, sectionBits }: CombShape): number {
  return sections * sectionBits + sectionBits - 1;
}
