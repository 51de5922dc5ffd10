import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  OpenRequestSchema,
  OpenResponseSchema,
} from '../../../computations/wire/gen/fedloom/v1/link_pb.ts';
import { FRAME_CODEC } from '../../../runtime/grpc/frame-codec.node.ts';
import { newFrame } from '../../../runtime/remote/link.ts';

const { encode, decode } = FRAME_CODEC;

/** Around the lengths at which their own length takes a byte more. */
const content = fc
  .oneof(
    fc.integer({ min: 0, max: 300 }),
    fc.integer({ min: 16_380, max: 16_390 }),
    fc.constant(2 ** 20 + 4096),
  )
  .map((length) => Uint8Array.from({ length }, (_, i) => i * 7));

function withRoom(bytes: Uint8Array): Uint8Array {
  const frame = newFrame(bytes.length);
  frame.set(bytes);
  return frame;
}

describe('a message of a link', () => {
  it('has the bytes that the generated code writes, with and without a copy of the frame', () => {
    fc.assert(
      fc.property(content, (bytes) => {
        const expected = toBinary(OpenRequestSchema, create(OpenRequestSchema, { frame: bytes }));
        const [copied, inPlace] = [bytes, withRoom(bytes)].map((frame) => encode({ frame }));
        if (bytes.length > 0) expect(Buffer.compare(copied!, expected)).toBe(0);
        expect(Buffer.compare(inPlace!, copied!)).toBe(0);
        expect(Buffer.compare(fromBinary(OpenResponseSchema, copied!).frame, bytes)).toBe(0);
        expect(Buffer.compare(decode(copied!).frame, bytes)).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  it('leaves the memory around a frame alone that is a part of something else', () => {
    const memory = new Uint8Array(64).fill(9);
    encode({ frame: memory.subarray(8, 40) });
    expect(memory.every((byte) => byte === 9)).toBe(true);
  });

  it('may hold fields that are not known, and nothing at all', () => {
    expect(decode(Buffer.alloc(0)).frame).toHaveLength(0);
    const later = Buffer.from([0x12, 2, 5, 5, 0x0a, 1, 3, 0x18, 4]);
    expect([...decode(later).frame]).toEqual([3]);
  });

  it.each([[[0x0a]], [[0x0a, 5, 1]], [[0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f]], [[0x0b]], [[0]]])(
    'is refused when it is damaged: %j',
    (bytes) => {
      expect(() => decode(Buffer.from(bytes))).toThrow(Error);
    },
  );
});
