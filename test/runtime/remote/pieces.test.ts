/** @file Messages in pieces are the messages, and their large bytes are not copied. */

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArraySchema } from '../../../computations/wire/gen/federated_language/proto/array_pb.ts';
import { ComputationSchema } from '../../../computations/wire/gen/federated_language/proto/computation_pb.ts';
import {
  CreateValueRequestSchema,
  type Value,
  Value_StructSchema,
  ValueSchema,
} from '../../../computations/wire/index.ts';
import { Assembly, ByteBudget } from '../../../runtime/remote/envelope/assembly.ts';
import { encodePieces, PieceReader, totalLength } from '../../../runtime/remote/envelope/pieces.ts';
import { bytesOf } from './envelope.helpers.ts';

describe('the pieces of a message', () => {
  it('decode to the message, whatever is large in it', () => {
    fc.assert(
      fc.property(value(), fc.string(), (inner, id) => {
        const message = create(CreateValueRequestSchema, { value: inner, executor: { id } });
        const bytes = joined(encodePieces(CreateValueRequestSchema, message));
        // Fields may stand in another order, so what is decoded is compared.
        const generated = toBinary(CreateValueRequestSchema, message);
        expect(bytes).toHaveLength(generated.length);
        const decoded = toBinary(
          CreateValueRequestSchema,
          fromBinary(CreateValueRequestSchema, bytes),
        );
        expect(Buffer.compare(decoded, generated)).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it('hold large bytes as they are, wherever they stand', () => {
    const content = new Uint8Array(100_000);
    const array = create(ArraySchema, { content, shape: { dim: [100_000n] } });
    const inArray = create(ValueSchema, { value: { case: 'array', value: array } });
    expect(encodePieces(ValueSchema, inArray)).toContain(content);
    // `Any.value` is a field that counts as not set when it is empty.
    const inAny = create(ComputationSchema, {
      computation: {
        case: 'tensorflow',
        value: { graphDef: { typeUrl: 'type.fedloom.dev/x', value: content } },
      },
    });
    const pieces = encodePieces(ComputationSchema, inAny);
    expect(pieces).toContain(content);
    expect(fromBinary(ComputationSchema, joined(pieces))).toEqual(inAny);
  });

  it('are read in chunks of any size', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 15 }), { minLength: 1 }),
        (pieces, sizes) => {
          const reader = new PieceReader(pieces);
          const read: number[] = [];
          let left = totalLength(pieces);
          for (let i = 0; left > 0; i += 1) {
            const length = Math.min(left, sizes[i % sizes.length] as number);
            for (const piece of reader.take(length)) read.push(...piece);
            left -= length;
          }
          expect(read).toEqual(pieces.flatMap((piece) => [...piece]));
          expect(() => reader.take(1)).toThrow(RangeError);
        },
      ),
    );
  });
});

describe('an assembly', () => {
  it('is the message, whatever its chunks; and gives back what it took', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 4096, max: 9000 }), { maxLength: 8 }),
        fc.integer({ min: 0, max: 9000 }),
        (sizes, last) => {
          const message = bytesOf(sizes.reduce((sum, size) => sum + size, last));
          const budget = new ByteBudget(message.length);
          const assembly = new Assembly(message.length, message.length, budget);
          let offset = 0;
          let whole: Uint8Array | null = null;
          for (const size of message.length === offset ? [0] : [...sizes, last]) {
            if (whole !== null) break;
            whole = assembly.add(offset, message.subarray(offset, offset + size));
            offset += size;
          }
          expect(Buffer.compare(whole ?? bytesOf(1), message)).toBe(0);
          expect(budget.used).toBe(message.length);
          assembly.release();
          assembly.release();
          expect(budget.used).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('takes no memory for what is announced', () => {
    const budget = new ByteBudget(2 ** 40);
    const before = process.memoryUsage().arrayBuffers;
    const assemblies = Array.from({ length: 100 }, () => new Assembly(2 ** 30, 2 ** 30, budget));
    for (const assembly of assemblies) assembly.add(0, bytesOf(4096));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 25);
    expect(budget.used).toBe(100 * 4096);
  });

  it('does not keep a frame that is much longer than its chunk', () => {
    const frame = new Uint8Array(2 ** 20);
    const chunk = frame.subarray(10, 20);
    const message = new Assembly(10, 10, new ByteBudget(10)).add(0, chunk);
    expect(message?.buffer.byteLength).toBe(10);
  });

  it.each([
    [0, 5000, 1, 'transport.invalid_argument'],
    [4096, 0, 10, 'transport.invalid_argument'],
    [0, 10_001, 0, 'transport.invalid_argument'],
    [2 ** 52, 5000, 0, 'transport.invalid_argument'],
    [0, 10_000, 9000, 'transport.resource_exhausted'],
  ])('refuses a chunk at %d of %d bytes', (offset, length, taken, code) => {
    const budget = new ByteBudget(10_000);
    const assembly = new Assembly(10_000, 10_000, budget);
    if (taken === 9000) budget.take(taken);
    else if (taken > 0) assembly.add(0, bytesOf(5000));
    expect(() => assembly.add(offset, bytesOf(length))).toThrow(expect.objectContaining({ code }));
  });
});

function value(): fc.Arbitrary<Value> {
  const array = fc.constantFrom(0, 1, 100, 16_383, 16_384, 70_000).map((length) =>
    create(ValueSchema, {
      value: { case: 'array', value: create(ArraySchema, { content: bytesOf(length) }) },
    }),
  );
  const { tree } = fc.letrec<{ tree: Value }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      array,
      fc
        .array(fc.record({ name: fc.string({ maxLength: 3 }), value: tie('tree') }), {
          maxLength: 4,
        })
        .map((element) =>
          create(ValueSchema, {
            value: { case: 'struct', value: create(Value_StructSchema, { element }) },
          }),
        ),
    ),
  }));
  return tree;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}
