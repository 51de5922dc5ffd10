/**
 * @file An executor whose values live, and whose calls run, in another process. What it is asked for
 * is checked here as far as types tell, so that no mistake costs a journey; structs are made here,
 * and brought there when something is called on them. After TensorFlow Federated's RemoteExecutor.
 *
 * Where the calls take batches, small data and selections are not requests of their own: they go along
 * with the first request that needs them, which then tells what failed in making them, too. What is
 * disposed of goes along with any.
 */

import type { BuildingBlock } from '../../../computations/building-blocks.ts';
import {
  type FunctionType,
  type MaterializedValue,
  requireAssignable,
  type Type,
} from '../../../computations/types/index.ts';
import type {
  DecodeValueOptions,
  Value as ValueMessage,
} from '../../../computations/wire/index.ts';
import { isBlock } from '../../blocks.ts';
import type { Cardinalities, ExecutorInput, RequestOptions } from '../../executor.ts';
import { readAgain } from '../../materialized.ts';
import { TreeExecutor } from '../../tree-executor.ts';
import { StructNode, type ValueNode } from '../../value-tree.ts';
import type { ExecutorCalls } from '../calls.ts';
import { decodeStepValue } from '../messages/batch-codec.ts';
import { receivedValue, requireMembers } from '../messages/received-value.ts';
import { isSmall, messageOf, messageOfBlock, smallMessageBytes } from '../messages/sent-values.ts';
import { callInBatch, readInBatch } from './batching.ts';
import { DeferredNode, onceUnclaimed, RemoteNode } from './remote-nodes.ts';
import { SentFunctions } from './sent-functions.ts';
import { type Body, type MakingMethod, RemoteSession, type SessionCall } from './session.ts';

export interface RemoteExecutorOptions {
  /**
   * How many participants the executor is for. @default none: it is that of one participant, and
   * knows no placements
   */
  readonly cardinalities?: Cardinalities;
  /** How long a call may take that is quick: see `answers`. In milliseconds. @default 30,000 */
  readonly callTimeoutMs?: number;
  /** How long a call may take that waits for work to be done. In milliseconds. @default 600,000 */
  readonly computeTimeoutMs?: number;
  /**
   * What the service waits for before it answers: `when-made`, as an ExecutorHost does, until a value
   * is made; `at-once`, as TensorFlow Federated does, only in `compute`, which then tells what failed
   * in making the value, too.
   * @default 'when-made'
   */
  readonly answers?: 'when-made' | 'at-once';
  /** How long `close` waits for a service that does not answer. In milliseconds. @default 5,000 */
  readonly closeTimeoutMs?: number;
  /**
   * Handles that were disposed of and are not told of yet, at most.
   * @default 20; 200 where batches take them along
   */
  readonly disposeBatchSize?: number;
  /**
   * How long they wait for more of them. In milliseconds.
   * @default 20; 200 where batches take them along
   */
  readonly disposeDelayMs?: number;
  /** Functions that are kept there for their next use. @default 64 */
  readonly maxFunctions?: number;
  /** What a value that is read may cost. */
  readonly decode?: DecodeValueOptions;
}

/**
 * The executor there is asked for when it is first needed. Once the service says that it is gone
 * (FAILED_PRECONDITION), so are all values, and every request fails with that TransportError: a new
 * RemoteExecutor asks for a new one.
 *
 * Handles do not tell of clients that were lost there (`ExecutorValue.missing`), and there is no
 * progress: TensorFlow Federated's messages have no place for them.
 */
export class RemoteExecutor extends TreeExecutor {
  readonly #session: RemoteSession;
  readonly #functions: SentFunctions;
  readonly #cardinalities: Cardinalities;
  readonly #timeouts: { readonly makeMs: number; readonly computeMs: number };
  readonly #decode: DecodeValueOptions;

  constructor(calls: ExecutorCalls, options: RemoteExecutorOptions = {}) {
    super();
    const { cardinalities = {}, callTimeoutMs = 30_000, computeTimeoutMs = 600_000 } = options;
    const soon = calls.batch === undefined ? 20 : 200;
    const { closeTimeoutMs = 5_000, disposeBatchSize = soon, disposeDelayMs = soon } = options;
    this.#cardinalities = cardinalities;
    this.#decode = options.decode ?? {};
    this.#timeouts = {
      makeMs: options.answers === 'at-once' ? callTimeoutMs : computeTimeoutMs,
      computeMs: computeTimeoutMs,
    };
    this.#session = new RemoteSession(calls, {
      cardinalities,
      callTimeoutMs,
      closeTimeoutMs,
      disposeBatchSize,
      disposeDelayMs,
    });
    this.#functions = new SentFunctions(
      async (block, signal) => this.#send(messageOfBlock(block), block.type, signal),
      options.maxFunctions ?? 64,
    );
  }

  /** Waits until the service knows of all handles that were disposed of, or cannot be told. */
  flush(): Promise<void> {
    return this.#session.flush();
  }

  protected override async embed(
    value: ExecutorInput,
    type: Type,
    options: RequestOptions,
  ): Promise<ValueNode> {
    if (!isBlock(value)) return this.#embedData(value, type, options);
    if (value.kind === 'literal') return this.#embedData(value.value, value.type, options);
    return value.type.kind === 'function'
      ? this.#functions.hold(value, options.signal)
      : this.#embedBlock(value, options);
  }

  protected override async apply(
    fn: ValueNode,
    argument: ValueNode | null,
    type: FunctionType,
    options: RequestOptions,
  ): Promise<ValueNode> {
    if (argument !== null && type.parameter !== null) {
      requireAssignable(type.parameter, argument.type, 'The argument of a function');
    }
    if (this.#session.takesBatches) {
      const call = { signal: options.signal, timeoutMs: this.#timeouts.makeMs };
      const made = await callInBatch(this.#session, { fn, argument, type: type.result }, call);
      if (made !== null) return made;
    }
    const callee = await this.#bring(fn, options);
    try {
      const given = argument === null ? null : await this.#bring(argument, options);
      try {
        const body: Body<'createCall'> = {
          functionRef: refTo(callee),
          ...(given !== null && { argumentRef: refTo(given) }),
        };
        return await this.#make('createCall', body, type.result, options.signal);
      } finally {
        given?.release();
      }
    } finally {
      callee.release();
    }
  }

  protected override async read(
    node: ValueNode,
    { signal }: RequestOptions,
  ): Promise<MaterializedValue> {
    this.requireOpen();
    const value = await this.#readThere(node, { signal, timeoutMs: this.#timeouts.computeMs });
    return receivedValue(value, node.type, this.#cardinalities, this.#decode);
  }

  protected override async selectFrom(node: ValueNode, index: number): Promise<ValueNode> {
    const type = node.type.kind === 'struct' ? node.type.elements[index]?.type : undefined;
    if (type === undefined) throw new RangeError(`A struct without element ${index}.`);
    if (this.#defers) {
      return DeferredNode.selected(type, node, index);
    }
    const source = await this.#bring(node, {});
    try {
      return await this.#select(source, index, type, undefined);
    } finally {
      source.release();
    }
  }

  protected override shutDown(): Promise<void> {
    return this.#session.close();
  }

  async #embedData(
    value: MaterializedValue,
    type: Type,
    { signal }: RequestOptions,
  ): Promise<ValueNode> {
    requireMembers(value, type, this.#cardinalities);
    const whole = await readAgain(value, signal);
    const message = messageOf(whole, type);
    if (this.#defers && isSmall(whole)) {
      return DeferredNode.sent(type, smallMessageBytes(message));
    }
    return this.#send(message, type, signal);
  }

  /** Values of one participant: of others the service alone knows what is wrong with them. */
  get #defers(): boolean {
    return this.#session.takesBatches && Object.keys(this.#cardinalities).length === 0;
  }

  async #readThere(node: ValueNode, call: SessionCall): Promise<ValueMessage | undefined> {
    if (node instanceof DeferredNode && node.made === null && this.#session.takesBatches) {
      const read = await readInBatch(this.#session, node, call);
      if (read !== null) return read.value;
    }
    const { signal } = call;
    const there = await this.#bring(node, signal === undefined ? {} : { signal });
    try {
      return (await this.#session.compute(there.id, call)).value;
    } finally {
      there.release();
    }
  }

  async #embedBlock(block: BuildingBlock, { signal }: RequestOptions): Promise<ValueNode> {
    return this.#send(messageOfBlock(block), block.type, signal);
  }

  #send(value: ValueMessage, type: Type, signal: AbortSignal | undefined): Promise<RemoteNode> {
    return this.#make('createValue', { value }, type, signal);
  }

  /** A hold on what a node is there: a struct of this side is made there. */
  async #bring(node: ValueNode, options: RequestOptions): Promise<RemoteNode> {
    if (node instanceof RemoteNode) return node.retain();
    if (node instanceof DeferredNode) return this.#bringDeferred(node, options);
    if (!(node instanceof StructNode)) throw new TypeError('A node of no kind known here.');
    const attempts = await Promise.allSettled(
      node.elements.map((element) => this.#bring(element, options)),
    );
    const elements = attempts.flatMap((attempt) =>
      attempt.status === 'fulfilled' ? [attempt.value] : [],
    );
    try {
      const failed = attempts.find((attempt) => attempt.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      const names = node.type.kind === 'struct' ? node.type.elements : [];
      const element = elements.map((one, i) => ({
        $typeName: 'tensorflow_federated.v0.CreateStructRequest.Element' as const,
        name: names[i]?.name ?? '',
        valueRef: refTo(one),
      }));
      return await this.#make('createStruct', { element }, node.type, options.signal);
    } finally {
      for (const one of elements) one.release();
    }
  }

  /** Where the other side takes no batches. */
  #bringDeferred(node: DeferredNode, options: RequestOptions): Promise<RemoteNode> {
    return onceUnclaimed([node], options.signal, async () => {
      if (node.made !== null) return node.made.retain();
      const settle = node.claim();
      try {
        const made = await this.#makeDeferred(node, options);
        const hold = made.retain();
        settle(made);
        return hold;
      } catch (error) {
        settle(null);
        throw error;
      }
    });
  }

  async #makeDeferred(
    { recipe, type }: DeferredNode,
    options: RequestOptions,
  ): Promise<RemoteNode> {
    if (recipe.kind === 'value') {
      return this.#send(decodeStepValue(recipe.bytes), type, options.signal);
    }
    const source = await this.#bring(recipe.source, options);
    try {
      return await this.#select(source, recipe.index, type, options.signal);
    } finally {
      source.release();
    }
  }

  #select(
    source: RemoteNode,
    index: number,
    type: Type,
    signal: AbortSignal | undefined,
  ): Promise<RemoteNode> {
    const body: Body<'createSelection'> = { sourceRef: refTo(source), index };
    return this.#make('createSelection', body, type, signal);
  }

  async #make<M extends MakingMethod>(
    method: M,
    body: Body<M>,
    type: Type,
    signal: AbortSignal | undefined,
  ): Promise<RemoteNode> {
    const call: SessionCall = { signal, timeoutMs: this.#timeouts.makeMs };
    return new RemoteNode(type, await this.#session.make(method, body, call), this.#session);
  }
}

function refTo({ id }: RemoteNode): {
  readonly $typeName: 'tensorflow_federated.v0.ValueRef';
  id: string;
} {
  return { $typeName: 'tensorflow_federated.v0.ValueRef', id };
}
