/**
 * @file Runs a computation and tells what left the clients at each point: each call of an intrinsic
 * (told apart by the line that its block states as its source), and the result. What leaves at
 * chosen points can be replaced by what left in an earlier run: a client's change that shows at
 * those points only must then show nowhere.
 */

import {
  ExecutionContext,
  type Executor,
  type ExecutorValue,
  type FunctionType,
  localExecutorFactory,
  type MaterializedValue,
  requireEveryInput,
  secureAggregation,
  TensorValue,
} from 'fedloom';
import type { BuildingBlock } from '../../../computations/building-blocks.ts';
import { defineComputation } from '../../../computations/define.ts';
import type { SecureAggregationProtocol } from '../../../executors/secure/protocol.ts';
import { toSecureStack } from '../../../executors/secure/secure-stack.ts';
import { plain } from '../../executors/blocks.ts';
import { SpyExecutor, unwatched } from '../../executors/spy.helpers.ts';

/** What left at a point and at a participant, in order. */
type Trail = MaterializedValue[];

export interface ObservedRun {
  /** By `point participant`, as `12 clients/0`. The point is the line of the call. */
  readonly left: ReadonlyMap<string, Trail>;
  /** The result, as plain data. */
  readonly result: unknown;
}

export interface ObservedInput {
  readonly argument: unknown;
  /** What `data` blocks find at each client. The server finds zero. */
  readonly secrets: readonly MaterializedValue[];
  readonly nothing: MaterializedValue;
}

export interface Replayed {
  readonly run: ObservedRun;
  /** Lines of the calls at which the values of `run` leave. */
  readonly points: ReadonlySet<number>;
}

export class Observatory {
  #point = 0;
  #left = new Map<string, Trail>();
  #replayed: Replayed | null = null;
  #input: ObservedInput | null = null;
  readonly #context: ExecutionContext;

  constructor() {
    const base = toSecureStack(
      secureAggregation(this.#idealProtocol(), { allowPlain: PLAIN_AGGREGATIONS }),
    );
    const factory = localExecutorFactory({
      secureAggregation: { ...base, wrap: (target) => this.#trackPoints(base.wrap(target)) },
      wrapLeaf: (leaf, placement, index) =>
        placement === 'clients'
          ? new SpyExecutor(leaf, async (value) => this.#leave(value, `clients/${index}`))
          : leaf,
      dataSource: (placement, index) => ({
        resolve: () => {
          if (this.#input === null) return null;
          return placement === 'clients'
            ? (this.#input.secrets[index] ?? null)
            : this.#input.nothing;
        },
      }),
    });
    this.#context = new ExecutionContext(factory);
  }

  async run(
    block: BuildingBlock & { readonly type: FunctionType },
    input: ObservedInput,
    replayed: Replayed | null = null,
  ): Promise<ObservedRun> {
    this.#left = new Map();
    this.#replayed = replayed;
    this.#input = input;
    this.#point = 0;
    const { parameter } = block.type;
    const computation = defineComputation('observed', parameter === null ? [] : [parameter], block);
    const result: unknown = await this.#context.invoke(computation, [input.argument]);
    return { left: this.#left, result };
  }

  async close(): Promise<void> {
    await this.#context.close();
  }

  /** A value is brought out. Its replacement, if there is one, is noted too. */
  async #leave(value: MaterializedValue, participant: string): Promise<MaterializedValue> {
    const key = `${this.#point} ${participant}`;
    const trail = this.#left.get(key) ?? [];
    this.#left.set(key, trail);
    const earlier = this.#replayed?.points.has(this.#point)
      ? this.#replayed.run.left.get(key)?.[trail.length]
      : undefined;
    trail.push(earlier ?? value);
    return earlier ?? value;
  }

  /** Between the syntax and the placed values every call of an intrinsic comes by. */
  #trackPoints(target: Executor): Executor {
    const points = new WeakMap<ExecutorValue, number>();
    return {
      createValue: async (value, type, ...options) => {
        const handle = await target.createValue(value, type, ...options);
        if (value.kind === 'intrinsic') points.set(handle, value.source?.line ?? 0);
        return handle;
      },
      createCall: async (fn, ...more) => {
        this.#point = points.get(fn) ?? 0;
        try {
          return await target.createCall(fn, ...more);
        } finally {
          this.#point = 0;
        }
      },
      createStruct: (...args) => target.createStruct(...args),
      createSelection: (...args) => target.createSelection(...args),
      close: () => target.close(),
    };
  }

  /** What a secure aggregation promises: the server sees the sum, and nothing else. */
  #idealProtocol(): SecureAggregationProtocol {
    return {
      name: 'ideal',
      roles: [],
      operators: [],
      open: () => ({
        sum: async ({ inputs, terms }) => {
          const values = await Promise.all(
            requireEveryInput(inputs).map(async (input) =>
              tensorsOf(await unwatched(input).compute()),
            ),
          );
          const totals = terms.map(({ kind, bound, length }, term) =>
            Array.from({ length }, (_, i) => {
              const sum = values.reduce(
                (total, value) => total + BigInt(value[term]?.[i] ?? 0),
                0n,
              );
              return kind === 'sum' ? sum : sum % bound;
            }),
          );
          const seen = await this.#leaveSums(totals);
          return { sums: seen, clients: inputs.map((_, i) => `clients/${i}`) };
        },
        close: () => {},
      }),
    };
  }

  async #leaveSums(totals: readonly (readonly bigint[])[]): Promise<bigint[][]> {
    const asValue: MaterializedValue = {
      kind: 'struct',
      elements: totals.map((total) => bigints(total)),
    };
    const seen = await this.#leave(asValue, 'sum');
    return tensorsOf(seen).map((data) => Array.from(data, BigInt));
  }
}

/** What left, as text that two runs can be compared by. */
export async function describeTrails(run: ObservedRun): Promise<Map<string, string>> {
  const described = new Map<string, string>();
  for (const [key, trail] of run.left) {
    described.set(key, describePlain(await Promise.all(trail.map(plain))));
  }
  return described;
}

export function describePlain(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return `${part}n`;
    return isArrayLike(part) ? part.toArray() : part;
  });
}

function isArrayLike(value: unknown): value is { toArray(): unknown } {
  return typeof value === 'object' && value !== null && 'toArray' in value;
}

const PLAIN_AGGREGATIONS = [
  'federated_aggregate',
  'federated_max',
  'federated_mean',
  'federated_min',
  'federated_select',
  'federated_sum',
];

function tensorsOf(value: MaterializedValue): ArrayLike<number | bigint>[] {
  if (value.kind === 'tensor') return [value.data as ArrayLike<number | bigint>];
  if (value.kind === 'struct') return value.elements.flatMap(tensorsOf);
  throw new TypeError(`A secure sum takes tensors, not a ${value.kind}.`);
}

function bigints(values: readonly bigint[]): MaterializedValue {
  return new TensorValue('int64', [values.length], BigInt64Array.from(values));
}
