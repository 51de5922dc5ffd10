/** @file Exact arithmetic on doubles, as integer multiples of 2^-1100: what bounds are checked with. */

/** A double, times 2^1100. */
export function exact(value: number): bigint {
  if (!Number.isFinite(value)) throw new RangeError(`${value} is not finite`);
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = (bits >> 52n) & 0x7ffn;
  const fraction = bits & ((1n << 52n) - 1n);
  const significand = exponent === 0n ? fraction : fraction | (1n << 52n);
  // A double is significand * 2^(max(exponent, 1) - 1075).
  const magnitude = significand << ((exponent === 0n ? 1n : exponent) + 25n);
  return bits >> 63n === 0n ? magnitude : -magnitude;
}

/**
 * The distance of `result` from numerator / denominator, times the denominator and 2^1100.
 * @param numerator of a fraction, times 2^1100 times the unit of `denominator`.
 */
export function distance(result: number, numerator: bigint, denominator: bigint): bigint {
  const difference = exact(result) * denominator - numerator;
  return difference < 0n ? -difference : difference;
}
