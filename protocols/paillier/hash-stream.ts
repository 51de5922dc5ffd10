/** @file Challenges that nobody chooses: bytes that follow from everything that was said before. */

import { sha256 } from '#crypto';
import { concatBytes } from '../crypto/bytes.ts';
import type { Rng } from '../crypto/interface.ts';
import { ByteWriter } from '../wire/byte-writer.ts';

/** SHA-256 in counter mode, of a seed of any length. */
export function hashStream(seed: Uint8Array): Rng {
  const key = sha256(seed);
  let counter = 0;
  return (length) => {
    const blocks = Array.from({ length: Math.ceil(length / 32) }, () => {
      const position = new ByteWriter().uint32(counter).finish();
      counter += 1;
      return sha256(concatBytes(key, position));
    });
    return concatBytes(...blocks).subarray(0, length);
  };
}
