/**
 * @file Arithmetic on values of any numeric type, as kernel graphs built by hand: what composite
 * intrinsics are made of. Structs are treated leaf by leaf.
 *
 * Sums of integers go through accumulators that cannot overflow for fewer than 2^31 terms (an int64
 * for an int32, two for an int64), and are checked once at the end: so a sum does not depend on the
 * order of its terms, and never wraps.
 */

import type { BuildingBlock } from '../computations/building-blocks.ts';
import {
  type Compiled,
  compiled,
  type Literal,
  lambda,
  literal,
  reference,
} from '../computations/building-blocks.ts';
import type { ValueId } from '../computations/tensors/graph.ts';
import { GraphBuilder } from '../computations/tensors/index.ts';
import {
  allocate,
  type DType,
  func,
  integerRange,
  isIntegerDType,
  type MaterializedValue,
  structOf,
  type TensorType,
  TensorValue,
  type Type,
  tensorLeaves,
  tensorOfShape,
} from '../computations/types/index.ts';

/** A fold whose steps are building blocks: what an aggregation is given. */
export interface Fold {
  readonly zero: Literal;
  /** `(<U,T> -> U)` */
  readonly accumulate: BuildingBlock;
  /** `(<U,U> -> U)` */
  readonly merge: BuildingBlock;
  /** `(U -> R)` */
  readonly report: BuildingBlock;
}

/** Adds values of type `member`, exactly for integers; reports the total as `member`. */
export function sumFold(member: Type): Fold {
  const leaves = tensorLeaves(member);
  const state = structOf(leaves.flatMap((leaf) => accumulatorOf(leaf).map(unnamed)));
  return {
    zero: zeros(state),
    accumulate: graphBlock(
      'accumulate_sum',
      [state, member],
      state,
      (builder, [totals = [], terms = []]) => addTerms(builder, leaves, totals, terms),
    ),
    merge: addStates('merge_sum', state),
    report: graphBlock('report_sum', [state], member, (builder, [totals = []]) =>
      closeSums(builder, leaves, totals),
    ),
  };
}

/** What a mean over nothing is: an error that names the cause, or zero. */
export type WhenEmpty = 'error' | 'zero';

/** The mean of values of type `member`, all weighted alike. */
export function meanFold(member: Type, whenEmpty: WhenEmpty): Fold {
  const leaves = tensorLeaves(member);
  const count = scalar('int64');
  const state = structOf([...leaves, count].map(unnamed));
  return {
    zero: zeros(state),
    accumulate: graphBlock(
      'accumulate_mean',
      [state, member],
      state,
      (builder, [totals = [], terms = []]) => [
        ...addTerms(builder, leaves, totals.slice(0, -1), terms),
        addInteger(builder, last(totals), builder.constant(int64Value(1n))),
      ],
    ),
    merge: addStates('merge_mean', state),
    report: graphBlock('report_mean', [state], member, (builder, [totals = []]) =>
      divideBy(builder, totals.slice(0, -1), last(totals), whenEmpty, [
        { count: last(totals), failure: EMPTY_MEAN },
      ]),
    ),
  };
}

/**
 * The weighted mean. Terms are `<w·v, w>` with the products already formed.
 * @param weight type of the weight, a scalar.
 */
export function weightedMeanFold(member: Type, weight: TensorType, whenEmpty: WhenEmpty): Fold {
  const leaves = tensorLeaves(member);
  const state = structOf([...leaves, ...accumulatorOf(weight), scalar('int64')].map(unnamed));
  const term = structOf([unnamed(member), unnamed(weight)]);
  return {
    zero: zeros(state),
    accumulate: graphBlock(
      'accumulate_weighted_mean',
      [state, term],
      state,
      (builder, [totals = [], terms = []]) => [
        ...addTerms(builder, [...leaves, weight], totals.slice(0, -1), terms),
        addInteger(builder, last(totals), builder.constant(int64Value(1n))),
      ],
    ),
    merge: addStates('merge_weighted_mean', state),
    report: graphBlock('report_weighted_mean', [state], member, (builder, [totals = []]) => {
      const [high, low] = totals.slice(leaves.length, -1) as [ValueId, ValueId?];
      const total =
        low === undefined
          ? high
          : builder.apply(
              'fl.JoinInt64',
              { hi: high, lo: low },
              { code: 'execution.sum_overflow' },
            );
      const checks = [
        { count: last(totals), failure: EMPTY_MEAN },
        { count: total, failure: ZERO_WEIGHT },
      ];
      return divideBy(builder, totals.slice(0, leaves.length), total, whenEmpty, checks);
    }),
  };
}

/** The smallest or largest value at each position. */
export function extremumFold(member: Type, which: 'min' | 'max'): Fold {
  const choose = graphBlock(
    `choose_${which}`,
    [member, member],
    member,
    (builder, [left = [], right = []]) =>
      left.map((a, i) => {
        const b = right[i] as ValueId;
        const integer = isIntegerDType(builder.spec(a).dtype);
        const kernel =
          which === 'min' ? (integer ? 'fl.Min' : 'Minimum') : integer ? 'fl.Max' : 'Maximum';
        return builder.apply(kernel, { a, b });
      }),
  );
  return {
    zero: filled(member, (dtype) => neutralOf(dtype, which)),
    accumulate: choose,
    merge: choose,
    report: lambda('result', member, reference('result', member)),
  };
}

/** `(<T,W> -> <T,W>)`: multiplies every leaf of a value by its weight, and keeps the weight. */
export function weigh(member: Type, weight: TensorType): Compiled {
  const term = structOf([unnamed(member), unnamed(weight)]);
  return graphBlock('weigh', [term], term, (builder, [leaves = []]) => {
    const factor = last(leaves);
    const products = leaves.slice(0, -1).map((leaf) =>
      builder.apply('Multiply', {
        a: leaf,
        b: castTo(builder, factor, builder.spec(leaf).dtype),
      }),
    );
    return [...products, factor];
  });
}

/** `(<T,T> -> T)`, leaf by leaf. An integer result that does not fit its dtype is an error. */
export function elementwise(
  name: string,
  member: Type,
  operation: 'add' | 'multiply' | 'divide',
): Compiled {
  return graphBlock(name, [member, member], member, (builder, [left = [], right = []]) =>
    left.map((a, i) => {
      const b = right[i] as ValueId;
      if (operation === 'divide') return builder.apply('RealDiv', { a, b });
      const kernels = isIntegerDType(builder.spec(a).dtype) ? INTEGER_KERNELS : FLOAT_KERNELS;
      return builder.apply(kernels[operation], { a, b });
    }),
  );
}

/** A literal of `type` with every element zero. */
export function zeros(type: Type): Literal {
  return filled(type, (dtype) => (dtype === 'int64' ? 0n : 0));
}

const INTEGER_KERNELS = { add: 'fl.Add', multiply: 'fl.Mul' } as const;
const FLOAT_KERNELS = { add: 'Add', multiply: 'Multiply' } as const;

const EMPTY_MEAN = {
  code: 'execution.empty_mean',
  message:
    "A mean over no clients is undefined. Run it with clients, or ask for zero: federatedMean(x, { whenEmpty: 'zero' }).",
} as const satisfies Failure;
const ZERO_WEIGHT = {
  code: 'execution.zero_weight',
  message:
    "The weights of a mean add up to zero. Give at least one client a weight, or ask for zero: federatedMean(x, { weight, whenEmpty: 'zero' }).",
} as const satisfies Failure;

/** The tensors that accumulate a leaf of a sum. */
function accumulatorOf(leaf: TensorType): readonly TensorType[] {
  const wide = tensorOfShape('int64', leaf.shape);
  if (leaf.dtype === 'int64') return [wide, wide];
  return isIntegerDType(leaf.dtype) ? [wide] : [leaf];
}

function addTerms(
  builder: GraphBuilder,
  leaves: readonly TensorType[],
  totals: readonly ValueId[],
  terms: readonly ValueId[],
): ValueId[] {
  let next = 0;
  return leaves.flatMap((leaf, i) => {
    const term = terms[i] as ValueId;
    const parts =
      leaf.dtype === 'int64'
        ? builder.node('fl.SplitInt64', { x: term })
        : [isIntegerDType(leaf.dtype) ? castTo(builder, term, 'int64') : term];
    return parts.map((part) => {
      const total = totals[next++] as ValueId;
      return isIntegerDType(leaf.dtype)
        ? addInteger(builder, total, part)
        : builder.apply('Add', { a: total, b: part });
    });
  });
}

function closeSums(
  builder: GraphBuilder,
  leaves: readonly TensorType[],
  totals: readonly ValueId[],
): ValueId[] {
  let next = 0;
  const code = 'execution.sum_overflow';
  return leaves.map((leaf) => {
    const total = totals[next++] as ValueId;
    if (leaf.dtype === 'int64') {
      return builder.apply('fl.JoinInt64', { hi: total, lo: totals[next++] as ValueId }, { code });
    }
    return isIntegerDType(leaf.dtype)
      ? builder.apply('fl.Cast', { x: total }, { dtype: leaf.dtype, code })
      : total;
  });
}

function addStates(name: string, state: Type): Compiled {
  return graphBlock(name, [state, state], state, (builder, [left = [], right = []]) =>
    left.map((a, i) => {
      const b = right[i] as ValueId;
      return isIntegerDType(builder.spec(a).dtype)
        ? addInteger(builder, a, b)
        : builder.apply('Add', { a, b });
    }),
  );
}

interface Failure {
  readonly code: string;
  readonly message: string;
}

/**
 * sums / denominator. Where a count is zero the result is an error that names the cause, or zero.
 * @param checks counts that must not be zero, in the order in which they are checked.
 */
function divideBy(
  builder: GraphBuilder,
  sums: readonly ValueId[],
  denominator: ValueId,
  whenEmpty: WhenEmpty,
  checks: readonly { readonly count: ValueId; readonly failure: Failure }[],
): ValueId[] {
  if (whenEmpty === 'error') {
    const divisor = checks.reduce(
      (data, { count, failure }) =>
        builder.apply('fl.Require', { condition: isNotZero(builder, count), data }, { ...failure }),
      denominator,
    );
    return sums.map((a) =>
      builder.apply('RealDiv', { a, b: castTo(builder, divisor, builder.spec(a).dtype) }),
    );
  }
  const condition = isNotZero(builder, denominator);
  return sums.map((a) => {
    const { dtype } = builder.spec(a);
    const zero = builder.constant(new TensorValue(dtype, [], allocate(dtype, 1)));
    const quotient = builder.apply('RealDiv', { a, b: castTo(builder, denominator, dtype) });
    return builder.apply('fl.Select', { condition, a: quotient, b: zero });
  });
}

function isNotZero(builder: GraphBuilder, value: ValueId): ValueId {
  const { dtype } = builder.spec(value);
  const zero = new TensorValue(dtype, [], allocate(dtype, 1));
  return builder.apply(isIntegerDType(dtype) ? 'fl.NotEqual' : 'NotEqual', {
    a: value,
    b: builder.constant(zero),
  });
}

function addInteger(builder: GraphBuilder, a: ValueId, b: ValueId): ValueId {
  return builder.apply('fl.Add', { a, b }, { overflow: 'execution.sum_overflow' });
}

function castTo(builder: GraphBuilder, x: ValueId, dtype: DType): ValueId {
  return builder.spec(x).dtype === dtype ? x : builder.apply('fl.Cast', { x }, { dtype });
}

type GraphBody = (
  builder: GraphBuilder,
  parameters: readonly (readonly ValueId[])[],
) => readonly ValueId[];

/** A compiled block from a graph built by hand; `body` gets the leaves of each parameter. */
function graphBlock(
  name: string,
  parameters: readonly Type[],
  result: Type,
  body: GraphBody,
): Compiled {
  const builder = new GraphBuilder();
  const ids = parameters.map((type) => tensorLeaves(type).map((leaf) => builder.parameter(leaf)));
  const graph = builder.build(body(builder, ids));
  const [only] = parameters;
  const parameter = parameters.length === 1 && only ? only : structOf(parameters.map(unnamed));
  return compiled(name, graph, func(parameter, result));
}

function filled(type: Type, value: (dtype: DType) => number | bigint): Literal {
  return literal(filledValue(type, value), type);
}

function filledValue(type: Type, value: (dtype: DType) => number | bigint): MaterializedValue {
  if (type.kind === 'struct') {
    return {
      kind: 'struct',
      elements: type.elements.map((element) => filledValue(element.type, value)),
    };
  }
  const { dtype, shape } = type as TensorType;
  const sizes = (shape ?? []).map((size) => size ?? 0);
  const data = allocate(
    dtype,
    sizes.reduce((n, size) => n * size, 1),
  );
  (data as { fill(value: number | bigint): unknown }).fill(value(dtype));
  return new TensorValue(dtype, sizes, data);
}

/** The value that changes no minimum, or no maximum. */
function neutralOf(dtype: DType, which: 'min' | 'max'): number | bigint {
  if (!isIntegerDType(dtype)) return which === 'min' ? MAX_FLOAT32 : -MAX_FLOAT32;
  const { min, max } = integerRange(dtype);
  const neutral = which === 'min' ? max : min;
  return dtype === 'int64' ? neutral : Number(neutral);
}

const MAX_FLOAT32 = (2 - 2 ** -23) * 2 ** 127;

function int64Value(value: bigint): TensorValue<'int64'> {
  return new TensorValue('int64', [], BigInt64Array.of(value));
}

function scalar(dtype: DType): TensorType {
  return tensorOfShape(dtype, []);
}

function unnamed(type: Type): { readonly name: null; readonly type: Type } {
  return { name: null, type };
}

function last(ids: readonly ValueId[]): ValueId {
  return ids.at(-1) as ValueId;
}
