import { beforeEach, describe, expect, test } from 'vitest';
import { compiled, lambda, reference } from '../../../computations/building-blocks.ts';
import { GraphBuilder } from '../../../computations/tensors/index.ts';
import {
  bool,
  float32,
  func,
  int32,
  int64,
  sequence,
  string,
  struct,
  TensorValue,
} from '../../../computations/types/index.ts';
import { TensorExecutor } from '../../../executors/leaf/tensor.ts';
import { run } from '../../compliance/executor-run.ts';
import { addConstant, INT, int, plain } from '../blocks.ts';
import { type TrackedBackend, trackedBackend } from '../tracked-backend.ts';

let backend: TrackedBackend;
let executor: TensorExecutor;

beforeEach(async () => {
  backend = await trackedBackend();
  executor = new TensorExecutor(backend);
});

describe('tensors', () => {
  test('stay on the host until a kernel needs them, and go there once', async () => {
    using x = await executor.createValue(int(1), INT);
    expect(executor.residentTensors).toBe(0);
    using fn = await executor.createValue(addConstant(1), addConstant(1).type);
    using a = await executor.createCall(fn, x);
    using b = await executor.createCall(fn, x);
    expect(executor.residentTensors).toBe(3);
    expect(backend.live()).toBe(3);
    expect(await plain(await a.compute())).toBe(2);
    expect(await plain(await b.compute())).toBe(2);
  });

  test('are freed with their last holder: a struct, a selection, a handle', async () => {
    const fn = await executor.createValue(addConstant(1), addConstant(1).type);
    const x = await executor.createValue(int(1), INT);
    const y = await executor.createCall(fn, x);
    x[Symbol.dispose]();
    expect(executor.residentTensors).toBe(1);
    const box = await executor.createStruct([
      { name: null, value: y },
      { name: null, value: y },
    ]);
    y[Symbol.dispose]();
    const first = await executor.createSelection(box, 0);
    box[Symbol.dispose]();
    expect(executor.residentTensors).toBe(1);
    first[Symbol.dispose]();
    expect(executor.residentTensors).toBe(0);
    expect(backend.live()).toBe(0);
    fn[Symbol.dispose]();
  });

  test('are not the data that they were made of: a later change is not seen', async () => {
    const fn = await executor.createValue(addConstant(1), addConstant(1).type);
    const data = Int32Array.of(1);
    using x = await executor.createValue(new TensorValue('int32', [], data), INT);
    using y = await executor.createCall(fn, x);
    data[0] = 50;
    expect(await plain(await y.compute())).toBe(2);
    fn[Symbol.dispose]();
  });
});

test('computes with unknown sizes, different ones at each call', async () => {
  const builder = new GraphBuilder();
  const x = builder.parameter(float32(null));
  const doubled = builder.apply('Add', { a: x, b: x });
  const twice = compiled('twice', builder.build([doubled]), func(float32(null), float32(null)));
  for (const values of [[1], [1, 2, 3], []]) {
    const data = new TensorValue('float32', [values.length], Float32Array.from(values));
    expect(await run(executor, twice, data)).toEqual(values.map((value) => 2 * value));
  }
  expect(backend.live()).toBe(0);
});

test('passes strings and int64 through a computation', async () => {
  const type = struct([string(), int64(), bool()]);
  const builder = new GraphBuilder();
  const ids = [string(), int64(), bool()].map((leaf) => builder.parameter(leaf));
  const pass = compiled(
    'pass',
    builder.build([...ids].reverse()),
    func(type, struct([bool(), int64(), string()])),
  );
  const value = {
    kind: 'struct',
    elements: [
      new TensorValue('string', [], ['text']),
      new TensorValue('int64', [], BigInt64Array.of(2n ** 60n)),
      new TensorValue('bool', [], Uint8Array.of(1)),
    ],
  } as const;
  expect(await run(executor, pass, value)).toEqual([true, 2n ** 60n, 'text']);
  expect(backend.live()).toBe(0);
});

describe('what it refuses, by name', () => {
  test('syntax and sequences, telling which executor knows them', async () => {
    const identity = lambda('x', INT, reference('x', INT));
    const unsupported = { code: 'execution.unsupported_value' };
    const attempt = executor.createValue(identity, identity.type);
    await expect(attempt).rejects.toMatchObject(unsupported);
    await expect(attempt).rejects.toThrow(/ReferenceResolvingExecutor/);
    const empty = { kind: 'sequence', elements: [] } as const;
    await expect(executor.createValue(empty, sequence(INT))).rejects.toMatchObject(unsupported);
  });

  test('data that is no data of its type', async () => {
    const unsupported = { code: 'execution.unsupported_value' };
    const one = { kind: 'struct', elements: [int(1)] } as const;
    await expect(executor.createValue(one, INT)).rejects.toMatchObject(unsupported);
    await expect(executor.createValue(one, struct([INT, INT]))).rejects.toMatchObject(unsupported);
  });

  test('a graph with another number of results than its type; nothing leaks', async () => {
    const builder = new GraphBuilder();
    const x = builder.parameter(INT);
    const wrong = compiled('wrong', builder.build([x, x]), func(INT, int32()));
    await expect(run(executor, wrong, int(1))).rejects.toThrow(/wrong, whose graph does not fit/);
    expect(backend.live()).toBe(0);
  });
});
