import { expect, test } from 'vitest';
import type { Executor } from '../../../executors/executor.ts';
import { GuardingExecutor } from '../../../executors/guard/guarding-executor.ts';
import { leafExecutor } from '../../../runtime/index.ts';
import { addConstant, INT, int } from '../blocks.ts';
import { trackedBackend } from '../tracked-backend.ts';

/** The same executor, with an end of its own. */
function ending(executor: Executor, close: () => Promise<void>): Executor {
  return {
    createValue: (...args) => executor.createValue(...args),
    createCall: (...args) => executor.createCall(...args),
    createStruct: (...args) => executor.createStruct(...args),
    createSelection: (...args) => executor.createSelection(...args),
    close,
  };
}

test('public work begins after a failure, and its end does not keep the target open', async () => {
  const backend = await trackedBackend();
  const target = leafExecutor(backend);
  let attempts = 0;
  let isTargetClosed = false;
  const closing = ending(target, async () => {
    isTargetClosed = true;
    await target.close();
  });
  const guard = new GuardingExecutor(closing, {
    publicTarget: async () => {
      attempts += 1;
      if (attempts === 1) throw new Error('no memory for a backend');
      return ending(leafExecutor(backend), () => Promise.reject(new Error('cannot be closed')));
    },
  });
  const add = addConstant(1);
  const attempt = async (): Promise<unknown> => {
    using fn = await guard.createValue(add, add.type);
    using value = await guard.createValue(int(1), INT);
    using sum = await guard.createCall(fn, value);
    return sum.compute();
  };
  await expect(attempt()).rejects.toMatchObject({ code: 'execution.kernel_failed' });
  expect(await attempt()).toMatchObject({ data: Int32Array.of(2) });
  expect(attempts).toBe(2);
  await expect(guard.close()).rejects.toThrow('cannot be closed');
  expect(isTargetClosed).toBe(true);
});
