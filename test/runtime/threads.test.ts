import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { data, intrinsic, lambda } from '../../computations/building-blocks.ts';
import { defineComputation } from '../../computations/define.ts';
import { federatedComputation } from '../../computations/index.ts';
import { atClients, func, int32, sequence } from '../../computations/types/index.ts';
import { defineOperator, type Executor, masking, paillier } from '../../executors/index.ts';
import { ThreadExecutor } from '../../executors/threads/thread-executor.ts';
import {
  federatedMap,
  federatedSecureSum,
  federatedSum,
  sequenceSum,
} from '../../intrinsics/index.ts';
import { ExecutionContext, localExecutorFactory } from '../../runtime/index.ts';
import { addConstant, INT, int } from '../executors/blocks.ts';

const addOne = defineComputation<readonly [typeof INT], typeof INT>(
  'add_one',
  [INT],
  addConstant(1),
);
const mapOne = federatedComputation([atClients(INT)], (x) => federatedMap(addOne, x));
const sum = federatedComputation([atClients(INT)], (x) => federatedSum(x));
const totals = federatedComputation([atClients(sequence(INT))], (x) => sequenceSum(x));

const context = new ExecutionContext(localExecutorFactory({ threads: 2 }));
afterAll(() => context.close());

const endless = {
  *[Symbol.iterator]() {
    for (;;) yield 1;
  },
};

describe('a context on threads', () => {
  test('gives what one on a single thread gives', async () => {
    expect(await context.invoke(mapOne, [[1, 2, 3, 4, 5]])).toEqual([2, 3, 4, 5, 6]);
    expect(await context.invoke(sum, [[1, 2, 3]])).toBe(6);
    expect(await context.invoke(totals, [[[1, 2], [], [3]]])).toEqual([3, 0, 3]);
    expect(await context.invoke(mapOne, [[]])).toEqual([]);
  });

  test('runs clients on threads, and the server on this one', async () => {
    const leaves: Record<string, Executor> = {};
    await using here = new ExecutionContext(
      localExecutorFactory({
        threads: 1,
        wrapLeaf: (leaf, placement, index) => {
          leaves[`${placement}/${index}`] = leaf;
          return leaf;
        },
      }),
    );
    await here.invoke(sum, [[1, 2]]);
    expect(leaves['clients/0']).toBeInstanceOf(ThreadExecutor);
    expect(leaves['clients/1']).toBeInstanceOf(ThreadExecutor);
    expect(leaves['server/0']).not.toBeInstanceOf(ThreadExecutor);
  });

  test('keeps many invocations apart, some of which are cancelled or too slow', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 30 }, (_, i): Promise<unknown> => {
        const clients = Array.from({ length: 1 + (i % 4) }, (_, client) => i + client);
        if (i % 5 === 0) {
          const timed = { signal: AbortSignal.timeout(1 + i) };
          return context.invoke(totals, [clients.map(() => endless)], timed);
        }
        if (i % 5 === 1) {
          return context.invoke(totals, [clients.map(() => endless)], { timeoutMs: 1 + i });
        }
        return i % 2 === 0 ? context.invoke(mapOne, [clients]) : context.invoke(sum, [clients]);
      }),
    );
    for (const [i, outcome] of outcomes.entries()) {
      const clients = Array.from({ length: 1 + (i % 4) }, (_, client) => i + client);
      if (i % 5 < 2) {
        const code = i % 5 === 0 ? 'context.cancelled' : 'context.deadline_exceeded';
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code } });
      } else {
        const value =
          i % 2 === 0 ? clients.map((x) => x + 1) : clients.reduce((total, x) => total + x);
        expect(outcome).toEqual({ status: 'fulfilled', value });
      }
    }
    expect(await context.invoke(sum, [[1, 2]])).toBe(3);
  });

  test('names the client that fails', async () => {
    await expect(
      context.invoke(totals, [
        [
          [1],
          {
            *[Symbol.iterator](): Generator<number> {
              yield 1;
              throw new Error('the file is gone');
            },
          },
        ],
      ]),
    ).rejects.toMatchObject({
      code: 'execution.client_failed',
      message: expect.stringMatching(/Client 1 .*the file is gone/),
    });
  });

  test('closes all its threads, whatever they do', async () => {
    const other = new ExecutionContext(localExecutorFactory({ threads: 1 }));
    const running = expect(other.invoke(totals, [[endless]])).rejects.toMatchObject({
      code: 'context.cancelled',
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    await other.close({ cancel: true });
    await running;
  });
});

describe('what cannot be sent to a thread', () => {
  test('are data sources: they are asked here', async () => {
    const census = defineComputation<readonly [], ReturnType<typeof atClients>>(
      'census',
      [],
      lambda(null, null, data('census', atClients(INT))),
    );
    await using here = new ExecutionContext(
      localExecutorFactory({
        threads: 1,
        defaultClients: 3,
        dataSource: (_placement, index) => ({ resolve: () => int(10 * index) }),
      }),
    );
    expect(await here.invoke(census, [])).toEqual([0, 10, 20]);
  });

  test('are operators of one’s own: they run here, around the executor of the thread', async () => {
    let calls = 0;
    const double = defineOperator({
      uri: 'test_double',
      signature: '(int32 -> int32)',
      purity: 'pure',
      run: ([x]) => {
        calls++;
        return int(2 * (x?.kind === 'tensor' ? Number(x.scalar()) : 0));
      },
    });
    const doubled = defineComputation<readonly [typeof INT], typeof INT>(
      'doubled',
      [INT],
      intrinsic('test_double', func(INT, INT)) as never,
    );
    const mapDouble = federatedComputation([atClients(INT)], (x) =>
      federatedMap(addOne, federatedMap(doubled, x)),
    );
    await using here = new ExecutionContext(
      localExecutorFactory({ threads: 1, operators: [double] }),
    );
    expect(await here.invoke(mapDouble, [[1, 2]])).toEqual([3, 5]);
    expect(calls).toBe(2);
  });

  test.each([
    ['random bytes that were given', { random: () => new Uint8Array(64).fill(3) }, masking()],
    [
      'keys that were given',
      {},
      paillier({
        modulusBits: 512,
        allowInsecureModulus: true,
        keys: { paillier: { n: 0n } as never },
      }),
    ],
  ])('are %s', async (_what, options, secureAggregation) => {
    const made: Executor[] = [];
    const factory = localExecutorFactory({
      threads: 1,
      secureAggregation,
      ...options,
      wrapLeaf: (leaf, placement) => {
        if (placement === 'clients') made.push(leaf);
        return leaf;
      },
    });
    await factory.createExecutor({ clients: 1 });
    // Around the executor of the thread there is one of this thread.
    expect(made[0]).not.toBeInstanceOf(ThreadExecutor);
    await factory.close();
  });
});

describe('a secure sum', () => {
  const secureSum = federatedComputation([atClients(int32(2))], (x) => federatedSecureSum(x, 100));

  test.each(['advertise', 'mask'])('that is cancelled in stage %s gives nothing', async (stage) => {
    await using secure = new ExecutionContext(
      localExecutorFactory({ threads: 1, secureAggregation: masking() }),
    );
    const controller = new AbortController();
    const steps: string[] = [];
    const stop = secure.on('progress', (event) => {
      if (event.stage !== 'run' || event.step.kind !== 'protocol') return;
      steps.push(event.step.stage);
      if (event.step.stage === stage) controller.abort();
    });
    const values = [
      [1, 2],
      [3, 4],
    ];
    const attempt = secure.invoke(secureSum, [values], { signal: controller.signal });
    await expect(attempt).rejects.toMatchObject({ code: 'context.cancelled' });
    expect(steps.at(-1)).toBe(stage);
    stop();
    expect((await secure.invoke(secureSum, [values])).toArray()).toEqual([4, 6]);
  });
});

test('idle threads do not keep a process alive', async () => {
  const program = `
    import { atClients, ExecutionContext, federatedComputation, federatedSum, int32, localExecutorFactory } from 'fedloom';
    const sum = federatedComputation([atClients(int32())], (x) => federatedSum(x));
    const context = new ExecutionContext(localExecutorFactory({ threads: 2 }));
    console.log(await context.invoke(sum, [[1, 2, 3]]));
  `;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', program],
    { cwd: fileURLToPath(new URL('../../', import.meta.url)), timeout: 25_000 },
  );
  expect(stdout.trim()).toBe('6');
});
