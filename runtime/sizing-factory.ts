/**
 * @file The local simulation with its traffic counted: what went to and came from each placement,
 * for every invocation.
 */

import type { Cardinalities, Executor, ExecutorFactory } from '../executors/executor.ts';
import { addSizes, SizeMeter, type Sizes, SizingExecutor } from '../executors/watching/sizing.ts';
import { type LocalExecutorFactoryOptions, localExecutorFactory } from './local-factory.ts';

export interface SizingExecutorFactoryOptions extends LocalExecutorFactoryOptions {
  /** How many rounds are listed; older ones stay in the total only. @default 1000 */
  readonly maxRounds?: number;
}

export interface SizeReport {
  /** The sizes of each invocation since the last reset, in the order in which they ended. */
  readonly rounds: readonly Sizes[];
  /** Their sum, with the rounds that are not listed any more. */
  readonly total: Sizes;
}

export interface SizingExecutorFactory extends ExecutorFactory {
  sizes(): SizeReport;
  /** Forgets what was counted. Invocations that run at that time count in full when they end. */
  reset(): void;
}

/**
 * A local stack that counts the data at each participant; see SizingExecutor for what counts. Data
 * that the caller hands in counts as sent to its placement, since it is; what a data source finds at
 * a participant does not. Invocations that run at the same time get stacks of their own, so that each
 * is counted by itself; a failed one counts with what it did.
 */
export function sizingExecutorFactory(
  options: SizingExecutorFactoryOptions = {},
): SizingExecutorFactory {
  return new SizingFactory(options);
}

const DEFAULT_MAX_ROUNDS = 1000;

/** A factory whose stacks serve one invocation at a time, with the meter of all of them. */
interface Slot {
  readonly factory: ExecutorFactory;
  readonly meter: SizeMeter;
}

class SizingFactory implements SizingExecutorFactory {
  readonly handles?: ReadonlySet<string>;
  readonly defaultClients?: number;
  readonly #options: SizingExecutorFactoryOptions;
  readonly #slots: Slot[] = [];
  #idle: Slot[] = [];
  readonly #busy = new Map<Executor, Slot>();
  #rounds: Sizes[] = [];
  #total: Sizes = {};

  constructor(options: SizingExecutorFactoryOptions) {
    this.#options = options;
    const { factory } = this.#newSlot();
    if (factory.handles !== undefined) this.handles = factory.handles;
    if (factory.defaultClients !== undefined) this.defaultClients = factory.defaultClients;
  }

  sizes(): SizeReport {
    return { rounds: [...this.#rounds], total: this.#total };
  }

  reset(): void {
    this.#rounds = [];
    this.#total = {};
  }

  async createExecutor(cardinalities: Cardinalities): Promise<Executor> {
    if (this.#idle.length === 0) this.#newSlot();
    const slot = this.#idle.pop() as Slot;
    try {
      const executor = await slot.factory.createExecutor(cardinalities);
      this.#busy.set(executor, slot);
      return executor;
    } catch (error) {
      this.#idle.push(slot);
      throw error;
    }
  }

  releaseExecutor(executor: Executor): void {
    const slot = this.#busy.get(executor);
    if (slot === undefined) return;
    this.#busy.delete(executor);
    slot.factory.releaseExecutor?.(executor);
    this.#idle.push(slot);
    const round = slot.meter.take();
    this.#total = addSizes(this.#total, round);
    this.#rounds.push(round);
    if (this.#rounds.length > (this.#options.maxRounds ?? DEFAULT_MAX_ROUNDS)) this.#rounds.shift();
  }

  async cleanUpExecutor(cardinalities: Cardinalities): Promise<void> {
    await Promise.all(this.#slots.map(({ factory }) => factory.cleanUpExecutor(cardinalities)));
  }

  async close(): Promise<void> {
    await Promise.all(this.#slots.map(({ factory }) => factory.close()));
  }

  #newSlot(): Slot {
    const meter = new SizeMeter();
    const { wrapLeaf } = this.#options;
    const factory = localExecutorFactory({
      ...this.#options,
      wrapLeaf: (leaf, placement, index) => {
        const sizing = new SizingExecutor(leaf, placement, meter);
        return wrapLeaf === undefined ? sizing : wrapLeaf(sizing, placement, index);
      },
    });
    const slot = { factory, meter };
    this.#slots.push(slot);
    this.#idle.push(slot);
    return slot;
  }
}
