import { fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FederatedTypeError,
  GraphError,
  toMaterialized,
  ValueError,
} from '../../../computations/types/index.ts';
import {
  decodeBlock,
  decodeTensor,
  decodeType,
  encodeBlock,
  encodeTensor,
  encodeType,
  fromValueMessage,
  toValueMessage,
  type Value,
  ValueSchema,
} from '../../../computations/wire/index.ts';
import { anyBlock } from '../../arbitraries/blocks.ts';
import {
  anyType,
  dataType,
  placedDataType,
  plainDataOf,
  staticTensorType,
  tensorValueOf,
} from '../../arbitraries/types.ts';

describe('damaged bytes', () => {
  const damaged = (bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> =>
    bytes.chain((whole) =>
      fc
        .tuple(
          fc.array(
            fc.tuple(fc.nat(Math.max(0, whole.length - 1)), fc.integer({ min: 1, max: 255 })),
            {
              maxLength: 4,
            },
          ),
          fc.option(fc.nat(whole.length), { freq: 3 }),
        )
        .map(([flips, end]) => {
          const copy = Uint8Array.from(whole);
          for (const [at, mask] of flips)
            if (at < copy.length) copy[at] = (copy[at] as number) ^ mask;
          return copy.subarray(0, end ?? copy.length);
        }),
    );
  const survives = (attempt: () => unknown): void => {
    try {
      attempt();
    } catch (error) {
      const named =
        error instanceof GraphError ||
        error instanceof FederatedTypeError ||
        error instanceof ValueError;
      if (!named) throw error;
    }
  };

  it('of types are read or refused by name', () => {
    fc.assert(
      fc.property(damaged(anyType.map(encodeType)), (bytes) => survives(() => decodeType(bytes))),
      { numRuns: 1000 },
    );
  });

  it('of tensors are read or refused by name', () => {
    const tensors = staticTensorType.chain((type) => tensorValueOf(type));
    const bytes = fc.tuple(tensors, fc.constantFrom('list', 'content'));
    fc.assert(
      fc.property(
        damaged(bytes.map(([value, form]) => encodeTensor(value, form as 'list' | 'content'))),
        (each) => survives(() => decodeTensor(each)),
      ),
      { numRuns: 1000 },
    );
  });

  it('of building blocks are read or refused by name, and what is read has canonical bytes', () => {
    fc.assert(
      fc.property(damaged(anyBlock.map(encodeBlock)), (bytes) =>
        survives(() => {
          const node = decodeBlock(bytes);
          const canonical = encodeBlock(node);
          expect(encodeBlock(decodeBlock(canonical))).toEqual(canonical);
        }),
      ),
      { numRuns: 1000 },
    );
  });

  it('of values are read or refused by name', () => {
    const values = fc
      .oneof(dataType, placedDataType)
      .chain((type) =>
        plainDataOf(type).map((data) => toValueMessage(toMaterialized(data, type, 'x'), type)),
      );
    fc.assert(
      fc.property(damaged(values.map((value) => toBinary(ValueSchema, value))), (bytes) => {
        let message: Value;
        try {
          message = fromBinary(ValueSchema, bytes);
        } catch {
          return;
        }
        survives(() => fromValueMessage(message));
      }),
      { numRuns: 1000 },
    );
  });

  it('of no origin at all are read or refused by name', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        survives(() => decodeType(bytes));
        survives(() => decodeTensor(bytes));
        survives(() => decodeBlock(bytes));
      }),
      { numRuns: 1000 },
    );
  });
});
