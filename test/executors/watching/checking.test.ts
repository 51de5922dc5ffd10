import { expect, test } from 'vitest';
import {
  atClients,
  bool,
  float32,
  func,
  int32,
  type MaterializedValue,
  sequence,
  string,
  struct,
  TensorValue,
  type Type,
} from '../../../computations/types/index.ts';
import type { Executor, ExecutorValue } from '../../../executors/executor.ts';
import { CheckingExecutor } from '../../../executors/watching/checking.ts';
import { SerialExecutor, SerialQueue } from '../../../executors/watching/serial.ts';
import { addConstant, federatedInts, INT, int, ints } from '../blocks.ts';

/** Answers every request with a value of this type and content. */
function answering(type: Type, value: MaterializedValue): Executor {
  const make = async (): Promise<ExecutorValue> => ({
    type,
    compute: async () => value,
    [Symbol.dispose]: () => {},
  });
  return {
    createValue: make,
    createCall: make,
    createStruct: make,
    createSelection: make,
    close: async () => {},
  };
}

const wrong = { name: 'ExecutionError', code: 'execution.wrong_value' };

test.each<[string, Type, MaterializedValue, RegExp]>([
  ['another dtype', float32(), int(1), /holds int32/],
  ['another shape', int32(2), ints(1, 2, 3), /shape \[3\]/],
  ['too few elements', int32(3), new TensorValue('int32', [3], Int32Array.of(1)), /1 elements/],
  [
    'another typed array',
    float32(1),
    new TensorValue('float32', [1], Int32Array.of(1) as unknown as Float32Array<ArrayBuffer>),
    /Int32Array/,
  ],
  ['a bool of two', bool(), new TensorValue('bool', [], Uint8Array.of(2)), /neither 0 nor 1/],
  ['another kind', struct([INT]), int(1), /is a tensor/],
  ['a short struct', struct([INT, INT]), { kind: 'struct', elements: [int(1)] }, /has 1 elements/],
  [
    'a wrong leaf',
    struct({ a: INT, b: string() }),
    { kind: 'struct', elements: [int(1), int(2)] },
    /\.b/,
  ],
  ['a wrong element', sequence(float32()), { kind: 'sequence', elements: [int(1)] }, /\[0\]/],
  ['a wrong member', atClients(float32()), federatedInts(1, 2), /\[clients 0\]/],
])('refuses %s, when it goes in and when it comes out', async (_, type, value, message) => {
  const executor = new CheckingExecutor(answering(type, value), { name: 'clients 7' });
  const putIn = executor.createValue(value, type);
  await expect(putIn).rejects.toMatchObject(wrong);
  await expect(putIn).rejects.toThrow(message);
  await expect(putIn).rejects.toThrow(/clients 7/);
  // Nobody looks at the content of named data before it comes out.
  using named = await executor.createValue({ kind: 'data', uri: 'some', type }, type);
  await expect(named.compute()).rejects.toMatchObject(wrong);
});

test('finds a call whose result has another type, or at once another content', async () => {
  const fn = addConstant(1);
  const other = new CheckingExecutor(answering(fn.type, int(1)), { name: 'server 0' });
  using callee = await other.createValue(fn, fn.type);
  const attempt = other.createCall(callee);
  await expect(attempt).rejects.toMatchObject(wrong);
  await expect(attempt).rejects.toThrow(/result of a call of \(int32 -> int32\)/);

  const lying = answering(INT, new TensorValue('float32', [], Float32Array.of(0)));
  const eager = new CheckingExecutor(lying, { name: 'server 0', eager: true });
  await expect(eager.createValue(int(1), INT)).rejects.toThrow(/holds float32/);
});

test('checks the elements of a lazy sequence as they are read', async () => {
  let seen: MaterializedValue | null = null;
  const target: Executor = {
    ...answering(INT, int(1)),
    createValue: async (value) => {
      seen = value as MaterializedValue;
      return answering(sequence(INT), int(1)).createCall(null as unknown as ExecutorValue);
    },
  };
  const executor = new CheckingExecutor(target, { name: 'clients 0' });
  function* elements(): Generator<MaterializedValue> {
    yield int(1);
    yield new TensorValue('float32', [], Float32Array.of(1));
  }
  using _ = await executor.createValue({ kind: 'sequence', elements: elements() }, sequence(INT));
  const read = async (): Promise<number> => {
    let count = 0;
    const given = seen as unknown as { elements: AsyncIterable<MaterializedValue> };
    for await (const _element of given.elements) count++;
    return count;
  };
  await expect(read()).rejects.toThrow(/\[1\].*holds float32/);
});

test('executors that share a queue work one after the other, in the order of the requests', async () => {
  const queue = new SerialQueue();
  const events: string[] = [];
  const slow = (name: string, milliseconds: number): SerialExecutor => {
    const target = answering(func(null, INT), int(1));
    const createValue = async (): Promise<ExecutorValue> => {
      events.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      events.push(`${name} ends`);
      if (name === 'failing') throw new Error('no');
      return target.createCall(null as unknown as ExecutorValue);
    };
    return new SerialExecutor({ ...target, createValue }, queue);
  };
  const attempts = [slow('first', 5), slow('failing', 3), slow('last', 0)].map((executor) =>
    executor.createValue(int(1), INT),
  );
  const outcomes = await Promise.allSettled(attempts);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(events).toEqual(['first', 'failing', 'last'].flatMap((n) => [`${n} begins`, `${n} ends`]));
});
