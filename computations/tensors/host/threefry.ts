/**
 * @file Threefry-2x32 with 20 rounds, the counter-based generator of Salmon, Moraes, Dror and Shaw,
 * "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011); JAX uses the same one. Integers only, so
 * its words are the same everywhere.
 */

/** Two words from a key of two words and a counter of two words; all are int32 bit patterns. */
export function threefry2x32(
  key0: number,
  key1: number,
  counter0: number,
  counter1: number,
): readonly [number, number] {
  // Salmon et al., section 4.2: the key schedule's parity constant.
  const keys = [key0, key1, key0 ^ key1 ^ 0x1bd11bda];
  let x0 = (counter0 + key0) | 0;
  let x1 = (counter1 + key1) | 0;
  for (let round = 0; round < 20; round++) {
    const rotation = ROTATIONS[round % 8] as number;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << rotation) | (x1 >>> (32 - rotation))) ^ x0;
    if (round % 4 !== 3) continue;
    const step = (round + 1) / 4;
    x0 = (x0 + (keys[step % 3] as number)) | 0;
    x1 = (x1 + (keys[(step + 1) % 3] as number) + step) | 0;
  }
  return [x0, x1];
}

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24];
