/** @file Compliance of executors: lambdas, blocks, references and scope. */

import { expect, test } from 'vitest';
import {
  block,
  call,
  lambda,
  literal,
  reference,
  selection,
} from '../../computations/building-blocks.ts';
import { struct } from '../../computations/types/index.ts';
import {
  add,
  addConstant,
  failUnlessSmall,
  INT,
  int,
  intLiteral,
  pair,
} from '../executors/blocks.ts';

import { type Make, run } from './executor-run.ts';

export function describeSyntax(make: Make): void {
  const plusOne = addConstant(1);
  const x = reference('x', INT);

  test('calls a lambda', async () => {
    expect(await run(await make(), lambda('x', INT, call(plusOne, x)), int(1))).toBe(2);
    expect(await run(await make(), lambda(null, null, call(plusOne, intLiteral(4))))).toBe(5);
  });

  test('the inner binding of a name counts', async () => {
    const inner = lambda('x', INT, call(plusOne, x));
    const outer = lambda('x', INT, pair(call(inner, intLiteral(10)), x));
    expect(await run(await make(), outer, int(1))).toEqual([11, 1]);
  });

  test('a lambda sees the scope where it stands, not the one where it is called', async () => {
    const adder = lambda('y', INT, call(add, pair(x, reference('y', INT))));
    const body = block(
      [
        { name: 'f', value: adder },
        { name: 'x', value: intLiteral(1000) },
      ],
      pair(call(reference('f', adder.type), intLiteral(1)), x),
    );
    expect(await run(await make(), lambda('x', INT, body), int(20))).toEqual([21, 1000]);
  });

  test('a lambda that is returned keeps what it captured', async () => {
    const adder = lambda('y', INT, call(add, pair(x, reference('y', INT))));
    const curried = lambda('x', INT, adder);
    const body = lambda('x', INT, call(call(curried, call(plusOne, x)), intLiteral(100)));
    expect(await run(await make(), body, int(1))).toBe(102);
  });

  test('later locals see earlier ones and may take their names', async () => {
    const body = block(
      [
        { name: 'x', value: call(plusOne, x) },
        { name: 'x', value: call(plusOne, x) },
      ],
      x,
    );
    expect(await run(await make(), lambda('x', INT, body), int(1))).toBe(3);
  });

  test('selects from structs in syntax and from literals', async () => {
    const made = selection(pair(x, call(plusOne, x)), 1);
    expect(await run(await make(), lambda('x', INT, made), int(1))).toBe(2);
    const constants = literal({ kind: 'struct', elements: [int(8), int(9)] }, struct([INT, INT]));
    expect(await run(await make(), lambda(null, null, selection(constants, 1)))).toBe(9);
  });

  test('refuses a name that nothing binds', async () => {
    const executor = await make();
    const attempt = run(executor, lambda('x', INT, reference('stranger', INT)), int(1));
    await expect(attempt).rejects.toMatchObject({ code: 'type.unbound_reference' });
    await expect(attempt).rejects.toThrow(/stranger/);
  });

  test('frees locals of a body that fails', async () => {
    const executor = await make();
    const body = block(
      [{ name: 'kept', value: call(plusOne, x) }],
      call(failUnlessSmall, call(addConstant(1000), reference('kept', INT))),
    );
    await expect(run(executor, lambda('x', INT, body), int(1))).rejects.toThrow(/sum_overflow/);
  });
}
