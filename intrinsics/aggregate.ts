/** @file Plain aggregations of client values at the server. What they aggregate, the server sees. */

import type { Computation, Operand, Value } from '../computations/computation.ts';
import {
  type ArgumentOf,
  type AtClients,
  type AtServer,
  compactNotation,
  explainUnfit,
  FederatedTypeError,
  type FunctionType,
  federated,
  isAverageCompatible,
  isNumericDType,
  isOrderCompatible,
  isSumCompatible,
  requireAssignable,
  structOf,
  type TensorType,
  type Type,
} from '../computations/types/index.ts';
import { toBlock } from '../computations/value.ts';
import { bindIntrinsic, toPlaced } from './build.ts';
import { argumentTypes, defineIntrinsic, memberOf } from './definition.ts';
import { toFunction } from './map.ts';
import type { FloatMember, NumericMember } from './members.ts';
import { reduceExtremum, reduceMean, reduceSum, reduceWeightedMean } from './reductions.ts';

export const FEDERATED_AGGREGATE = defineIntrinsic(
  'federated_aggregate',
  '(<{T}@CLIENTS,U,(<U,T> -> U),(<U,U> -> U),(U -> R)> -> R@SERVER)',
  { aggregation: 'plain' },
);
export const FEDERATED_SUM = defineIntrinsic('federated_sum', '({T}@CLIENTS -> T@SERVER)', {
  aggregation: 'plain',
  rule: (type) =>
    requireMember(
      type,
      isSumCompatible,
      'type.sum_incompatible',
      'A sum takes numbers of known shape, or structs of them',
    ),
  reduce: reduceSum,
});
export const FEDERATED_MIN = defineIntrinsic('federated_min', '({T}@CLIENTS -> T@SERVER)', {
  aggregation: 'plain',
  rule: requireOrder,
  reduce: (type) => reduceExtremum(type, 'min'),
});
export const FEDERATED_MAX = defineIntrinsic('federated_max', '({T}@CLIENTS -> T@SERVER)', {
  aggregation: 'plain',
  rule: requireOrder,
  reduce: (type) => reduceExtremum(type, 'max'),
});
export const FEDERATED_MEAN = defineIntrinsic('federated_mean', '({T}@CLIENTS -> T@SERVER)', {
  aggregation: 'plain',
  rule: requireMean,
  reduce: (type) => reduceMean(type, 'error'),
});
export const FEDERATED_MEAN_OR_ZERO = defineIntrinsic(
  'federated_mean_or_zero',
  '({T}@CLIENTS -> T@SERVER)',
  {
    aggregation: 'plain',
    rule: requireMean,
    reduce: (type) => reduceMean(type, 'zero'),
  },
);
export const FEDERATED_WEIGHTED_MEAN = defineIntrinsic(
  'federated_weighted_mean',
  '(<{T}@CLIENTS,{W}@CLIENTS> -> T@SERVER)',
  {
    aggregation: 'plain',
    rule: requireMean,
    reduce: (type) => reduceWeightedMean(type, 'error'),
  },
);
export const FEDERATED_WEIGHTED_MEAN_OR_ZERO = defineIntrinsic(
  'federated_weighted_mean_or_zero',
  '(<{T}@CLIENTS,{W}@CLIENTS> -> T@SERVER)',
  { aggregation: 'plain', rule: requireMean, reduce: (type) => reduceWeightedMean(type, 'zero') },
);

/**
 * Folds client values into one at the server: accumulate, merge, report.
 *
 * A stack may split the clients into groups, fold each from `zero` and merge the results, so `zero`
 * must be neutral and `merge` associative and commutative. Without clients the result is
 * `report(zero)`.
 *
 * @param zero start of each fold, as data or as an unplaced value.
 * @param accumulate takes the state and one client's value, gives the next state.
 * @param merge takes two states, gives one.
 * @param report turns the last state into the result.
 */
export function federatedAggregate<U extends Type, T extends Type, V extends Type, R extends Type>(
  value: Value<AtClients<NoInfer<T>>>,
  zero: ArgumentOf<NoInfer<U>> | Value<NoInfer<U>>,
  accumulate: Computation<readonly [U, T], V>,
  merge: Computation<readonly [NoInfer<U>, NoInfer<U>], V>,
  report: Computation<readonly [NoInfer<U>], R>,
): Operand<AtServer<R>> {
  const what = (which: string): string => `The ${which} argument of federatedAggregate`;
  const { node, type } = toPlaced(value, what('first'), 'clients');
  // The state may have unknown dimensions that zero has known: accumulate says what the state is.
  const fold = toFunction(accumulate, [type.member], what('third'));
  const [state, taken] = fold.type.parameter?.kind === 'struct' ? fold.type.parameter.elements : [];
  if (state === undefined || taken === undefined) {
    const expected = '(<U,T> -> U)';
    const given = compactNotation(fold.type);
    throw new FederatedTypeError(
      'type.not_assignable',
      `${what('third')} must take a state and a client's value, and return a state.\n  expected: ${expected}\n  given:    ${given}`,
      { expected, given },
    );
  }
  const of = (name: string, which: string): string =>
    `${name}, the ${which} argument of federatedAggregate,`;
  requireAssignable(
    taken.type,
    type.member,
    `The client value given to ${of('accumulate', 'third')}`,
  );
  requireAssignable(
    state.type,
    fold.type.result,
    `The state returned by ${of('accumulate', 'third')}`,
  );
  const start = toBlock(zero, what('second'), state.type);
  requireAssignable(state.type, start.type, what('second'));
  const merger = toFunction(merge, [state.type, state.type], what('fourth'));
  const pair = structOf([state, state].map(({ type: each }) => ({ name: null, type: each })));
  requireParameter(merger.type, pair, `The pair of states given to ${of('merge', 'fourth')}`);
  requireAssignable(
    state.type,
    merger.type.result,
    `The state returned by ${of('merge', 'fourth')}`,
  );
  const finish = toFunction(report, [state.type], what('fifth'));
  requireParameter(finish.type, state.type, `The state given to ${of('report', 'fifth')}`);
  return bindIntrinsic(
    FEDERATED_AGGREGATE,
    [node, start, fold.node, merger.node, finish.node],
    federated(finish.type.result, 'server', true),
  );
}

/**
 * The sum of the clients' values; zero without clients. Structs are summed leaf by leaf. Integers
 * are added exactly, in any order: `execution.sum_overflow` if the total does not fit the dtype.
 */
export function federatedSum<M extends NumericMember>(
  value: Value<AtClients<M>>,
): Operand<AtServer<M>> {
  return aggregation(FEDERATED_SUM, value, 'federatedSum');
}

/** The smallest value at each position; the largest value of the dtype without clients. */
export function federatedMin<M extends NumericMember>(
  value: Value<AtClients<M>>,
): Operand<AtServer<M>> {
  return aggregation(FEDERATED_MIN, value, 'federatedMin');
}

/** The largest value at each position; the smallest value of the dtype without clients. */
export function federatedMax<M extends NumericMember>(
  value: Value<AtClients<M>>,
): Operand<AtServer<M>> {
  return aggregation(FEDERATED_MAX, value, 'federatedMax');
}

export interface MeanOptions {
  /** A scalar weight a client, integer or float; the same for all clients if left out. */
  readonly weight?: Value<AtClients<TensorType>>;
  /**
   * What a mean of nothing is (no clients, or a total weight of zero).
   * @default 'error'
   */
  readonly whenEmpty?: 'error' | 'zero';
}

/**
 * The mean of the clients' values, weighted if asked: sum(w·v) / sum(w). Floats, or structs of them.
 * @throws while it runs: ExecutionError `execution.empty_mean` without clients,
 *   `execution.zero_weight` if the weights add up to zero, unless `whenEmpty` is `'zero'`.
 */
export function federatedMean<M extends FloatMember>(
  value: Value<AtClients<M>>,
  options: MeanOptions = {},
): Operand<AtServer<M>> {
  const orZero = options.whenEmpty === 'zero';
  if (options.weight === undefined) {
    return aggregation(orZero ? FEDERATED_MEAN_OR_ZERO : FEDERATED_MEAN, value, 'federatedMean');
  }
  const { node, type } = toPlaced(value, 'The argument of federatedMean', 'clients');
  const weight = toPlaced(options.weight, 'The weight of federatedMean', 'clients');
  const definition = orZero ? FEDERATED_WEIGHTED_MEAN_OR_ZERO : FEDERATED_WEIGHTED_MEAN;
  return bindIntrinsic(definition, [node, weight.node], federated(type.member, 'server', true));
}

function requireParameter(fn: FunctionType, given: Type, what: string): void {
  if (fn.parameter !== null) requireAssignable(fn.parameter, given, what);
}

function aggregation<T extends Type>(
  definition: typeof FEDERATED_SUM,
  value: unknown,
  name: string,
): Operand<T> {
  const { node, type } = toPlaced(value, `The argument of ${name}`, 'clients');
  return bindIntrinsic(definition, [node], federated(type.member, 'server', true));
}

type MemberCode = 'type.sum_incompatible' | 'type.average_incompatible' | 'type.order_incompatible';

function requireMember(
  type: FunctionType,
  fits: (member: Type) => boolean,
  code: MemberCode,
  rule: string,
): void {
  const [value] = argumentTypes(type);
  const member = memberOf(value);
  if (fits(member)) return;
  throw new FederatedTypeError(code, `${rule}.\n${explainUnfit(member, fits)}`, {
    expected: rule,
    given: compactNotation(member),
  });
}

function requireOrder(type: FunctionType): void {
  requireMember(
    type,
    isOrderCompatible,
    'type.order_incompatible',
    'A minimum or maximum takes numbers of known shape, or structs of them',
  );
}

function requireMean(type: FunctionType): void {
  requireMember(
    type,
    isAverageCompatible,
    'type.average_incompatible',
    'A mean takes floats, or structs of them; cast integers to float32 first',
  );
  const [, weight] = argumentTypes(type);
  if (weight === undefined) return;
  const member = memberOf(weight);
  if (member.kind === 'tensor' && member.shape?.length === 0 && isNumericDType(member.dtype))
    return;
  const given = compactNotation(member);
  throw new FederatedTypeError(
    'type.average_incompatible',
    `The weight of a mean is a number a client.\n  expected: a scalar\n  given:    ${given}`,
    {
      expected: 'a scalar',
      given,
    },
  );
}
