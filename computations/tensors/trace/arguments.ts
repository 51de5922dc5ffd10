/** @file What a traced body receives and returns: tfjs tensors in objects and arrays, by type. */

import { compactNotation } from '../../types/compact.ts';
import { TraceError } from '../../types/errors.ts';
import {
  type IsOpen,
  type StructType,
  struct,
  type TensorType,
  type Type,
} from '../../types/types.ts';
import { DEVICE_DTYPES } from '../kernels/definition.ts';
import { tf } from '../tfjs.ts';

/** A parameter as the body sees it: a tensor, or an object or array of tensors. */
export type TracedArgument<T extends Type> = T extends TensorType
  ? tf.Tensor
  : T extends StructType<infer M>
    ? [IsOpen<M>] extends [false]
      ? { readonly [K in keyof M]: M[K] extends Type ? TracedArgument<M[K]> : never }
      : object
    : never;

/** The arguments of a body whose parameters have these types. */
export type TracedArguments<P extends readonly Type[]> = {
  [K in keyof P]: TracedArgument<P[K]>;
};

/** A result of a body: a tensor, or an object or array of results. */
export type TracedResult =
  | tf.Tensor
  | readonly TracedResult[]
  | { readonly [name: string]: TracedResult };

/**
 * The tensor types of a parameter, in order.
 * @throws TraceError `trace.unsupported_dtype` for what cannot be a tfjs tensor.
 */
export function traceableLeaves(type: Type, where: string): readonly TensorType[] {
  if (type.kind === 'struct') {
    return type.elements.flatMap(({ name, type: element }, index) =>
      traceableLeaves(element, `${where}.${name ?? index}`),
    );
  }
  if (type.kind !== 'tensor') {
    throw new TraceError(
      'trace.unsupported_dtype',
      `${where} is ${compactNotation(type)}; a tensor computation takes tensors and structs of tensors only.`,
    );
  }
  if (!DEVICE_DTYPES.includes(type.dtype)) {
    throw new TraceError('trace.unsupported_dtype', `${where} ${refusal(type)}`);
  }
  if (type.shape === null) {
    throw new TraceError(
      'trace.unsupported_dtype',
      `${where} is ${compactNotation(type)}; a traced body needs the rank of each tensor. Give the shape, with null for a size that is not known.`,
    );
  }
  return [type];
}

/** The parameter as the body sees it, made from its tensors in order. */
export function packArgument(type: Type, tensors: Iterator<tf.Tensor>): unknown {
  if (type.kind !== 'struct') return tensors.next().value;
  const members = type.elements.map(({ name, type: element }, index) => ({
    name: name ?? String(index),
    value: packArgument(element, tensors),
  }));
  return type.elements.every(({ name }) => name === null)
    ? members.map(({ value }) => value)
    : Object.fromEntries(members.map(({ name, value }) => [name, value]));
}

/** The tensors of a body's result, in order, and how they were arranged. */
export interface UnpackedResult {
  readonly tensors: readonly tf.Tensor[];
  /** The type of the result, given the types of its tensors in order. */
  readonly typeOf: (leaves: Iterator<TensorType>) => Type;
}

/** @throws TraceError `trace.no_result` or `trace.async` if the result holds no tensors only. */
export function unpackResult(result: unknown): UnpackedResult {
  const tensors: tf.Tensor[] = [];
  const typeOf = collect(result, 'the result', tensors, new Set());
  return { tensors, typeOf };
}

type TypeBuilder = UnpackedResult['typeOf'];

function collect(
  value: unknown,
  where: string,
  tensors: tf.Tensor[],
  parents: ReadonlySet<object>,
): TypeBuilder {
  if (value instanceof tf.Tensor) {
    if (value.isDisposed) {
      throw new TraceError('trace.leaked_tracer', `${capital(where)} is a disposed tensor.`);
    }
    tensors.push(value);
    return (leaves) => leaves.next().value as TensorType;
  }
  if (typeof value !== 'object' || value === null || parents.has(value))
    throw noTensor(value, where);
  const inner = new Set([...parents, value]);
  if (Array.isArray(value)) {
    const members = value.map((item, i) => collect(item, `${where}[${i}]`, tensors, inner));
    return (leaves) => struct(members.map((member) => member(leaves)));
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw noTensor(value, where);
  const members = Object.entries(value).map(
    ([name, item]) => [name, collect(item, `${where}.${name}`, tensors, inner)] as const,
  );
  return (leaves) =>
    struct(Object.fromEntries(members.map(([name, member]) => [name, member(leaves)])));
}

function noTensor(value: unknown, where: string): TraceError {
  const what =
    value === undefined
      ? 'nothing (undefined); did you forget to return it?'
      : typeof value === 'number' || typeof value === 'boolean'
        ? `the plain ${typeof value} ${value}, which would be the same in every run; return a tensor such as tf.scalar(${value}), or compute it from the parameters`
        : `no tensor (${typeof value === 'object' && value !== null ? (value.constructor?.name ?? 'object') : String(value)})`;
  return new TraceError(
    'trace.no_result',
    `${capital(where)} of a traced body must be a tensor, or an object or array of tensors; it is ${what}.`,
  );
}

function refusal(type: TensorType): string {
  const notation = compactNotation(type);
  switch (type.dtype) {
    case 'int64':
    case 'uint8':
      return `is ${notation}, and tfjs has no ${type.dtype} tensors. Take it as int32 or float32 (cast it before the call), or use an integer computation that Fedloom builds itself, such as a sum.`;
    default:
      return `is ${notation}; strings cannot be traced. Encode them as int32 codes first.`;
  }
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
