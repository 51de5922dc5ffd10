/** @file `tensorComputation`: traces tfjs code once into a kernel graph. */

import { compiled } from './building-blocks.ts';
import type { Computation } from './computation.ts';
import { defineComputation } from './define.ts';
import type { ComputationOptions } from './federated-computation.ts';
import { parameterNames } from './parameter-names.ts';
import {
  isTracingTensors,
  type TracedArgument,
  type TracedResult,
  type TracedTensors,
  type TraceOptions,
  traceTensors,
} from './tensors/index.ts';
import {
  FederatedTypeError,
  func,
  isType,
  requireAssignable,
  type StructType,
  structOf,
  type TensorType,
  type Type,
} from './types/index.ts';

/**
 * A tensor whose dtype and rank the TypeScript compiler does not know, because tfjs does not say.
 * It fits wherever a tensor is due; the types are checked when the computation is traced. Declare
 * the result of a computation to have them checked by the compiler too.
 */
// biome-ignore lint/suspicious/noExplicitAny: stands for every dtype and every shape at once.
export type UntypedTensor = TensorType<any, any>;

type TracedParameters<P extends readonly Type[]> = {
  readonly [K in keyof P]: TracedArgument<P[K]>;
};

/** The type of what a traced body returns, as far as tfjs's types tell. */
export type TypeOfTraced<V> = V extends { readonly dtype: unknown; readonly shape: unknown }
  ? UntypedTensor
  : StructType<{ readonly [K in keyof V]: TypeOfTracedMember<V[K]> }>;

type TypeOfTracedMember<V> = V extends { readonly dtype: unknown; readonly shape: unknown }
  ? UntypedTensor
  : StructType;

export interface TensorComputationOptions<R extends Type = Type>
  extends ComputationOptions,
    Omit<TraceOptions, 'name'> {
  /** Type of the result. The traced one must be assignable to it. */
  readonly result?: R;
}

/**
 * Defines a computation on tensors, without placement.
 *
 * The body is ordinary tfjs code. It runs now, on tensors without content, and the kernels that it
 * calls are recorded, gradients included; nothing of its source is kept. So it may not look into a
 * tensor (`dataSync`, `if (x > 0)`), use host randomness (see the `random` module), or be
 * asynchronous. Values that it captures become constants of the graph.
 *
 * @param parameters types of the parameters: tensors of bool, int32 or float32, or structs of them.
 *   `null` in a shape is a size that is known only when the computation runs, such as a batch.
 * @throws TraceError with a code for each thing that a body cannot do, and FederatedTypeError if
 *   the result does not have the declared type.
 */
export function tensorComputation<const P extends readonly Type[], const R extends Type>(
  parameters: P,
  body: (...args: TracedParameters<P>) => TracedResult,
  options: TensorComputationOptions<R> & { readonly result: R },
): Computation<P, R>;
export function tensorComputation<
  const P extends readonly Type[],
  V extends readonly [] | TracedResult,
>(
  parameters: P,
  body: (...args: TracedParameters<P>) => V,
  options?: TensorComputationOptions,
): Computation<P, TypeOfTraced<V>>;
export function tensorComputation(
  parameters: readonly Type[],
  body: (...args: never[]) => TracedResult,
  options: TensorComputationOptions = {},
): Computation {
  if (!Array.isArray(parameters) || !parameters.every(isType) || typeof body !== 'function') {
    throw new FederatedTypeError(
      'type.invalid',
      'tensorComputation takes an array of parameter types and a function: tensorComputation([float32(3)], (x) => tf.sum(x)).',
    );
  }
  const { result: declared, name: given, ...limits } = options;
  const name = given ?? (body.name || 'tensors');
  const traced = traceTensors(parameters, body as Body, { ...limits, name }) as TracedTensors;
  const result = resultType(traced.resultType, declared, name);
  const names = parameterNames(body, parameters.length);
  const [only] = parameters;
  const parameter =
    only === undefined
      ? null
      : parameters.length === 1
        ? only
        : structOf(parameters.map((type, i) => ({ name: names[i] ?? null, type })));
  const block = compiled(name, traced.graph, func(parameter, result));
  // Inside another tensor computation the body simply becomes part of that one.
  const inside = (args: readonly unknown[]): { readonly result: unknown } | null =>
    isTracingTensors() ? { result: (body as Body)(...args) } : null;
  return defineComputation(name, parameters, block, inside);
}

type Body = (...args: readonly unknown[]) => TracedResult;

function resultType(traced: Type, declared: Type | undefined, name: string): Type {
  if (declared === undefined) return traced;
  requireAssignable(declared, traced, `The result of ${name}`);
  return declared;
}
