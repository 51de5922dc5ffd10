/**
 * @file Tails of the hypergeometric and binomial distributions as natural logarithms, exact to about
 * twelve digits and far below the smallest double.
 *
 * A term is Stirling's formula with its error term, times deviances (C. Loader, "Fast and Accurate
 * Computation of Binomial Probabilities", 2000): no difference of huge logarithms of factorials. A
 * tail is its largest term times a sum of ratios. All counts are non-negative integers.
 */

/** `sampled` draws without replacement from `total` things, `marked` of which are marked. */
export interface Draw {
  readonly total: number;
  readonly marked: number;
  readonly sampled: number;
}

/** ln Pr[X >= x] of the number X of marked things that are drawn. */
export function lnAtLeast(draw: Draw, x: number): number {
  const { total, marked, sampled } = draw;
  if (x <= Math.max(0, sampled + marked - total)) return 0;
  if (x > Math.min(sampled, marked)) return Number.NEGATIVE_INFINITY;
  if (x * total <= sampled * marked) return lnComplement(lnAtMost(draw, x - 1));
  const unmarkedLeft = total - marked - sampled;
  return lnTail(
    lnTerm(draw, x),
    x,
    (y) => ((marked - y) / (y + 1)) * ((sampled - y) / (unmarkedLeft + y + 1)),
  );
}

/** ln Pr[X <= x] of the number X of marked things that are drawn. */
export function lnAtMost({ total, marked, sampled }: Draw, x: number): number {
  return lnAtLeast({ total, marked: total - marked, sampled }, sampled - x);
}

/** ln Pr[X >= x] of the number X of successes in `trials` with probability 0 < p < 1 each. */
export function lnBinomialAtLeast(trials: number, p: number, x: number): number {
  if (x <= 0) return 0;
  if (x > trials) return Number.NEGATIVE_INFINITY;
  if (x <= trials * p) return lnComplement(lnBinomialAtLeast(trials, 1 - p, trials - x + 1));
  const q = 1 - p;
  return lnTail(lnBinomialTerm(trials, p, q, x), x, (y) => ((trials - y) / (y + 1)) * (p / q));
}

/** ln(e^a + e^b) */
export function lnSum(a: number, b: number): number {
  const larger = Math.max(a, b);
  return larger === Number.NEGATIVE_INFINITY
    ? larger
    : larger + Math.log1p(Math.exp(-Math.abs(a - b)));
}

/** ln Pr[X = x] */
export function lnTerm({ total, marked, sampled }: Draw, x: number): number {
  const unmarked = total - marked;
  if (x < 0 || x > marked || x > sampled || sampled - x > unmarked) return Number.NEGATIVE_INFINITY;
  if (sampled === 0 || sampled === total) return 0;
  // True for any p; with this one no factor is small.
  const p = sampled / total;
  const q = (total - sampled) / total;
  return (
    lnBinomialTerm(marked, p, q, x) +
    lnBinomialTerm(unmarked, p, q, sampled - x) -
    lnBinomialTerm(total, p, q, sampled)
  );
}

/** ln of C(trials, x) p^x q^(trials - x) */
function lnBinomialTerm(trials: number, p: number, q: number, x: number): number {
  if (x === 0) return trials * Math.log1p(-p);
  if (x === trials) return trials * Math.log1p(-q);
  const y = trials - x;
  return (
    stirlingError(trials) -
    stirlingError(x) -
    stirlingError(y) -
    deviance(x, trials * p) -
    deviance(y, trials * q) +
    0.5 * Math.log(trials / (2 * Math.PI * x * y))
  );
}

/** x ln(x / mean) + mean - x, which is 0 at the mean. */
function deviance(x: number, mean: number): number {
  const above = x - mean;
  return x * Math.log1p(above / mean) - above;
}

/** ln n! less Stirling's formula, ln(sqrt(2 pi n) (n / e)^n). */
function stirlingError(n: number): number {
  if (n < SMALL_STIRLING_ERRORS.length) return SMALL_STIRLING_ERRORS[n]!;
  const s = 1 / (n * n);
  return (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s / 1188)))) / n;
}

/** The sum of e^lnFirst and what follows it, each term `ratio` of the one before; it falls. */
function lnTail(lnFirst: number, first: number, ratio: (y: number) => number): number {
  let sum = 1;
  let term = 1;
  for (let y = first; term > sum * NEGLIGIBLE; y++) {
    term *= ratio(y);
    sum += term;
  }
  return lnFirst + Math.log(sum);
}

/** ln(1 - e^ln) */
function lnComplement(ln: number): number {
  return ln > -Math.LN2 ? Math.log(-Math.expm1(ln)) : Math.log1p(-Math.exp(ln));
}

const NEGLIGIBLE = 2 ** -60;
const SMALL_STIRLING_ERRORS = Array.from({ length: 16 }, (_, n) => {
  let factorial = 1;
  for (let factor = 2; factor <= n; factor++) factorial *= factor;
  const formula = n === 0 ? 0 : (n + 0.5) * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI);
  return Math.log(factorial) - formula;
});
