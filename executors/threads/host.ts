/**
 * @file The side of a worker: it holds executors and their values, and does what messages ask for.
 * Values stay here until somebody computes them.
 */

import type { BuildingBlock } from '../../computations/building-blocks.ts';
import {
  compactNotation,
  ExecutionError,
  parseType,
  type Type,
} from '../../computations/types/index.ts';
import { decodeBlock } from '../../computations/wire/index.ts';
import { cloneError, restoreError } from '../cloned-error.ts';
import type { Executor, ExecutorValue, RequestOptions } from '../executor.ts';
import { breathe } from '../interruption.ts';
import type { OperatorRecipe } from '../leaf/operator.ts';
import { readAgain } from '../materialized.ts';
import { ValueRestorer } from './cloned-value.ts';
import { Lane, type LaneOptions } from './lane.ts';
import type { FromWorker, LeafRequest, Port, StreamChunk, ToWorker } from './messages.ts';
import { Outbox } from './outbox.ts';
import { type PulledElements, RemoteElements, type StreamReader } from './streams.ts';

/** Makes an executor in a worker, with the operators that a participant has. */
export type WorkerLeafMaker = (operators: readonly OperatorRecipe[]) => Executor;

export class ThreadHost {
  readonly #outbox: Outbox<FromWorker>;
  readonly #makeLeaf: WorkerLeafMaker;
  readonly #leaves = new Map<number, Executor>();
  readonly #values = new Map<number, HeldValue>();
  readonly #running = new Map<number, AbortController>();
  readonly #blocks = new Map<string, BuildingBlock>();
  readonly #types = new Map<string, Type>();
  readonly #pulls = new Map<number, (chunk: PulledElements) => void>();
  readonly #lane: Lane;
  readonly #reader: StreamReader;

  constructor(port: Port, makeLeaf: WorkerLeafMaker, options: LaneOptions = {}) {
    this.#lane = new Lane(options);
    this.#outbox = new Outbox(port);
    this.#makeLeaf = makeLeaf;
    this.#reader = {
      pull: (stream) =>
        new Promise((resolve) => {
          const goOn = this.#lane.widen();
          this.#pulls.set(stream, (chunk) => {
            this.#pulls.delete(stream);
            goOn();
            resolve(chunk);
          });
          this.#outbox.send({ op: 'pull', stream });
        }),
      drop: (stream) => {
        this.#outbox.send({ op: 'drop', stream });
        this.#pulls.get(stream)?.({ elements: [], done: true });
      },
    };
  }

  receive(messages: readonly ToWorker[]): void {
    const restorer = new ValueRestorer();
    for (const message of messages) this.#receive(message, restorer);
  }

  #receive(message: ToWorker, restorer: ValueRestorer): void {
    switch (message.op) {
      case 'leaf':
        this.#answer(message.request, async () => {
          this.#leaves.set(message.request, this.#makeLeaf(message.operators));
          return () => ({ op: 'done', request: message.request });
        });
        return;
      case 'cancel':
        this.#running.get(message.request)?.abort(new Cancelled());
        // What was made already is not wanted any more.
        this.#dispose(message.request);
        return;
      case 'dispose':
        this.#dispose(message.value);
        return;
      case 'forget':
        this.#blocks.delete(message.hash);
        return;
      case 'chunk':
        this.#receiveChunk(message, restorer);
        return;
      default:
        this.#serve(message, restorer);
    }
  }

  #serve(message: LeafRequest, restorer: ValueRestorer): void {
    const { request } = message;
    const controller = new AbortController();
    this.#running.set(request, controller);
    const options = { signal: controller.signal };
    this.#answer(request, async () => {
      const leaf = this.#leaves.get(message.leaf);
      if (leaf === undefined) throw new RangeError(`This worker has no executor ${message.leaf}.`);
      return this.#perform(message, leaf, options, restorer);
    });
  }

  /** Sends what `work` comes to; after a cancellation nobody listens. */
  #answer(request: number, work: () => Promise<Answer>): void {
    work()
      .catch(
        (error: unknown): Answer =>
          () => ({ op: 'failed', request, error: cloneError(error) }),
      )
      .then((answer) => {
        const cancelled = this.#running.get(request)?.signal.aborted === true;
        this.#running.delete(request);
        if (cancelled) this.#dispose(request);
        else this.#outbox.send(answer());
      });
  }

  async #perform(
    message: LeafRequest,
    leaf: Executor,
    options: RequestOptions,
    restorer: ValueRestorer,
  ): Promise<Answer> {
    switch (message.op) {
      case 'value': {
        const value = restorer.restore(
          message.value,
          (stream) => new RemoteElements(stream, this.#reader),
        );
        return this.#keep(message, leaf.createValue(value, this.#type(message.type), options));
      }
      case 'block': {
        const block = this.#block(message.hash, message.bytes);
        return this.#keep(message, leaf.createValue(block, this.#type(message.type), options));
      }
      case 'struct':
        return this.#keep(
          message,
          leaf.createStruct(
            message.elements.map(({ name, value }) => ({ name, value: this.#held(value).value })),
          ),
        );
      case 'selection':
        return this.#keep(
          message,
          leaf.createSelection(this.#held(message.source).value, message.index),
        );
      case 'call': {
        const numbers = message.argument === null ? [message.fn] : [message.fn, message.argument];
        return this.#using(numbers, options, ([fn, argument]) =>
          this.#keep(message, leaf.createCall(fn as ExecutorValue, argument, options)),
        );
      }
      case 'compute':
        return this.#using([message.value], options, async ([value]) => {
          const read = await (value as ExecutorValue).compute(options);
          const again = await readAgain(read, options.signal);
          const { request } = message;
          return () => ({ op: 'read', request, value: this.#outbox.clone(again, refuseStream) });
        });
      case 'close':
        this.#leaves.delete(message.leaf);
        for (const [number, { leaf: owner }] of this.#values) {
          if (owner === message.leaf) this.#dispose(number);
        }
        await leaf.close();
        return () => ({ op: 'done', request: message.request });
    }
  }

  /** Works in the lane on values that stay held meanwhile, whoever disposes of them. */
  async #using(
    numbers: readonly number[],
    { signal }: RequestOptions,
    work: (values: readonly ExecutorValue[]) => Promise<Answer>,
  ): Promise<Answer> {
    const held = numbers.map((number) => this.#held(number));
    for (const entry of held) entry.uses++;
    try {
      return await this.#lane.run(async () => {
        // Whoever wants to cancel this must be heard first.
        await breathe();
        signal?.throwIfAborted();
        return work(held.map(({ value }) => value));
      });
    } finally {
      for (const entry of held) release(entry);
    }
  }

  async #keep({ request, leaf }: LeafRequest, making: Promise<ExecutorValue>): Promise<Answer> {
    const value = await making;
    this.#values.set(request, { leaf, value, uses: 1 });
    return () => ({ op: 'made', request, type: compactNotation(value.type) });
  }

  #held(number: number): HeldValue {
    const held = this.#values.get(number);
    if (held !== undefined) return held;
    throw new ExecutionError('execution.released', 'This value of a worker was disposed already.');
  }

  #dispose(number: number): void {
    const held = this.#values.get(number);
    if (held === undefined) return;
    this.#values.delete(number);
    release(held);
  }

  #block(hash: string, bytes: Uint8Array | undefined): BuildingBlock {
    const known = this.#blocks.get(hash);
    if (known !== undefined) return known;
    if (bytes === undefined) throw new RangeError(`This worker does not know the block ${hash}.`);
    const block = decodeBlock(bytes, TRUSTED);
    this.#blocks.set(hash, block);
    return block;
  }

  #type(notation: string): Type {
    let type = this.#types.get(notation);
    if (type === undefined) {
      if (this.#types.size >= MAX_TYPES) this.#types.clear();
      type = parseType(notation);
      this.#types.set(notation, type);
    }
    return type;
  }

  #receiveChunk({ stream, elements, done, error }: StreamChunk, restorer: ValueRestorer): void {
    this.#pulls.get(stream)?.({
      elements: elements.map((element) => restorer.restore(element, refuseStream)),
      done,
      ...(error !== undefined && { error: restoreError(error) }),
    });
  }
}

/** Makes the message when it is sent: what it hands over goes with the post that it is part of. */
type Answer = () => FromWorker;

interface HeldValue {
  readonly leaf: number;
  readonly value: ExecutorValue;
  /** The handle at the other side, and the requests that work on it. */
  uses: number;
}

function release(held: HeldValue): void {
  held.uses--;
  if (held.uses === 0) held.value[Symbol.dispose]();
}

/** Ends work that nobody waits for. */
class Cancelled extends Error {}

function refuseStream(): never {
  throw new TypeError('A sequence within a sequence, or in a result, cannot be pulled.');
}

const MAX_TYPES = 1000;

/** Blocks come from our own process, so only what the format cannot hold is refused. */
const TRUSTED = {
  maxBytes: Number.POSITIVE_INFINITY,
  graphLimits: {
    maxNodes: Number.POSITIVE_INFINITY,
    maxConstantBytes: Number.POSITIVE_INFINITY,
    maxElements: Number.POSITIVE_INFINITY,
    maxTotalElements: Number.POSITIVE_INFINITY,
    maxFlops: Number.POSITIVE_INFINITY,
  },
};
