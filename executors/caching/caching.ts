/**
 * @file Keeps values by their content, so that an equal value is made once. After TensorFlow
 * Federated's CachingExecutor, without its faults: only pure calls are kept, failures never are, a
 * failure drops nothing else, and there are never more entries than allowed.
 */

import {
  ContextError,
  containsType,
  type MaterializedValue,
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
import type { Operator } from '../leaf/operator.ts';
import type { Lost } from '../lost-client.ts';
import { copyOf } from '../materialized.ts';
import { released } from '../value-tree.ts';
import { type CacheEntry, EntryCache, isPartial } from './cache-entries.ts';
import { type RepeatablePredicate, repeatablePredicate } from './call-purity.ts';
import { blockKey, dataKey, keyOf } from './content-key.ts';

export interface CachingOptions {
  /** Values that are kept at most; the one that was not used for longest goes first. @default 1000 */
  readonly maxEntries?: number;
  /** Operators that the target has, beside the intrinsics; a call of an unknown one is not kept. */
  readonly operators?: readonly Operator[];
}

const DEFAULT_MAX_ENTRIES = 1000;

/**
 * Equal requests that are on their way at the same time are one request of the target: all get its
 * result, or its failure. Kept are data, syntax, structs and selections of what is kept, and calls
 * of pure functions, with what `compute()` gave for them. Not kept: calls in which anything random,
 * linear or unknown occurs, evaluations at a placement, named data, sequences that can be read only
 * once, opaque values, what lacks clients that were lost, and whatever is made of one of these.
 */
export class CachingExecutor implements Executor {
  readonly #target: Executor;
  readonly #entries: EntryCache;
  readonly #isRepeatable: RepeatablePredicate;
  #closed = false;

  /** @param target owned by this executor: closed with it. */
  constructor(target: Executor, { maxEntries, operators = [] }: CachingOptions = {}) {
    this.#target = target;
    this.#entries = new EntryCache(maxEntries ?? DEFAULT_MAX_ENTRIES);
    this.#isRepeatable = repeatablePredicate(operators);
  }

  /** How many values are kept. */
  get size(): number {
    return this.#entries.size;
  }

  async createValue(
    value: ExecutorInput,
    type: Type,
    options: RequestOptions = {},
  ): Promise<ExecutorValue> {
    this.#requireOpen();
    if (!isBlock(value)) {
      const key = await dataKey(value, type);
      this.#requireOpen();
      return this.#obtain({ key, repeatable: true }, options, (passed) =>
        // The target may go on reading the data, which its owner may change meanwhile.
        this.#target.createValue(key === null ? value : copyOf(value), type, passed),
      );
    }
    const key = value.kind === 'data' ? null : keyOf(blockKey(value), String(type));
    return this.#obtain({ key, repeatable: this.#isRepeatable(value) }, options, (passed) =>
      this.#target.createValue(value, type, passed),
    );
  }

  async createCall(
    fn: ExecutorValue,
    argument?: ExecutorValue,
    options: RequestOptions = {},
  ): Promise<ExecutorValue> {
    this.#requireOpen();
    const callee = this.#own(fn);
    const given = argument === undefined ? null : this.#own(argument);
    const identity = callIdentity(callee, given);
    return this.#obtain(identity, options, (passed) =>
      withHeld([callee, ...(given === null ? [] : [given])], ([target, inner]) =>
        this.#target.createCall(target as ExecutorValue, inner, passed),
      ),
    );
  }

  async createStruct(elements: readonly StructElementValue[]): Promise<ExecutorValue> {
    this.#requireOpen();
    const parts = elements.map(({ value }) => this.#own(value));
    return this.#obtain(structIdentity(elements, parts), {}, () =>
      withHeld(parts, (handles) =>
        this.#target.createStruct(
          elements.map(({ name }, i) => ({ name, value: handles[i] as ExecutorValue })),
        ),
      ),
    );
  }

  async createSelection(source: ExecutorValue, index: number): Promise<ExecutorValue> {
    this.#requireOpen();
    const from = this.#own(source);
    const { key, repeatable } = from.identity;
    const selected = { key: key && keyOf('selection', key, String(index)), repeatable };
    return this.#obtain(selected, {}, () =>
      withHeld([from], ([handle]) => this.#target.createSelection(handle as ExecutorValue, index)),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#entries.clear();
    await this.#target.close();
  }

  /** The value with this identity: one that is there or on its way, or a new one. */
  async #obtain(
    identity: ValueIdentity,
    options: RequestOptions,
    make: (options: RequestOptions) => Promise<ExecutorValue>,
  ): Promise<ExecutorValue> {
    options.signal?.throwIfAborted();
    const entry = this.#entries.obtain(identity.key, (signal) => make({ ...options, signal }));
    try {
      const made = await entry.wait(options.signal);
      // The next one may be complete, so what is made of this one is not what is made of that.
      const own = isPartial(made) ? NEVER_SHARED : identity;
      return new CachedValue(this, entry, own, made.type);
    } catch (error) {
      entry.release();
      throw error;
    }
  }

  #own(value: ExecutorValue): CachedValue {
    if (value instanceof CachedValue && value.owner === this) {
      value.requireHeld();
      return value;
    }
    throw new ContextError(
      'context.unknown_value',
      `A value of type ${String(value.type)} belongs to another executor than the one it was given to. Bring it over by compute() and createValue().`,
    );
  }

  #requireOpen(): void {
    if (!this.#closed) return;
    throw new ContextError(
      'context.closed',
      'The executor is closed; nothing can be run on it any more.',
    );
  }
}

/** What tells a value from others. */
interface ValueIdentity {
  /** The same for equal values; `null` if the value is never shared. */
  readonly key: string | null;
  /** Whether calls of it, and calls with it, are pure. */
  readonly repeatable: boolean;
}

/** A handle on an entry, which it holds until it is disposed. */
class CachedValue implements ExecutorValue {
  readonly owner: CachingExecutor;
  readonly identity: ValueIdentity;
  readonly type: Type;
  readonly #entry: CacheEntry;
  #disposed = false;

  /** Takes over the caller's hold on the entry. */
  constructor(owner: CachingExecutor, entry: CacheEntry, identity: ValueIdentity, type: Type) {
    this.owner = owner;
    this.identity = identity;
    this.type = type;
    this.#entry = entry;
  }

  get missing(): readonly Lost[] {
    return this.#entry.handle().missing ?? [];
  }

  async compute(options: RequestOptions = {}): Promise<MaterializedValue> {
    options.signal?.throwIfAborted();
    const entry = this.hold();
    try {
      return await entry.compute(options);
    } finally {
      entry.release();
    }
  }

  /** A further hold on the entry. @throws ExecutionError `execution.released` */
  hold(): CacheEntry {
    this.requireHeld();
    return this.#entry.retain();
  }

  /** @throws ExecutionError `execution.released` */
  requireHeld(): void {
    if (this.#disposed) throw released(this.type);
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#entry.release();
  }
}

function callIdentity(fn: CachedValue, argument: CachedValue | null): ValueIdentity {
  const identities = [fn.identity, ...(argument === null ? [] : [argument.identity])];
  const keys = identities.map(({ key }) => key);
  const isPure = identities.every(({ key, repeatable }) => key !== null && repeatable);
  const { type } = fn;
  const staysOpaque = type.kind === 'function' && containsType(type.result, isAbstract);
  if (!isPure || staysOpaque) return NEVER_SHARED;
  return { key: keyOf('call', ...(keys as string[])), repeatable: true };
}

function structIdentity(
  elements: readonly StructElementValue[],
  parts: readonly CachedValue[],
): ValueIdentity {
  const repeatable = parts.every(({ identity }) => identity.repeatable);
  const described: string[] = [];
  for (const [i, { identity }] of parts.entries()) {
    if (identity.key === null) return { key: null, repeatable };
    const name = elements[i]?.name ?? null;
    described.push(name === null ? 'unnamed' : `named ${name}`, identity.key);
  }
  return { key: keyOf('struct', ...described), repeatable };
}

const NEVER_SHARED: ValueIdentity = { key: null, repeatable: false };

/** Uses the target's handles of some values, which are held meanwhile. */
async function withHeld<T>(
  values: readonly CachedValue[],
  use: (handles: readonly ExecutorValue[]) => Promise<T>,
): Promise<T> {
  const held: CacheEntry[] = [];
  try {
    for (const value of values) held.push(value.hold());
    return await use(held.map((entry) => entry.handle()));
  } finally {
    for (const entry of held) entry.release();
  }
}

function isAbstract({ kind }: Type): boolean {
  return kind === 'abstract';
}
