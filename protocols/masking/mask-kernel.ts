/**
 * @file Adds masks to residues: a keystream, read as exactly uniform values modulo R, added or
 * subtracted in place. The hot loop of every masking protocol.
 *
 * A power of two takes whole machine words (uniform words are uniform modulo any smaller power of
 * two) and reduces once after the last mask. Any other R rejects words that would favour some
 * residue, so both ends of a pair read the same values wherever the chunks end.
 */

import { KEYSTREAM_CHUNK, type Keystream } from '../crypto/interface.ts';
import { type Mask, wordKernel } from '../residues/kernel/index.ts';
import { keystreamWords64 } from '../residues/kernel/keystream-words.ts';
import { bitsPerValue, type Residues, type ResiduesWide } from '../residues/residues.ts';

export type { Mask } from '../residues/kernel/index.ts';

/**
 * target += sum of sign * mask (mod R). Takes masks as they come, some dozens at a time, so `masks` may
 * make each when it is asked for.
 * @throws whatever `masks` or a keystream throws; `target` is then of no use.
 */
export function applyMasks(target: Residues, masks: Iterable<Mask>): void {
  if (target.lane === 'wide') {
    for (const mask of masks) maskWide(target, mask);
    return;
  }
  // A batch is gathered before the kernel starts: making a mask may need the kernel as well.
  let batch: Mask[] = [];
  for (const mask of masks) {
    batch.push(mask);
    if (batch.length === MASKS_AT_ONCE) {
      wordKernel().applyMasks(target, batch);
      batch = [];
    }
  }
  if (batch.length > 0) wordKernel().applyMasks(target, batch);
}

/** Takes 64-bit words, cuts them to the bits of R - 1 and rejects R and above (never, for 2^k). */
function maskWide({ values, modulus }: ResiduesWide, { keystream, sign }: Mask): void {
  const bits = bitsPerValue(modulus);
  const wordsPerValue = Math.ceil(bits / 64);
  const valuesPerRead = Math.max(1, Math.floor(WORDS_64 / wordsPerValue));
  for (let next = 0; next < values.length; ) {
    const candidates = Math.min(valuesPerRead, values.length - next);
    const words = readWords(keystream, candidates * wordsPerValue);
    for (let start = 0; start < words.length; start += wordsPerValue) {
      const candidate = BigInt.asUintN(
        bits,
        joinWords(words.subarray(start, start + wordsPerValue)),
      );
      if (candidate >= modulus) continue;
      const value = values[next]! + (sign === 1 ? candidate : modulus - candidate);
      values[next] = value >= modulus ? value - modulus : value;
      next += 1;
    }
  }
}

function joinWords(words: BigUint64Array): bigint {
  let value = 0n;
  for (let i = words.length - 1; i >= 0; i -= 1) value = (value << 64n) | words[i]!;
  return value;
}

/** As many words as asked for, even where one value is longer than a read of the keystream. */
function readWords(keystream: Keystream, count: number): BigUint64Array {
  if (count <= WORDS_64) return keystreamWords64(keystream, count);
  const words = new BigUint64Array(count);
  for (let start = 0; start < count; start += WORDS_64) {
    words.set(keystreamWords64(keystream, Math.min(WORDS_64, count - start)), start);
  }
  return words;
}

const WORDS_64 = KEYSTREAM_CHUNK / 8;
/** Each open keystream costs a cipher's state; each batch carries the target in and out once. */
const MASKS_AT_ONCE = 64;
