/**
 * @file Memory that a transport has filled with a message for nobody but this process, so that large
 * tensors in it need not be copied out of it.
 */

/** Says that memory belongs to whoever decodes the message in it. */
export function markReceived(bytes: Uint8Array): Uint8Array {
  received.add(bytes.buffer);
  return bytes;
}

/**
 * The content of a tensor as it may be kept: where it lies, moved by less than the width of an element
 * to where elements may begin. What it overwrites are its own tag and length, and those of the messages
 * around it, which have been read: together they are longer.
 *
 * @param width bytes of an element, at most 8.
 * @returns `null` if it must be copied: the memory is somebody else's, or holds much beside it.
 */
export function keptContent(content: Uint8Array, width: number): Uint8Array | null {
  const { buffer, byteOffset, byteLength } = content;
  if (byteLength < MIN_BYTES || byteLength * 2 < buffer.byteLength) return null;
  if (!received.has(buffer)) return null;
  const misaligned = byteOffset % width;
  if (misaligned === 0) return content;
  const aligned = new Uint8Array(buffer, byteOffset - misaligned, byteLength);
  aligned.set(content);
  return aligned;
}

const received = new WeakSet<ArrayBufferLike>();

/** From 16 KiB on the length of the content alone takes three bytes, and so does that of the array. */
const MIN_BYTES = 16 * 1024;
