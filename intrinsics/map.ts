/** @file `federatedMap`: applies a computation to a value where it is. */

import type { BuildingBlock } from '../computations/building-blocks.ts';
import type {
  Computation,
  Operand,
  PolymorphicComputation,
  Value,
} from '../computations/computation.ts';
import {
  type AtClients,
  type AtServer,
  type FederatedType,
  FederatedTypeError,
  type FunctionType,
  federated,
  func,
  requireAssignable,
  type Type,
} from '../computations/types/index.ts';
import { toBlock } from '../computations/value.ts';
import { bindIntrinsic, toPlaced } from './build.ts';
import { defineIntrinsic } from './definition.ts';
import type { ParameterMember, PlacedAt } from './placed-argument.ts';

export const FEDERATED_APPLY = defineIntrinsic(
  'federated_apply',
  '(<(T -> U),T@SERVER> -> U@SERVER)',
);
export const FEDERATED_MAP = defineIntrinsic(
  'federated_map',
  '(<(T -> U),{T}@CLIENTS> -> {U}@CLIENTS)',
);
export const FEDERATED_MAP_ALL_EQUAL = defineIntrinsic(
  'federated_map_all_equal',
  '(<(T -> U),T@CLIENTS> -> U@CLIENTS)',
);

/**
 * Applies a computation to the member at each client, or to the value at the server.
 *
 * @param fn takes the member type. A computation with several parameters takes a struct of them.
 * @param value a placed value, or a struct of values placed alike, which is zipped.
 * @returns `{U}@CLIENTS` or `U@SERVER`. At clients the result is not all-equal, even if the value is.
 */
export function federatedMap(
  fn: PolymorphicComputation,
  value: Value<FederatedType>,
): Operand<FederatedType>;
export function federatedMap<P extends readonly Type[], R extends Type>(
  fn: Computation<P, R>,
  value: PlacedAt<ParameterMember<P>, 'server'>,
): Operand<AtServer<R>>;
export function federatedMap<P extends readonly Type[], R extends Type>(
  fn: Computation<P, R>,
  value: PlacedAt<ParameterMember<P>, 'clients'>,
): Operand<AtClients<R, false>>;
export function federatedMap<M extends Type, R extends Type>(
  fn: Computation<readonly [M], R>,
  value: Value<FederatedType<NoInfer<M>, 'server'>>,
): Operand<AtServer<R>>;
export function federatedMap<M extends Type, R extends Type>(
  fn: Computation<readonly [M], R>,
  value: Value<AtClients<NoInfer<M>>>,
): Operand<AtClients<R, false>>;
export function federatedMap(fn: unknown, value: unknown): Operand<Type> {
  const { node, type } = toPlaced(value, 'The second argument of federatedMap');
  const mapper = toFunction(fn, [type.member], 'The first argument of federatedMap');
  requireAssignable(
    mapper.type.parameter ?? type.member,
    type.member,
    'The value given to federatedMap',
  );
  const atServer = type.placement === 'server';
  const result = federated(mapper.type.result, type.placement, atServer);
  return bindIntrinsic(atServer ? FEDERATED_APPLY : FEDERATED_MAP, [mapper.node, node], result);
}

/** A building block of function type with a parameter. */
export interface FunctionBlock {
  readonly node: BuildingBlock;
  readonly type: FunctionType;
}

/**
 * The function that an argument of an intrinsic stands for. A polymorphic computation takes the
 * types that the intrinsic will call it with.
 * @throws FederatedTypeError `type.wrong_kind` if it is no function with a parameter.
 */
export function toFunction(
  source: unknown,
  parameters: readonly Type[],
  what: string,
): FunctionBlock {
  const computation = isPolymorphic(source) ? source.withTypes(...parameters) : source;
  const node = toBlock(computation, what);
  const { type } = node;
  if (type.kind === 'function' && type.parameter !== null) return { node, type };
  const [only] = parameters;
  const expected = `(${parameters.length === 1 ? String(only) : `<${parameters.join(',')}>`} -> U)`;
  throw new FederatedTypeError(
    'type.wrong_kind',
    `${what} must be a computation with a parameter.\n  expected: ${expected}\n  given:    ${String(type)}`,
    {
      expected,
      given: String(type.kind === 'function' ? func(type.parameter, type.result) : type),
    },
  );
}

function isPolymorphic(source: unknown): source is PolymorphicComputation {
  return typeof source === 'function' && 'withTypes' in source;
}
