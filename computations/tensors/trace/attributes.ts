/** @file Brings the attributes of a tfjs kernel call into the plain form that a graph holds. */

import { TraceError } from '../../types/errors.ts';
import { shapeSize } from '../graph.ts';
import type {
  AttributeSchema,
  ConcreteAttribute,
  ConcreteAttributes,
} from '../kernels/definition.ts';

/**
 * Attributes as plain data: what is undefined is dropped, typed arrays become arrays.
 * @throws TraceError `trace.bad_attribute` for NaN and for anything that is no number, string,
 *   boolean or list of them, and for an attribute that the kernel table does not know.
 */
export function normalizeAttributes(
  kernel: string,
  attributes: unknown,
  schema: AttributeSchema,
  inputShapes: readonly (readonly number[])[],
): ConcreteAttributes {
  const plain: Record<string, ConcreteAttribute> = {};
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null) continue;
    const known = Object.hasOwn(schema, name);
    if (!known) {
      throw new TraceError(
        'trace.bad_attribute',
        `${kernel} was called with an attribute '${name}' that the kernel table does not know.`,
      );
    }
    const normal = toPlain(kernel, name, value);
    const wantsNumber = schema[name]?.startsWith('number') ?? false;
    plain[name] = wantsNumber && typeof normal === 'boolean' ? Number(normal) : normal;
  }
  const [input = []] = inputShapes;
  if (kernel === 'Slice') return wholeSlice(plain, input);
  return kernel === 'Reshape' ? wholeShape(plain, input) : plain;
}

// tf.reshape takes -1 for the size that is left.
function wholeShape({ shape }: ConcreteAttributes, input: readonly number[]): ConcreteAttributes {
  const sizes = shape as readonly number[];
  const known = sizes.reduce((product, size) => (size === -1 ? product : product * size), 1);
  const rest = known === 0 ? 0 : shapeSize(input) / known;
  return { shape: sizes.map((size) => (size === -1 ? rest : size)) };
}

// tf.slice takes a single number, or fewer entries than axes.
function wholeSlice(attributes: ConcreteAttributes, shape: readonly number[]): ConcreteAttributes {
  const list = (value: ConcreteAttribute | undefined): readonly number[] =>
    typeof value === 'number' ? [value] : ((value ?? []) as readonly number[]);
  const begin = list(attributes.begin);
  const size = list(attributes.size);
  return {
    begin: shape.map((_, axis) => begin[axis] ?? 0),
    size: shape.map((extent, axis) => {
      const given = size[axis] ?? -1;
      return given === -1 ? extent - (begin[axis] ?? 0) : given;
    }),
  };
}

function toPlain(kernel: string, name: string, value: unknown): ConcreteAttribute {
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && !Number.isNaN(value)) return value;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    return Array.from(value as ArrayLike<unknown>, (item) => toPlain(kernel, name, item));
  }
  throw new TraceError(
    'trace.bad_attribute',
    `The attribute '${name}' of ${kernel} is ${String(value)}; an attribute must be a number (not NaN), a string, a boolean or a list of them.`,
  );
}
