/**
 * @file Messages as pieces of bytes. The generated code would copy a large tensor once for every
 * message that it stands in, and once more at the end; here its bytes are a piece of their own, which
 * is copied when it goes into frames.
 */

import { type DescField, type DescMessage, type Message, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Of `google.protobuf.FeatureSet.FieldPresence`: what is empty counts as not set. */
const IMPLICIT = 2;

/** Bytes that are long enough to be a piece of their own. */
const LARGE = 16 * 1024;

/**
 * The encoding of a message. Large `bytes` in it come as they are, so they may not change before all
 * has been sent.
 */
export function encodePieces(schema: DescMessage, message: Message): Uint8Array[] {
  const heavy = new Set<object>();
  findHeavy(schema, message, heavy);
  return encode(schema, message, heavy);
}

/** How many bytes there are. */
export function totalLength(pieces: readonly Uint8Array[]): number {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  return length;
}

/** Hands out the bytes of pieces, in order, without a copy. */
export class PieceReader {
  readonly #pieces: readonly Uint8Array[];
  #piece = 0;
  #offset = 0;

  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = pieces;
  }

  /** The next bytes, as views. @param length at most as many as there are left. */
  take(length: number): Uint8Array[] {
    const taken: Uint8Array[] = [];
    let left = length;
    while (left > 0) {
      const piece = this.#pieces[this.#piece];
      if (piece === undefined) throw new RangeError(`There are ${left} bytes too few.`);
      const end = Math.min(this.#offset + left, piece.length);
      if (end > this.#offset) taken.push(piece.subarray(this.#offset, end));
      left -= end - this.#offset;
      this.#offset = end;
      if (end === piece.length) {
        this.#piece += 1;
        this.#offset = 0;
      }
    }
    return taken;
  }
}

/** Collects the messages that hold large bytes, somewhere inside. */
function findHeavy(schema: DescMessage, message: Message, heavy: Set<object>): boolean {
  let found = false;
  for (const field of schema.fields) {
    const value = contentOf(field, message);
    if (value === undefined) continue;
    if (value instanceof Uint8Array) {
      found = value.length >= LARGE || found;
    } else if (field.fieldKind === 'message') {
      found = findHeavy(field.message, value as Message, heavy) || found;
    } else if (field.fieldKind === 'list' && field.listKind === 'message') {
      for (const element of value as readonly Message[]) {
        found = findHeavy(field.message, element, heavy) || found;
      }
    }
  }
  if (found) heavy.add(message);
  return found;
}

/**
 * The fields without large bytes as the generated code writes them, and then the others, one by one:
 * readers take fields in any order.
 */
function encode(schema: DescMessage, message: Message, heavy: ReadonlySet<object>): Uint8Array[] {
  if (!heavy.has(message)) return [toBinary(schema, message)];
  const light: Record<string, unknown> = { ...message };
  const pieces: Uint8Array[] = [];
  for (const field of schema.fields) {
    const value = contentOf(field, message);
    if (value === undefined || !isHeavy(value, heavy)) continue;
    omit(light, field);
    for (const element of Array.isArray(value) ? value : [value]) {
      const inner =
        element instanceof Uint8Array
          ? [element]
          : encode(field.message as DescMessage, element as Message, heavy);
      const prefix = new BinaryWriter().tag(field.number, WireType.LengthDelimited);
      pieces.push(prefix.uint32(totalLength(inner)).finish(), ...inner);
    }
  }
  const first = toBinary(schema, light as Message);
  return first.length === 0 ? pieces : [first, ...pieces];
}

function isHeavy(value: unknown, heavy: ReadonlySet<object>): boolean {
  if (value instanceof Uint8Array) return value.length >= LARGE;
  if (Array.isArray(value)) return value.some((element) => heavy.has(element));
  return typeof value === 'object' && value !== null && heavy.has(value);
}

/** What is set of a field that could hold large bytes. Lists of plain bytes stay with the others. */
function contentOf(field: DescField, message: Message): unknown {
  if (field.fieldKind === 'map' || field.fieldKind === 'enum') return undefined;
  if (field.fieldKind === 'list' && field.listKind !== 'message') return undefined;
  if (field.oneof === undefined) return Reflect.get(message, field.localName);
  const chosen: unknown = Reflect.get(message, field.oneof.localName);
  const { case: name, value } = chosen as { case?: string; value?: unknown };
  return name === field.localName ? value : undefined;
}

function omit(fields: Record<string, unknown>, field: DescField): void {
  if (field.oneof !== undefined) fields[field.oneof.localName] = { case: undefined };
  else if (field.fieldKind === 'list') fields[field.localName] = [];
  else if (field.fieldKind === 'scalar' && field.presence === IMPLICIT) {
    fields[field.localName] = new Uint8Array(0);
  } else delete fields[field.localName];
}
