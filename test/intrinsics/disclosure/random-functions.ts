/** @file Random unplaced functions: what a computation maps, folds and reports with. */

import fc from 'fast-check';
import {
  type BuildingBlock,
  block,
  type Compiled,
  call,
  compiled,
  data,
  intrinsic,
  type Lambda,
  lambda,
  reference,
  selection,
  structBlock,
} from '../../../computations/building-blocks.ts';
import { GraphBuilder, type ValueId } from '../../../computations/tensors/index.ts';
import { unknownSize } from '../../../computations/tensors/sizes.ts';
import {
  containsType,
  float32,
  func,
  isIdentical,
  sequence,
  structOf,
  type TensorType,
  type Type,
} from '../../../computations/types/index.ts';
import { int, intLiteral, unnamed, unnamedValue } from '../../executors/blocks.ts';
import { type Draw, INT, PAIR, VECTOR } from './random-data.ts';

/** Names in scope, with the types of what they stand for. */
export type Scope = ReadonlyMap<string, Type>;

export const NO_NAMES: Scope = new Map();

/** Named data that everyone has: at each client its own. */
export const SECRET = 'secret';

export interface FunctionOptions {
  /** Visible in the body beside the parameter. */
  readonly captured?: Scope;
  /** The result is an integer. */
  readonly toInteger?: boolean;
  /** The result may be, or hold, a sequence. */
  readonly sequences?: boolean;
  readonly depth?: number;
}

/** A function on a value of type `parameter`; `null` for none. */
export function randomFunction(
  draw: Draw,
  parameter: Type | null,
  options: FunctionOptions = {},
): Lambda {
  const { captured = NO_NAMES, depth = 2 } = options;
  const name = draw(fc.constantFrom, 'x', 'y', 'arg');
  const scope = new Map(captured);
  if (parameter !== null) scope.set(name, parameter);
  const locals: { name: string; value: BuildingBlock }[] = [];
  const steps = draw(fc.nat, { max: 4 });
  for (let i = 0; i < steps; i++) {
    const value = randomValue(draw, scope, depth);
    const local = draw(fc.constantFrom, 'x', 'y', 'z', `local_${i}`);
    locals.push({ name: local, value });
    scope.set(local, value.type);
  }
  const result = randomResult(draw, scope, options);
  const body = locals.length === 0 ? result : block(locals, result);
  return parameter === null ? lambda(null, null, body) : lambda(name, parameter, body);
}

function randomResult(draw: Draw, scope: Scope, options: FunctionOptions): BuildingBlock {
  const { depth = 2 } = options;
  if (options.toInteger) return integerIn(draw, scope, depth);
  const fitting = references(scope).filter(
    ({ type }) => options.sequences || !containsType(type, ({ kind }) => kind === 'sequence'),
  );
  const [first] = fitting;
  if (first === undefined || draw(fc.nat, { max: 5 }) === 0) return integerIn(draw, scope, depth);
  const one = draw(fc.constantFrom, ...fitting);
  if (draw(fc.boolean)) return draw(fc.boolean) ? one : (fitting.at(-1) ?? one);
  const other = draw(fc.constantFrom, ...fitting);
  return structBlock([{ name: 'p', value: one }, unnamedValue(other)]);
}

/** One step of a body: a value computed from what is in scope. */
function randomValue(draw: Draw, scope: Scope, depth: number): BuildingBlock {
  const source = draw(fc.constantFrom, ...references(scope), intLiteral(3));
  const { type } = source;
  const compute = draw(fc.nat, { max: 9 });
  if (compute === 0 && depth > 0) return secret();
  if (compute < 3) {
    const fn = draw(fc.constantFrom, ADD, MULTIPLY, SPLIT);
    return call(
      fn,
      structBlock([integerIn(draw, scope, depth), integerIn(draw, scope, depth)].map(unnamedValue)),
    );
  }
  if (compute === 3 && depth > 0) {
    const fn = randomFunction(draw, type, { captured: scope, sequences: true, depth: depth - 1 });
    return call(fn, source);
  }
  if (isIdentical(type, PAIR)) return call(ADD_PAIR, source);
  if (isIdentical(type, VECTOR)) return call(SIZE, source);
  if (type.kind === 'struct' && type.elements.length > 0) {
    return selection(source, draw(fc.nat, { max: type.elements.length - 1 }));
  }
  if (type.kind === 'sequence' && depth > 0) {
    return overSequence(draw, source, type.element, scope);
  }
  if (isIdentical(type, INT)) return call(draw(fc.constantFrom, CONSTANT, DOUBLE), source);
  return structBlock([{ name: 'q', value: source }]);
}

function overSequence(
  draw: Draw,
  source: BuildingBlock,
  element: Type,
  scope: Scope,
): BuildingBlock {
  // The functions that a sequence takes find no data by name.
  const options = { captured: capturable(scope), depth: 0 };
  const kind = draw(fc.constantFrom, 'map', 'reduce', 'sum');
  if (kind === 'map') {
    const fn = randomFunction(draw, element, options);
    return operation('sequence_map', [fn, source], sequence(fn.type.result));
  }
  if (kind === 'sum' && isSummable(element)) return operation('sequence_sum', [source], element);
  const state = structOf([unnamed(INT), unnamed(element)]);
  const step = randomFunction(draw, state, { ...options, toInteger: true });
  return operation('sequence_reduce', [source, intLiteral(0), step], INT);
}

/** What a function that is handed on may use of the names around it. */
export function capturable(scope: Scope): Scope {
  return new Map(
    [...scope].filter(
      ([, type]) => !containsType(type, ({ kind }) => kind !== 'tensor' && kind !== 'struct'),
    ),
  );
}

export function references(scope: Scope): BuildingBlock[] {
  return [...scope].map(([name, type]) => reference(name, type));
}

export function isSummable(type: Type): boolean {
  return !containsType(
    type,
    (part) =>
      !(part.kind === 'struct' ? part.elements.length > 0 : isIdentical(part, INT) || isPair(part)),
  );
}

function isPair(type: Type): boolean {
  return isIdentical(type, PAIR);
}

function operation(uri: string, args: readonly BuildingBlock[], result: Type): BuildingBlock {
  const [only] = args;
  const argument = args.length === 1 && only ? only : structBlock(args.map(unnamedValue));
  return call(intrinsic(uri, func(argument.type, result)), argument);
}

/** An integer computed from something in scope, or from what a client finds by name. */
function integerIn(draw: Draw, scope: Scope, depth: number): BuildingBlock {
  // Younger values are made of older ones; taking them makes long ways.
  const all = references(scope);
  const last = depth > 0 ? secret() : intLiteral(5);
  return condense(draw, draw(fc.constantFrom, ...all, ...all.slice(-2), last));
}

/** A call, so that a function which captures it gets the data and not its name. */
function secret(): BuildingBlock {
  return call(DOUBLE, data(SECRET, INT));
}

function condense(draw: Draw, value: BuildingBlock): BuildingBlock {
  const { type } = value;
  if (isIdentical(type, INT)) return value;
  if (isIdentical(type, PAIR)) return call(ADD_PAIR, value);
  if (isIdentical(type, VECTOR)) return call(SIZE, value);
  if (type.kind === 'struct' && type.elements.length > 0) {
    return condense(draw, selection(value, draw(fc.nat, { max: type.elements.length - 1 })));
  }
  if (type.kind === 'sequence') {
    const state = structOf([unnamed(INT), unnamed(type.element)]);
    const next = reference('step', state);
    const term = draw(fc.boolean) ? intLiteral(1) : condense(draw, selection(next, 1));
    const sum = call(ADD, structBlock([selection(next, 0), term].map(unnamedValue)));
    return operation('sequence_reduce', [value, intLiteral(0), lambda('step', state, sum)], INT);
  }
  return intLiteral(6);
}

type Body = (builder: GraphBuilder, inputs: readonly ValueId[]) => readonly ValueId[];

function graph(name: string, inputs: readonly TensorType[], result: Type, body: Body): Compiled {
  const builder = new GraphBuilder();
  const results = body(
    builder,
    inputs.map((type) => builder.parameter(type)),
  );
  const [only] = inputs;
  const parameter = inputs.length === 1 && only ? only : structOf(inputs.map(unnamed));
  return compiled(name, builder.build(results), func(parameter, result));
}

/** Results stay below 97, so that nothing overflows however long the chain. */
function reduced(builder: GraphBuilder, x: ValueId): ValueId {
  return builder.apply('fl.FloorMod', { a: x, b: builder.constant(int(97)) });
}

const ADD = graph('add', [INT, INT], INT, (builder, [a = 0, b = 0]) => [
  reduced(builder, builder.apply('fl.Add', { a: reduced(builder, a), b: reduced(builder, b) })),
]);
const MULTIPLY = graph('multiply', [INT, INT], INT, (builder, [a = 0, b = 0]) => [
  reduced(builder, builder.apply('fl.Mul', { a: reduced(builder, a), b: reduced(builder, b) })),
]);
/** The second result is computed from the first argument alone. */
const SPLIT = graph(
  'split',
  [INT, INT],
  structOf([
    { name: 'x', type: INT },
    { name: 'y', type: INT },
  ]),
  (builder, [a = 0, b = 0]) => [
    reduced(builder, builder.apply('fl.Add', { a: reduced(builder, a), b: reduced(builder, b) })),
    reduced(builder, a),
  ],
);
const DOUBLE = graph('double', [INT], INT, (builder, [x = 0]) => {
  const small = reduced(builder, x);
  return [reduced(builder, builder.apply('fl.Add', { a: small, b: small }))];
});
const CONSTANT = graph('constant', [INT], INT, (builder) => [builder.constant(int(5))]);
const ADD_PAIR = graph('add_pair', [PAIR], INT, (builder, [x = 0]) => [
  reduced(builder, builder.apply('fl.Sum', { x })),
]);
/** The length of a vector: it depends on no element of it. */
const SIZE = graph('size', [VECTOR], INT, (builder) => {
  const shape = [unknownSize(0)];
  const ones = builder.apply('fl.Fill', {}, { shape, value: '1', dtype: 'int32' });
  return [reduced(builder, builder.apply('fl.Sum', { x: ones }))];
});

/** Two keys from 0 to 2. */
export const KEYS = graph('keys', [INT], PAIR, (builder, [x = 0]) => {
  const key = builder.apply('fl.FloorMod', { a: x, b: builder.constant(int(3)) });
  const row = builder.apply('fl.Reshape', { x: key }, { shape: [1] });
  return [builder.apply('fl.Concat', [row, row], { axis: 0 })];
});
export const TO_FLOAT = graph('to_float', [INT], float32(), (builder, [x = 0]) => [
  builder.apply('fl.Cast', { x: reduced(builder, x) }, { dtype: 'float32' }),
]);
