import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { defineComputation } from '../../computations/define.ts';
import { setDefaultContext } from '../../computations/index.ts';
import '../../runtime/default-context.ts';
import { addConstant, INT } from '../executors/blocks.ts';

const addOne = defineComputation<readonly [typeof INT], typeof INT>(
  'add_one',
  [INT],
  addConstant(1),
);

afterEach(() => setDefaultContext(null));

test('a computation just runs', async () => {
  expect(await addOne(1)).toBe(2);
});

test('a context of null means none, also where there is a fallback', async () => {
  setDefaultContext(null);
  expect(() => addOne(1)).toThrow(/context\.none/);
});

test('does not keep the process alive', async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const program = `
    import { addConstant, INT } from './test/executors/blocks.ts';
    import { defineComputation } from './computations/define.ts';
    import './runtime/default-context.ts';
    console.log(await defineComputation('add_one', [INT], addConstant(1))(41));
  `;
  // A process that stays alive runs into the limit, and fails the test.
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', program],
    { cwd: root, timeout: 20_000 },
  );
  expect(stdout.trim()).toBe('42');
});
