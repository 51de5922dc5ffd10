/**
 * @file Computing over sequences, element by element: the loops of the language. On a placed
 * sequence they run where it is.
 */

import {
  type BuildingBlock,
  call,
  intrinsic,
  lambda,
  reference,
  selection,
  structBlock,
} from '../computations/building-blocks.ts';
import type { Computation, Operand, Value } from '../computations/computation.ts';
import { currentTrace } from '../computations/trace.ts';
import {
  type ArgumentOf,
  compactNotation,
  explainUnfit,
  type FederatedType,
  FederatedTypeError,
  type FunctionType,
  federated,
  func,
  isSumCompatible,
  requireAssignable,
  type SequenceType,
  sequence,
  type Type,
} from '../computations/types/index.ts';
import { bindValue, toBlock } from '../computations/value.ts';
import { bindIntrinsic, intrinsicCall, toPlaced } from './build.ts';
import { argumentTypes, defineIntrinsic } from './definition.ts';
import { sumFold } from './local-arithmetic.ts';
import { FEDERATED_APPLY, FEDERATED_MAP, toFunction } from './map.ts';
import type { NumericMember } from './members.ts';

export const SEQUENCE_MAP = defineIntrinsic('sequence_map', '(<(T -> U),T*> -> U*)');
export const SEQUENCE_REDUCE = defineIntrinsic('sequence_reduce', '(<T*,U,(<U,T> -> U)> -> U)');
export const SEQUENCE_SUM = defineIntrinsic('sequence_sum', '(T* -> T)', {
  rule: requireSummable,
  reduce: reduceSequenceSum,
});

type Placement = 'clients' | 'server';
type IsServer<P> = P extends 'server' ? true : false;

/** Applies a computation to every element: `(<(T -> U),T*> -> U*)`. Nothing runs until the sequence is read. */
export function sequenceMap<E extends Type, R extends Type>(
  fn: Computation<readonly [E], R>,
  value: Value<SequenceType<NoInfer<E>>>,
): Operand<SequenceType<R>>;
export function sequenceMap<E extends Type, R extends Type, P extends Placement>(
  fn: Computation<readonly [E], R>,
  value: Value<FederatedType<SequenceType<NoInfer<E>>, P>>,
): Operand<FederatedType<SequenceType<R>, P, IsServer<P>>>;
export function sequenceMap(fn: unknown, value: unknown): Operand<Type> {
  const source = toSequence(value, 'The second argument of sequenceMap');
  const mapper = toFunction(fn, [source.element], 'The first argument of sequenceMap');
  requireAssignable(
    mapper.type.parameter ?? source.element,
    source.element,
    'The element given to the first argument of sequenceMap',
  );
  return overSequence(source, [], ([elements]) =>
    intrinsicCall(SEQUENCE_MAP, [mapper.node, elements], sequence(mapper.type.result)),
  );
}

/**
 * Folds a sequence: `(<T*,U,(<U,T> -> U)> -> U)`. The state stays where the computation runs.
 * @param zero the first state, as data or as a value placed like the sequence.
 */
export function sequenceReduce<U extends Type, E extends Type, V extends Type>(
  value: Value<SequenceType<NoInfer<E>>>,
  zero: ArgumentOf<NoInfer<U>> | Value<NoInfer<U>>,
  step: Computation<readonly [U, E], V>,
): Operand<U>;
export function sequenceReduce<U extends Type, E extends Type, V extends Type, P extends Placement>(
  value: Value<FederatedType<SequenceType<NoInfer<E>>, P>>,
  zero: ArgumentOf<NoInfer<U>> | Value<FederatedType<NoInfer<U>, P>>,
  step: Computation<readonly [U, E], V>,
): Operand<FederatedType<U, P, IsServer<P>>>;
export function sequenceReduce(value: unknown, zero: unknown, step: unknown): Operand<Type> {
  const source = toSequence(value, 'The first argument of sequenceReduce');
  const fold = toFunction(step, [source.element], 'The third argument of sequenceReduce');
  const [state, taken] = fold.type.parameter?.kind === 'struct' ? fold.type.parameter.elements : [];
  if (state === undefined || taken === undefined) {
    const given = compactNotation(fold.type);
    throw new FederatedTypeError(
      'type.not_assignable',
      `The third argument of sequenceReduce must take a state and an element, and return a state.\n  expected: (<U,${compactNotation(source.element)}> -> U)\n  given:    ${given}`,
      { expected: '(<U,T> -> U)', given },
    );
  }
  const what = 'the third argument of sequenceReduce';
  requireAssignable(taken.type, source.element, `The element given to ${what}`);
  requireAssignable(state.type, fold.type.result, `The state returned by ${what}`);
  const start = toBlock(zero, 'The second argument of sequenceReduce', state.type);
  const reduce = (elements: BuildingBlock, first: BuildingBlock): BuildingBlock =>
    intrinsicCall(SEQUENCE_REDUCE, [elements, first, fold.node], state.type);
  if (source.placed !== null && start.type.kind === 'federated') {
    const placedStart = toPlaced(
      zero,
      'The second argument of sequenceReduce',
      source.placed.placement,
    );
    return overSequence(source, [placedStart.node], ([elements, first]) =>
      reduce(elements, first as BuildingBlock),
    );
  }
  return overSequence(source, [], ([elements]) => reduce(elements, start));
}

/**
 * The sum of the elements, zero if there are none. Integers are added exactly: a total that does
 * not fit the dtype is `execution.sum_overflow`.
 */
export function sequenceSum<E extends NumericMember>(value: Value<SequenceType<E>>): Operand<E>;
export function sequenceSum<E extends NumericMember, P extends Placement>(
  value: Value<FederatedType<SequenceType<E>, P>>,
): Operand<FederatedType<E, P, IsServer<P>>>;
export function sequenceSum(value: unknown): Operand<Type> {
  const source = toSequence(value, 'The argument of sequenceSum');
  return overSequence(source, [], ([elements]) =>
    intrinsicCall(SEQUENCE_SUM, [elements], source.element),
  );
}

interface Source {
  readonly node: BuildingBlock;
  readonly element: Type;
  /** The federated type, if the sequence is placed. */
  readonly placed: FederatedType | null;
}

function toSequence(value: unknown, what: string): Source {
  currentTrace(what);
  const node = toBlock(value, what);
  const placed = node.type.kind === 'federated' ? node.type : null;
  const type = placed?.member ?? node.type;
  if (type.kind === 'sequence') return { node, element: type.element, placed };
  const given = compactNotation(node.type);
  throw new FederatedTypeError(
    'type.wrong_kind',
    `${what} must be a sequence, placed or not.\n  expected: T*\n  given:    ${given}`,
    {
      expected: 'T*',
      given,
    },
  );
}

type Blocks = readonly [BuildingBlock, ...BuildingBlock[]];

/** The call that `body` builds, on an unplaced sequence; on a placed one, a map of it. */
function overSequence(
  source: Source,
  others: readonly BuildingBlock[],
  body: (blocks: Blocks) => BuildingBlock,
): Operand<Type> {
  if (source.placed === null) {
    return bindValue(body([source.node, ...others]), 'a sequence operation');
  }
  const { placement } = source.placed;
  const definition = placement === 'server' ? FEDERATED_APPLY : FEDERATED_MAP;
  const argument =
    others.length === 0
      ? { node: source.node, type: source.placed }
      : toPlaced(
          [source.node, ...others].map((node) => bindValue(node, 'a sequence operation')),
          'a sequence operation',
        );
  const parameter = reference('arg', argument.type.member);
  const blocks: Blocks =
    others.length === 0
      ? [parameter]
      : [selection(parameter, 0), ...others.map((_, i) => selection(parameter, i + 1))];
  const mapper = lambda('arg', parameter.type, body(blocks));
  return bindIntrinsic(
    definition,
    [mapper, argument.node],
    federated(mapper.type.result, placement, placement === 'server'),
  );
}

function requireSummable(type: Type): void {
  const [argument] = argumentTypes(type as FunctionType);
  if (argument?.kind === 'sequence' && isSumCompatible(argument.element)) return;
  const shown =
    argument?.kind === 'sequence'
      ? explainUnfit(argument.element, isSumCompatible)
      : `  given:    ${String(argument)}`;
  throw new FederatedTypeError(
    'type.sum_incompatible',
    `A sum takes numbers of known shape, or structs of them.\n${shown}`,
    { expected: 'T* of numbers', given: String(argument) },
  );
}

/** `(arg -> report(sequence_reduce(<arg,zero,accumulate>)))` */
function reduceSequenceSum(type: Type): BuildingBlock {
  const [source] = argumentTypes(type as FunctionType) as [SequenceType];
  const { zero, accumulate, report } = sumFold(source.element);
  const argument = structBlock(
    [reference('arg', source), zero, accumulate].map((value) => ({ name: null, value })),
  );
  const total = call(intrinsic(SEQUENCE_REDUCE.uri, func(argument.type, zero.type)), argument);
  return lambda('arg', source, call(report, total));
}
