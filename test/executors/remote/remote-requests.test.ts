import { describe, expect, it } from 'vitest';
import { lambda, literal, reference } from '../../../computations/building-blocks.ts';
import {
  atClients,
  federated,
  int32,
  type MaterializedValue,
  sequence,
  struct,
  TensorValue,
  type Type,
} from '../../../computations/types/index.ts';
import { toValueMessage } from '../../../computations/wire/index.ts';
import type { ExecutorValue } from '../../../executors/executor.ts';
import { forMany } from '../../../executors/leaf/shared-tensor.ts';
import { encodeRequest, requestPieces } from '../../../executors/remote/messages/message-codec.ts';
import { transportError } from '../../../executors/remote/status.ts';
import { addConstant, federatedInts, INT, identity, int, mixed, plain, seven } from '../blocks.ts';
import { remote, watchRejections } from './remote.helpers.ts';
import { settled } from './requests.helpers.ts';

watchRejections();

const failed = (code: string) => expect.objectContaining({ code: `transport.${code}` });

describe('requests to another process', () => {
  it('are not made for what the types forbid already', async () => {
    const { executor, recorder } = remote(undefined, { cardinalities: { clients: 2 } });
    using fn = await executor.createValue(addConstant(1), addConstant(1).type);
    using none = await executor.createValue(seven, seven.type);
    using x = await executor.createValue(int(1), INT);
    using pair = await executor.createStruct([{ name: 'a', value: x }]);
    recorder.take();
    const attempts: [Promise<ExecutorValue>, string][] = [
      [executor.createCall(fn), 'type.arity'],
      [executor.createCall(none, x), 'type.arity'],
      [executor.createCall(x, x), 'type.wrong_kind'],
      [executor.createCall(fn, pair), 'type.not_assignable'],
      [executor.createSelection(pair, 1), 'type.wrong_kind'],
      [executor.createSelection(pair, -1), 'type.wrong_kind'],
      [executor.createSelection(x, 0), 'type.wrong_kind'],
      [executor.createValue(federatedInts(1), atClients(INT)), 'cardinality.mismatch'],
      [
        executor.createValue(federatedInts(), federated(INT, 'clients', true)),
        'cardinality.mismatch',
      ],
      [executor.createValue(int(1), struct([INT])), 'value.wrong_structure'],
    ];
    for (const [attempt, code] of attempts) await expect(attempt).rejects.toMatchObject({ code });
    await expect(fn.compute()).rejects.toMatchObject({ code: 'execution.unsupported_value' });
    expect(recorder.take()).toEqual([]);
    await executor.close();
  });

  it('are one for each value and call, and none for structs until something is called on them', async () => {
    const { executor, recorder } = remote();
    using fn = await executor.createValue(mixed, mixed.type);
    using a = await executor.createValue(
      new TensorValue('float32', [2], Float32Array.of(1, 2)),
      (mixed.type.parameter as Extract<Type, { kind: 'struct' }>).elements[0]?.type as Type,
    );
    using b = await executor.createValue(literal(int(3), INT), INT);
    recorder.take();
    using inner = await executor.createStruct([{ name: null, value: b }]);
    using both = await executor.createStruct([
      { name: 'x', value: a },
      { name: 'y', value: inner },
    ]);
    using first = await executor.createSelection(both, 0);
    expect(String(first.type)).toBe('float32[2]');
    expect(recorder.take()).toEqual([]);
    using result = await executor.createCall(fn, both);
    expect(recorder.take()).toEqual(['createStruct', 'createStruct', 'createCall']);
    expect(String(result.type)).toBe('<sum=float32[2],twice=<int32>>');
    expect(await plain(await result.compute())).toEqual([[2, 4], [6]]);
    expect(recorder.take()).toEqual(['compute']);
    await executor.close();
  });

  it('send a function once, as long as it is among those used last', async () => {
    const { executor, recorder, host } = remote(undefined, { maxFunctions: 2 });
    const use = async (n: number): Promise<unknown> => {
      using fn = await executor.createValue(addConstant(n), addConstant(n).type);
      using x = await executor.createValue(int(1), INT);
      using y = await executor.createCall(fn, x);
      return plain(await y.compute());
    };
    const sent = async (n: number): Promise<boolean> => {
      recorder.take();
      expect(await use(n)).toBe(n + 1);
      return recorder.take().filter((method) => method === 'createValue').length === 2;
    };
    expect(await sent(1)).toBe(true);
    expect(await sent(1)).toBe(false);
    expect(await sent(2)).toBe(true);
    expect(await sent(1)).toBe(false);
    expect(await sent(3)).toBe(true);
    expect(await sent(2)).toBe(true);
    await executor.flush();
    // The two functions, and nothing else.
    expect(host.usage.values).toBe(2);
    await executor.close();
    expect(host.usage).toEqual({ executors: 0, values: 0 });
  });

  it('send a function once to whoever needs it at the same time', async () => {
    const { executor, recorder } = remote(undefined, { maxFunctions: 1 });
    const fns = await Promise.all(
      [1, 1, 2, 1, 2].map((n) => executor.createValue(addConstant(n), addConstant(n).type)),
    );
    using x = await executor.createValue(int(0), INT);
    const values = await Promise.all(
      fns.map(async (fn) => plain(await (await executor.createCall(fn, x)).compute())),
    );
    expect(values).toEqual([1, 1, 2, 1, 2]);
    expect(recorder.methods.filter((method) => method === 'createValue').length).toBeLessThan(7);
    await executor.close();
  });

  it('send a function again that did not arrive', async () => {
    const { executor, recorder } = remote();
    recorder.before = (method) => {
      if (method === 'createValue') throw transportError('transport.unavailable', 'down');
    };
    const fn = identity(INT);
    await expect(executor.createValue(fn, fn.type)).rejects.toEqual(failed('unavailable'));
    recorder.before = () => {};
    using sent = await executor.createValue(fn, fn.type);
    expect(String(sent.type)).toBe('(int32 -> int32)');
    await executor.close();
  });

  it('make one message for many executors of a value that they share', async () => {
    const type = struct({ a: INT, b: int32(3) });
    const value: MaterializedValue = {
      kind: 'struct',
      elements: [int(1), new TensorValue('int32', [3], Int32Array.of(1, 2, 3))],
    };
    const sentFor = async (each: MaterializedValue): Promise<unknown> => {
      const { executor, recorder } = remote();
      using handle = await executor.createValue(each, type);
      expect(await plain(await handle.compute())).toEqual([1, [1, 2, 3]]);
      const request = recorder.requests[1] as Parameters<typeof encodeRequest<'createValue'>>[1];
      const alike = { ...request, value: toValueMessage(value, type) };
      // As bytes it is what it would be without.
      const bytes = encodeRequest('createValue', request);
      expect([...bytes].sort()).toEqual([...encodeRequest('createValue', alike)].sort());
      await executor.close();
      return request.value;
    };
    const shared = forMany(value);
    const message = await sentFor(shared);
    expect(await sentFor(shared)).toBe(message);
    const piecesFor = (id: string) =>
      requestPieces('createValue', {
        $typeName: 'tensorflow_federated.v0.CreateValueRequest',
        value: message as never,
        executor: { $typeName: 'tensorflow_federated.v0.ExecutorId', id },
      }).pieces;
    // All but the header before them and the executor after them are the same memory.
    expect(piecesFor('b').slice(1, -1)[0]).toBe(piecesFor('a').slice(1, -1)[0]);
    expect(await sentFor(value)).not.toBe(await sentFor(value));
  });

  it('make one message of a function for many executors', async () => {
    const fn = lambda('x', INT, reference('x', INT));
    const sent = await Promise.all(
      [1, 2].map(async () => {
        const { executor, recorder } = remote();
        await executor.createValue(fn, fn.type);
        const request = recorder.requests[1] as { value: unknown };
        await executor.close();
        return request.value;
      }),
    );
    expect(sent[0]).toBe(sent[1]);
  });

  it('send sequences as a whole, and stop reading them when they are cancelled', async () => {
    const { executor, recorder } = remote();
    let read = 0;
    async function* endless(): AsyncGenerator<MaterializedValue> {
      for (;;) {
        read += 1;
        yield int(read);
        await settled();
      }
    }
    const controller = new AbortController();
    const value = { kind: 'sequence', elements: endless() } as const;
    const attempt = executor.createValue(value, sequence(INT), { signal: controller.signal });
    await settled();
    controller.abort(new Error('enough'));
    await expect(attempt).rejects.toThrow('enough');
    await settled();
    const far = read;
    await settled();
    expect(read).toBe(far);
    expect(recorder.take()).toEqual([]);
    await executor.close();
  });
});
