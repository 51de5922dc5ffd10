/**
 * @file The context to which a client binds what it releases: equal at all clients that were asked for
 * the same, whatever their data is, and different for every change of program or public input.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type BuildingBlock,
  block,
  call,
  data,
  lambda,
  literal,
  reference,
  selection,
} from '../../../computations/building-blocks.ts';
import { loadBackend } from '../../../computations/tensors/index.ts';
import { int32 } from '../../../computations/types/index.ts';
import type { GuardingExecutor } from '../../../executors/guard/index.ts';
import { toHex } from '../../../protocols/index.ts';
import { add, addConstant, INT, int, pair } from '../blocks.ts';
import { guardOf, participant } from './support.ts';

let one: GuardingExecutor;
let other: GuardingExecutor;

beforeAll(async () => {
  const backend = await loadBackend();
  one = guardOf({ backend, client: 0 });
  other = guardOf({ backend, client: 1 });
});

afterAll(() => Promise.all([one.close(), other.close()]));

async function contextOf(guard: GuardingExecutor, node: BuildingBlock): Promise<string> {
  using value = await guard.createValue(node, node.type);
  return toHex(await participant('clients/0', guard).request('secagg_state_context', [value]));
}

const NONE = toHex(sha256(new Uint8Array(0)));

/** Small programs on the secret and on constants. */
const programs: fc.Arbitrary<BuildingBlock> = fc.letrec<{ node: BuildingBlock }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant<BuildingBlock>(data('secret', INT)),
    fc.integer({ min: 0, max: 3 }).map((n) => literal(int(n), INT)),
    fc.tuple(fc.integer({ min: 1, max: 3 }), tie('node')).map(([n, x]) => call(addConstant(n), x)),
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => call(add, pair(a, b))),
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => selection(pair(a, b), 0)),
    tie('node').map((x) => call(lambda('x', INT, call(addConstant(1), reference('x', INT))), x)),
  ),
})).node;

test('is the same at clients with different data, and none for what is public', async () => {
  await fc.assert(
    fc.asyncProperty(programs, async (program) => {
      const context = await contextOf(one, program);
      expect(await contextOf(other, program)).toBe(context);
      using value = await one.createValue(program, program.type);
      const isPublic = await value.compute().then(
        () => true,
        () => false,
      );
      expect(context === NONE).toBe(isPublic);
    }),
    { numRuns: 60 },
  );
});

const SECRET = data('secret', INT);

test('differs for every other function, public input, name or type of data', async () => {
  const contexts = await Promise.all(
    [
      SECRET,
      call(addConstant(1), SECRET),
      call(addConstant(2), SECRET),
      call(addConstant(1), call(addConstant(1), SECRET)),
      call(add, pair(SECRET, literal(int(1), INT))),
      call(add, pair(SECRET, literal(int(2), INT))),
      call(add, pair(literal(int(1), INT), SECRET)),
      call(add, pair(SECRET, SECRET)),
      pair(SECRET, SECRET),
      pair(SECRET, literal(int(1), INT)),
      data('typo', INT),
      data('readings', int32(3)),
      data('readings', int32(null)),
    ].map((node) => contextOf(one, node)),
  );
  expect(new Set([...contexts, NONE]).size).toBe(contexts.length + 1);
});

test('does not depend on the order of requests, or on what else is held', async () => {
  const expected = await contextOf(one, call(add, pair(SECRET, literal(int(5), INT))));
  const party = participant('clients/0', other);
  using five = await other.createValue(literal(int(5), INT), INT);
  using _ = await other.createValue(literal(int(6), INT), INT);
  using secret = await other.createValue(SECRET, INT);
  using fn = await other.createValue(add, add.type);
  using both = await other.createStruct([
    { name: null, value: secret },
    { name: null, value: five },
  ]);
  using sum = await other.createCall(fn, both);
  expect(toHex(await party.request('secagg_state_context', [sum]))).toBe(expected);
});

test('is that of a value, however syntax names it', async () => {
  const named = block([{ name: 's', value: SECRET }], call(addConstant(1), reference('s', INT)));
  expect(await contextOf(one, named)).toBe(await contextOf(one, call(addConstant(1), SECRET)));
});
