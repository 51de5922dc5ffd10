/**
 * @file Counts what goes into a participant's executor and what comes out of it. After TensorFlow
 * Federated's SizingExecutor, which kept no count of sequences, bytes or rounds.
 */

import type { DType, MaterializedValue, Type } from '../../computations/types/index.ts';
import { isBlock } from '../blocks.ts';
import type { Executor, ExecutorInput, ExecutorValue, RequestOptions } from '../executor.ts';
import { type Tally, tallied, tallyNow } from './value-size.ts';
import { WrappingExecutor } from './wrapping.ts';

/** An amount of data. */
export interface DataSize {
  /** Elements of tensors. */
  readonly elements: number;
  /** Their bytes; see `value-size.ts` for what is counted. */
  readonly bytes: number;
  /** The same by dtype, for the dtypes that occurred. */
  readonly byDType: {
    readonly [D in DType]?: { readonly elements: number; readonly bytes: number };
  };
}

/** What went to a placement and what came from there, summed over all participants at it. */
export interface PlacementSizes {
  readonly to: DataSize;
  readonly from: DataSize;
}

/** By placement: `clients`, `server`, a role, or `combiner` for the inner nodes of a tree. */
export type Sizes = { readonly [placement: string]: PlacementSizes };

export type SizeDirection = keyof PlacementSizes;

/** Adds up what SizingExecutors see. */
export class SizeMeter {
  #sizes = new Map<string, Record<SizeDirection, Map<DType, Amount>>>();

  /** A tally for one placement and direction. */
  tally(placement: string, direction: SizeDirection): Tally {
    return (dtype, elements, bytes) => {
      let sizes = this.#sizes.get(placement);
      if (sizes === undefined) {
        sizes = { to: new Map(), from: new Map() };
        this.#sizes.set(placement, sizes);
      }
      addTo(sizes[direction], dtype, { elements, bytes });
    };
  }

  /** What was counted so far. */
  read(): Sizes {
    return Object.fromEntries(
      [...this.#sizes].map(([placement, { to, from }]) => [
        placement,
        { to: toSize(to), from: toSize(from) },
      ]),
    );
  }

  /** What was counted so far; counting begins anew. */
  take(): Sizes {
    const sizes = this.read();
    this.#sizes = new Map();
    return sizes;
  }
}

/** The sum of two. */
export function addSizes(a: Sizes, b: Sizes): Sizes {
  const placements = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries(
    [...placements].map((placement) => [
      placement,
      {
        to: addDataSizes(a[placement]?.to, b[placement]?.to),
        from: addDataSizes(a[placement]?.from, b[placement]?.from),
      },
    ]),
  );
}

/**
 * Goes around the executor of one participant. Data is counted when it is put in (`to`) and when it
 * is computed (`from`), each time it is: a value that is read twice is counted twice. Literals are
 * data. Computations are not counted, nor is named data, which the participant has already. The
 * elements of a lazy sequence are counted as they are read.
 */
export class SizingExecutor extends WrappingExecutor {
  readonly #to: Tally;
  readonly #from: Tally;

  constructor(target: Executor, placement: string, meter: SizeMeter) {
    super(target);
    this.#to = meter.tally(placement, 'to');
    this.#from = meter.tally(placement, 'from');
  }

  override createValue(
    value: ExecutorInput,
    type: Type,
    options?: RequestOptions,
  ): Promise<ExecutorValue> {
    if (!isBlock(value)) return super.createValue(tallied(value, this.#to), type, options);
    if (value.kind === 'literal') tallyNow(value.value, this.#to);
    return super.createValue(value, type, options);
  }

  override async read(inner: ExecutorValue, options?: RequestOptions): Promise<MaterializedValue> {
    return tallied(await super.read(inner, options), this.#from);
  }
}

interface Amount {
  readonly elements: number;
  readonly bytes: number;
}

const NOTHING: Amount = { elements: 0, bytes: 0 };

function addTo(amounts: Map<DType, Amount>, dtype: DType, more: Amount): void {
  amounts.set(dtype, add(amounts.get(dtype) ?? NOTHING, more));
}

function add(a: Amount, b: Amount): Amount {
  return { elements: a.elements + b.elements, bytes: a.bytes + b.bytes };
}

function toSize(amounts: ReadonlyMap<DType, Amount>): DataSize {
  const total = [...amounts.values()].reduce(add, NOTHING);
  return { ...total, byDType: Object.fromEntries(amounts) };
}

function addDataSizes(a: DataSize | undefined, b: DataSize | undefined): DataSize {
  const amounts = new Map<DType, Amount>();
  for (const size of [a, b]) {
    for (const [dtype, amount] of Object.entries(size?.byDType ?? {})) {
      addTo(amounts, dtype as DType, amount);
    }
  }
  return toSize(amounts);
}
