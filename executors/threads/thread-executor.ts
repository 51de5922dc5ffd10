/** @file An executor whose values live and whose calls run on a worker thread. */

import {
  ContextError,
  compactNotation,
  ExecutionError,
  type MaterializedValue,
  parseType,
  type Type,
} from '../../computations/types/index.ts';
import { isBlock } from '../blocks.ts';
import type {
  Executor,
  ExecutorInput,
  ExecutorValue,
  RequestOptions,
  StructElementValue,
} from '../executor.ts';
import type { OperatorRecipe } from '../leaf/operator.ts';
import type { Reply, WorkerConnection } from './connection.ts';
import type { LeafRequest } from './messages.ts';

export class ThreadExecutor implements Executor {
  readonly #connection: WorkerConnection;
  readonly #leaf: number;
  readonly #onClose: () => void;
  #closing: Promise<void> | null = null;
  /** Handles that were given out and not disposed. */
  #handles = 0;

  private constructor(connection: WorkerConnection, leaf: number, onClose: () => void) {
    this.#connection = connection;
    this.#leaf = leaf;
    this.#onClose = onClose;
  }

  /**
   * An executor on the worker at the other end of a connection.
   * @param operators what the worker implements beside tensors and sequences.
   */
  static async open(
    connection: WorkerConnection,
    operators: readonly OperatorRecipe[],
    onClose: () => void = () => {},
  ): Promise<ThreadExecutor> {
    const { request } = await connection.request((number) => ({
      op: 'leaf',
      request: number,
      operators,
    }));
    return new ThreadExecutor(connection, request, onClose);
  }

  async createValue(
    value: ExecutorInput,
    type: Type,
    options: RequestOptions = {},
  ): Promise<ExecutorValue> {
    this.#requireOpen();
    const notation = compactNotation(type);
    if (isBlock(value) && value.kind !== 'literal') {
      return this.#make(options, () => ({
        op: 'block',
        type: notation,
        ...this.#connection.block(value),
      }));
    }
    const data = isBlock(value) ? value.value : value;
    return this.#make(options, () => ({
      op: 'value',
      type: notation,
      value: this.#connection.clone(data, this.#leaf),
    }));
  }

  async createCall(
    fn: ExecutorValue,
    argument?: ExecutorValue,
    options: RequestOptions = {},
  ): Promise<ExecutorValue> {
    this.#requireOpen();
    const callee = this.#numberOf(fn);
    const given = argument === undefined ? null : this.#numberOf(argument);
    return this.#make(options, () => ({ op: 'call', fn: callee, argument: given }));
  }

  async createStruct(elements: readonly StructElementValue[]): Promise<ExecutorValue> {
    this.#requireOpen();
    const numbers = elements.map(({ name, value }) => ({ name, value: this.#numberOf(value) }));
    return this.#make({}, () => ({ op: 'struct', elements: numbers }));
  }

  async createSelection(source: ExecutorValue, index: number): Promise<ExecutorValue> {
    this.#requireOpen();
    const number = this.#numberOf(source);
    return this.#make({}, () => ({ op: 'selection', source: number, index }));
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  /** @internal */
  async read(number: number, { signal }: RequestOptions): Promise<MaterializedValue> {
    this.#requireOpen();
    const reply = await this.#request(() => ({ op: 'compute', value: number }), signal);
    if (reply.op !== 'read') throw new TypeError(`A worker answered a read by '${reply.op}'.`);
    return reply.value;
  }

  /** @internal */
  dispose(number: number): void {
    if (this.#closing === null) this.#countHandles(-1);
    this.#connection.notify({ op: 'dispose', value: number });
  }

  async #make(options: RequestOptions, body: () => Body): Promise<ExecutorValue> {
    const reply = await this.#request(body, options.signal);
    if (reply.op !== 'made') throw new TypeError(`A worker answered a request by '${reply.op}'.`);
    // With the executor its values are gone, this one too.
    this.#requireOpen();
    this.#countHandles(1);
    return new ThreadValue(this, reply.request, typeOf(reply.type));
  }

  /** @param body made when it is sent: what it hands over goes with the post that it is part of. */
  #request(body: () => Body, signal: AbortSignal | undefined): Promise<Reply> {
    return this.#connection.request(
      (request) => ({ ...body(), leaf: this.#leaf, request }),
      signal,
    );
  }

  #numberOf(value: ExecutorValue): number {
    if (value instanceof ThreadValue && value.owner === this) return value.number;
    throw new ContextError(
      'context.unknown_value',
      `A value of type ${String(value.type)} belongs to another executor than the one it was given to. Bring it over by compute() and createValue().`,
    );
  }

  async #shutDown(): Promise<void> {
    this.#connection.dropStreams(this.#leaf);
    this.#countHandles(-this.#handles);
    const ending = this.#request(() => ({ op: 'close' }), undefined);
    this.#onClose();
    await ending.catch((error: unknown) => {
      // With a worker that is lost, its executors are closed.
      if (this.#connection.lost === null) throw error;
    });
  }

  #countHandles(change: number): void {
    this.#handles += change;
    this.#connection.countHandles(change);
  }

  #requireOpen(): void {
    if (this.#closing === null) return;
    throw new ContextError(
      'context.closed',
      'The executor is closed; nothing can be run on it any more.',
    );
  }
}

/** A handle on a value of a worker. */
class ThreadValue implements ExecutorValue {
  readonly type: Type;
  readonly owner: ThreadExecutor;
  readonly #number: number;
  #released = false;

  constructor(owner: ThreadExecutor, number: number, type: Type) {
    this.owner = owner;
    this.#number = number;
    this.type = type;
  }

  /** @throws ExecutionError `execution.released` */
  get number(): number {
    if (!this.#released) return this.#number;
    throw new ExecutionError(
      'execution.released',
      `This value of type ${String(this.type)} was disposed already; use it before its handle is disposed.`,
    );
  }

  async compute(options: RequestOptions = {}): Promise<MaterializedValue> {
    return this.owner.read(this.number, options);
  }

  [Symbol.dispose](): void {
    if (this.#released) return;
    this.#released = true;
    this.owner.dispose(this.#number);
  }
}

/** A request without what every request has. */
type Body = LeafRequest extends infer R
  ? R extends LeafRequest
    ? Omit<R, 'leaf' | 'request'>
    : never
  : never;

/** Types by their notation: a few types make up most answers. */
function typeOf(notation: string): Type {
  let type = types.get(notation);
  if (type === undefined) {
    if (types.size >= MAX_TYPES) types.clear();
    type = parseType(notation);
    types.set(notation, type);
  }
  return type;
}

const types = new Map<string, Type>();
const MAX_TYPES = 1000;
