/**
 * @file An executor of your own: one that logs what an execution is made of.
 *
 * An executor implements five methods. This one stands around another and forwards every call, like
 * all wrapping executors; `wrap` puts it around a whole stack, `wrapLeaf` around each participant.
 */

import {
  atClients,
  ExecutionContext,
  type Executor,
  type ExecutorInput,
  type ExecutorValue,
  federatedComputation,
  federatedMean,
  federatedSum,
  float32,
  localExecutorFactory,
  type StructElementValue,
  type Type,
  withContext,
} from 'fedloom';
import { heading, note, result } from './support/terminal.ts';

class LoggingExecutor implements Executor {
  readonly #target: Executor;
  readonly #name: string;

  constructor(target: Executor, name: string) {
    this.#target = target;
    this.#name = name;
  }
  createValue(value: ExecutorInput, type: Type): Promise<ExecutorValue> {
    note(`  ${this.#name} createValue ${type}`);
    return this.#target.createValue(value, type);
  }
  createCall(fn: ExecutorValue, argument?: ExecutorValue): Promise<ExecutorValue> {
    note(`  ${this.#name} createCall ${fn.type}`);
    return this.#target.createCall(fn, argument);
  }
  createStruct(elements: readonly StructElementValue[]): Promise<ExecutorValue> {
    note(`  ${this.#name} createStruct of ${elements.length}`);
    return this.#target.createStruct(elements);
  }
  createSelection(source: ExecutorValue, index: number): Promise<ExecutorValue> {
    note(`  ${this.#name} createSelection ${index} of ${source.type}`);
    return this.#target.createSelection(source, index);
  }
  close(): Promise<void> {
    return this.#target.close();
  }
}

const report = federatedComputation([atClients(float32())], (x) => ({
  sum: federatedSum(x),
  mean: federatedMean(x),
}));

heading('A custom executor');
const context = new ExecutionContext(
  localExecutorFactory({
    wrapLeaf: (leaf, placement, index) => new LoggingExecutor(leaf, `${placement}/${index}`),
  }),
);
const { sum, mean } = await withContext(context, () => report([1, 2, 3]));
await context.close();

result('sum', String(sum));
result('mean', String(mean));
