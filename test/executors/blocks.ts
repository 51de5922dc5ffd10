/** @file Small computations that tests of executors run, as building blocks made by hand. */

import {
  type BuildingBlock,
  type Compiled,
  call,
  compiled,
  intrinsic,
  lambda,
  literal,
  reference,
  selection,
  structBlock,
} from '../../computations/building-blocks.ts';
import { GraphBuilder } from '../../computations/tensors/index.ts';
import {
  atClients,
  atServer,
  bool,
  type FunctionType,
  float32,
  func,
  int32,
  type MaterializedValue,
  sequence,
  string,
  structOf,
  TensorValue,
  type Type,
} from '../../computations/types/index.ts';

export const INT = int32();

export function int(value: number): TensorValue<'int32'> {
  return new TensorValue('int32', [], Int32Array.of(value));
}

export function ints(...values: number[]): TensorValue<'int32'> {
  return new TensorValue('int32', [values.length], Int32Array.from(values));
}

export function intLiteral(value: number): BuildingBlock {
  return literal(int(value), INT);
}

/** `(int32 -> int32)`: x + n. */
export function addConstant(n: number): Compiled {
  const builder = new GraphBuilder();
  const x = builder.parameter(INT);
  const sum = builder.apply('fl.Add', { a: x, b: builder.constant(int(n)) });
  return compiled(`add_${n}`, builder.build([sum]), func(INT, INT));
}

/** `(<int32,int32> -> int32)`: 10 a + b, so that order shows. */
export const appendDigit: Compiled = (() => {
  const builder = new GraphBuilder();
  const a = builder.parameter(INT);
  const b = builder.parameter(INT);
  const shifted = builder.apply('fl.Mul', { a, b: builder.constant(int(10)) });
  const pair = structOf([unnamed(INT), unnamed(INT)]);
  const result = builder.apply('fl.Add', { a: shifted, b });
  return compiled('append_digit', builder.build([result]), func(pair, INT));
})();

/** `(<int32,int32> -> int32)` */
export const add: Compiled = (() => {
  const builder = new GraphBuilder();
  const a = builder.parameter(INT);
  const b = builder.parameter(INT);
  const pair = structOf([unnamed(INT), unnamed(INT)]);
  return compiled('add', builder.build([builder.apply('fl.Add', { a, b })]), func(pair, INT));
})();

/** `(<x=float32[2],y=<int32>> -> <sum=float32[2],twice=<int32>>)` */
export const mixed: Compiled = (() => {
  const builder = new GraphBuilder();
  const x = builder.parameter(float32(2));
  const y = builder.parameter(INT);
  const inner = structOf([unnamed(INT)]);
  const results = [builder.apply('Add', { a: x, b: x }), builder.apply('fl.Add', { a: y, b: y })];
  return compiled(
    'mixed',
    builder.build(results),
    func(
      structOf([
        { name: 'x', type: float32(2) },
        { name: 'y', type: inner },
      ]),
      structOf([
        { name: 'sum', type: float32(2) },
        { name: 'twice', type: inner },
      ]),
    ),
  );
})();

/** `( -> int32)` */
export const seven: Compiled = (() => {
  const builder = new GraphBuilder();
  return compiled('seven', builder.build([builder.constant(int(7))]), func(null, INT));
})();

/** `(int32 -> int32)` that fails for every argument but zero: the cast to uint8 has no room. */
export const failUnlessSmall: Compiled = (() => {
  const builder = new GraphBuilder();
  const x = builder.parameter(INT);
  const code = 'execution.sum_overflow';
  const small = builder.apply('fl.Cast', { x }, { dtype: 'uint8', code });
  const back = builder.apply('fl.Cast', { x: small }, { dtype: 'int32' });
  return compiled('fail_unless_small', builder.build([back]), func(INT, INT));
})();

export const identity = (type: Type): BuildingBlock => lambda('x', type, reference('x', type));

/** A call of an intrinsic on unnamed arguments. */
export function callIntrinsic(
  uri: string,
  args: readonly BuildingBlock[],
  result: Type,
): BuildingBlock {
  const [only] = args;
  const argument = args.length === 1 && only ? only : structBlock(args.map(unnamedValue));
  return call(intrinsic(uri, func(argument.type, result)), argument);
}

/** A computation `(parameter -> body)`. */
export function computation(
  parameter: Type,
  body: (argument: BuildingBlock) => BuildingBlock,
): BuildingBlock & { readonly type: FunctionType } {
  return lambda('arg', parameter, body(reference('arg', parameter)));
}

export function pair(a: BuildingBlock, b: BuildingBlock): BuildingBlock {
  return structBlock([unnamedValue(a), unnamedValue(b)]);
}

export function unnamed(type: Type): { readonly name: null; readonly type: Type } {
  return { name: null, type };
}

export function unnamedValue(value: BuildingBlock): {
  readonly name: null;
  readonly value: BuildingBlock;
} {
  return { name: null, value };
}

/** `({int32}@CLIENTS -> int32@SERVER)` by `federated_aggregate`; shows the order of accumulation. */
export const digitsAtServer = computation(atClients(INT), (x) =>
  callIntrinsic(
    'federated_aggregate',
    [x, intLiteral(0), appendDigit, add, identity(INT)],
    atServer(INT),
  ),
);

/** `({T}@CLIENTS -> {U}@CLIENTS)` */
export function mapComputation(fn: BuildingBlock): BuildingBlock & { readonly type: FunctionType } {
  if (fn.type.kind !== 'function' || fn.type.parameter === null) throw new TypeError('no function');
  const { parameter, result } = fn.type;
  return computation(atClients(parameter), (x) =>
    callIntrinsic('federated_map', [fn, x], atClients(result)),
  );
}

export function federatedInts(...values: number[]): MaterializedValue {
  return { kind: 'federated', members: values.map(int) };
}

/** What a value holds, as nested arrays of numbers, strings and booleans. */
export async function plain(value: MaterializedValue): Promise<unknown> {
  switch (value.kind) {
    case 'tensor':
      return value.toArray();
    case 'struct':
      return Promise.all(value.elements.map(plain));
    case 'federated':
      return Promise.all(value.members.map(plain));
    case 'sequence': {
      const elements: unknown[] = [];
      for await (const element of value.elements) elements.push(await plain(element));
      return elements;
    }
  }
}

export { bool, func, selection, sequence, string, structBlock };
