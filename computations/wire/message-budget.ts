/**
 * @file What a protobuf message becomes in memory, estimated before it is read: a message of two bytes
 * is an object of a hundred, so few bytes from a stranger could fill the memory of a process. Follows the
 * wire format (protobuf.dev/programming-guides/encoding) as far as it takes to find the messages in it.
 */

import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

/** Parts of a message that is read: messages in it, and what takes as much memory. About 1 GiB. */
export const MAX_PARTS = 2 ** 23;

/**
 * Counts the parts of a message, without making any.
 * @returns the number; infinity for more than `most`. Of bytes that are no message, as far as they are.
 */
export function partsOfMessage(schema: DescMessage, bytes: Uint8Array, most = MAX_PARTS): number {
  const reader = new BinaryReader(bytes);
  const open = [{ fields: fieldsOf(schema), end: bytes.length }];
  let parts = 0;
  try {
    // Without recursion: how deep messages are nested is for the decoder to say.
    for (let inner = open.at(-1); inner !== undefined; inner = open.at(-1)) {
      if (reader.pos >= inner.end) {
        open.pop();
        continue;
      }
      const [number, wireType] = reader.tag();
      const field = inner.fields.get(number);
      if (field === undefined || wireType !== WireType.LengthDelimited) {
        parts += field?.each ?? 0;
        reader.skip(wireType, number);
      } else {
        const size = reader.uint32();
        // It may say to be longer than the message around it: decoders read on then, and so does this.
        const end = Math.min(reader.pos + size, bytes.length);
        parts += field.each * (field.leastBytes === undefined ? 1 : size / field.leastBytes);
        if (field.message === undefined) reader.pos = end;
        else open.push({ fields: fieldsOf(field.message), end });
      }
      if (parts > most) return Number.POSITIVE_INFINITY;
    }
  } catch {
    // The decoder stops there, too, and says why.
  }
  return parts;
}

/** A field whose content takes more memory than its bytes. */
interface CostlyField {
  readonly message?: DescMessage;
  /** How many parts a message, or an element of a list, counts for. */
  readonly each: number;
  /** Of lists of numbers, which stand side by side: bytes of one of them, at least. */
  readonly leastBytes?: number;
}

type CostlyFields = ReadonlyMap<number, CostlyField>;

const costlyFields = new WeakMap<DescMessage, CostlyFields>();

function fieldsOf(schema: DescMessage): CostlyFields {
  const known = costlyFields.get(schema);
  if (known !== undefined) return known;
  const fields = new Map(
    schema.fields.flatMap((field) => {
      const costly = costlyField(field);
      return costly === null ? [] : [[field.number, costly] as const];
    }),
  );
  costlyFields.set(schema, fields);
  return fields;
}

function costlyField(field: DescField): CostlyField | null {
  if (field.message !== undefined) return { message: field.message, each: 1 };
  if (field.fieldKind !== 'list') return null;
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return { each: 1 };
    // A BigInt takes some 24 bytes beside its place in the list.
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
      return { each: 1 / 4, leastBytes: 1 };
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return { each: 1 / 4, leastBytes: 8 };
    case ScalarType.DOUBLE:
      return { each: 1 / 16, leastBytes: 8 };
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return { each: 1 / 16, leastBytes: 4 };
    default:
      return { each: 1 / 16, leastBytes: 1 };
  }
}
