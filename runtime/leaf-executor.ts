/** @file The stack of executors at one participant: everything that has no placement. */

import type { Backend } from '../computations/tensors/index.ts';
import type { Executor } from '../executors/executor.ts';
import { DataExecutor, type DataSource } from '../executors/leaf/data-source.ts';
import type { Operator } from '../executors/leaf/operator.ts';
import { OperatorExecutor } from '../executors/leaf/operators.ts';
import { SequenceExecutor } from '../executors/leaf/sequence.ts';
import { TensorExecutor } from '../executors/leaf/tensor.ts';
import { ReferenceResolvingExecutor } from '../executors/reference-resolving.ts';

export interface LeafExecutorOptions {
  /** Operators beside tensor kernels and sequences. @default none */
  readonly operators?: readonly Operator[];
  /** Finds what `data` blocks name. Without it they are refused. */
  readonly dataSource?: DataSource;
  /** Random bytes for operators; see `OperatorExecutorOptions`. */
  readonly random?: (n: number) => Uint8Array;
}

/**
 * A leaf: syntax over operators over sequences over tensors. The inner resolving executor serves
 * the functions that sequences are mapped and reduced with.
 * @param backend may be shared by many leaves.
 */
export function leafExecutor(backend: Backend, options: LeafExecutorOptions = {}): Executor {
  const { operators = [], dataSource, random } = options;
  const withData = (target: Executor): Executor =>
    dataSource === undefined ? target : new DataExecutor(target, dataSource);
  // Functions on elements may name data too; they are evaluated below the sequences.
  const tensors = new ReferenceResolvingExecutor(withData(new TensorExecutor(backend)));
  const sequences = new SequenceExecutor(tensors);
  const calls =
    operators.length === 0
      ? sequences
      : new OperatorExecutor(sequences, operators, random === undefined ? {} : { random });
  return new ReferenceResolvingExecutor(withData(calls));
}
