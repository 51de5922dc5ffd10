/** @file A remote executor of a test, on a host of its own; what is left unhandled fails the test. */

import { afterEach, beforeEach, expect } from 'vitest';
import type { ExecutorCalls, ExecutorMethod } from '../../../executors/remote/calls.ts';
import {
  RemoteExecutor,
  type RemoteExecutorOptions,
} from '../../../executors/remote/client/remote-executor.ts';
import { ExecutorHost, type ExecutorHostOptions } from '../../../executors/remote/host/host.ts';
import { inMemoryCalls } from '../../../executors/remote/in-memory.ts';
import { leafExecutor } from '../../../runtime/index.ts';
import { type TrackedBackend, trackedBackend } from '../tracked-backend.ts';
import { settled } from './requests.helpers.ts';

/** The backend of the leaves of this test. */
export let backend: TrackedBackend;

const unhandled: unknown[] = [];
const remember = (reason: unknown): void => void unhandled.push(reason);

/** Called once in a test file. */
export function watchRejections(): void {
  beforeEach(async () => {
    backend = await trackedBackend();
    process.on('unhandledRejection', remember);
  });
  afterEach(async () => {
    await settled();
    process.off('unhandledRejection', remember);
    expect(unhandled.splice(0)).toEqual([]);
  });
}

/** Calls that are written down. */
export class Recorder implements ExecutorCalls {
  readonly methods: ExecutorMethod[] = [];
  readonly requests: unknown[] = [];
  before: (method: ExecutorMethod) => void | Promise<void> = () => {};
  readonly #calls: ExecutorCalls;

  constructor(calls: ExecutorCalls) {
    this.#calls = calls;
  }

  call: ExecutorCalls['call'] = async (method, request, options) => {
    this.methods.push(method);
    this.requests.push(request);
    await this.before(method);
    return this.#calls.call(method, request, options);
  };

  /** What was called since the last time. */
  take(): ExecutorMethod[] {
    this.requests.splice(0);
    return this.methods.splice(0);
  }
}

/** An executor, the host that it is on, and what it called there. */
export function remote(
  makeExecutor: ExecutorHostOptions['makeExecutor'] = async () => leafExecutor(backend),
  options: RemoteExecutorOptions = {},
) {
  const answers = options.answers ?? 'when-made';
  const host = new ExecutorHost({ makeExecutor, answers });
  const recorder = new Recorder(inMemoryCalls(host));
  return { host, recorder, executor: new RemoteExecutor(recorder, options) };
}
