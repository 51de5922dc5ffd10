/** @file Rounds taken apart and put together again mean the same, and what does not fit is named. */

import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import {
  type AnyComputation,
  atClients,
  atServer,
  ExecutionContext,
  FormError,
  federatedBroadcast,
  federatedComputation,
  federatedEval,
  federatedMap,
  federatedMax,
  federatedMean,
  federatedSecureSumBitwidth,
  federatedSelect,
  federatedSum,
  federatedZip,
  float32,
  int32,
  localExecutorFactory,
  masking,
  printBlock,
  sequenceSum,
  tensorComputation,
} from 'fedloom';
import { afterAll, describe, expect, test } from 'vitest';
import type { BuildingBlock } from '../../../computations/building-blocks.ts';
import { defineComputation } from '../../../computations/define.ts';
import { typecheckBlock } from '../../../computations/typecheck.ts';
import { isAssignable } from '../../../computations/types/index.ts';
import {
  fromDistributeAggregateForm,
  fromMapReduceForm,
  toDistributeAggregateForm,
  toMapReduceForm,
} from '../../../intrinsics/forms/index.ts';
import { intrinsicTypeRule } from '../../../intrinsics/index.ts';
import { roundCase } from '../../arbitraries/computations.ts';

const context = new ExecutionContext(localExecutorFactory(), { compileLevel: 'reduce' });
afterAll(() => context.close());

const FORMS: readonly [string, (node: BuildingBlock) => BuildingBlock][] = [
  ['map-reduce form', (node) => fromMapReduceForm(toMapReduceForm(node))],
  [
    'distribute-aggregate form',
    (node) => fromDistributeAggregateForm(toDistributeAggregateForm(node)),
  ],
];

const add = tensorComputation([float32(), float32()], (x, y) => tf.add(x, y), {
  name: 'add',
  result: float32(),
});
const round = federatedComputation(
  [atServer(float32()), atClients(float32())],
  (state, data) => {
    const changed = federatedMap(add, [data, federatedBroadcast(state)]);
    const next = federatedMap(add, [state, federatedMean(changed)]);
    return [next, federatedZip({ total: federatedSum(changed), most: federatedMax(data) })];
  },
  { name: 'round' },
);

describe.each(FORMS)('%s', (_, roundTrip) => {
  test('random rounds mean the same and have the same type', async () => {
    await fc.assert(
      fc.asyncProperty(roundCase, async ({ block, parameters, args }) => {
        const run = (node: BuildingBlock): Promise<unknown> =>
          context.invoke(defineComputation('case', parameters, node), args);
        const after = roundTrip(block);
        typecheckBlock(after, { intrinsicTypeRule });
        expect(isAssignable(block.type, after.type)).toBe(true);
        expect(await run(after)).toEqual(await run(block));
      }),
      { numRuns: 20, interruptAfterTimeLimit: 20_000 },
    );
  });

  test('a round with a secure sum keeps it', async () => {
    const one = tensorComputation([], () => tf.scalar(1, 'int32'), { result: int32() });
    const secure = federatedComputation([atServer(int32()), atClients(int32())], (_s, data) => [
      federatedSecureSumBitwidth(data, 8),
      federatedSecureSumBitwidth(federatedEval(one, 'clients'), 1),
    ]);
    const block = roundTrip(secure.buildingBlock);
    expect(printBlock(block)).toContain('federated_secure_sum_bitwidth');
    expect(printBlock(block)).not.toContain('federated_aggregate');
    await using stack = new ExecutionContext(
      localExecutorFactory({ secureAggregation: masking() }),
    );
    const result = await stack.invoke(defineComputation('secure', secure.parameters, block), [
      7,
      [1, 2, 3],
    ]);
    expect(result).toEqual([6, 3]);
  });

  test.each<[string, AnyComputation, string, string]>([
    [
      'another parameter',
      federatedComputation([atClients(float32())], (x) => federatedSum(x)),
      'form.signature',
      'type signature',
    ],
    [
      'a result at the clients',
      federatedComputation([atServer(float32()), atClients(float32())], (state, data) => [
        state,
        data,
      ]),
      'form.result',
      'server result',
    ],
    [
      'a broadcast of what was aggregated',
      federatedComputation([atServer(float32()), atClients(float32())], (state, data) => {
        const mean = federatedBroadcast(federatedMean(data));
        return [state, federatedSum(federatedMap(add, [data, mean]))];
      }),
      'form.broadcast_after_aggregation',
      'broadcast',
    ],
    [
      'a selection by keys',
      federatedComputation([atServer(int32()), atClients(int32(2))], (state, keys) => {
        const slice = tensorComputation([int32(), int32()], (x, key) => tf.add(x, key), {
          result: int32(),
        });
        const slices = federatedSelect(keys, state, state, slice);
        return [state, federatedSum(sequenceSum(slices))];
      }),
      'form.unsupported_call',
      'federated_select',
    ],
  ])('%s is refused', (_what, computation, code, part) => {
    const attempt = (): unknown => roundTrip(computation.buildingBlock);
    expect(attempt).toThrow(FormError);
    expect(attempt).toThrow(expect.objectContaining({ code, part }));
  });
});

test('the parts of map-reduce form', () => {
  const form = toMapReduceForm(round.buildingBlock);
  const printed = Object.fromEntries(
    Object.entries(form).flatMap(([name, part]) =>
      typeof part === 'object' && 'kind' in part && part.kind !== 'function'
        ? [[name, `${printBlock(part as BuildingBlock)} : ${part.type}`]]
        : [],
    ),
  );
  expect(printed).toMatchInlineSnapshot(`
    {
      "accumulate": "comp#accumulate_mean+accumulate_sum+choose_max : (<<<float32,int64>,<float32>,float32>,<float32,float32,float32>> -> <<float32,int64>,<float32>,float32>)",
      "merge": "comp#merge_mean+merge_sum+choose_max : (<<<float32,int64>,<float32>,float32>,<<float32,int64>,<float32>,float32>> -> <<float32,int64>,<float32>,float32>)",
      "prepare": "(state -> <state>) : (float32 -> <float32>)",
      "report": "(reported -> (let _var1=comp#report_mean+report_sum(<reported[0],reported[1]>) in <_var1[0],_var1[1],reported[2]>)) : (<<float32,int64>,<float32>,float32> -> <float32,float32,float32>)",
      "secureModularSumModulus": "( -> <>) : ( -> <>)",
      "secureSumBitwidth": "( -> <>) : ( -> <>)",
      "secureSumMaxInput": "( -> <>) : ( -> <>)",
      "update": "(update -> (let _var1=comp#add(<update[0],update[1][0][0]>) in <_var1,<total=update[1][0][1],most=update[1][0][2]>>)) : (<float32,<<float32,float32,float32>,<>,<>,<>>> -> <float32,<total=float32,most=float32>>)",
      "work": "(work -> (let _var1=comp#add(<work[0],work[1][0]>) in <<_var1,_var1,work[0]>,<>,<>,<>>)) : (<float32,<float32>> -> <<float32,float32,float32>,<>,<>,<>>)",
      "zero": "( -> <<0,0>,<0>,-3.4028234663852886e+38>) : ( -> <<float32,int64>,<float32>,float32>)",
    }
  `);
});

test('the parts of distribute-aggregate form', () => {
  const { typeSignature, ...parts } = toDistributeAggregateForm(round.buildingBlock);
  expect(String(typeSignature)).toBe(String(round.type));
  const printed = Object.fromEntries(
    Object.entries(parts).map(([name, part]) => [name, `${printBlock(part)} : ${part.type}`]),
  );
  expect(printed).toMatchInlineSnapshot(`
    {
      "clientToServerAggregation": "(aggregated -> (let _var1=federated_mean(aggregated[1][1]),_var2=federated_sum(aggregated[1][1]),_var3=federated_max(aggregated[1][0]) in <_var1,_var2,_var3>)) : (<<float32@SERVER>,<{float32}@CLIENTS,{float32}@CLIENTS>> -> <float32@SERVER,float32@SERVER,float32@SERVER>)",
      "clientWork": "(work -> (let _var1=federated_zip_at_clients(<work[0],work[1][0]>),_var2=federated_map(<comp#add,_var1>) in <work[0],_var2>)) : (<{float32}@CLIENTS,<float32@CLIENTS>> -> <{float32}@CLIENTS,{float32}@CLIENTS>)",
      "serverPrepare": "(state -> <<state>,<state>>) : (float32@SERVER -> <<float32@SERVER>,<float32@SERVER>>)",
      "serverResult": "(totals -> (let _var1=federated_zip_at_server(<totals[0][0],totals[1][0]>),_var2=federated_apply(<comp#add,_var1>),_var3=federated_zip_at_server(<total=totals[1][1],most=totals[1][2]>) in <_var2,_var3>)) : (<<float32@SERVER>,<float32@SERVER,float32@SERVER,float32@SERVER>> -> <float32@SERVER,<total=float32,most=float32>@SERVER>)",
      "serverToClientBroadcast": "(sent -> (let _var1=federated_broadcast(sent[0]) in <_var1>)) : (<float32@SERVER> -> <float32@CLIENTS>)",
    }
  `);
});

test('a part of a wrong type is named', () => {
  const form = toMapReduceForm(round.buildingBlock);
  expect(() => fromMapReduceForm({ ...form, merge: form.report })).toThrow(
    expect.objectContaining({ code: 'form.part', part: 'merge' }),
  );
  expect(() => fromMapReduceForm({ ...form, work: form.prepare })).toThrow(
    expect.objectContaining({ code: 'form.part', part: 'work' }),
  );
  const parts = toDistributeAggregateForm(round.buildingBlock);
  expect(() =>
    fromDistributeAggregateForm({ ...parts, serverToClientBroadcast: parts.serverPrepare }),
  ).toThrow(expect.objectContaining({ code: 'form.part', part: 'serverToClientBroadcast' }));
  expect(() =>
    fromDistributeAggregateForm({ ...parts, clientToServerAggregation: parts.clientWork }),
  ).toThrow(expect.objectContaining({ code: 'form.part', part: 'clientToServerAggregation' }));
});
