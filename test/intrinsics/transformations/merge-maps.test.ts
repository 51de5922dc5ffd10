/** @file What a compiled computation looks like, and how many replays it costs a client. */

import * as tf from '@tensorflow/tfjs';
import {
  type AnyComputation,
  atClients,
  atServer,
  type BuildingBlock,
  compileForExecution,
  disclosure,
  ExecutionContext,
  federatedBroadcast,
  federatedComputation,
  federatedMap,
  federatedMean,
  federatedSecureSumBitwidth,
  federatedSum,
  federatedZip,
  float32,
  int32,
  localExecutorFactory,
  printBlock,
  sequence,
  sequenceMap,
  sequenceSum,
  tensorComputation,
} from 'fedloom';
import { type Backend, loadBackend } from 'fedloom/tensors';
import { describe, expect, test } from 'vitest';
import { childBlocks } from '../../../computations/building-blocks.ts';

const addOne = tensorComputation([float32()], (x) => tf.add(x, 1), {
  name: 'addOne',
  result: float32(),
});
const twice = tensorComputation([float32()], (x) => tf.mul(x, 2), {
  name: 'twice',
  result: float32(),
});
const add = tensorComputation([float32(), float32()], (x, y) => tf.add(x, y), {
  name: 'add',
  result: float32(),
});

const compiled = ({ buildingBlock }: AnyComputation): string =>
  // What the aggregations were reduced to is not the matter here.
  printBlock(compileForExecution(buildingBlock, HANDLED));
const HANDLED = new Set(['federated_sum', 'federated_mean', 'federated_weighted_mean']);

describe('maps', () => {
  test('of maps become one', () => {
    const computation = federatedComputation([atClients(float32())], (x) =>
      federatedSum(federatedMap(twice, federatedMap(addOne, x))),
    );
    expect(compiled(computation)).toBe(
      '(x -> (let _var1=federated_map(<comp#addOne+twice,x>),_var2=federated_sum(_var1) in _var2))',
    );
  });

  test('at the server, too', () => {
    const computation = federatedComputation([atServer(float32())], (x) =>
      federatedMap(twice, federatedMap(addOne, x)),
    );
    expect(compiled(computation)).toBe(
      '(x -> (let _var1=federated_apply(<comp#addOne+twice,x>) in _var1))',
    );
  });

  test('on the same value become one, and their results are selected', () => {
    const computation = federatedComputation([atClients(float32())], (x) => [
      federatedSum(federatedMap(addOne, x)),
      federatedMean(federatedMap(twice, x)),
    ]);
    expect(compiled(computation)).toMatchInlineSnapshot(
      `"(x -> (let _var1=federated_map(<comp#addOne+twice,x>),_var3=federated_map(<(_var2 -> _var2[0]),_var1>),_var4=federated_sum(_var3),_var6=federated_map(<(_var5 -> _var5[1]),_var1>),_var7=federated_mean(_var6) in <_var4,_var7>))"`,
    );
  });

  test('that a zip joins become one', () => {
    const computation = federatedComputation([atClients(float32()), atClients(float32())], (x, y) =>
      federatedSum(federatedMap(add, [federatedMap(addOne, x), federatedMap(twice, y)])),
    );
    expect(compiled(computation)).toMatchInlineSnapshot(
      `"(arg -> (let _var1=federated_zip_at_clients(<arg.x,arg.y>),_var2=federated_map(<comp#addOne+twice+add,_var1>),_var3=federated_sum(_var2) in _var3))"`,
    );
  });

  test('on both sides of a broadcast stay two, and what is shared is computed once', () => {
    const computation = federatedComputation([atClients(float32())], (x) => {
      const shifted = federatedMap(addOne, x);
      const total = federatedBroadcast(federatedSum(shifted));
      return federatedSum(federatedMap(add, [shifted, total]));
    });
    expect(compiled(computation)).toMatchInlineSnapshot(
      `"(x -> (let _var1=federated_map(<comp#addOne,x>),_var2=federated_sum(_var1),_var3=federated_broadcast(_var2),_var4=federated_zip_at_clients(<_var1,_var3>),_var5=federated_map(<comp#add,_var4>),_var6=federated_sum(_var5) in _var6))"`,
    );
  });

  test('of an identity, and elements of a zip, are the value itself', () => {
    const identity = federatedComputation([float32()], (x) => x);
    const computation = federatedComputation(
      [atClients(float32()), atClients(float32())],
      (x, y) => {
        const { a, b } = federatedZip({ a: x, b: federatedMap(identity, y) });
        return [federatedSum(a), federatedSum(b)];
      },
    );
    expect(compiled(computation)).toBe(
      '(arg -> (let _var1=federated_sum(arg.x),_var2=federated_sum(arg.y) in <_var1,_var2>))',
    );
  });

  test('stay all-equal where that is asked for, and only there', () => {
    const computation = federatedComputation(
      [atServer(float32()), atClients(float32())],
      (s, x) => {
        const sent = federatedZip({ s });
        const received = federatedBroadcast(sent).s;
        return [received, federatedSum(federatedMap(add, [received, x]))];
      },
    );
    expect(String(compileForExecution(computation.buildingBlock).type)).toBe(
      String(computation.type),
    );
    expect(compiled(computation)).toMatchInlineSnapshot(
      `"(arg -> (let _var1=federated_zip_at_server(<s=arg.s>),_var2=federated_broadcast(_var1),_var3=federated_zip_at_clients(<_var2,arg.x>),_var4=federated_map(<comp#add,_var3>),_var5=federated_sum(_var4),_var7=federated_map_all_equal(<(_var6 -> _var6.s),_var2>) in <_var7,_var5>))"`,
    );
  });

  test('of sequences become one, and a reduction takes them in', () => {
    const computation = federatedComputation([atClients(sequence(float32()))], (x) =>
      federatedSum(sequenceSum(sequenceMap(twice, sequenceMap(addOne, x)))),
    );
    expect(compiled(computation)).toMatchInlineSnapshot(
      `"(x -> (let _var4=federated_map(<(_var1 -> (let _var2=sequence_reduce(<_var1,<0>,comp#addOne+twice+accumulate_sum>),_var3=comp#report_sum(_var2) in _var3)),x>),_var5=federated_sum(_var4) in _var5))"`,
    );
  });
});

test('secure and plain sums of the same value stay two', () => {
  const computation = federatedComputation([atClients(int32())], (x) => [
    federatedSum(x),
    federatedSecureSumBitwidth(x, 4),
    federatedSum(x),
    federatedSecureSumBitwidth(x, 4),
  ]);
  expect(compiled(computation)).toBe(
    '(x -> (let _var1=federated_sum(x),_var2=federated_secure_sum_bitwidth(<x,4>) in <_var1,_var2,_var1,_var2>))',
  );
});

test('a chain of maps costs a client one replay', async () => {
  const chain = federatedComputation([atClients(float32())], (x) => {
    let value = federatedMap(addOne, x);
    for (let i = 0; i < 5; i++) value = federatedMap(i % 2 === 0 ? twice : addOne, value);
    return value;
  });
  const run = async (compileLevel: 'full' | 'reduce'): Promise<[unknown, number]> => {
    const { backend, replays } = counting(await loadBackend());
    await using context = new ExecutionContext(localExecutorFactory({ backend }), { compileLevel });
    const result = await context.invoke(chain, [[1, 2, 3]]);
    return [result, replays()];
  };
  expect(await run('reduce')).toEqual([[22, 30, 38], 3 * 6]);
  expect(await run('full')).toEqual([[22, 30, 38], 3]);
});

function counting(inner: Backend): { backend: Backend; replays: () => number } {
  let count = 0;
  const backend: Backend = {
    name: inner.name,
    reason: inner.reason,
    upload: (value) => inner.upload(value),
    close: () => inner.close(),
    prepare(graph) {
      const program = inner.prepare(graph);
      return {
        graph,
        run: (inputs) => {
          count++;
          return program.run(inputs);
        },
      };
    },
  };
  return { backend, replays: () => count };
}

describe('the place of a call in the source', () => {
  const places = (computation: AnyComputation): (string | undefined)[] => {
    const returned = disclosure(compileForExecution(computation.buildingBlock));
    return returned.entries.map(({ source }) => source && `${source.file}:${source.line}`);
  };

  test('is kept by a merged map, and by each result of maps side by side', () => {
    const chain = federatedComputation([atClients(float32())], (x) => {
      const first = federatedMap(addOne, x);
      return federatedMap(twice, first);
    });
    const both = federatedComputation([atClients(float32())], (x) => {
      const first = federatedMap(addOne, x);
      const second = federatedMap(twice, x);
      return [first, second];
    });
    const here = 'test/intrinsics/transformations/merge-maps.test.ts';
    expect(places(chain)).toEqual([expect.stringContaining(here)]);
    const [first = '', second = ''] = places(both);
    expect([first, second]).toEqual([expect.stringContaining(here), expect.stringContaining(here)]);
    expect(Number(second.split(':')[1])).toBe(Number(first.split(':')[1]) + 1);
  });

  test('is kept by a merged sequence operation', () => {
    const computation = federatedComputation([sequence(float32())], (xs) =>
      sequenceMap(twice, sequenceMap(addOne, xs)),
    );
    const sources: unknown[] = [];
    const visit = (node: BuildingBlock): void => {
      if (node.kind === 'intrinsic') sources.push(node.source);
      for (const child of childBlocks(node)) visit(child);
    };
    visit(compileForExecution(computation.buildingBlock));
    expect(sources).toEqual([expect.objectContaining({ file: expect.any(String) })]);
  });
});
