/**
 * @file Sums of one integer a client by SecAgg and SecAgg+ on real stacks, whose clients, or the
 * server in its messages to them, can be made to misbehave; and everything that is left behind.
 */

import { atServer, secAgg, secAggPlus } from 'fedloom';
import type { BuildingBlock } from '../../../computations/building-blocks.ts';
import type { Executor, ExecutorValue } from '../../../executors/executor.ts';
import type { ProgressStep, SecureSumStep } from '../../../executors/progress.ts';
import type { SecAggPlusOptions, SecureAggregation } from '../../../executors/secure/index.ts';
import { compileForExecution } from '../../../intrinsics/index.ts';
import type { LocalExecutorFactoryOptions } from '../../../runtime/index.ts';
import { callIntrinsic, computation, federatedInts, INT, intLiteral, plain } from '../blocks.ts';
import { type Meddling, MeddlingExecutor } from './meddling.ts';
import { CLIENT_INTS, stackOf } from './parties.ts';

export const STAGES = {
  advertise: ['secagg_advertise'],
  'choose-neighbours': ['secagg_choose_neighbours'],
  'share-keys': ['secagg_share_keys'],
  'mask-vectors': ['secagg_mask_vectors'],
  'confirm-survivors': ['secagg_confirm_survivors'],
  unmask: ['secagg_unmask_confirmed', 'secagg_unmask_survivors'],
} as const;

export type Stage = keyof typeof STAGES;

export interface StackShape {
  readonly clients: number;
  /** How many must stay until the end. */
  readonly threshold: number;
  readonly stages: readonly Stage[];
  create(options?: SecAggPlusOptions): SecureAggregation;
}

/** Weak and small: what is tested here does not depend on the size. */
const weak = { securityBits: 4, corruptRate: 0 } as const;

export const SHAPES = {
  complete: {
    clients: 5,
    threshold: 4,
    stages: ['advertise', 'share-keys', 'mask-vectors', 'confirm-survivors', 'unmask'],
    create: (options) => secAgg({ threshold: 4, ...options }),
  },
  sparse: {
    clients: 12,
    threshold: 4,
    stages: [
      'advertise',
      'choose-neighbours',
      'share-keys',
      'mask-vectors',
      'confirm-survivors',
      'unmask',
    ],
    create: (options) => secAggPlus({ ...weak, neighbours: 6, threshold: 4, ...options }),
  },
  believed: {
    clients: 5,
    threshold: 4,
    stages: ['advertise', 'share-keys', 'mask-vectors', 'unmask'],
    create: (options) => secAgg({ model: 'semi-honest', threshold: 4, ...options }),
  },
} as const satisfies { readonly [name: string]: StackShape };

export type ShapeName = keyof typeof SHAPES;

/** `federated_secure_sum` of values up to 10,000. */
export const SUM: BuildingBlock = computation(CLIENT_INTS, (x) =>
  callIntrinsic('federated_secure_sum', [x, intLiteral(10_000)], atServer(INT)),
);

/** Client i has 10 i + 1, so that a sum shows who is in it. */
export function valueAt(client: number): number {
  return 10 * client + 1;
}

export function sumWithout(clients: number, ...lost: number[]): number {
  let sum = 0;
  for (let i = 0; i < clients; i += 1) if (!lost.includes(i)) sum += valueAt(i);
  return sum;
}

export interface Observed {
  readonly stack: Executor;
  readonly clients: number;
  /** Handles that are alive, at all parties. */
  readonly handles: Set<ExecutorValue>;
  /** What the last sum told on its way. */
  readonly progress: ProgressStep[];
  /** Leaves by party, to be closed early. */
  readonly leaves: Map<string, Executor>;
}

export async function observed(
  shape: StackShape,
  meddling: (party: string, leaves: ReadonlyMap<string, Executor>) => Meddling = () => ({}),
  options: SecAggPlusOptions = {},
  more: LocalExecutorFactoryOptions = {},
): Promise<Observed> {
  const handles = new Set<ExecutorValue>();
  const leaves = new Map<string, Executor>();
  const stack = await stackOf(shape.create(options), shape.clients, {
    wrapLeaf: (leaf, placement, index) => {
      const party = `${placement}/${index}`;
      leaves.set(party, leaf);
      return new MeddlingExecutor(leaf, { handles, ...meddling(party, leaves) });
    },
    ...more,
  });
  return { stack, clients: shape.clients, handles, progress: [], leaves };
}

/** Makes a sum of all clients' values. */
export async function sumOn(
  { stack, clients, progress }: Observed,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (step: ProgressStep) => void } = {},
  values: readonly number[] = Array.from({ length: clients }, (_, i) => valueAt(i)),
  block: BuildingBlock = SUM,
): Promise<unknown> {
  progress.length = 0;
  const options = {
    ...(signal !== undefined && { signal }),
    onProgress: (step: ProgressStep) => {
      progress.push(step);
      onProgress?.(step);
    },
  };
  const compiled = compileForExecution(block);
  using fn = await stack.createValue(compiled, compiled.type);
  using argument = await stack.createValue(federatedInts(...values), CLIENT_INTS);
  using result = await stack.createCall(fn, argument, options);
  const members = await plain(await result.compute());
  return (members as readonly unknown[])[0];
}

/** What the last sum said about itself. */
export function summary({ progress }: Observed): SecureSumStep {
  const step = progress.find(({ kind }) => kind === 'secure-sum');
  if (step?.kind !== 'secure-sum') throw new Error('no sum was made');
  return step;
}

export function isIn(stage: Stage, uri: string): boolean {
  return (STAGES[stage] as readonly string[]).includes(uri);
}

/** A party that answers when it is told to. */
export function lateness(stage: Stage): { readonly meddling: Meddling; answer(): Promise<void> } {
  let begin = () => {};
  const told = new Promise<void>((resolve) => {
    begin = resolve;
  });
  let answered: Promise<unknown> = told;
  return {
    meddling: {
      call: (uri, go) => {
        if (!isIn(stage, uri)) return go();
        const result = told.then(go);
        answered = result.catch(() => {});
        return result;
      },
    },
    async answer() {
      begin();
      await answered;
      await settled();
    },
  };
}

/** After what follows an answer in this process, that waits for nothing else. */
export async function settled(): Promise<void> {
  for (let step = 0; step < 8; step += 1) await new Promise((resolve) => setImmediate(resolve));
}
