/**
 * @file Sizes that are not known until a value arrives. A dimension or an integer attribute of a
 * graph is a number, or an affine form `c + k0*n0 + k1*n1 + …` in the unknown sizes n0, n1, ….
 */

/** An affine form in the unknown sizes: `constant + Σ factors[i] * n_i`. */
export interface SizeExpression {
  readonly kind: 'size';
  readonly constant: number;
  /** One integer factor for each unknown size of the graph; trailing zeros may be left out. */
  readonly factors: readonly number[];
}

/** A known size, or an affine form in the unknown sizes. */
export type Size = number | SizeExpression;

/** The most unknown sizes that one graph may have. */
export const MAX_UNKNOWNS = 20;

export function isSizeExpression(value: unknown): value is SizeExpression {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'size';
}

/** The unknown size `n_index` itself. */
export function unknownSize(index: number): SizeExpression {
  return { kind: 'size', constant: 0, factors: [...new Array<number>(index).fill(0), 1] };
}

/** The number that a size stands for when the unknown sizes are `sizes`. */
export function evaluateSize(size: Size, sizes: readonly number[]): number {
  if (typeof size === 'number') return size;
  return size.factors.reduce(
    (sum, factor, index) => (factor === 0 ? sum : sum + factor * (sizes[index] ?? Number.NaN)),
    size.constant,
  );
}

/** Puts a size for each unknown; an affine form of affine forms is affine again. */
export function substituteSize(size: Size, replacements: readonly Size[]): Size {
  if (typeof size === 'number') return size;
  let constant = size.constant;
  const factors: number[] = [];
  size.factors.forEach((factor, index) => {
    if (factor === 0) return;
    const replacement = replacements[index] ?? Number.NaN;
    if (typeof replacement === 'number') {
      constant += factor * replacement;
      return;
    }
    constant += factor * replacement.constant;
    replacement.factors.forEach((inner, position) => {
      factors[position] = (factors[position] ?? 0) + factor * inner;
    });
  });
  return normalizeSize(
    constant,
    Array.from(factors, (factor) => factor ?? 0),
  );
}

/**
 * The points at which a graph with `unknowns` unknown sizes is probed: a base point, two more
 * values for each unknown on its own, and one point where all of them change (which tells the
 * product of two unknowns from a sum). All coordinates are different primes, none of them small.
 */
export function samplePoints(unknowns: number): readonly (readonly number[])[] {
  const known = samples[unknowns];
  if (known !== undefined) return known;
  const base = Array.from({ length: unknowns }, (_, i) => prime(3 * i));
  const points: number[][] = [base];
  for (let i = 0; i < unknowns; i++) {
    points.push(base.with(i, prime(3 * i + 1)), base.with(i, prime(3 * i + 2)));
  }
  if (unknowns > 1) points.push(base.map((_, i) => prime(3 * i + 1 + (i % 2))));
  samples[unknowns] = points;
  return points;
}

/**
 * The affine form that takes these values at `samplePoints(unknowns)`, a plain number if they are
 * all equal, or `null` if no affine form with integer coefficients does.
 */
export function fitSize(values: readonly number[], unknowns: number): Size | null {
  const first = values[0] ?? 0;
  if (values.every((value) => Object.is(value, first))) return first;
  if (!values.every(Number.isSafeInteger)) return null;
  const points = samplePoints(unknowns);
  const base = points[0] ?? [];
  let constant = first;
  const factors = base.map((size, i) => {
    const factor = ((values[1 + 2 * i] ?? 0) - first) / ((points[1 + 2 * i]?.[i] ?? 0) - size);
    constant -= factor * size;
    return factor;
  });
  if (!factors.every(Number.isSafeInteger)) return null;
  const form = normalizeSize(constant, factors);
  return points.every((point, i) => evaluateSize(form, point) === values[i]) ? form : null;
}

/** `784`, `n0`, `2*n0+1`. */
export function printSize(size: Size): string {
  if (typeof size === 'number') return Object.is(size, -0) ? '-0' : String(size);
  let text = '';
  size.factors.forEach((factor, index) => {
    if (factor === 0) return;
    const sign = factor < 0 ? '-' : text === '' ? '' : '+';
    const magnitude = Math.abs(factor) === 1 ? '' : `${Math.abs(factor)}*`;
    text += `${sign}${magnitude}n${index}`;
  });
  if (size.constant === 0) return text === '' ? '0' : text;
  return `${text}${size.constant > 0 && text !== '' ? '+' : ''}${size.constant}`;
}

/** True if two sizes are the same form. */
export function equalSizes(a: Size, b: Size): boolean {
  return Object.is(a, b) || printSize(a) === printSize(b);
}

/** The form with trailing zero factors cut off; a plain number if nothing is unknown. */
export function normalizeSize(constant: number, factors: readonly number[]): Size {
  let length = factors.length;
  while (length > 0 && factors[length - 1] === 0) length--;
  return length === 0 ? constant : { kind: 'size', constant, factors: factors.slice(0, length) };
}

const samples: (readonly (readonly number[])[])[] = [];
const primes: number[] = [];

// Primes above 100: a kernel window or a class count seldom reaches them, so shapes do not clash.
function prime(index: number): number {
  for (let candidate = (primes.at(-1) ?? 100) + 1; primes.length <= index; candidate++) {
    let divisor = 2;
    while (divisor * divisor <= candidate && candidate % divisor !== 0) divisor++;
    if (divisor * divisor > candidate) primes.push(candidate);
  }
  return primes[index] ?? 0;
}
