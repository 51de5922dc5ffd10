/**
 * @file A perturbation: one exactly uniform vector in [0, b) for each vector that is summed, drawn
 * by one client for another (Goetze and Bissell, "Secure Aggregation for Federated Computation",
 * section 2), and its bytes.
 */

import { concatBytes } from '../crypto/bytes.ts';
import { drawBytes } from '../crypto/checks.ts';
import type { Keystream, Rng } from '../crypto/interface.ts';
import { ProtocolError } from '../errors.ts';
import { applyMasks } from '../masking/mask-kernel.ts';
import type { MaskedVector } from '../masking/parameters.ts';
import { addPacked, packedLength, packResidues } from '../residues/bit-packing.ts';
import { type Residues, zeroResidues } from '../residues/residues.ts';

/** Draws a perturbation; the base b of a vector is its modulus. */
export function drawPerturbation(vectors: readonly MaskedVector[], rng: Rng): Residues[] {
  const source = new RandomStream(rng);
  const perturbation = zeroPerturbation(vectors);
  for (const residues of perturbation) applyMasks(residues, [{ keystream: source, sign: 1 }]);
  source.erase();
  return perturbation;
}

/** Bytes that a packed perturbation takes: ceil(log2 b) bits a value, each vector in whole bytes. */
export function perturbationLength(vectors: readonly MaskedVector[]): number {
  return vectors.reduce((total, { modulus, length }) => total + packedLength(modulus, length), 0);
}

export function packPerturbation(perturbation: readonly Residues[]): Uint8Array {
  return concatBytes(...perturbation.map(packResidues));
}

/**
 * target += the packed perturbation (mod b), vector by vector. A refusal may leave vectors before the
 * refused one added: the target is of no more use then.
 * @throws ProtocolError `invalid-length`, `non-canonical`
 */
export function addPackedPerturbation(target: readonly Residues[], bytes: Uint8Array): void {
  const lengths = target.map(({ modulus, values }) => packedLength(modulus, values.length));
  const expected = lengths.reduce((total, length) => total + length, 0);
  if (bytes.length !== expected) {
    throw new ProtocolError(
      'invalid-length',
      `a perturbation takes ${expected} bytes here, got ${bytes.length}`,
    );
  }
  let start = 0;
  for (const [i, vector] of target.entries()) {
    const end = start + lengths[i]!;
    addPacked(vector, bytes.subarray(start, end));
    start = end;
  }
}

/** The perturbation that changes nothing, to add others to. */
export function zeroPerturbation(vectors: readonly MaskedVector[]): Residues[] {
  return vectors.map(({ modulus, length }) => zeroResidues(modulus, length));
}

/** Overwrites the values, as far as JavaScript lets one: a bigint above 2^64 is only let go. */
export function erasePerturbation(perturbation: readonly Residues[]): void {
  for (const residues of perturbation) {
    if (residues.lane === 'u32') residues.values.fill(0);
    else residues.values.fill(0n);
  }
}

/** Fresh random bytes in the form that the mask kernel reads. */
class RandomStream implements Keystream {
  readonly #rng: Rng;
  #last: Uint8Array = new Uint8Array(0);

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  read(byteLength: number): Uint8Array {
    this.erase();
    const drawn = drawBytes(this.#rng, byteLength);
    if (drawn.byteOffset % 8 === 0) {
      this.#last = drawn;
    } else {
      this.#last = new Uint8Array(drawn);
      drawn.fill(0);
    }
    return this.#last;
  }

  erase(): void {
    this.#last.fill(0);
  }
}
