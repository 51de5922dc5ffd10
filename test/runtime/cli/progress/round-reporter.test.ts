/** @file How often rounds are asked how they stand. */

import type { RoundStatus } from 'fedloom';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  type ReportedRound,
  RoundReporter,
} from '../../../../runtime/cli/progress/round-reporter.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

class FakeRound implements ReportedRound {
  isOver = false;
  readonly #number: number;

  constructor(number: number) {
    this.#number = number;
  }

  status(): RoundStatus {
    return { round: this.#number, state: this.isOver ? 'done' : 'running' } as RoundStatus;
  }
}

function reporting() {
  const reports: string[] = [];
  const reporter = new RoundReporter((statuses) =>
    reports.push(statuses.map(({ round, state }) => `${round} ${state}`).join(', ')),
  );
  return { reports, reporter };
}

test('not more than ten times a second, however often something changes', () => {
  const { reports, reporter } = reporting();
  const round = new FakeRound(1);
  for (let ms = 0; ms < 1_000; ms += 1) {
    reporter.onRound(round);
    vi.advanceTimersByTime(1);
  }
  expect(reports.length).toBeGreaterThanOrEqual(9);
  expect(reports.length).toBeLessThanOrEqual(11);
});

test('the end of a round at once, and nothing after it', () => {
  const { reports, reporter } = reporting();
  const round = new FakeRound(1);
  reporter.onRound(round);
  reporter.onRound(round);
  round.isOver = true;
  reporter.onRound(round);
  expect(reports).toEqual(['1 running', '1 done']);
  vi.advanceTimersByTime(10_000);
  expect(reports).toHaveLength(2);
  expect(vi.getTimerCount()).toBe(0);
});

test('once a second where nothing happens: the time goes on, and bytes may', () => {
  const { reports, reporter } = reporting();
  reporter.onRound(new FakeRound(1));
  vi.advanceTimersByTime(3_100);
  expect(reports).toEqual(Array(4).fill('1 running'));
  reporter[Symbol.dispose]();
  vi.advanceTimersByTime(10_000);
  expect(reports).toHaveLength(4);
});

test('rounds that change together are told together', () => {
  const { reports, reporter } = reporting();
  reporter.onRound(new FakeRound(1));
  reporter.onRound(new FakeRound(2));
  reporter.onRound(new FakeRound(3));
  vi.advanceTimersByTime(100);
  expect(reports).toEqual(['1 running', '2 running, 3 running, 1 running']);
});
