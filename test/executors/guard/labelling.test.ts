/** @file The layer of labels alone, around an executor that calls functions of syntax itself. */

import { expect, test } from 'vitest';
import { data, lambda } from '../../../computations/building-blocks.ts';
import { loadBackend } from '../../../computations/tensors/index.ts';
import { AuditLog } from '../../../executors/guard/audit.ts';
import { guardPolicy } from '../../../executors/guard/index.ts';
import { LabellingExecutor } from '../../../executors/guard/labelling-executor.ts';
import { ReleaseRules } from '../../../executors/guard/policy/release-rules.ts';
import type { Operator } from '../../../executors/leaf/operator.ts';
import { defineOperator } from '../../../executors/secure/define-operator.ts';
import { memoryLedger } from '../../../protocols/index.ts';
import { leafExecutor } from '../../../runtime/index.ts';
import { INT, int } from '../blocks.ts';
import { dataOf, participant } from './support.ts';

/** @param declared what the layer is told of the operators that its executor has. */
async function labelling(
  operators: readonly Operator[] = [],
  declared = operators,
): Promise<LabellingExecutor> {
  const leaf = leafExecutor(await loadBackend(), { dataSource: dataOf(0), operators });
  const policy = guardPolicy();
  const audit = new AuditLog(undefined);
  const releases = new ReleaseRules({ policy, ledger: memoryLedger(), audit, now: Date.now });
  return new LabellingExecutor(leaf, { policy, operators: declared, releases, audit });
}

test('what a function with private data in it returns is private', async () => {
  const executor = await labelling();
  const fn = lambda('x', INT, data('secret', INT));
  using callee = await executor.createValue(fn, fn.type);
  using one = await executor.createValue(int(1), INT);
  using result = await executor.createCall(callee, one);
  await expect(result.compute()).rejects.toMatchObject({ rule: 'privateValues' });
  await executor.close();
});

test('a releasing operator that its executor runs without asking releases nothing', async () => {
  const careless = defineOperator({
    uri: 'give_away',
    signature: '(V -> V)',
    purity: 'pure',
    run: ([value]) => value as never,
  });
  // As if it were run on another thread, where nobody asks the guard.
  const declared: Operator = { ...careless, release: { value: 'argument', does: 'hide' } };
  const executor = await labelling([careless], [declared]);
  using secret = await executor.createValue(data('secret', INT), INT);
  const given = participant('clients/0', executor).call('give_away', [secret], INT);
  await expect(given).rejects.toThrow(/does not ask before give_away/);
  await executor.close();
});
