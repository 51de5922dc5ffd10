/** @file Placing and moving values: broadcast, value, evaluation at a place, zip. */

import { data } from '../computations/building-blocks.ts';
import type { Computation, Operand, Value, ValueLike } from '../computations/computation.ts';
import { currentTrace } from '../computations/trace.ts';
import {
  type ArgumentOf,
  type AtClients,
  type AtServer,
  compactNotation,
  type FederatedType,
  FederatedTypeError,
  type FunctionType,
  federated,
  isIdentical,
  type StructType,
  type Type,
} from '../computations/types/index.ts';
import { bindValue, toBlock } from '../computations/value.ts';
import { bindIntrinsic, toPlaced, zippedType } from './build.ts';
import { argumentTypes, defineIntrinsic } from './definition.ts';

export const FEDERATED_BROADCAST = defineIntrinsic(
  'federated_broadcast',
  '(T@SERVER -> T@CLIENTS)',
  {
    broadcast: 'plain',
  },
);
export const FEDERATED_VALUE_AT_CLIENTS = defineIntrinsic(
  'federated_value_at_clients',
  '(T -> T@CLIENTS)',
);
export const FEDERATED_VALUE_AT_SERVER = defineIntrinsic(
  'federated_value_at_server',
  '(T -> T@SERVER)',
);
export const FEDERATED_EVAL_AT_CLIENTS = defineIntrinsic(
  'federated_eval_at_clients',
  '(( -> T) -> {T}@CLIENTS)',
);
export const FEDERATED_EVAL_AT_SERVER = defineIntrinsic(
  'federated_eval_at_server',
  '(( -> T) -> T@SERVER)',
);
export const FEDERATED_ZIP_AT_CLIENTS = defineIntrinsic(
  'federated_zip_at_clients',
  '(T -> {U}@CLIENTS)',
  {
    rule: requireZipType,
  },
);
export const FEDERATED_ZIP_AT_SERVER = defineIntrinsic(
  'federated_zip_at_server',
  '(T -> U@SERVER)',
  {
    rule: requireZipType,
  },
);

/** A place that a computation can speak of. */
export type UserPlacement = 'clients' | 'server';
type AllEqualAt<P extends UserPlacement, M extends Type> = P extends 'clients'
  ? AtClients<M, true>
  : AtServer<M>;

/** Sends a value at the server to every client: `(T@SERVER -> T@CLIENTS)`. */
export function federatedBroadcast<M extends Type>(
  value: Value<FederatedType<M, 'server'>>,
): Operand<AtClients<M, true>> {
  const { node, type } = toPlaced(value, 'The argument of federatedBroadcast', 'server');
  return bindIntrinsic(FEDERATED_BROADCAST, [node], federated(type.member, 'clients', true));
}

/** Places a constant or an unplaced value at the server or, the same one, at every client. */
export function federatedValue<M extends Type, P extends UserPlacement>(
  value: Value<M>,
  placement: P,
): Operand<AllEqualAt<P, M>>;
export function federatedValue<M extends Type, P extends UserPlacement>(
  value: ArgumentOf<M>,
  placement: P,
  type: M,
): Operand<AllEqualAt<P, M>>;
export function federatedValue<P extends UserPlacement>(
  value: number | bigint | boolean | string,
  placement: P,
): Operand<AllEqualAt<P, Type>>;
export function federatedValue(
  value: unknown,
  placement: UserPlacement,
  type?: Type,
): Operand<Type> {
  requirePlacement(placement, 'federatedValue');
  const node = toBlock(value, 'The argument of federatedValue', type);
  const definition =
    placement === 'clients' ? FEDERATED_VALUE_AT_CLIENTS : FEDERATED_VALUE_AT_SERVER;
  return bindIntrinsic(definition, [node], federated(node.type, placement, true));
}

/**
 * The data that each client has under a name: `{T}@CLIENTS`. It is found where the client is, by its
 * own data source, and nobody sends it anywhere; how many clients there are is said by the stack.
 * @param type of what one client has: a tensor, a struct, or a sequence for data of any length.
 * @throws FederatedTypeError `type.invalid` for a name that is empty.
 */
export function federatedData<M extends Type>(name: string, type: M): Operand<AtClients<M, false>> {
  currentTrace('federatedData');
  if (typeof name !== 'string' || name === '') {
    throw new FederatedTypeError(
      'type.invalid',
      `federatedData takes the name by which clients know their data; got ${JSON.stringify(name)}.`,
    );
  }
  return bindValue(data(name, federated(type, 'clients', false)), 'federated_data');
}

/** Runs a computation without parameters at the server or, once for each, at the clients. */
export function federatedEval<R extends Type, P extends UserPlacement>(
  computation: Computation<readonly [], R>,
  placement: P,
): Operand<P extends 'clients' ? AtClients<R, false> : AtServer<R>> {
  requirePlacement(placement, 'federatedEval');
  const node = toBlock(computation, 'The first argument of federatedEval');
  const { type } = node;
  if (type.kind !== 'function' || type.parameter !== null) {
    throw new FederatedTypeError(
      'type.not_assignable',
      `federatedEval takes a computation without parameters.\n  expected: ( -> T)\n  given:    ${compactNotation(type)}`,
      { expected: '( -> T)', given: compactNotation(type) },
    );
  }
  const atClients = placement === 'clients';
  const definition = atClients ? FEDERATED_EVAL_AT_CLIENTS : FEDERATED_EVAL_AT_SERVER;
  return bindIntrinsic(definition, [node], federated(type.result, placement, !atClients));
}

/**
 * Values placed at `P`, in an object or an array. The TypeScript compiler follows one level of
 * nesting; structs inside are checked when the computation is traced.
 */
export type Zippable<P extends UserPlacement> =
  | { readonly [name: string]: ZippableEntry<P> }
  | readonly ZippableEntry<P>[];

type ZippableEntry<P extends UserPlacement> =
  | Value<FederatedType<Type, P>>
  | { readonly [name: string]: ValueLike }
  | readonly ValueLike[];

type ZippedMember<V> = StructType<{
  readonly [K in keyof V]: V[K] extends Value<FederatedType<infer M>> ? M : StructType;
}>;

/** Turns a struct of values placed alike, however nested, into a placed struct. */
export function federatedZip<const V extends Zippable<'server'>>(
  values: V,
): Operand<AtServer<ZippedMember<V>>>;
export function federatedZip<const V extends Zippable<'clients'>>(
  values: V,
): Operand<AtClients<ZippedMember<V>, false>>;
export function federatedZip(values: ValueLike): Operand<Type> {
  const node = toBlock(values, 'The argument of federatedZip');
  const zipped = zippedType(node.type);
  if (node.type.kind !== 'struct' || zipped === null) {
    throw new FederatedTypeError(
      'type.not_assignable',
      `federatedZip takes a struct whose leaves are all placed at CLIENTS, or all at SERVER.\n  expected: <{T}@CLIENTS,…> or <T@SERVER,…>\n  given:    ${compactNotation(node.type)}`,
      { expected: '<{T}@CLIENTS,…>', given: compactNotation(node.type) },
    );
  }
  const definition =
    zipped.placement === 'server' ? FEDERATED_ZIP_AT_SERVER : FEDERATED_ZIP_AT_CLIENTS;
  return bindIntrinsic(definition, [node], zipped);
}

function requireZipType(type: FunctionType): void {
  const [argument] = type.parameter?.kind === 'struct' ? [type.parameter] : argumentTypes(type);
  const zipped = argument?.kind === 'struct' ? zippedType(argument) : null;
  if (zipped === null || !isIdentical(zipped, type.result)) {
    throw new FederatedTypeError(
      'type.not_concrete',
      `A zip must turn a struct of values placed alike into one placed struct.\n  expected: (${String(argument)} -> ${zipped ?? '?'})\n  given:    ${compactNotation(type)}`,
      { expected: String(zipped), given: compactNotation(type) },
    );
  }
}

function requirePlacement(placement: unknown, what: string): void {
  if (placement === 'clients' || placement === 'server') return;
  throw new FederatedTypeError(
    'type.invalid',
    `${what} needs a placement, 'clients' or 'server'; got ${String(placement)}.`,
  );
}
