import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BuildingBlock, intrinsic } from '../../../computations/building-blocks.ts';
import {
  atClients,
  atServer,
  federated,
  func,
  int32,
  type MaterializedValue,
  sequence,
  struct,
  type Type,
} from '../../../computations/types/index.ts';
import type { Executor, ExecutorInput, ExecutorValue } from '../../../executors/executor.ts';
import { FederatingExecutor } from '../../../executors/placed/federating.ts';
import { ReferenceResolvingExecutor } from '../../../executors/reference-resolving.ts';
import { leafExecutor } from '../../../runtime/index.ts';
import { run } from '../../compliance/executor-run.ts';
import {
  add,
  addConstant,
  callIntrinsic,
  computation,
  digitsAtServer,
  failUnlessSmall,
  federatedInts,
  INT,
  int,
  ints,
  mapComputation,
  plain,
  seven,
} from '../blocks.ts';
import { PassThroughExecutor } from '../pass-through.ts';
import { type TrackedBackend, trackedBackend } from '../tracked-backend.ts';

let backend: TrackedBackend;
const unhandled: unknown[] = [];
const note = (reason: unknown): void => {
  unhandled.push(reason);
};

beforeEach(async () => {
  backend = await trackedBackend();
  unhandled.length = 0;
  process.on('unhandledRejection', note);
});

afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
  expect(backend.live()).toBe(0);
});

/** A leaf whose calls wait for `release`, in order to choose who finishes first. */
class SlowLeaf extends PassThroughExecutor {
  readonly #gate: Promise<void>;
  release: () => void = () => {};

  constructor(target: Executor) {
    super(target);
    this.#gate = new Promise((resolve) => {
      this.release = resolve;
    });
  }

  override async createCall(fn: ExecutorValue, argument?: ExecutorValue): Promise<ExecutorValue> {
    await this.#gate;
    return super.createCall(fn, argument);
  }
}

function stack(clients: readonly Executor[], server: Executor = leafExecutor(backend)): Executor {
  return new ReferenceResolvingExecutor(new FederatingExecutor({ server, clients }));
}

function recording(count: number): PassThroughExecutor[] {
  return Array.from({ length: count }, () => new PassThroughExecutor(leafExecutor(backend)));
}

describe('the order of clients', () => {
  test('holds for results, whoever finishes first', async () => {
    const clients = Array.from({ length: 3 }, () => new SlowLeaf(leafExecutor(backend)));
    const running = run(stack(clients), mapComputation(addConstant(1)), federatedInts(1, 2, 3));
    for (const client of [...clients].reverse()) {
      client.release();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await running).toEqual([2, 3, 4]);
  });

  test('clients start together', async () => {
    const clients = Array.from({ length: 3 }, () => new SlowLeaf(leafExecutor(backend)));
    const running = run(stack(clients), mapComputation(addConstant(1)), federatedInts(1, 2, 3));
    await new Promise((resolve) => setImmediate(resolve));
    for (const client of clients) expect(client.calls).toContain('createValue compiled');
    for (const client of clients) client.release();
    await running;
  });

  test('holds for aggregations of any number of clients', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 9 }),
        async (digits) => {
          const clients = digits.map(() => leafExecutor(backend));
          const expected = Number(digits.join('') || 0);
          expect(await run(stack(clients), digitsAtServer, federatedInts(...digits))).toEqual([
            expected,
          ]);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('holds for more clients than are read ahead', async () => {
    const clients = Array.from({ length: 150 }, () => leafExecutor(backend));
    const values = clients.map((_, client) => (client >= 145 ? client - 144 : 0));
    expect(await run(stack(clients), digitsAtServer, federatedInts(...values))).toEqual([12345]);
  });
});

describe('a client that fails', () => {
  test('is named; the others stop at their next step and leave nothing', async () => {
    class Failing extends PassThroughExecutor {
      override async createValue(value: ExecutorInput, type: Type): Promise<ExecutorValue> {
        if (value.kind === 'compiled') throw new Error('out of battery');
        return super.createValue(value, type);
      }
    }
    const slow = new (class extends PassThroughExecutor {
      override async createValue(value: ExecutorInput, type: Type): Promise<ExecutorValue> {
        if (value.kind === 'compiled') await new Promise((resolve) => setTimeout(resolve, 20));
        return super.createValue(value, type);
      }
    })(leafExecutor(backend));
    const clients = [slow, new Failing(leafExecutor(backend)), ...recording(2)];
    const attempt = run(stack(clients), mapComputation(addConstant(1)), federatedInts(1, 2, 3, 4));
    await expect(attempt).rejects.toMatchObject({
      code: 'execution.client_failed',
      cause: { message: 'out of battery' },
    });
    await expect(attempt).rejects.toThrow(/Client 1 failed in federated_map: out of battery/);
    expect(slow.calls).not.toContain('createCall');
  });

  test('fails an aggregation when its value cannot be read', async () => {
    class Mute extends PassThroughExecutor {
      override async createValue(value: ExecutorInput, type: Type): Promise<ExecutorValue> {
        const handle = await super.createValue(value, type);
        const compute = async (): Promise<MaterializedValue> => {
          throw new Error('line cut');
        };
        return { type: handle.type, compute, [Symbol.dispose]: () => handle[Symbol.dispose]() };
      }
    }
    const clients = [...recording(2), new Mute(leafExecutor(backend)), ...recording(1)];
    const attempt = run(stack(clients), digitsAtServer, federatedInts(1, 2, 3, 4));
    await expect(attempt).rejects.toThrow(/Client 2 failed in federated_aggregate: line cut/);
  });

  test('is observed while another one is still waited for', async () => {
    const clients = [20, 0, 0].map(
      (delay, client) =>
        new (class extends PassThroughExecutor {
          override async createValue(value: ExecutorInput, type: Type): Promise<ExecutorValue> {
            const handle = await super.createValue(value, type);
            const compute = async (): Promise<MaterializedValue> => {
              await new Promise((resolve) => setTimeout(resolve, delay));
              if (delay === 0) throw new Error(`line ${client} cut`);
              return handle.compute();
            };
            return { type: handle.type, compute, [Symbol.dispose]: () => handle[Symbol.dispose]() };
          }
        })(leafExecutor(backend)),
    );
    const attempt = run(stack(clients), digitsAtServer, federatedInts(1, 2, 3));
    await expect(attempt).rejects.toThrow(/Client 1 failed in federated_aggregate: line 1 cut/);
  });

  test('is not blamed for the server', async () => {
    const applied = computation(atServer(INT), (x) =>
      callIntrinsic('federated_apply', [failUnlessSmall, x], atServer(INT)),
    );
    await expect(run(stack([]), applied, federatedInts(999))).rejects.toMatchObject({
      code: 'execution.sum_overflow',
    });
  });
});

describe('where work happens', () => {
  test('an evaluation at clients runs once at each', async () => {
    const clients = recording(3);
    const everywhere = computation(INT, () =>
      callIntrinsic('federated_eval_at_clients', [seven], atClients(INT)),
    );
    await run(stack(clients), everywhere, int(0));
    for (const { calls } of clients) {
      expect(calls.filter((call) => call === 'createCall')).toHaveLength(1);
    }
  });

  test('unplaced computations and aggregations run at the server only', async () => {
    const clients = recording(2);
    const server = new PassThroughExecutor(leafExecutor(backend));
    await run(stack(clients, server), addConstant(1), int(1));
    expect(clients.flatMap(({ calls }) => calls)).toEqual([]);
    expect(server.calls).toContain('createCall');
    await run(stack(clients, server), digitsAtServer, federatedInts(1, 2));
    expect(clients.flatMap(({ calls }) => calls)).toEqual([
      'createValue tensor',
      'createValue tensor',
    ]);
  });

  const selectType = struct([atClients(int32(3)), atServer(INT), atServer(INT)]);
  const select = (uri: string): BuildingBlock => {
    const rows = (fn: BuildingBlock): BuildingBlock =>
      intrinsic(
        uri,
        func(
          struct([...selectType.elements.map(({ type }) => type), fn.type]),
          atClients(sequence(INT)),
        ),
      );
    return computation(selectType, (x) => {
      const slice = computation(struct([INT, INT]), (pairOf) => ({
        kind: 'selection',
        source: pairOf,
        index: 1,
        type: INT,
      }));
      const args = [0, 1, 2].map((index) => ({
        name: null,
        value: {
          kind: 'selection',
          source: x,
          index,
          type: (selectType.elements[index] as { type: Type }).type,
        } as BuildingBlock,
      }));
      const elements = [...args, { name: null, value: slice }];
      return {
        kind: 'call',
        function: rows(slice),
        argument: {
          kind: 'struct',
          elements,
          type: struct(elements.map(({ value }) => value.type)),
        },
        type: atClients(sequence(INT)),
      };
    });
  };
  const request = (...keys: number[][]): MaterializedValue => ({
    kind: 'struct',
    elements: [
      { kind: 'federated', members: keys.map((each) => ints(...each)) },
      federatedInts(9),
      federatedInts(0),
    ],
  });

  test('a selection computes each distinct row once', async () => {
    const server = new PassThroughExecutor(leafExecutor(backend));
    const result = await run(
      stack(recording(2), server),
      select('federated_select'),
      request([4, 4, 7], [7, 4, 4]),
    );
    expect(result).toEqual([
      [4, 4, 7],
      [7, 4, 4],
    ]);
    expect(server.calls.filter((call) => call === 'createCall')).toHaveLength(2);
  });

  test('a secure selection reads no key from a client, and sends every client the same', async () => {
    const sent: unknown[][] = [[], []];
    const read: string[] = [];
    const clients = sent.map((list, client) => {
      return new (class extends PassThroughExecutor {
        override async createValue(value: ExecutorInput, type: Type): Promise<ExecutorValue> {
          const handle = await super.createValue(value, type);
          if (value.kind === 'sequence') list.push(await plain(value));
          const compute = (): Promise<MaterializedValue> => {
            read.push(`client ${client}: ${String(type)}`);
            return handle.compute();
          };
          return Object.assign(handle, { compute });
        }
      })(leafExecutor(backend));
    });
    const result = await run(
      stack(clients),
      select('federated_secure_select'),
      request([1, 2, 3], [9, 9, 0]),
    );
    expect(result).toEqual([
      [1, 2, 3],
      [9, 9, 0],
    ]);
    expect(read).toEqual([]);
    expect(sent[0]).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]);
    expect(sent[1]).toEqual(sent[0]);
  });

  test('an error about a key at the client does not tell the key', async () => {
    const attempt = run(
      stack(recording(1)),
      select('federated_secure_select'),
      request([1, 2, 31_337]),
    );
    const error = (await attempt.catch((reason: unknown) => reason)) as Error;
    expect(error.message).toMatch(/out of range/);
    expect(`${error.message}${String(error.cause)}`).not.toContain('31337');
  });

  test('a one-shot sequence that is equal at all clients reaches all of them', async () => {
    const type = federated(sequence(INT), 'clients', true);
    const elements = [int(1), int(2)].values();
    const total = computation(sequence(INT), (x) =>
      callIntrinsic(
        'sequence_reduce',
        [x, { kind: 'literal', value: int(0), type: INT }, add],
        INT,
      ),
    );
    const totals = computation(type, (x) =>
      callIntrinsic('federated_map', [total, x], atClients(INT)),
    );
    const value: MaterializedValue = {
      kind: 'federated',
      members: [{ kind: 'sequence', elements }],
    };
    expect(await run(stack(recording(2)), totals, value)).toEqual([3, 3]);
  });
});

describe.each([
  'federated_secure_sum',
  'federated_secure_sum_bitwidth',
  'federated_secure_modular_sum',
])('%s without a protocol', (uri) => {
  test('is refused, and says which stacks support it', async () => {
    const body = computation(atClients(INT), (x) =>
      callIntrinsic(uri, [x, { kind: 'literal', value: int(9), type: INT }], atServer(INT)),
    );
    const attempt = run(stack(recording(2)), body, federatedInts(1, 2));
    await expect(attempt).rejects.toMatchObject({
      name: 'UnsupportedAggregationError',
      code: 'aggregation.no_secure_protocol',
    });
    await expect(attempt).rejects.toThrow(/secureAggregation: paillier\(\).*masking\(\)/);
  });
});

describe('the members of placed values', () => {
  test('are the handles at the children, and can be placed anew', async () => {
    const clients = recording(2);
    const server = leafExecutor(backend);
    const aggregator = leafExecutor(backend);
    const executor = new FederatingExecutor({ server, clients, roles: { aggregator } });
    expect(executor.children('clients')).toEqual(clients);
    expect(executor.children('server')).toEqual([server]);
    expect(executor.children('aggregator')).toEqual([aggregator]);
    expect(() => executor.children('notary')).toThrow(/NOTARY/);

    using x = await executor.createValue(federatedInts(1, 2), atClients(INT));
    const doubled: ExecutorValue[] = [];
    for (const [index, member] of executor.members(x).entries()) {
      const client = clients[index] as Executor;
      using fn = await client.createValue(addConstant(5), addConstant(5).type);
      doubled.push(await client.createCall(fn, member));
    }
    using placed = executor.place(doubled, atClients(INT));
    expect(await plain(await placed.compute())).toEqual([6, 7]);

    const at = federated(INT, 'aggregator', true);
    using held = await executor.createValue(federatedInts(3), at);
    expect(await plain(await held.compute())).toEqual([3]);
  });

  test('belong to placed values only, and are as many as the children', async () => {
    const executor = new FederatingExecutor({
      server: leafExecutor(backend),
      clients: recording(2),
    });
    using one = await executor.createValue(int(1), INT);
    expect(() => executor.members(one)).toThrow(/Only a placed value/);
    const client = executor.children('clients')[0] as Executor;
    const member = await client.createValue(int(1), INT);
    expect(() => executor.place([member], atClients(INT))).toThrow(/cardinality.mismatch/);
    await expect(member.compute()).rejects.toMatchObject({ code: 'execution.released' });
  });

  test('an all-equal value of no clients has no content to compute', async () => {
    const executor = new FederatingExecutor({ server: leafExecutor(backend), clients: [] });
    using placed = executor.place([], federated(INT, 'clients', true));
    await expect(placed.compute()).rejects.toMatchObject({ code: 'cardinality.empty' });
  });
});

test('closing closes every child, even if one refuses', async () => {
  const closed: number[] = [];
  const clients = [0, 1, 2].map(
    (index) =>
      new (class extends PassThroughExecutor {
        override async close(): Promise<void> {
          closed.push(index);
          if (index === 1) throw new Error('stuck');
        }
      })(leafExecutor(backend)),
  );
  await expect(stack(clients).close()).rejects.toThrow('stuck');
  expect(closed).toEqual([0, 1, 2]);
});
