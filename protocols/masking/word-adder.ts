/**
 * @file Wrap-around addition of 32-bit words: the seam for a faster loop (WebAssembly SIMD adds
 * four words an instruction).
 */

/**
 * target[start + i] += sign * words[i] (mod 2^32) for every i.
 * Eight additions a turn: V8 does not unroll, and the bookkeeping of a turn costs as much as an
 * addition.
 */
export function addWords32(
  target: Uint32Array,
  start: number,
  words: Uint32Array,
  sign: 1 | -1,
): void {
  if (sign === 1) addTo(target.subarray(start, start + words.length), words);
  else subtractFrom(target.subarray(start, start + words.length), words);
}

function addTo(target: Uint32Array, words: Uint32Array): void {
  const { length } = words;
  const whole = length - (length % 8);
  let i = 0;
  for (; i < whole; i += 8) {
    target[i] = (target[i]! + words[i]!) | 0;
    target[i + 1] = (target[i + 1]! + words[i + 1]!) | 0;
    target[i + 2] = (target[i + 2]! + words[i + 2]!) | 0;
    target[i + 3] = (target[i + 3]! + words[i + 3]!) | 0;
    target[i + 4] = (target[i + 4]! + words[i + 4]!) | 0;
    target[i + 5] = (target[i + 5]! + words[i + 5]!) | 0;
    target[i + 6] = (target[i + 6]! + words[i + 6]!) | 0;
    target[i + 7] = (target[i + 7]! + words[i + 7]!) | 0;
  }
  for (; i < length; i += 1) target[i] = (target[i]! + words[i]!) | 0;
}

function subtractFrom(target: Uint32Array, words: Uint32Array): void {
  const { length } = words;
  const whole = length - (length % 8);
  let i = 0;
  for (; i < whole; i += 8) {
    target[i] = (target[i]! - words[i]!) | 0;
    target[i + 1] = (target[i + 1]! - words[i + 1]!) | 0;
    target[i + 2] = (target[i + 2]! - words[i + 2]!) | 0;
    target[i + 3] = (target[i + 3]! - words[i + 3]!) | 0;
    target[i + 4] = (target[i + 4]! - words[i + 4]!) | 0;
    target[i + 5] = (target[i + 5]! - words[i + 5]!) | 0;
    target[i + 6] = (target[i + 6]! - words[i + 6]!) | 0;
    target[i + 7] = (target[i + 7]! - words[i + 7]!) | 0;
  }
  for (; i < length; i += 1) target[i] = (target[i]! - words[i]!) | 0;
}
