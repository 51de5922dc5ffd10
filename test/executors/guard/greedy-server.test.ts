/**
 * @file A server that asks for more than a client's policy gives it: data and computations that it does
 * not list, and work and memory without measure. The client refuses by a named rule and goes on.
 */

import { int32 } from 'fedloom';
import { describe, expect, test } from 'vitest';
import {
  type BuildingBlock,
  block,
  call,
  data,
  intrinsic,
  lambda,
  literal,
  reference,
} from '../../../computations/building-blocks.ts';
import {
  func,
  type MaterializedValue,
  sequence,
  structOf,
  type Type,
} from '../../../computations/types/index.ts';
import { contentHash } from '../../../computations/wire/index.ts';
import type { ExecutorValue } from '../../../executors/executor.ts';
import type { AuditEntry } from '../../../executors/guard/index.ts';
import { PART_BYTES } from '../../../executors/watching/value-size.ts';
import { addConstant, failUnlessSmall, INT, identity, int, pair, unnamed } from '../blocks.ts';
import { failureOf } from '../secure/parties.ts';
import { ints } from './support.ts';

import {
  advertise,
  audit,
  compiledOf,
  describeVictim,
  expectUnharmed,
  guard,
  make,
  put,
  ROWS,
  read,
  refusedBy,
  SECRET,
} from './victim.ts';

describeVictim();

describe('asks for what the policy does not list', () => {
  test('data that it may not name', async () => {
    make({ data: { readings: 'int32[3]' } });
    await refusedBy(
      'data',
      put(data('secret', INT)).then((value) => value.compute()),
    );
    await refusedBy('data', read(data('toString', INT)));
    await refusedBy('data', read(data('readings', int32(null))));
    await refusedBy('data', read(call(lambda('x', INT, SECRET), literal(int(0), INT))));
    await refusedBy('privateValues', read(data('readings', int32(3))));
  });

  test('data that is not there', async () => {
    await refusedBy('data', read(data('census', INT)));
  });

  test('computations that it does not know', async () => {
    const known = addConstant(1);
    make({ computations: [contentHash(known)] });
    using _ = await put(call(known, SECRET));
    const error = await refusedBy('computations', put(call(addConstant(2), SECRET)));
    expect(error.message).toContain(contentHash(addConstant(2)));
    const step = lambda('x', int32(1), reference('x', int32(1)));
    const map = intrinsic(
      'sequence_map',
      func(structOf([unnamed(step.type), unnamed(ROWS)]), ROWS),
    );
    await refusedBy('computations', put(call(map, pair(step, data('rows', ROWS)))));
  });

  test('data that it may not name, within a function on elements', async () => {
    make({ data: { rows: 'int32[1]*' } });
    const step = lambda('x', int32(1), SECRET);
    const types = structOf([unnamed(step.type), unnamed(ROWS)]);
    const map = intrinsic('sequence_map', func(types, sequence(INT)));
    const seq = literal({ kind: 'sequence', elements: [ints(1)] }, ROWS);
    await refusedBy('data', put(call(map, pair(step, seq))));
  });

  test('to compute for itself, but not what its functions capture', async () => {
    make({ plainCompute: false, protocols: { masking: {} } });
    const error = await failureOf(read(literal(int(1), INT)));
    expect(error).toMatchObject({ rule: 'plainCompute' });
    const step = lambda('x', int32(1), reference('model', INT));
    const types = structOf([unnamed(step.type), unnamed(ROWS)]);
    const map = intrinsic('sequence_map', func(types, sequence(INT)));
    const mapped = call(map, pair(step, data('rows', ROWS)));
    using _ = await put(
      block([{ name: 'model', value: call(addConstant(1), literal(int(1), INT)) }], mapped),
    );
    using advertised = await advertise();
    using message = await guard.createSelection(advertised, 1);
    expect((await message.compute()).kind).toBe('tensor');
  });
});

describe('asks for too much', () => {
  test('and sends data that has not its type', async () => {
    for (const value of [ints(1, 2, 3), int(1), { kind: 'struct', elements: [] } as const]) {
      const error = await failureOf(guard.createValue(value, int32(2)));
      expect(error).toMatchObject({ code: 'execution.unsupported_value' });
      expect(audit.at(-1)).toMatchObject({ kind: 'refused', rule: 'wellFormed' });
    }
    await expectUnharmed();
  });

  test('kernels', async () => {
    make({ limits: { graphNodes: 10 } });
    const graph = compiledOf(INT, INT, (builder, [x]) => {
      let last = x as number;
      for (let i = 0; i < 20; i += 1) last = builder.apply('fl.Add', { a: last, b: x as number });
      return [last];
    });
    const error = await failureOf(put(graph));
    expect(error).toMatchObject({ code: 'graph.too_large' });
    expect(audit).toMatchObject([{ kind: 'refused', rule: 'wellFormed' }]);
    await expectUnharmed(error);
  });

  test('sizes', async () => {
    const huge = compiledOf(int32(2 ** 14), int32(2 ** 14, 2 ** 14), (builder, [x]) => [
      builder.apply('fl.Add', {
        a: builder.apply('Reshape', { x: x as number }, { shape: [2 ** 14, 1] }),
        b: x as number,
      }),
    ]);
    const error = await failureOf(put(huge));
    expect(error).toMatchObject({ code: 'graph.too_large' });
    await expectUnharmed(error);
  });

  test('a graph that is malformed', async () => {
    const good = addConstant(1);
    const graph = { ...good.graph, results: [99] };
    const error = await failureOf(put({ ...good, graph }));
    expect(audit).toMatchObject([{ kind: 'refused', rule: 'wellFormed' }]);
    await expectUnharmed(error);
  });

  test('blocks', async () => {
    make({ limits: { blocks: 50 } });
    let node: BuildingBlock = literal(int(1), INT);
    for (let i = 0; i < 30; i += 1) node = call(addConstant(1), node);
    await refusedBy('limits.blocks', put(node));
  });

  test('depth', async () => {
    let node: BuildingBlock = literal(int(1), INT);
    for (let i = 0; i < 200; i += 1) node = call(addConstant(1), node);
    await refusedBy('limits.depth', put(node));
    let type: Type = INT;
    for (let i = 0; i < 50_000; i += 1) type = structOf([unnamed(type)]);
    await refusedBy('limits.depth', guard.createValue(int(1), type));
  });

  test('structs that double, in syntax and by handles', async () => {
    let node: BuildingBlock = literal(int(1), INT);
    for (let i = 0; i < 13; i += 1) node = pair(node, node);
    await refusedBy('limits.blocks', put(node));
    let doubled: BuildingBlock = reference('x', INT);
    let type: Type = INT;
    const locals = [];
    for (let i = 0; i < 40; i += 1) {
      doubled = pair(reference(`x${i}`, type), reference(`x${i}`, type));
      locals.push({ name: `x${i + 1}`, value: doubled });
      type = doubled.type;
    }
    const whole = block(
      [{ name: 'x0', value: literal(int(1), INT) }, ...locals],
      literal(int(1), INT),
    );
    await refusedBy('limits.typeLeaves', put(whole));
    let value: MaterializedValue = int(1);
    let doubledType: Type = INT;
    for (let i = 0; i < 40; i += 1) {
      value = { kind: 'struct', elements: [value, value] };
      doubledType = structOf([unnamed(doubledType), unnamed(doubledType)]);
    }
    await refusedBy('limits.typeLeaves', guard.createValue(value, doubledType));
    let handle = await put(literal(int(1), INT));
    await refusedBy(
      'limits.typeLeaves',
      (async () => {
        for (let i = 0; i < 40; i += 1) {
          handle = await guard.createStruct([
            { name: null, value: handle },
            { name: null, value: handle },
          ]);
        }
      })(),
    );
  });

  test('calls, in little syntax', async () => {
    let fn: BuildingBlock = identity(INT);
    const locals = [{ name: 'f0', value: fn }];
    for (let i = 0; i < 40; i += 1) {
      const before = reference(`f${i}`, fn.type);
      fn = lambda('x', INT, call(before, call(before, reference('x', INT))));
      locals.push({ name: `f${i + 1}`, value: fn });
    }
    const whole = block(locals, call(reference('f40', fn.type), literal(int(1), INT)));
    await refusedBy('limits.calls', put(whole));
  });

  test('one call more than it may, in one request', async () => {
    make({ limits: { calls: 2 } });
    let node: BuildingBlock = literal(int(1), INT);
    for (let i = 0; i < 2; i += 1) node = call(addConstant(1), node);
    expect(await read(node)).toBe(3);
    // Each request counts for itself.
    expect(await read(node)).toBe(3);
    await refusedBy('limits.calls', put(call(addConstant(1), node)));
  });

  test('values, until it disposes of some', async () => {
    make({ limits: { values: 4 } });
    const held: ExecutorValue[] = [];
    for (let i = 0; i < 4; i += 1) held.push(await put(literal(int(i), INT)));
    const error = await failureOf(put(literal(int(9), INT)));
    expect(error).toMatchObject({ rule: 'limits.values' });
    held[0]?.[Symbol.dispose]();
    held[0]?.[Symbol.dispose]();
    held.shift();
    held.push(await put(literal(int(9), INT)));
    expect(await failureOf(put(literal(int(9), INT)))).toMatchObject({ rule: 'limits.values' });
    for (const value of held) value[Symbol.dispose]();
    expect(guard.held).toEqual({ values: 0, bytes: 0 });
  });

  test('bytes of results', async () => {
    make({ limits: { heldBytes: 500 } });
    using x = await guard.createValue(ints(1), int32(1));
    const wide = compiledOf(int32(1), int32(30), (builder, [x]) => [
      builder.apply('Tile', { x: x as number }, { reps: [30] }),
    ]);
    using fn = await put(wide);
    expect(await failureOf(guard.createCall(fn, x))).toMatchObject({ rule: 'limits.heldBytes' });
    expect(guard.held.bytes).toBe(PART_BYTES + 4);
  });

  test('bytes, also where only a struct still has them', async () => {
    make({ limits: { heldBytes: 300 } });
    const long = () => guard.createValue(ints(...Array(20).fill(1)), int32(20));
    const first = await long();
    const struct = await guard.createStruct([{ name: null, value: first }]);
    first[Symbol.dispose]();
    expect(await failureOf(long())).toMatchObject({ rule: 'limits.heldBytes' });
    struct[Symbol.dispose]();
    using _ = await long();
    expect(guard.held.bytes).toBe(PART_BYTES + 80);
  });

  test('bytes of what has many parts, however little is in them', async () => {
    make({ limits: { heldBytes: 100_000 } });
    const wide = structOf(Array.from({ length: 1_000 }, () => unnamed(int32(0))));
    const empty = {
      kind: 'struct',
      elements: Array.from({ length: 1_000 }, () => ints()),
    } as const;
    await refusedBy('limits.heldBytes', guard.createValue(empty, wide));
    const elements = Array.from(
      { length: 1_000 },
      () => ({ kind: 'struct', elements: [] }) as const,
    );
    const nothing = sequence(structOf([]));
    await refusedBy('limits.heldBytes', guard.createValue({ kind: 'sequence', elements }, nothing));
    const ones = Array.from({ length: 1_000 }, () => ints(1));
    await refusedBy(
      'limits.heldBytes',
      guard.createValue({ kind: 'sequence', elements: ones }, ROWS),
    );
  });

  test('entries in the log', async () => {
    let now = 0;
    make({}, { auditEntriesPerDay: 3, now: () => now });
    for (let i = 0; i < 10; i += 1) await failureOf(read(SECRET));
    expect(audit.map(({ kind }) => kind)).toEqual(['refused', 'refused', 'refused', 'suppressed']);
    now = 86_400_000;
    await failureOf(read(SECRET));
    now = 0;
    for (let i = 0; i < 10; i += 1) await failureOf(read(SECRET));
    expect(audit.length).toBe(8);
  });

  test('entries in the log, whoever asks, and without room for what is left out', async () => {
    const log: AuditEntry[] = [];
    const own = { audit: { record: (entry: AuditEntry) => void log.push(entry) }, now: () => 0 };
    // A server that begins a new session has a new guard before it.
    for (let session = 0; session < 4; session += 1) {
      make({}, { ...own, auditEntriesPerDay: 3 });
      for (let i = 0; i < 2; i += 1) await failureOf(read(SECRET));
      await guard.close();
    }
    expect(log.map(({ kind }) => kind)).toEqual(['refused', 'refused', 'refused', 'suppressed']);
    make({}, { ...own, auditEntriesPerDay: 3 });
    await failureOf(read(call(failUnlessSmall, SECRET)));
    expect(log.at(-1)).toMatchObject({ kind: 'failed' });
  });
});
