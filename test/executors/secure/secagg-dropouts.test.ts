/**
 * @file Clients of SecAgg and SecAgg+ on a stack that fail, hang, vanish or answer too late, in each
 * stage: the sum is exact over those who are in it, and says who they are and who was lost.
 */

import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Executor } from '../../../executors/executor.ts';
import type { ProgressStep } from '../../../executors/progress.ts';
import type { Meddling } from './meddling.ts';
import { failureOf } from './parties.ts';
import {
  isIn,
  lateness,
  observed,
  SHAPES,
  type ShapeName,
  type StackShape,
  type Stage,
  summary,
  sumOn,
  sumWithout,
} from './secagg-stack.ts';

const names = Object.keys(SHAPES) as ShapeName[];
const EVERYWHERE = names.flatMap((name) =>
  (SHAPES[name] as StackShape).stages.map((stage) => [name, stage] as const),
);

/** Who is in the sum although it was lost: it sent its vectors. */
const isInSum = (stage: Stage) => stage === 'confirm-survivors' || stage === 'unmask';

const LOSSES = {
  throws: (stage: Stage): Meddling => ({
    call: async (uri, go) => {
      if (isIn(stage, uri)) throw new Error('out of memory');
      return go();
    },
  }),
  vanishes: (stage: Stage, leaf: () => Executor): Meddling => ({
    call: async (uri, go) => {
      if (isIn(stage, uri)) await leaf().close();
      return go();
    },
  }),
  'sends nothing that can be read': (stage: Stage): Meddling => {
    let stages: Stage | undefined;
    return {
      call: (uri, go) => {
        stages = isIn(stage, uri) ? stage : undefined;
        return go();
      },
      send: (bytes) => {
        if (stages === stage) throw new Error('broken pipe');
        return bytes;
      },
    };
  },
  'sends garbage': (stage: Stage): Meddling => {
    let stages: Stage | undefined;
    return {
      call: (uri, go) => {
        stages = isIn(stage, uri) ? stage : undefined;
        return go();
      },
      send: (bytes) => (stages === stage ? new Uint8Array(7) : bytes),
    };
  },
} as const;

describe.each(Object.entries(LOSSES))('a client that %s', (how, lose) => {
  test.each(EVERYWHERE)('(%s, in %s) is lost, and the sum goes on', async (name, stage) => {
    const shape: StackShape = SHAPES[name];
    const stack = await observed(shape, (party, leaves) =>
      party === 'clients/2' ? lose(stage, () => leaves.get(party) as Executor) : {},
    );
    const lost = isInSum(stage) ? [] : [2];
    expect(await sumOn(stack)).toBe(sumWithout(shape.clients, ...lost));
    const step = summary(stack);
    expect(step.clients).toEqual(
      Array.from({ length: shape.clients }, (_, i) => `clients/${i}`).filter(
        (_, i) => !lost.includes(i),
      ),
    );
    expect(step.lost).toEqual([
      { client: 'clients/2', stage, reason: how === 'sends garbage' ? 'refused' : 'failed' },
    ]);
    expect(step.blamed).toEqual([]);
    expect(stack.handles.size).toBe(0);
    await stack.stack.close();
  });
});

describe('a client that hangs', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Lets the time of a stage run out when one client is all that is waited for. */
  const timeRunsOutIn = (stage: Stage) => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    return (step: ProgressStep) => {
      if (step.kind !== 'protocol' || step.stage !== stage || step.done !== step.total - 1) return;
      if (step.roll?.isOver) return;
      setImmediate(() => vi.advanceTimersByTime(60_000));
    };
  };

  test.each(EVERYWHERE)('(%s, in %s) is lost when its time is up', async (name, stage) => {
    const shape: StackShape = SHAPES[name];
    const late = lateness(stage);
    const stack = await observed(shape, (party) => (party === 'clients/2' ? late.meddling : {}));
    const lost = isInSum(stage) ? [] : [2];
    const onProgress = timeRunsOutIn(stage);
    expect(await sumOn(stack, { onProgress })).toBe(sumWithout(shape.clients, ...lost));
    expect(summary(stack).lost).toEqual([{ client: 'clients/2', stage, reason: 'timeout' }]);

    // Its answer comes when nobody waits for it, and leaves nothing.
    await late.answer();
    expect(stack.handles.size).toBe(0);
    // The same stack sums again, and nobody is lost for good.
    expect(await sumOn(stack)).toBe(sumWithout(shape.clients));
    expect(summary(stack).lost).toEqual([]);
    expect(stack.handles.size).toBe(0);
    await stack.stack.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('and answers in the middle of a later stage does not get into the sum', async () => {
    const late = lateness('mask-vectors');
    const stack = await observed(SHAPES.complete, (party) =>
      party === 'clients/2' ? late.meddling : {},
    );
    const timeRunsOut = timeRunsOutIn('mask-vectors');
    const sum = await sumOn(stack, {
      onProgress: (step) => {
        timeRunsOut(step);
        if (step.kind === 'protocol' && step.stage === 'confirm-survivors') void late.answer();
      },
    });
    expect(sum).toBe(sumWithout(5, 2));
    expect(summary(stack).clients).not.toContain('clients/2');
    expect(stack.handles.size).toBe(0);
    await stack.stack.close();
  });
});

describe('a sum that loses too many', () => {
  test.each(EVERYWHERE)('(%s, in %s) stops, and says where, why and who', async (name, stage) => {
    const shape: StackShape = SHAPES[name];
    const gone = shape.clients - shape.threshold + 1;
    const stack = await observed(shape, (party) => {
      const [placement, index] = party.split('/');
      return placement === 'clients' && Number(index) < gone ? LOSSES.throws(stage) : {};
    });
    const error = await failureOf(sumOn(stack));
    expect(error).toMatchObject({
      name: 'ProtocolAbortError',
      code: 'protocol.too_few_clients',
      stage,
      reason: stage === 'unmask' ? 'too-few-shares' : 'too-few-clients',
      offender: undefined,
      missing: Array.from({ length: gone }, (_, i) => `clients/${i}`),
    });
    expect(error.message).toContain('No part of the sum was revealed');
    expect(error.message).toContain('clients/0');
    expect(error.message).toContain('out of memory');
    expect(stack.progress.some(({ kind }) => kind === 'secure-sum')).toBe(false);
    expect(stack.handles.size).toBe(0);
    await stack.stack.close();
  });
});

test('a client that is lost in one sum is asked again in the next', async () => {
  let sums = 0;
  const stack = await observed(SHAPES.complete, (party) =>
    party !== 'clients/1'
      ? {}
      : {
          call: async (uri, go) => {
            if (uri === 'secagg_share_keys') {
              sums += 1;
              if (sums === 1) throw new Error('once');
            }
            return go();
          },
        },
  );
  expect(await sumOn(stack)).toBe(sumWithout(5, 1));
  expect(await sumOn(stack)).toBe(sumWithout(5));
  await stack.stack.close();
});

test('clients are lost one after the other, as long as the threshold holds', async () => {
  const shape = SHAPES.sparse;
  const when: { readonly [party: string]: Stage } = {
    'clients/0': 'advertise',
    'clients/4': 'share-keys',
    'clients/7': 'mask-vectors',
    'clients/11': 'unmask',
  };
  const stack = await observed(shape, (party) =>
    when[party] === undefined ? {} : LOSSES.throws(when[party]),
  );
  expect(await sumOn(stack)).toBe(sumWithout(shape.clients, 0, 4, 7));
  expect(summary(stack).lost.map(({ client, stage }) => [client, stage])).toEqual(
    Object.entries(when),
  );
  await stack.stack.close();
});
