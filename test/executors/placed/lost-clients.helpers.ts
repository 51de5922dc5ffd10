/** @file Clients that fail in their own work, and what is told of it. */

import type {
  ExecutionContext,
  Executor,
  ExecutorValue,
  MaterializedValue,
  ProgressStep,
  RequestOptions,
  Type,
} from 'fedloom';
import { afterEach, beforeEach, expect } from 'vitest';
import { defineComputation } from '../../../computations/define.ts';
import { isBlock } from '../../../executors/blocks.ts';
import type { ExecutorInput } from '../../../executors/executor.ts';
import { WrappingExecutor } from '../../../executors/watching/wrapping.ts';
import { addConstant, INT } from '../blocks.ts';

/** What a client does before it does what it is asked to; each may throw, or never end. */
export interface Faults {
  /** Before a call of anything but an operator: a map, the evaluation of a function. */
  readonly work?: ((options?: RequestOptions) => void | Promise<void>) | undefined;
  /** After such a call, with its result at hand. */
  readonly deliver?: (() => void | Promise<void>) | undefined;
  /** Before it takes data of this type: its own, or a broadcast. */
  readonly receive?: ((type: Type, options?: RequestOptions) => void | Promise<void>) | undefined;
  /** Before a value of this type is read. */
  readonly send?: ((type: Type, options?: RequestOptions) => void | Promise<void>) | undefined;
}

/** The leaf of such a client. */
export class FaultyLeaf extends WrappingExecutor {
  readonly #faults: Faults;
  readonly #operators = new WeakSet<ExecutorValue>();
  /** What it was asked for after it failed: calls but of operators, structs, values read. */
  requestsAfterFault = 0;
  #failed = false;

  constructor(target: Executor, faults: Faults = {}) {
    super(target);
    this.#faults = faults;
  }

  override async createValue(
    value: ExecutorInput,
    type: Type,
    options?: RequestOptions,
  ): Promise<ExecutorValue> {
    if (!isBlock(value)) await this.#fault(() => this.#faults.receive?.(type, options));
    const made = await super.createValue(value, type, options);
    if (isBlock(value) && value.kind === 'intrinsic') this.#operators.add(made);
    return made;
  }

  override async createCall(
    fn: ExecutorValue,
    argument?: ExecutorValue,
    options?: RequestOptions,
  ): Promise<ExecutorValue> {
    if (this.#operators.has(fn)) return super.createCall(fn, argument, options);
    await this.#fault(() => this.#faults.work?.(options));
    const made = await super.createCall(fn, argument, options);
    await this.#fault(() => this.#faults.deliver?.());
    return made;
  }

  override async createStruct(
    ...args: Parameters<WrappingExecutor['createStruct']>
  ): Promise<ExecutorValue> {
    await this.#fault(() => {});
    return super.createStruct(...args);
  }

  override async read(inner: ExecutorValue, options?: RequestOptions): Promise<MaterializedValue> {
    await this.#fault(() => this.#faults.send?.(inner.type, options));
    return super.read(inner, options);
  }

  async #fault(fault: () => void | Promise<void>): Promise<void> {
    if (this.#failed) this.requestsAfterFault++;
    try {
      await fault();
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }
}

/** Puts the faults of each client around its leaf. */
export function withFaults(faultsOf: (client: number) => Faults) {
  return (leaf: Executor, placement: string, index: number): Executor =>
    placement === 'clients' ? new FaultyLeaf(leaf, faultsOf(index)) : leaf;
}

/** Such faults at some clients only. */
export function at(clients: Iterable<number>, faults: Faults): (client: number) => Faults {
  const faulty = new Set(clients);
  return (client) => (faulty.has(client) ? faults : {});
}

export const outOfBattery: Faults = {
  work: () => {
    throw new Error('out of battery');
  },
};

/** The work never ends, whatever the signal says. */
export const hangs: Faults = { work: () => new Promise(() => {}) };

/** x + 1, in the place of training. */
export const train = defineComputation<readonly [typeof INT], typeof INT>(
  'train',
  [INT],
  addConstant(1),
);

/** What the body makes the context tell of its runs. */
export async function stepsOf(
  context: ExecutionContext,
  body: () => Promise<unknown>,
): Promise<ProgressStep[]> {
  const steps: ProgressStep[] = [];
  const stop = context.on('progress', (event) => {
    if (event.stage === 'run') steps.push(event.step);
  });
  try {
    await body();
  } finally {
    stop();
  }
  return steps;
}

/** Those of one kind. */
export function ofKind<K extends ProgressStep['kind']>(
  steps: readonly ProgressStep[],
  kind: K,
): Extract<ProgressStep, { readonly kind: K }>[] {
  return steps.filter(
    (step): step is Extract<ProgressStep, { readonly kind: K }> => step.kind === kind,
  );
}

/** Every test of the file fails that leaves a rejection to nobody. */
export function refuseUnhandledRejections(): void {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => {
    unhandled.push(reason);
  };
  beforeEach(() => {
    unhandled.length = 0;
    process.on('unhandledRejection', note);
  });
  afterEach(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
}
