/**
 * @file What there is to do with residues in machine words, the hot loops of the masking protocols.
 * `simd-kernel.ts` does it in WebAssembly, `plain-kernel.ts` in JavaScript, with the same results.
 *
 * A kernel trusts its caller: vectors that go together have one lane, modulus and length, and packed
 * bytes have the length that follows from them.
 */

import type { Keystream } from '../../crypto/interface.ts';
import type { Residues32, Residues64 } from '../residues.ts';

export type WordResidues = Residues32 | Residues64;

export interface Mask {
  readonly keystream: Keystream;
  /** +1 adds the mask, -1 takes it off. */
  readonly sign: 1 | -1;
}

export interface WordKernel {
  readonly name: 'simd' | 'plain';

  /**
   * target += the sum of sign * mask (mod R). For R = 2^k a mask is the words of its keystream, little
   * endian, modulo R: uniform words are uniform modulo any smaller power of two. For any other R it is
   * the words below the largest multiple of R that a word holds, in order, modulo R.
   * @throws what a keystream throws; `target` is then of no use.
   */
  applyMasks(target: WordResidues, masks: readonly Mask[]): void;

  /** target += addend (mod R). */
  add(target: WordResidues, addend: WordResidues): void;

  /** target -= subtrahend (mod R). */
  subtract(target: WordResidues, subtrahend: WordResidues): void;

  /** Takes words of any value modulo R, a power of two. */
  reduce(target: WordResidues): void;

  /** The position of the first value of R or more, -1 without one. */
  firstNotBelow(residues: WordResidues): number;

  /** Fills `packed` with ceil(log2 R) bits a value, least significant bit first. */
  pack(residues: WordResidues, packed: Uint8Array): void;

  /**
   * The inverse of `pack`; looks at no bit behind the last value.
   * @returns the position of the first value of R or more, which leaves `target` of no use, else -1.
   */
  unpack(packed: Uint8Array, target: WordResidues): number;

  /**
   * target += the packed values (mod R).
   * @returns the position of the first packed value of R or more, which leaves `target` as it was,
   * else -1.
   */
  addPacked(target: WordResidues, packed: Uint8Array): number;
}
