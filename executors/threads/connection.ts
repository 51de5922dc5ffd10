/**
 * @file The side of the thread that uses a worker: sends requests, and settles them when the answers
 * come, when they are cancelled, or when the worker is lost.
 */

import type { BuildingBlock } from '../../computations/building-blocks.ts';
import type { MaterializedValue } from '../../computations/types/index.ts';
import { contentHash, encodeBlock } from '../../computations/wire/index.ts';
import { cloneError, restoreError } from '../cloned-error.ts';
import { ValueRestorer } from './cloned-value.ts';
import type { ClonedValue, FromWorker, Port, ToWorker } from './messages.ts';
import { Outbox } from './outbox.ts';
import { Streams } from './streams.ts';

/** What a request comes to. */
export type Reply =
  | { readonly op: 'made'; readonly request: number; readonly type: string }
  | { readonly op: 'read'; readonly request: number; readonly value: MaterializedValue }
  | { readonly op: 'done'; readonly request: number };

export interface ConnectionUsage {
  /** Handles on values of the worker that were not disposed. */
  readonly handles: number;
  /** Sequences of this thread that the worker may pull from. */
  readonly streams: number;
}

export interface ConnectionOptions {
  /** Called when the first request of several begins, and when the last one is settled. */
  readonly onBusy: (busy: boolean) => void;
}

export class WorkerConnection {
  readonly #outbox: Outbox<ToWorker>;
  readonly #onBusy: (busy: boolean) => void;
  readonly #pending = new Map<number, Pending>();
  readonly #bySignal = new Map<AbortSignal, SignalUse>();
  readonly #streams = new Streams();
  /** Hashes of the blocks that the worker keeps, the one used last at the end. */
  readonly #sent = new Set<string>();
  #requests = 0;
  #handles = 0;
  #lost: Error | null = null;

  constructor(port: Port, { onBusy }: ConnectionOptions) {
    this.#outbox = new Outbox(port);
    this.#onBusy = onBusy;
  }

  /** Why the worker is lost, if it is. */
  get lost(): Error | null {
    return this.#lost;
  }

  /** What the worker holds for this thread, and the other way round. */
  get usage(): ConnectionUsage {
    return { handles: this.#handles, streams: this.#streams.size };
  }

  /** Counts handles on values of the worker. */
  countHandles(change: number): void {
    this.#handles += change;
  }

  /**
   * @param message makes the message with the number of the request.
   * @throws what the worker answers, the signal's reason, or why the worker is lost.
   */
  request(message: (request: number) => ToWorker, signal?: AbortSignal): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#lost !== null) throw this.#lost;
      signal?.throwIfAborted();
      const request = ++this.#requests;
      this.#outbox.send(message(request));
      if (this.#pending.size === 0) this.#onBusy(true);
      this.#pending.set(request, { resolve, reject, signal });
      if (signal !== undefined) this.#watch(signal, request);
    });
  }

  /** Tells the worker something that has no answer. */
  notify(message: ToWorker): void {
    if (this.#lost === null) this.#outbox.send(message);
  }

  /** A value for the next message. @param leaf the executor that gets it. */
  clone(value: MaterializedValue, leaf: number): ClonedValue {
    return this.#outbox.clone(value, (elements) => this.#streams.open(elements, leaf));
  }

  /** A block for the next message: in full only if the worker does not have it. */
  block(block: BuildingBlock): { readonly hash: string; readonly bytes?: Uint8Array } {
    const hash = contentHash(block);
    const known = this.#sent.delete(hash);
    this.#sent.add(hash);
    if (known) return { hash };
    for (const oldest of this.#sent) {
      if (this.#sent.size <= MAX_BLOCKS) break;
      this.#sent.delete(oldest);
      this.#outbox.send({ op: 'forget', hash: oldest });
    }
    return { hash, bytes: encodeBlock(block) };
  }

  /** Nothing of this executor is used any more. */
  dropStreams(leaf: number): void {
    this.#streams.dropAll(leaf);
  }

  receive(messages: readonly FromWorker[]): void {
    const restorer = new ValueRestorer();
    for (const message of messages) {
      switch (message.op) {
        case 'made':
        case 'done':
          this.#settle(message.request)?.resolve(message);
          break;
        case 'read': {
          const value = restorer.restore(message.value, refuseStream);
          this.#settle(message.request)?.resolve({ ...message, value });
          break;
        }
        case 'failed':
          this.#settle(message.request)?.reject(restoreError(message.error));
          break;
        case 'pull':
          void this.#feed(message.stream);
          break;
        case 'drop':
          this.#streams.drop(message.stream);
          break;
      }
    }
  }

  /** The worker is gone: everything that waits for it fails. */
  lose(reason: Error): void {
    if (this.#lost !== null) return;
    this.#lost = reason;
    this.#streams.dropAll();
    for (const request of [...this.#pending.keys()]) this.#settle(request)?.reject(reason);
  }

  async #feed(stream: number): Promise<void> {
    const chunk = await this.#streams.pull(stream);
    if (chunk === null || this.#lost !== null) return;
    const { elements, done, error } = chunk;
    this.#outbox.send({
      op: 'chunk',
      stream,
      elements: elements.map((element) => this.#outbox.clone(element, refuseStream)),
      done,
      ...(error !== undefined && { error: cloneError(error) }),
    });
  }

  #settle(request: number): Pending | undefined {
    const pending = this.#pending.get(request);
    if (pending === undefined) return undefined;
    this.#pending.delete(request);
    if (pending.signal !== undefined) this.#unwatch(pending.signal, request);
    if (this.#pending.size === 0) this.#onBusy(false);
    return pending;
  }

  /** One listener a signal, however many requests it may cancel. */
  #watch(signal: AbortSignal, request: number): void {
    const known = this.#bySignal.get(signal);
    if (known !== undefined) {
      known.requests.add(request);
      return;
    }
    const requests = new Set([request]);
    const abort = (): void => {
      for (const number of [...requests]) {
        this.#settle(number)?.reject(signal.reason);
        this.notify({ op: 'cancel', request: number });
      }
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#bySignal.set(signal, {
      requests,
      stop: () => signal.removeEventListener('abort', abort),
    });
  }

  #unwatch(signal: AbortSignal, request: number): void {
    const use = this.#bySignal.get(signal);
    use?.requests.delete(request);
    if (use?.requests.size !== 0) return;
    use.stop();
    this.#bySignal.delete(signal);
  }
}

interface Pending {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: unknown) => void;
  readonly signal: AbortSignal | undefined;
}

interface SignalUse {
  readonly requests: Set<number>;
  readonly stop: () => void;
}

/** Blocks that a worker keeps. */
const MAX_BLOCKS = 512;

function refuseStream(): never {
  throw new TypeError('A sequence within a sequence, or in a result, cannot be pulled.');
}
