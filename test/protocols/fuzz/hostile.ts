/** @file Bytes that a message could have become in bad hands, as arbitraries and as exhaustive lists. */

import fc from 'fast-check';

/** Noise, and everything that can be made of the samples by cutting, flipping, bombing and splicing. */
export function hostileBytes(samples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const sample = fc.constantFrom(...samples);
  const noise = fc.uint8Array({ maxLength: 300 });
  const at = fc.nat(2 ** 16);
  const place = (bytes: Uint8Array, position: number): number => position % (bytes.length + 1);
  const splice = (bytes: Uint8Array, from: number, to: number, middle: Uint8Array): Uint8Array =>
    Uint8Array.of(...bytes.subarray(0, from), ...middle, ...bytes.subarray(to));
  return fc.oneof(
    noise,
    fc.tuple(sample, noise).map(([bytes, rest]) => Uint8Array.of(...bytes.subarray(0, 5), ...rest)),
    fc
      .tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.nat(2_000))
      .map(([chunk, times]) => nested(chunk, times)),
    fc
      .tuple(sample, fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.nat(2_000))
      .map(([bytes, chunk, times]) =>
        Uint8Array.of(...bytes.subarray(0, 5), ...nested(chunk, times)),
      ),
    fc.tuple(sample, at).map(([bytes, length]) => bytes.slice(0, place(bytes, length))),
    fc.tuple(sample, noise).map(([bytes, more]) => Uint8Array.of(...bytes, ...more)),
    fc
      .tuple(sample, fc.array(fc.tuple(at, fc.nat(7)), { minLength: 1, maxLength: 12 }))
      .map(([bytes, flips]) => {
        const changed = bytes.slice();
        for (const [position, bit] of flips) changed[position % bytes.length]! ^= 1 << bit;
        return changed;
      }),
    fc
      .tuple(
        sample,
        at,
        fc.oneof(fc.constantFrom(...BOMBS), fc.uint8Array({ minLength: 1, maxLength: 4 })),
      )
      .map(([bytes, position, bomb]) => overwritten(bytes, position % bytes.length, bomb)),
    fc
      .tuple(sample, at, fc.constantFrom(...BOMBS), at, fc.constantFrom(...BOMBS))
      .map(([bytes, first, bomb, second, other]) =>
        overwritten(overwritten(bytes, first % bytes.length, bomb), second % bytes.length, other),
      ),
    fc
      .tuple(sample, at, at, fc.uint8Array({ maxLength: 40 }))
      .map(([bytes, first, second, middle]) => {
        const ends = [place(bytes, first), place(bytes, second)].sort((a, b) => a - b);
        return splice(bytes, ends[0]!, ends[1]!, middle);
      }),
    fc
      .tuple(sample, sample, at, at)
      .map(([head, tail, first, second]) =>
        Uint8Array.of(...head.subarray(0, place(head, first)), ...tail.slice(place(tail, second))),
      ),
  );
}

/** Every way to cut a sample short or to lengthen it by a byte. */
export function* cuts(sample: Uint8Array): Generator<Uint8Array> {
  for (let length = 0; length < sample.length; length += 1) yield sample.slice(0, length);
  yield Uint8Array.of(...sample, 0);
}

/** Every single bit of a sample changed. */
export function* flips(sample: Uint8Array): Generator<Uint8Array> {
  for (let bit = 0; bit < 8 * sample.length; bit += 1) {
    const changed = sample.slice();
    changed[bit >> 3]! ^= 1 << (bit & 7);
    yield changed;
  }
}

/** Every byte of a sample, or of its end, with every other value. */
export function* byteValues(sample: Uint8Array, last = sample.length): Generator<Uint8Array> {
  for (let position = Math.max(0, sample.length - last); position < sample.length; position += 1) {
    for (let change = 1; change < 256; change += 1) {
      yield sample.with(position, sample[position]! ^ change);
    }
  }
}

/** Every place of a sample overwritten by every number that a careless length would come from. */
export function* bombed(sample: Uint8Array): Generator<Uint8Array> {
  for (let position = 0; position < sample.length; position += 1) {
    for (const bomb of BOMBS) yield overwritten(sample, position, bomb);
  }
}

/** A chunk over and over: lists in lists, where a format has them. */
export function nested(chunk: Uint8Array, times: number): Uint8Array {
  const bytes = new Uint8Array(chunk.length * times);
  for (let i = 0; i < times; i += 1) bytes.set(chunk, i * chunk.length);
  return bytes;
}

function overwritten(bytes: Uint8Array, position: number, by: Uint8Array): Uint8Array {
  const changed = bytes.slice();
  changed.set(by.subarray(0, bytes.length - position), position);
  return changed;
}

/** Big-endian lengths: 2^32 - 1, 2^31, 2^31 - 1, 2^28, 2^24, 2^16 - 1, 2^15, 0, and eight bytes. */
const BOMBS = [
  [0xff, 0xff, 0xff, 0xff],
  [0x80, 0, 0, 0],
  [0x7f, 0xff, 0xff, 0xff],
  [0x10, 0, 0, 0],
  [0x01, 0, 0, 0],
  [0xff, 0xff],
  [0x80, 0],
  [0, 0, 0, 0],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
].map((bytes) => Uint8Array.from(bytes));
