/** @file `federatedComputation`: traces a TypeScript function once into building blocks. */

import { lambda, reference, selection } from './building-blocks.ts';
import type { Computation, Operand, PolymorphicComputation, TypeOfValue } from './computation.ts';
import { defineComputation } from './define.ts';
import { parameterNames, readParameters } from './parameter-names.ts';
import { FederatedTrace, isTracing, runTrace } from './trace.ts';
import {
  compactNotation,
  FederatedTypeError,
  inferType,
  isType,
  structOf,
  TraceError,
  type Type,
} from './types/index.ts';
import { containsValue, isValue, makeValue, toBlock, typeOf } from './value.ts';

type Operands<P extends readonly Type[]> = { readonly [K in keyof P]: Operand<P[K]> };

export interface ComputationOptions {
  /** Name in notation and messages; by default that of the function. */
  readonly name?: string;
}

/**
 * Defines a computation over placed and unplaced values.
 *
 * The body runs once, now, on values without content; the intrinsics and computations that it calls
 * are recorded. It returns a value, or an object or array of values.
 *
 * @param parameters types of the body's parameters. Left out, every call defines the computation
 *   anew for the types of its arguments.
 * @throws TraceError if the body returns nothing, is asynchronous, or looks into a value.
 * @throws FederatedTypeError if the body takes more parameters than there are types, or types do not fit.
 */
export function federatedComputation<const P extends readonly Type[], V extends readonly unknown[]>(
  parameters: P,
  body: (...values: Operands<P>) => readonly [...V],
  options?: ComputationOptions,
): Computation<P, Extract<TypeOfValue<V>, Type>>;
export function federatedComputation<const P extends readonly Type[], V>(
  parameters: P,
  body: (...values: Operands<P>) => V,
  options?: ComputationOptions,
): Computation<P, Extract<TypeOfValue<V>, Type>>;
export function federatedComputation(
  body: (...values: readonly Operand<Type>[]) => unknown,
  options?: ComputationOptions,
): PolymorphicComputation;
export function federatedComputation(
  first: readonly Type[] | Body,
  second?: Body | ComputationOptions,
  third?: ComputationOptions,
): unknown {
  if (isBody(first)) {
    return polymorphic(first, (second as ComputationOptions | undefined) ?? {});
  }
  if (!isTypeList(first) || !isBody(second)) {
    throw new FederatedTypeError(
      'type.invalid',
      'federatedComputation takes an array of parameter types and a function, or a function alone: federatedComputation([atClients(int32())], (x) => …).',
    );
  }
  return trace(first, second, third ?? {});
}

type Body = (...values: never[]) => unknown;

function isBody(candidate: unknown): candidate is Body {
  return typeof candidate === 'function';
}

function isTypeList(candidate: unknown): candidate is readonly Type[] {
  return Array.isArray(candidate) && candidate.every(isType);
}

function trace(parameters: readonly Type[], body: Body, options: ComputationOptions): Computation {
  const name = options.name ?? (body.name || 'computation');
  requireParameters(name, parameters, body);
  const federated = new FederatedTrace(name);
  const names = parameterNames(body, parameters.length);
  const [only] = parameters;
  const parameterType =
    only === undefined
      ? null
      : parameters.length === 1
        ? only
        : structOf(parameters.map((type, i) => ({ name: names[i] ?? null, type })));
  const parameterName = parameters.length === 1 ? (names[0] ?? 'arg') : 'arg';
  const parameter = parameterType === null ? null : reference(parameterName, parameterType);
  const values =
    parameter === null
      ? []
      : parameters.length === 1
        ? [makeValue(parameter, federated)]
        : parameters.map((_, i) => makeValue(selection(parameter, i), federated));

  const result = runTrace(federated, () => {
    const returned = body(...(values as never[]));
    requireResult(name, returned);
    return federated.close(toBlock(returned, `The result of ${name}`));
  });
  const built =
    parameterType === null
      ? lambda(null, null, result)
      : lambda(parameterName, parameterType, result);
  return defineComputation(name, parameters, built);
}

function polymorphic(body: Body, options: ComputationOptions): PolymorphicComputation {
  const name = options.name ?? (body.name || 'computation');
  const known = new Map<string, Computation>();
  const withTypes = (...parameters: readonly Type[]): Computation => {
    const key = parameters.map(compactNotation).join(';');
    const found = known.get(key) ?? trace(parameters, body, { name });
    known.set(key, found);
    return found;
  };
  const invoke = (...args: readonly unknown[]): unknown => {
    const types = args.map((arg, i) => argumentType(arg, `Argument ${i + 1} of ${name}`));
    return (withTypes(...types) as (...args: readonly unknown[]) => unknown)(...args);
  };
  return Object.defineProperties(invoke, {
    name: { value: name },
    withTypes: { value: withTypes },
  }) as unknown as PolymorphicComputation;
}

function argumentType(arg: unknown, what: string): Type {
  if (isValue(arg)) return typeOf(arg);
  return isTracing() && containsValue(arg) ? toBlock(arg, what).type : inferType(arg, what);
}

function requireParameters(name: string, parameters: readonly Type[], body: Body): void {
  if (body.length > parameters.length) {
    throw new FederatedTypeError(
      'type.arity',
      `The body of ${name} takes ${body.length} parameters, but ${parameters.length} types were given (${parameters.map(compactNotation).join(', ')}).`,
    );
  }
  if (readParameters(body).rest) {
    throw new FederatedTypeError(
      'type.arity',
      `The body of ${name} takes a rest parameter; name each parameter, so that each has a type.`,
    );
  }
}

function requireResult(name: string, returned: unknown): void {
  if (returned === undefined || returned === null) {
    throw new TraceError(
      'trace.no_result',
      `The body of ${name} returned ${returned}; it must return a value or a struct of values.`,
    );
  }
  if (returned instanceof Promise) {
    returned.catch(() => {});
    throw new TraceError(
      'trace.async',
      `The body of ${name} is asynchronous; a body is traced once and at once. Remove async and await.`,
    );
  }
}
