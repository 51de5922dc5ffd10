/**
 * @file The mask of one client's plaintexts, expanded from a seed: uniform modulo n, so that a
 * masked plaintext says nothing to whoever can decrypt it.
 */

import { aesCtrKeystream, hkdfSha256 } from '#crypto';
import { utf8 } from '../crypto/bytes.ts';
import { KEYSTREAM_CHUNK, type Rng } from '../crypto/interface.ts';
import { uniformBelow } from '../crypto/random.ts';
import type { SecretBytes } from '../crypto/secret.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import type { SumHeader } from './messages.ts';

/**
 * @param seed 32 bytes, of one client and one sum.
 * @param count How many plaintexts there are.
 * @returns Integers in [0, n).
 */
export function expandMask(
  seed: SecretBytes | Uint8Array,
  header: SumHeader,
  client: string,
  { n, count }: { readonly n: bigint; readonly count: number },
): bigint[] {
  const info = new ByteWriter()
    .raw(utf8('fedloom paillier mask v1'))
    .bytes(header.session)
    .uint32(header.round)
    .raw(header.key)
    .text(client)
    .finish();
  const key = hkdfSha256(seed, { info, length: 32 });
  const keystream = aesCtrKeystream(key, new Uint8Array(16));
  key.erase();
  // No integer here is longer than a chunk: the largest modulus has 2 KiB.
  const rng: Rng = (length) => keystream.read(Math.min(length, KEYSTREAM_CHUNK));
  return Array.from({ length: count }, () => uniformBelow(rng, n));
}
