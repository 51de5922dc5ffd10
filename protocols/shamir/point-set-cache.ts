/** @file What was computed from the last few sets of points; public, so keeping it leaks nothing. */

/** Keeps at most `SETS` results, the latest used ones. */
export class PointSetCache<Result> {
  readonly #compute: (points: readonly number[]) => Result;
  readonly #entries: { readonly points: readonly number[]; readonly result: Result }[] = [];

  constructor(compute: (points: readonly number[]) => Result) {
    this.#compute = compute;
  }

  /** @param points in a certain order, which belongs to the result; never changed afterwards. */
  of(points: readonly number[]): Result {
    const index = this.#entries.findIndex((entry) => areSame(entry.points, points));
    const entry =
      index >= 0 ? this.#entries.splice(index, 1)[0]! : { points, result: this.#compute(points) };
    this.#entries.unshift(entry);
    if (this.#entries.length > SETS) this.#entries.pop();
    return entry.result;
  }
}

function areSame(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((point, i) => point === right[i]);
}

/** At 120 bytes a point, 1 MB for 1,000 clients. */
const SETS = 8;
