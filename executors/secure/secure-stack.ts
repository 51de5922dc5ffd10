/** @file What a secure aggregation adds to an executor stack; `localExecutorFactory` puts it in. */

import type { Executor } from '../executor.ts';
import type { Operator } from '../leaf/operator.ts';
import type { PlacedExecutor } from '../placed/placed-executor.ts';

export interface SecureStack {
  /** Composite intrinsics that the wrapping executor wants to see itself; see `ExecutorFactory`. */
  readonly handles: ReadonlySet<string>;
  /** Placements beside clients and server that need an executor of their own, e.g. `aggregator`. */
  readonly roles: readonly string[];
  /** Operators that every leaf executor gets, at clients, server and roles. */
  readonly operators: readonly Operator[];
  /** Whether all its protocols can go on without clients that are lost. @default false */
  readonly survivesLosses?: boolean;
  /** Puts the secure executor around the one that executes placed values. */
  wrap(target: PlacedExecutor): Executor;
}

/** Something that makes a stack: what `paillier()` and `masking()` return. */
export interface SecureStackProvider {
  secureStack(): SecureStack;
}

export function toSecureStack(source: SecureStack | SecureStackProvider): SecureStack {
  return 'secureStack' in source ? source.secureStack() : source;
}
