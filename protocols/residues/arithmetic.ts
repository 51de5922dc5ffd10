/** @file Addition and subtraction modulo R, in place, a loop for each lane. */

import { ProtocolError } from '../errors.ts';
import { copyResidues, isPowerOfTwo, type Residues, TWO_32, TWO_64 } from './residues.ts';

/** target += addend (mod R). @throws ProtocolError `mismatched-residues` */
export function addInPlace(target: Residues, addend: Residues): void {
  checkMatch(target, addend);
  if (target.lane === 'u32' && addend.lane === 'u32') {
    combine32(target.values, addend.values, target.modulus, 1);
  } else if (target.lane === 'u64' && addend.lane === 'u64') {
    combine64(target.values, addend.values, target.modulus, 1);
  } else if (target.lane === 'wide' && addend.lane === 'wide') {
    combineWide(target.values, addend.values, target.modulus, 1);
  }
}

/** target -= subtrahend (mod R). @throws ProtocolError `mismatched-residues` */
export function subtractInPlace(target: Residues, subtrahend: Residues): void {
  checkMatch(target, subtrahend);
  if (target.lane === 'u32' && subtrahend.lane === 'u32') {
    combine32(target.values, subtrahend.values, target.modulus, -1);
  } else if (target.lane === 'u64' && subtrahend.lane === 'u64') {
    combine64(target.values, subtrahend.values, target.modulus, -1);
  } else if (target.lane === 'wide' && subtrahend.lane === 'wide') {
    combineWide(target.values, subtrahend.values, target.modulus, -1);
  }
}

/** The sum of one or more vectors, as a new vector. */
export function sumResidues(vectors: readonly Residues[]): Residues {
  const [first, ...rest] = vectors;
  if (first === undefined) {
    throw new ProtocolError('invalid-argument', 'a sum of no vectors has no modulus and no length');
  }
  const sum = copyResidues(first);
  for (const vector of rest) addInPlace(sum, vector);
  return sum;
}

/**
 * Brings the values of a power-of-two lane, on which whole machine words were added, below R again.
 * R divides the size of the word, so words that wrapped around have the right residue.
 */
export function reduceWords(target: Residues): void {
  const { modulus } = target;
  if (target.lane === 'u32') {
    if (modulus === TWO_32) return;
    const mask = Number(modulus - 1n);
    const { values } = target;
    for (let i = 0; i < values.length; i += 1) values[i] = values[i]! & mask;
  } else if (target.lane === 'u64') {
    if (modulus === TWO_64) return;
    const mask = modulus - 1n;
    const { values } = target;
    for (let i = 0; i < values.length; i += 1) values[i] = values[i]! & mask;
  } else {
    for (let i = 0; i < target.values.length; i += 1) {
      target.values[i] = modulo(target.values[i]!, modulus);
    }
  }
}

/** The residue in [0, modulus) of any integer. */
export function modulo(value: bigint, modulus: bigint): bigint {
  const remainder = value % modulus;
  return remainder < 0n ? remainder + modulus : remainder;
}

function combine32(target: Uint32Array, operand: Uint32Array, modulus: bigint, sign: 1 | -1): void {
  if (isPowerOfTwo(modulus)) {
    const mask = Number(modulus - 1n) | 0;
    if (sign === 1) {
      for (let i = 0; i < target.length; i += 1) target[i] = (target[i]! + operand[i]!) & mask;
    } else {
      for (let i = 0; i < target.length; i += 1) target[i] = (target[i]! - operand[i]!) & mask;
    }
    return;
  }
  // Below 2^33, so exact as doubles.
  const limit = Number(modulus);
  for (let i = 0; i < target.length; i += 1) {
    const value = target[i]! + (sign === 1 ? operand[i]! : limit - operand[i]!);
    target[i] = value >= limit ? value - limit : value;
  }
}

function combine64(
  target: BigUint64Array,
  operand: BigUint64Array,
  modulus: bigint,
  sign: 1 | -1,
): void {
  if (modulus === TWO_64) {
    // V8 compiles this form to one machine addition.
    if (sign === 1) {
      for (let i = 0; i < target.length; i += 1) {
        target[i] = BigInt.asUintN(64, target[i]! + operand[i]!);
      }
    } else {
      for (let i = 0; i < target.length; i += 1) {
        target[i] = BigInt.asUintN(64, target[i]! - operand[i]!);
      }
    }
    return;
  }
  for (let i = 0; i < target.length; i += 1) {
    const value = target[i]! + (sign === 1 ? operand[i]! : modulus - operand[i]!);
    target[i] = value >= modulus ? value - modulus : value;
  }
}

function combineWide(
  target: bigint[],
  operand: readonly bigint[],
  modulus: bigint,
  sign: 1 | -1,
): void {
  for (let i = 0; i < target.length; i += 1) {
    const value = target[i]! + (sign === 1 ? operand[i]! : modulus - operand[i]!);
    target[i] = value >= modulus ? value - modulus : value;
  }
}

function checkMatch(left: Residues, right: Residues): void {
  if (
    left.modulus !== right.modulus ||
    left.lane !== right.lane ||
    left.values.length !== right.values.length
  ) {
    throw new ProtocolError(
      'mismatched-residues',
      `${left.values.length} values mod ${left.modulus} and ${right.values.length} values mod ${right.modulus} do not add`,
    );
  }
}
