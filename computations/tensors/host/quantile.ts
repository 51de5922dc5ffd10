/**
 * @file The quantile function of the normal distribution, Wichura's algorithm AS 241 (PPND16,
 * Applied Statistics 37, 1988), about 16 digits. The logarithm is our own, because `Math.log` may
 * differ in its last bit between JavaScript engines.
 */

/** The z with P(Z < z) = p for a standard normal Z; p in (0, 1). */
export function normalQuantile(p: number): number {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (q * polynomial(A, r)) / polynomial(B, r);
  }
  const r = Math.sqrt(-logarithm(q < 0 ? p : 1 - p));
  const z =
    r <= 5
      ? polynomial(C, r - 1.6) / polynomial(D, r - 1.6)
      : polynomial(E, r - 5) / polynomial(F, r - 5);
  return q < 0 ? -z : z;
}

/** The natural logarithm of a positive normal number, by IEEE basic operations only. */
export function logarithm(x: number): number {
  view.setFloat64(0, x);
  const high = view.getUint32(0);
  let exponent = (high >>> 20) - 1023;
  view.setUint32(0, (high & 0x000fffff) | 0x3ff00000);
  let mantissa = view.getFloat64(0);
  if (mantissa > Math.SQRT2) {
    mantissa /= 2;
    exponent++;
  }
  // log(m) = 2 artanh(s), s = (m - 1) / (m + 1), |s| < 0.1716, so s^23 is below the last bit.
  const s = (mantissa - 1) / (mantissa + 1);
  const s2 = s * s;
  let series = 0;
  for (let k = 23; k >= 1; k -= 2) series = series * s2 + 1 / k;
  return exponent * Math.LN2 + 2 * s * series;
}

const view = new DataView(new ArrayBuffer(8));

function polynomial(coefficients: readonly number[], x: number): number {
  let value = 0;
  for (let i = coefficients.length - 1; i >= 0; i--)
    value = value * x + (coefficients[i] as number);
  return value;
}

// The published coefficients, each rounded to the double that it stands for.
// Central region |q| <= 0.425.
const A = [
  3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987,
  67265.7709270087, 33430.57558358813, 2509.0809287301227,
];
const B = [
  1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
  28729.085735721943, 5226.495278852854,
];
// Tails, r <= 5.
const C = [
  1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
  0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
];
const D = [
  1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008,
  0.015198666563616457, 0.0005475938084995345, 1.0507500716444169e-9,
];
// Far tails, r > 5.
const E = [
  6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487,
  0.026532189526576124, 0.0012426609473880784, 2.7115555687434876e-5, 2.0103343992922881e-7,
];
const F = [
  1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133,
  1.8463183175100548e-5, 1.421511758316446e-7, 2.0442631033899397e-15,
];
