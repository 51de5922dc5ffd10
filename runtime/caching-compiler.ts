/**
 * @file Compiles computations for one executor stack, each once. They are known by their content, so
 * a computation that is defined anew in every round is compiled in the first only.
 */

import { type BuildingBlock, childBlocks } from '../computations/building-blocks.ts';
import type { MaterializedValue } from '../computations/types/index.ts';
import { contentHash } from '../computations/wire/index.ts';
import type { ExecutorFactory } from '../executors/executor.ts';
import { type CompileLevel, compileForExecution } from '../intrinsics/index.ts';

export interface CachingCompilerOptions {
  /** The stack: says which composite intrinsics it wants to see itself. */
  readonly factory: Pick<ExecutorFactory, 'handles'>;
  readonly level: CompileLevel;
  /** How many compiled computations are kept; the one that was used longest ago goes first. */
  readonly maxEntries: number;
}

export class CachingCompiler {
  readonly #options: CachingCompilerOptions;
  /** By content hash, the least recently used first. */
  readonly #byContent = new Map<string, BuildingBlock>();
  /** For computations that have no content hash; they are kept as long as the computation is. */
  readonly #byIdentity = new WeakMap<BuildingBlock, BuildingBlock>();

  constructor(options: CachingCompilerOptions) {
    if (!(Number.isSafeInteger(options.maxEntries) && options.maxEntries >= 0)) {
      throw new RangeError(`maxCompiled must be an integer from 0; got ${options.maxEntries}.`);
    }
    this.#options = options;
  }

  /** Number of compiled computations that are kept by their content. */
  get size(): number {
    return this.#byContent.size;
  }

  /** @throws what `compileForExecution` throws. Failures are not kept. */
  compile(node: BuildingBlock): BuildingBlock {
    if (!hasContent(node)) {
      const known = this.#byIdentity.get(node) ?? this.#compile(node);
      this.#byIdentity.set(node, known);
      return known;
    }
    const hash = contentHash(node);
    const known = this.#byContent.get(hash) ?? this.#compile(node);
    this.#byContent.delete(hash);
    this.#byContent.set(hash, known);
    for (const oldest of this.#byContent.keys()) {
      if (this.#byContent.size <= this.#options.maxEntries) break;
      this.#byContent.delete(oldest);
    }
    return known;
  }

  #compile(node: BuildingBlock): BuildingBlock {
    const { factory, level } = this.#options;
    return compileForExecution(node, factory.handles, { level });
  }
}

/**
 * False if bytes cannot tell all there is to know: a literal has elements that are produced lazily,
 * or an intrinsic says what it was reduced from, which does not travel.
 */
function hasContent(node: BuildingBlock): boolean {
  const known = contentful.get(node);
  if (known !== undefined) return known;
  const own =
    node.kind === 'literal'
      ? isSendable(node.value)
      : node.kind !== 'intrinsic' || node.origin === undefined;
  const all = own && childBlocks(node).every(hasContent);
  contentful.set(node, all);
  return all;
}

function isSendable(value: MaterializedValue): boolean {
  switch (value.kind) {
    case 'tensor':
      return true;
    case 'sequence':
      return Array.isArray(value.elements);
    case 'struct':
      return value.elements.every(isSendable);
    case 'federated':
      return false;
  }
}

const contentful = new WeakMap<BuildingBlock, boolean>();
