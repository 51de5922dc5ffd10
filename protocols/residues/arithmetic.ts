/** @file Addition and subtraction modulo R, in place: of machine words in the kernel, of bigint here. */

import { ProtocolError } from '../errors.ts';
import { wordKernel } from './kernel/index.ts';
import { copyResidues, type Residues, type ResiduesWide } from './residues.ts';

/** target += addend (mod R). @throws ProtocolError `mismatched-residues` */
export function addInPlace(target: Residues, addend: Residues): void {
  checkMatch(target, addend);
  if (target.lane !== 'wide' && addend.lane !== 'wide') wordKernel().add(target, addend);
  else if (target.lane === 'wide' && addend.lane === 'wide') combineWide(target, addend, 1);
}

/** target -= subtrahend (mod R). @throws ProtocolError `mismatched-residues` */
export function subtractInPlace(target: Residues, subtrahend: Residues): void {
  checkMatch(target, subtrahend);
  if (target.lane !== 'wide' && subtrahend.lane !== 'wide') {
    wordKernel().subtract(target, subtrahend);
  } else if (target.lane === 'wide' && subtrahend.lane === 'wide') {
    combineWide(target, subtrahend, -1);
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
  if (target.lane !== 'wide') {
    wordKernel().reduce(target);
    return;
  }
  const { modulus, values } = target;
  for (let i = 0; i < values.length; i += 1) values[i] = modulo(values[i]!, modulus);
}

/** The residue in [0, modulus) of any integer. */
export function modulo(value: bigint, modulus: bigint): bigint {
  const remainder = value % modulus;
  return remainder < 0n ? remainder + modulus : remainder;
}

function combineWide(target: ResiduesWide, operand: ResiduesWide, sign: 1 | -1): void {
  const { modulus, values } = target;
  for (let i = 0; i < values.length; i += 1) {
    const other = operand.values[i]!;
    const value = values[i]! + (sign === 1 ? other : modulus - other);
    values[i] = value >= modulus ? value - modulus : value;
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
