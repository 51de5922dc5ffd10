/**
 * @file SecAgg and SecAgg+ on a stack that is interrupted or closed in the middle of a sum, and sums
 * at once: nothing comes of a sum that is cut off, nothing of it stays, and others are not touched.
 */

import { type MasksToRemove, removeMasks, SecretBytes } from 'fedloom/protocols';
import { describe, expect, test, vi } from 'vitest';
import { removeMasksHere, type UnmaskingPool } from '../../../executors/secure/secagg/unmasking.ts';
import { failureOf } from './parties.ts';
import {
  isIn,
  observed,
  SHAPES,
  type ShapeName,
  type StackShape,
  settled,
  sumOn,
  sumWithout,
} from './secagg-stack.ts';

const names = Object.keys(SHAPES) as ShapeName[];
const EVERYWHERE = names.flatMap((name) =>
  (SHAPES[name] as StackShape).stages.map((stage) => [name, stage] as const),
);

describe('a sum that is not wanted any more', () => {
  test.each(EVERYWHERE)(
    '(%s, in %s) stops, for the reason given, and leaves nothing',
    async (name, stage) => {
      const stack = await observed(SHAPES[name]);
      for (const done of [0, 1]) {
        const controller = new AbortController();
        const reason = new Error('enough');
        const attempt = sumOn(stack, {
          signal: controller.signal,
          onProgress: (step) => {
            const here = step.kind === 'protocol' && step.stage === stage;
            if (here && step.done === done) controller.abort(reason);
          },
        });
        expect(await failureOf(attempt)).toBe(reason);
        await settled();
        expect(stack.progress.some(({ kind }) => kind === 'secure-sum')).toBe(false);
        expect(stack.handles.size).toBe(0);
      }
      // The stack makes the next one.
      expect(await sumOn(stack)).toBe(sumWithout(SHAPES[name].clients));
      expect(stack.handles.size).toBe(0);
      await stack.stack.close();
    },
  );

  test('is not begun', async () => {
    const calls: string[] = [];
    const stack = await observed(SHAPES.complete, () => ({
      call: (uri, go) => {
        calls.push(uri);
        return go();
      },
    }));
    expect(await failureOf(sumOn(stack, { signal: AbortSignal.abort() }))).toMatchObject({
      name: 'AbortError',
    });
    expect(calls).toEqual([]);
    await stack.stack.close();
  });

  test('stops for a client that hangs, at once', async () => {
    const controller = new AbortController();
    const stack = await observed(SHAPES.complete, (party) =>
      party !== 'clients/3'
        ? {}
        : { call: (uri, go) => (isIn('share-keys', uri) ? new Promise(() => {}) : go()) },
    );
    const attempt = sumOn(stack, {
      signal: controller.signal,
      onProgress: (step) => {
        if (step.kind === 'protocol' && step.stage === 'share-keys' && step.done === 4) {
          controller.abort();
        }
      },
    });
    expect(await failureOf(attempt)).toMatchObject({ name: 'AbortError' });
    await stack.stack.close();
  });
});

describe('a stack that is closed in the middle of a sum', () => {
  test.each(EVERYWHERE)('(%s, in %s) says so, and leaves nothing', async (name, stage) => {
    let closing: Promise<void> | undefined;
    const stack = await observed(SHAPES[name]);
    const error = await failureOf(
      sumOn(stack, {
        onProgress: (step) => {
          if (step.kind === 'protocol' && step.stage === stage) closing ??= stack.stack.close();
        },
      }),
    );
    expect(error).toMatchObject({ code: 'context.closed' });
    await closing;
    await settled();
    expect(stack.handles.size).toBe(0);
  });
});

describe('sums at once', () => {
  test.each(names)('(%s) do not touch each other', async (name) => {
    const { clients } = SHAPES[name];
    const stack = await observed(SHAPES[name]);
    const sums = await Promise.all([1, 2, 3].map(() => sumOn({ ...stack, progress: [] })));
    expect(sums).toEqual([1, 2, 3].map(() => sumWithout(clients)));
    expect(stack.handles.size).toBe(0);
    await stack.stack.close();
  });

  test('of which one is interrupted and one loses a client', async () => {
    const stack = await observed(SHAPES.complete);
    const controller = new AbortController();
    const values = [1, 2, 3, 4, 5];
    const outcomes = await Promise.allSettled([
      sumOn({ ...stack, progress: [] }, {}, values),
      sumOn(
        { ...stack, progress: [] },
        {
          signal: controller.signal,
          onProgress: (step) => {
            if (step.kind === 'protocol' && step.stage === 'mask-vectors') controller.abort();
          },
        },
        values,
      ),
      // One of its values is beyond the bound: that client refuses.
      sumOn({ ...stack, progress: [] }, {}, [1, 2, 3, 40_000, 5]),
    ]);
    expect(outcomes).toMatchObject([
      { status: 'fulfilled', value: 15 },
      { status: 'rejected' },
      { status: 'fulfilled', value: 11 },
    ]);
    await settled();
    expect(stack.handles.size).toBe(0);
    await stack.stack.close();
  });
});

describe('masks that are not taken off', () => {
  const poolThat = (remove: (masks: MasksToRemove) => void): [UnmaskingPool, SecretBytes[]] => {
    const seeds: SecretBytes[] = [];
    const pool: UnmaskingPool = {
      async removeMasks(masks) {
        seeds.push(...masks.masks.flat().map(({ seed }) => seed));
        remove(masks);
        return removeMasks(masks);
      },
    };
    return [pool, seeds];
  };

  test('are erased where their expansion fails, and the sum with them', async () => {
    const [unmasking, seeds] = poolThat(() => {
      throw new Error('no memory');
    });
    const stack = await observed(SHAPES.complete, () => ({}), { unmasking });
    expect(await failureOf(sumOn(stack))).toMatchObject({ message: 'no memory' });
    expect(seeds).toHaveLength(5);
    expect(seeds.every(({ erased }) => erased)).toBe(true);
    expect(stack.handles.size).toBe(0);
    await stack.stack.close();
  });

  test('are erased where they are not wanted any more, before the first of many', async () => {
    const [unmasking, seeds] = poolThat(() => {});
    const stack = await observed(SHAPES.complete, () => ({}), { unmasking });
    await sumOn(stack);
    expect(seeds.every(({ erased }) => erased)).toBe(true);
    // Here, in parts: so many values that nobody would wait for the first part.
    const seed = new SecretBytes(new Uint8Array(32).fill(1));
    const giant = { modulus: 256n, lane: 'u32', values: { length: 2 ** 30 } };
    const masks = { kind: 'masks', sums: [giant], masks: [[{ seed, sign: 1 }]] };
    const attempt = removeMasksHere(masks as never, { signal: AbortSignal.abort() });
    expect(await failureOf(attempt)).toMatchObject({ name: 'AbortError' });
    await stack.stack.close();
  });
});

test('no timer is left after a sum, whether it ends well or not', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] });
  try {
    const stack = await observed(SHAPES.complete, (party) =>
      party !== 'clients/1'
        ? {}
        : {
            call: async (uri, go) => {
              if (isIn('confirm-survivors', uri)) throw new Error('gone');
              return go();
            },
          },
    );
    await sumOn(stack);
    await failureOf(sumOn(stack, { signal: AbortSignal.abort() }));
    await stack.stack.close();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
