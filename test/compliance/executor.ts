/**
 * @file What every executor must do, whatever it is made of. A stack adds itself with one line:
 * `describeExecutor('composing', setup)`. What a stack cannot do is skipped with its reason.
 */

import { afterEach, beforeEach, describe, expect } from 'vitest';
import type { Executor } from '../../executors/executor.ts';
import { describePlaced } from './executor-placed.ts';
import type { Make } from './executor-run.ts';
import { describeSequences } from './executor-sequences.ts';
import { describeSyntax } from './executor-syntax.ts';
import { describeCalls, describeHandles, describeValues } from './executor-values.ts';

export interface ExecutorFixture {
  /** A new executor with so many clients. */
  create(clients: number): Promise<Executor>;
  /** Number of tensors that its executors hold, if that can be told. */
  liveTensors?(): number;
  /** Waits until disposals have reached where the values are, if that takes time. */
  settle?(): Promise<void>;
}

/** What an executor may lack: each names a group of tests. */
export type ExecutorFeature =
  /** Lambdas, blocks, references, calls, struct and selection blocks. */
  | 'syntax'
  | 'sequences'
  /** Values at clients and server, and the intrinsics on them. */
  | 'placed';

export interface ComplianceOptions {
  /** Groups that do not apply, each with the reason. */
  readonly skip?: { readonly [F in ExecutorFeature]?: string };
  /** Why a sequence that comes from an iterable can be read twice all the same. */
  readonly readsAgain?: string;
}

export function describeExecutor(
  name: string,
  setup: () => Promise<ExecutorFixture>,
  { skip = {}, readsAgain }: ComplianceOptions = {},
): void {
  const group = (feature: ExecutorFeature, title: string, body: () => void): void => {
    const reason = skip[feature];
    if (reason === undefined) describe(title, body);
    else describe.skip(`${title} (${reason})`, body);
  };

  describe(`executor compliance: ${name}`, () => {
    let fixture: ExecutorFixture;
    let open: Executor[] = [];
    const make: Make = async (clients = 3) => {
      const executor = await fixture.create(clients);
      open.push(executor);
      return executor;
    };
    beforeEach(async () => {
      fixture = await setup();
      open = [];
    });
    afterEach(async () => {
      // Every test disposes its handles, so nothing may be left, even before the executor closes.
      await fixture.settle?.();
      expect(fixture.liveTensors?.() ?? 0).toBe(0);
      await Promise.all(open.map((executor) => executor.close()));
    });

    describe('values', () => describeValues(make));
    describe('calls', () => describeCalls(make));
    describe('handles', () => describeHandles(make));
    group('syntax', 'syntax', () => describeSyntax(make));
    group('sequences', 'sequences', () => describeSequences(make, readsAgain));
    group('placed', 'placed values', () => describePlaced(make));
  });
}
