/** @file What every decoder owes to whoever gives it bytes, checked on one input. */

import { type DecodingLimits, equalBytes, isFault, toHex } from '../../../protocols/index.ts';
import { allocatedBy } from './allocation.ts';
import type { KnownCodec } from './codecs.ts';

/**
 * The decoder returns a message that encodes to these very bytes, or the fault `malformed-message`;
 * it throws nothing and allocates in proportion to the input.
 * @throws Error that says what else it did.
 */
export function requireSound(
  { codec }: KnownCodec,
  bytes: Uint8Array,
  limits?: DecodingLimits,
): 'message' | 'fault' {
  let outcome: object | undefined;
  const allocated = allocatedBy(() => {
    outcome = codec.decode(bytes, limits);
  });
  if (allocated > BASE + PER_BYTE * bytes.length) {
    throw new Error(`${allocated} bytes allocated for the ${bytes.length} of ${toHex(bytes)}`);
  }
  if (typeof outcome !== 'object' || outcome === null) throw new Error(`decoded to ${outcome}`);
  if ('kind' in outcome && isFault(outcome as { readonly kind: string })) {
    const { stage, code, message } = outcome as { stage?: string; code?: string; message?: string };
    if (stage !== 'decode' || code !== 'malformed-message' || typeof message !== 'string') {
      throw new Error(`another fault: ${stage}, ${code}`);
    }
    return 'fault';
  }
  const encoded = codec.encode(outcome);
  if (!equalBytes(encoded, bytes)) {
    throw new Error(`${toHex(bytes)} is also encoded as ${toHex(encoded)}`);
  }
  return 'message';
}

/** What 40 bytes may cost is far below a megabyte. */
const BASE = 2 ** 14;
/** A value of one bit becomes a word of four bytes; other lists have a few copies. */
const PER_BYTE = 128;
