import { expect, test } from 'vitest';
import { call, compiled, lambda, reference } from '../../../computations/building-blocks.ts';
import { loadBackend } from '../../../computations/tensors/index.ts';
import { TransformingExecutor } from '../../../executors/watching/transforming.ts';
import { leafExecutor } from '../../../runtime/leaf-executor.ts';
import { run } from '../../compliance/executor-run.ts';
import { addConstant, INT, int, seven } from '../blocks.ts';

const plusOne = addConstant(1);

test('puts in what the transformation makes of a block', async () => {
  const target = leafExecutor(await loadBackend());
  const twice = lambda('x', INT, call(plusOne, call(plusOne, reference('x', INT))));
  const executor = new TransformingExecutor(
    async (block) => (block === plusOne ? twice : block),
    target,
  );
  expect(await run(executor, plusOne, int(1))).toBe(3);
  expect(await run(executor, addConstant(5), int(1))).toBe(6);
  await executor.close();
});

test('refuses a transformation that changes the type, and passes its failure on', async () => {
  const target = leafExecutor(await loadBackend());
  const wrong = new TransformingExecutor(() => seven, target);
  await expect(wrong.createValue(plusOne, plusOne.type)).rejects.toMatchObject({
    code: 'type.not_assignable',
  });
  const failing = new TransformingExecutor(() => {
    throw new Error('no rule for this');
  }, target);
  const other = compiled('other', plusOne.graph, plusOne.type);
  await expect(failing.createValue(other, other.type)).rejects.toThrow('no rule for this');
  using data = await failing.createValue(int(1), INT);
  expect(String(await data.compute())).toBe('1');
  await target.close();
});
