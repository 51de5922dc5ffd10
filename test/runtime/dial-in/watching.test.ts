/** @file Rounds with clients that dial in, watched: how they stand, and their traces. */

import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import {
  federatedComputation,
  federatedData,
  federatedSecureSum,
  federatedSum,
  int32,
  type RoundStatus,
  secAgg,
  withContext,
} from 'fedloom';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TensorValue } from '../../../computations/types/index.ts';
import { RecordedSpans } from '../tracing/recorded-spans.ts';
import { Federation } from './federation.ts';

const NAMES = ['north', 'south', 'east', 'west', 'centre'];
const total = federatedComputation([], function total() {
  return federatedSecureSum(federatedData('reading', int32()), 1_000_000);
});
const secure = {
  secureAggregation: (identities: never) => secAgg({ identities, timeoutMs: 5_000 }),
} as never;
async function watched(names = NAMES, more: object = {}) {
  const seen: RoundStatus[] = [];
  const federation = await Federation.start(names, {
    ...more,
    coordinator: {
      clients: { heartbeat: { heartbeatMs: 200, silenceMs: 1_000, graceMs: 1_000 } },
      onRound: (round) => seen.push(round.status()),
    },
  });
  return { federation, seen };
}

describe('how a round stands', () => {
  test('a round tells its stages, who answered by name, and bytes each way', async () => {
    const { federation, seen } = await watched();
    await using _ = federation;
    // Some of the roster, so that places and numbers differ.
    await federation.coordinator.select({ atLeast: 5, within: 10_000 });
    const where = ({ name }: { name: string }) => name !== 'south';
    const cohort = await federation.coordinator.select({ atLeast: 4, within: 10_000, where });
    await using context = cohort.context(secure);
    await withContext(context, () => total());
    await withContext(context, () => total());

    expect(seen.map(({ round }) => round).filter((round, i, all) => round !== all[i - 1])).toEqual([
      1, 2,
    ]);
    const last = seen.findLast(({ round }) => round === 1);
    expect(last).toMatchObject({ state: 'done', clients: 4, counted: 4, lost: [] });
    expect(last?.computation).toBe(total.name);
    expect(last?.stages.map(({ stage }) => stage)).toEqual([
      "finding the data 'reading'",
      'advertise',
      'share-keys',
      'mask-vectors',
      'confirm-survivors',
      'unmask',
    ]);
    for (const { answered, missing, isOver, traffic } of last?.stages ?? []) {
      expect([...answered].sort()).toEqual(['centre', 'east', 'north', 'west']);
      expect({ missing, isOver }).toEqual({ missing: [], isOver: true });
      expect(Math.min(traffic.toClients, traffic.toServer)).toBeGreaterThan(0);
    }
    const sumOf = (way: 'toClients' | 'toServer') =>
      last?.stages.reduce((sum, { traffic }) => sum + traffic[way], 0) ?? 0;
    expect(last?.traffic.toClients).toBeGreaterThanOrEqual(sumOf('toClients'));
    expect(last?.traffic.toServer).toBeGreaterThanOrEqual(sumOf('toServer'));
    const early = seen.find(({ stages }) => stages.at(-1)?.done === 2);
    expect(early?.stages.at(-1)).toMatchObject({ isOver: false, total: 4 });
    expect(early?.stages.at(-1)?.answered).toHaveLength(2);
    expect(early?.stages.at(-1)?.missing).toHaveLength(2);
    // Of a round, and not of all before it.
    const next = seen.find(({ round }) => round === 2);
    expect(next?.traffic.toServer).toBeLessThan(last?.traffic.toServer ?? 0);
  });

  test('a client that is lost is named, with the stage; the sum is without it', async () => {
    const { federation, seen } = await watched();
    await using _ = federation;
    const cohort = await federation.coordinator.select({ atLeast: 5, within: 10_000 });
    await using context = cohort.context(secure);
    await federation.client('east').stop();
    await withContext(context, () => total());
    expect(seen.at(-1)).toMatchObject({
      state: 'done',
      counted: 4,
      lost: [{ client: 'east', stage: "finding the data 'reading'", reason: 'failed' }],
    });
    expect(seen.at(-1)?.stages[0]?.missing).toEqual(['east']);
  });

  test('a round that is refused says why; the next one has its own number', async () => {
    const { federation, seen } = await watched(['a', 'b', 'c']);
    await using _ = federation;
    const cohort = await federation.coordinator.select({ atLeast: 3, within: 10_000 });
    await using context = cohort.context();
    const plain = federatedComputation([], () => federatedSum(federatedData('reading', int32())));
    await expect(withContext(context, () => plain())).rejects.toThrow();
    expect(seen.at(-1)).toMatchObject({
      round: 1,
      state: 'failed',
      failure: { message: expect.stringContaining('policy.private_value') },
    });
    expect(seen.at(-1)?.stages.every(({ isOver }) => isOver)).toBe(true);
  });
});

describe('a trace', () => {
  let spans: RecordedSpans;
  beforeEach(() => {
    spans = new RecordedSpans();
  });
  afterEach(() => spans[Symbol.dispose]());

  test('from the invocation over the stages to each client, without a value', async () => {
    const data = (i: number) => new TensorValue('int32', [], Int32Array.of(271_828 + i));
    await using federation = await Federation.start(['north', 'south', 'east'], { data });
    const cohort = await federation.coordinator.select({ atLeast: 3, within: 10_000 });
    await using context = cohort.context(secure);
    expect(await withContext(context, () => total())).toBe(3 * 271_828 + 3);

    const [invocation] = spans.named('fedloom.invoke');
    expect(invocation?.attributes).toMatchObject({ 'fedloom.clients': 3 });
    const stages = spans.named('fedloom.stage');
    expect(stages.map(({ attributes }) => attributes['fedloom.stage'])).toContain('mask-vectors');
    for (const { attributes } of stages) {
      expect(attributes).toMatchObject({ 'fedloom.asked': 3, 'fedloom.answered': 3 });
    }
    expect(spans.named('fedloom.secure_sum')[0]?.attributes).toMatchObject({
      'fedloom.asked': 3,
      'fedloom.answered': 3,
    });
    const ofStages = spans
      .ofKind(SpanKind.SERVER)
      .filter((span) => spans.around(span)[1] === 'fedloom.stage');
    expect(ofStages.length).toBeGreaterThan(0);
    for (const span of ofStages) {
      expect(spans.around(span).slice(1)).toEqual([
        'fedloom.stage',
        'fedloom.secure_sum',
        'fedloom.invoke',
      ]);
      expect(span.spanContext().traceId).toBe(invocation?.spanContext().traceId);
    }
    const asked = new Set(
      ofStages.map((span) => spans.parentOf(span)?.attributes['fedloom.client']),
    );
    expect([...asked].sort()).toEqual(['east', 'north', 'south']);
    expect(spans.text).not.toMatch(/27182[89]|271830/);
  });

  test('goes on without a client that is lost: its calls have failed, and no stage has', async () => {
    await using federation = await Federation.start(['north', 'south', 'east', 'west']);
    const cohort = await federation.coordinator.select({ atLeast: 4, within: 10_000 });
    await using context = cohort.context(secure);
    await federation.client('east').stop();
    expect(await withContext(context, () => total())).toBe(70);
    const failed = spans
      .ofKind(SpanKind.CLIENT)
      .filter(({ status }) => status.code === SpanStatusCode.ERROR);
    expect(failed.length).toBeGreaterThan(0);
    for (const { attributes } of failed) {
      expect(attributes['fedloom.client']).toBe('east');
      expect(attributes['error.type']).toMatch(/^transport\./);
    }
    for (const { status } of spans.named('fedloom.stage')) {
      expect(status.code).toBe(SpanStatusCode.UNSET);
    }
  });
});
