import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { type BuildingBlock, call } from '../../../computations/building-blocks.ts';
import {
  type MaterializedValue,
  RereadableElements,
  sequence,
  struct,
  type Type,
} from '../../../computations/types/index.ts';
import type { Executor } from '../../../executors/executor.ts';
import { leafExecutor } from '../../../runtime/index.ts';
import { run } from '../../compliance/executor-run.ts';
import {
  add,
  addConstant,
  callIntrinsic,
  computation,
  INT,
  int,
  intLiteral,
  plain,
} from '../blocks.ts';
import { type TrackedBackend, trackedBackend } from '../tracked-backend.ts';

const INTS = sequence(INT);

const total = computation(INTS, (x) =>
  callIntrinsic('sequence_reduce', [x, intLiteral(0), add], INT),
);

function mapped(fn: BuildingBlock): BuildingBlock {
  return computation(INTS, (x) => callIntrinsic('sequence_map', [fn, x], INTS));
}

function sequenceOf(
  elements: Iterable<MaterializedValue> | AsyncIterable<MaterializedValue>,
): MaterializedValue {
  return { kind: 'sequence', elements };
}

let backend: TrackedBackend;
let executor: Executor;

beforeEach(async () => {
  backend = await trackedBackend();
  executor = leafExecutor(backend);
});

describe('a reduction', () => {
  test('is the fold of its elements', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: -1000, max: 1000 })), async (values) => {
        const expected = values.reduce((sum, value) => sum + value, 0);
        expect(await run(executor, total, sequenceOf(values.map(int)))).toBe(expected);
        expect(backend.live()).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  test('keeps its state on the backend: one read, whatever the number of steps', async () => {
    const values = Array.from({ length: 50 }, (_, i) => int(i));
    expect(await run(executor, total, sequenceOf(values))).toBe(1225);
    expect(backend.reads()).toBe(1);
  });

  test('holds a bounded number of tensors, whatever the length', async () => {
    let most = 0;
    const values = (function* () {
      for (let i = 0; i < 200; i++) {
        most = Math.max(most, backend.live());
        yield int(1);
      }
    })();
    expect(await run(executor, total, sequenceOf(values))).toBe(200);
    expect(most).toBeLessThan(10);
  });

  test('of what a failing source yields fails with the reason, and frees the state', async () => {
    const values = (function* () {
      yield int(1);
      throw new Error('disk unplugged');
    })();
    await expect(run(executor, total, sequenceOf(values))).rejects.toThrow('disk unplugged');
    expect(backend.live()).toBe(0);
  });

  test('ends, and gives the source back, when its executor closes', async () => {
    let ended = false;
    const endless = {
      async *[Symbol.asyncIterator](): AsyncGenerator<MaterializedValue> {
        try {
          for (;;) {
            await new Promise((resolve) => setImmediate(resolve));
            yield int(1);
          }
        } finally {
          ended = true;
        }
      },
    };
    const running = run(executor, total, sequenceOf(endless));
    setTimeout(() => executor.close(), 5);
    await expect(running).rejects.toMatchObject({ code: 'context.closed' });
    expect(ended).toBe(true);
    expect(backend.live()).toBe(0);
  });
});

describe('laziness', () => {
  test('nothing is read or mapped until something consumes the sequence', async () => {
    let read = 0;
    const values = (function* () {
      for (let i = 0; i < 3; i++) {
        read++;
        yield int(i);
      }
    })();
    using fn = await executor.createValue(mapped(addConstant(1)), mapped(addConstant(1)).type);
    using source = await executor.createValue(sequenceOf(values), INTS);
    using result = await executor.createCall(fn, source);
    expect(read).toBe(0);
    expect(await plain(await result.compute())).toEqual([1, 2, 3]);
    expect(read).toBe(3);
  });

  test('a mapped sequence outlives the handles that it was made of', async () => {
    const fn = await executor.createValue(mapped(addConstant(1)), mapped(addConstant(1)).type);
    const source = await executor.createValue(sequenceOf([int(1)]), INTS);
    using result = await executor.createCall(fn, source);
    fn[Symbol.dispose]();
    source[Symbol.dispose]();
    expect(await plain(await result.compute())).toEqual([2]);
  });

  test('a reduction of a mapped sequence holds one element at a time', async () => {
    const both = computation(INTS, (x) => call(total, call(mapped(addConstant(1)), x)));
    let most = 0;
    const values = (function* () {
      for (let i = 0; i < 100; i++) {
        most = Math.max(most, backend.live());
        yield int(i);
      }
    })();
    expect(await run(executor, both, sequenceOf(values))).toBe(5050);
    expect(most).toBeLessThan(12);
    expect(backend.live()).toBe(0);
  });
});

describe('reading again', () => {
  test('works for arrays, for computed results, and for what is mapped over them', async () => {
    using fn = await executor.createValue(mapped(addConstant(1)), mapped(addConstant(1)).type);
    using source = await executor.createValue(sequenceOf([int(1), int(2)]), INTS);
    using result = await executor.createCall(fn, source);
    expect(await plain(await result.compute())).toEqual([2, 3]);
    expect(await plain(await result.compute())).toEqual([2, 3]);
    expect(await plain(await source.compute())).toEqual([1, 2]);
  });

  test('works for what says that it begins anew', async () => {
    let opened = 0;
    const elements = new RereadableElements(async function* () {
      opened += 1;
      for (const value of [1, 2]) yield int(value);
    });
    using source = await executor.createValue(sequenceOf(elements), INTS);
    expect(opened).toBe(0);
    for (const times of [1, 2]) {
      expect(await plain(await source.compute())).toEqual([1, 2]);
      expect(opened).toBe(times);
    }
  });

  test('is refused for an iterable, through a copy of its handle too', async () => {
    const values = [int(1)].values();
    const type = struct([INTS]);
    using box = await executor.createValue(
      { kind: 'struct', elements: [sequenceOf(values)] },
      type,
    );
    using source = await executor.createSelection(box, 0);
    expect(await plain(await source.compute())).toEqual([1]);
    await expect(box.compute()).rejects.toMatchObject({
      name: 'ExecutionError',
      code: 'execution.sequence_consumed',
    });
  });
});

describe('what sequences cannot do', () => {
  test('enter a tensor computation', async () => {
    const identity = computation(INTS, (x) => x);
    using result = await executor.createValue(sequenceOf([int(1)]), INTS);
    using fn = await executor.createValue(addConstant(1), addConstant(1).type);
    await expect(executor.createCall(fn, result)).rejects.toMatchObject({
      name: 'ExecutionError',
      code: 'execution.unsupported_value',
    });
    expect(await run(executor, identity, sequenceOf([int(1)]))).toEqual([1]);
  });

  test('be given data of another kind', async () => {
    const attempt = executor.createValue(int(1), INTS as Type);
    await expect(attempt).rejects.toMatchObject({ code: 'execution.unsupported_value' });
  });
});
