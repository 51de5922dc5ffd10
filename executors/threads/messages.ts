/**
 * @file What a thread and its workers say to each other: the methods of an executor as messages.
 * Several go in one post, in order. Whoever asks numbers the requests; a value is known by the number
 * of the request that made it.
 */

import type { DataOfDType, DType } from '../../computations/types/index.ts';
import type { ClonedError } from '../cloned-error.ts';
import type { OperatorRecipe } from '../leaf/operator.ts';

/** From a thread to a worker. */
export type ToWorker =
  | { readonly op: 'leaf'; readonly request: number; readonly operators: readonly OperatorRecipe[] }
  | LeafRequest
  | { readonly op: 'cancel'; readonly request: number }
  | { readonly op: 'dispose'; readonly value: number }
  | { readonly op: 'forget'; readonly hash: string }
  | StreamChunk;

/** A request to one of the executors of a worker; `leaf` is the number of the request that made it. */
export type LeafRequest = { readonly leaf: number; readonly request: number } & (
  | { readonly op: 'value'; readonly type: string; readonly value: ClonedValue }
  | {
      readonly op: 'block';
      readonly type: string;
      readonly hash: string;
      /** The block in the wire form, at its first time. */
      readonly bytes?: Uint8Array;
    }
  | { readonly op: 'call'; readonly fn: number; readonly argument: number | null }
  | {
      readonly op: 'struct';
      readonly elements: readonly { readonly name: string | null; readonly value: number }[];
    }
  | { readonly op: 'selection'; readonly source: number; readonly index: number }
  | { readonly op: 'compute'; readonly value: number }
  | { readonly op: 'close' }
);

/** Elements of a sequence, in answer to a pull. */
export interface StreamChunk {
  readonly op: 'chunk';
  readonly stream: number;
  readonly elements: readonly ClonedValue[];
  readonly done: boolean;
  /** Why no more elements come, if reading them failed. */
  readonly error?: ClonedError;
}

/** From a worker to its thread. */
export type FromWorker =
  /** The worker can take requests. */
  | { readonly op: 'ready'; readonly backend: string }
  | { readonly op: 'unfit'; readonly error: ClonedError }
  | { readonly op: 'made'; readonly request: number; readonly type: string }
  | { readonly op: 'read'; readonly request: number; readonly value: ClonedValue }
  | { readonly op: 'done'; readonly request: number }
  | { readonly op: 'failed'; readonly request: number; readonly error: ClonedError }
  /** Asks for the next elements of a sequence. */
  | { readonly op: 'pull'; readonly stream: number }
  /** Says that nobody needs its elements any more. */
  | { readonly op: 'drop'; readonly stream: number };

/** A value as data that can be cloned to another thread. */
export type ClonedValue =
  | {
      readonly kind: 'tensor';
      readonly dtype: DType;
      readonly shape: readonly number[];
      readonly data: DataOfDType<DType>;
    }
  | { readonly kind: 'struct'; readonly elements: readonly ClonedValue[] }
  | { readonly kind: 'sequence'; readonly elements: readonly ClonedValue[] }
  /** A sequence whose elements are pulled as they are needed. */
  | { readonly kind: 'stream'; readonly stream: number }
  | { readonly kind: 'federated'; readonly members: readonly ClonedValue[] };

/** A way to the other thread: the part of a worker, or of `parentPort`, that is used here. */
export interface Port {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
}
