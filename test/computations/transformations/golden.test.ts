/** @file The printed forms of transformed computations. */

import { describe, expect, test } from 'vitest';
import {
  type BuildingBlock,
  block,
  call,
  data,
  intrinsic,
  lambda,
  reference,
  selection,
  structBlock,
} from '../../../computations/building-blocks.ts';
import { printBlock } from '../../../computations/notation.ts';
import { toCallDominant } from '../../../computations/transformations/index.ts';
import {
  atClients,
  atServer,
  float32,
  func,
  int32,
  struct,
  type Type,
} from '../../../computations/types/index.ts';

const f = intrinsic('f', func(int32(), int32()));
const random = intrinsic('random', func(int32(), int32()));
const x = reference('x', int32());
const unnamed = (...values: BuildingBlock[]): BuildingBlock =>
  structBlock(values.map((value) => ({ name: null, value })));
const overX = (result: BuildingBlock): BuildingBlock => lambda('x', int32(), result);

function dominant(node: BuildingBlock): string {
  return printBlock(toCallDominant(node, { isPureIntrinsic: (uri) => uri !== 'random' }));
}

describe('call-dominant form', () => {
  test.each<[string, BuildingBlock, string]>([
    [
      'inlines references to locals',
      overX(
        block(
          [
            { name: 'y', value: x },
            { name: 'z', value: reference('y', int32()) },
          ],
          reference('z', int32()),
        ),
      ),
      '(x -> x)',
    ],
    ['selects from structs', overX(selection(unnamed(x, unnamed(x)), 1)), '(x -> <x>)'],
    [
      'binds each call, innermost first',
      overX(call(f, call(f, x))),
      '(x -> (let _var1=f(x),_var2=f(_var1) in _var2))',
    ],
    [
      'evaluates called lambdas',
      overX(call(lambda('y', int32(), call(f, reference('y', int32()))), call(f, x))),
      '(x -> (let _var1=f(x),_var2=f(_var1) in _var2))',
    ],
    [
      'makes equal calls once',
      overX(unnamed(call(f, x), call(f, x), call(f, call(f, x)))),
      '(x -> (let _var1=f(x),_var2=f(_var1) in <_var1,_var1,_var2>))',
    ],
    [
      'drops calls that nothing needs',
      overX(block([{ name: 'y', value: call(f, x) }], x)),
      '(x -> x)',
    ],
    [
      'keeps impure calls: all of them, in their order',
      overX(
        block(
          [{ name: 'y', value: call(random, x) }],
          unnamed(call(random, x), call(random, call(f, x))),
        ),
      ),
      '(x -> (let _var1=random(x),_var2=random(x),_var3=f(x),_var4=random(_var3) in <_var2,_var4>))',
    ],
    [
      'gives every binding a name of its own',
      overX(
        unnamed(
          lambda('x', int32(), call(f, x)),
          lambda('x', int32(), call(f, call(f, x))),
          call(f, x),
        ),
      ),
      '(x -> (let _var1=f(x) in <(_var2 -> (let _var3=f(_var2) in _var3)),(_var4 -> (let _var5=f(_var4),_var6=f(_var5) in _var6)),_var1>))',
    ],
    [
      'leaves unbound names alone',
      call(reference('g', func(int32(), int32())), reference('_var1', int32())),
      '(let _var2=g(_var1) in _var2)',
    ],
    [
      'does not capture what a lambda captured',
      call(
        lambda('y', int32(), lambda('x', int32(), call(f, unnamedSum(x, reference('y', int32()))))),
        reference('x', int32()),
      ),
      '(_var1 -> (let _var2=f(_var1) in _var2))',
    ],
    [
      'finds named data once',
      unnamed(data('d', int32()), data('d', int32())),
      '(let _var1=data#d in <_var1,_var1>)',
    ],
  ])('%s', (_what, before, after) => {
    expect(dominant(before)).toBe(after);
  });

  test('a call that was reduced from another aggregation is another call', () => {
    const sum = intrinsic('f', func(atClients(int32()), atServer(int32())));
    const value = reference('v', atClients(int32()));
    const calls = unnamed(
      call({ ...sum, origin: 'federated_sum' }, value),
      call({ ...sum, origin: 'federated_max' }, value),
      call({ ...sum, origin: 'federated_sum' }, value),
    );
    expect(dominant(calls)).toBe('(let _var1=f(v),_var2=f(v) in <_var1,_var2,_var1>)');
    const made = toCallDominant(calls, { isPureIntrinsic: () => true });
    const origins =
      made.kind === 'block' ? made.locals.map(({ value: each }) => originOf(each)) : [];
    expect(origins).toEqual(['federated_sum', 'federated_max']);
  });

  test('names of struct elements are those of the parameter that the struct is given for', () => {
    const Named: Type = struct({ a: int32(), b: float32() });
    const identity = lambda('p', Named, reference('p', Named));
    const given = reference('u', struct([int32(), float32()]));
    const result = toCallDominant(call(identity, given), { isPureIntrinsic: () => true });
    expect(printBlock(result)).toBe('<a=u[0],b=u[1]>');
    expect(String(result.type)).toBe('<a=int32,b=float32>');
  });
});

function originOf(node: BuildingBlock): string | undefined {
  return node.kind === 'call' && node.function.kind === 'intrinsic'
    ? node.function.origin
    : undefined;
}

/** The first of two, selected in a way that mentions both. */
function unnamedSum(a: BuildingBlock, b: BuildingBlock): BuildingBlock {
  return selection(structBlock([a, b].map((value) => ({ name: null, value }))), 0);
}
