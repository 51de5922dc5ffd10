/** @file Compliance of executors: placed values and the intrinsics on them. */

import { describe, expect, test } from 'vitest';
import {
  call,
  intrinsic,
  lambda,
  placement,
  reference,
  selection,
} from '../../computations/building-blocks.ts';
import {
  atClients,
  atServer,
  federated,
  func,
  int32,
  type MaterializedValue,
  sequence,
  struct,
  structOf,
  TensorValue,
} from '../../computations/types/index.ts';
import {
  addConstant,
  appendDigit,
  callIntrinsic,
  computation,
  digitsAtServer,
  failUnlessSmall,
  federatedInts,
  INT,
  identity,
  int,
  intLiteral,
  ints,
  mapComputation,
  pair,
  seven,
  unnamed,
} from '../executors/blocks.ts';

import { type Make, roundTrip, run } from './executor-run.ts';

export function describePlaced(make: Make): void {
  const plusOne = addConstant(1);
  const atAll = federated(INT, 'clients', true);

  test('keeps client values in order, and server and all-equal values as one', async () => {
    const executor = await make(3);
    expect(await roundTrip(executor, federatedInts(3, 1, 2), atClients(INT))).toEqual([3, 1, 2]);
    expect(await roundTrip(executor, federatedInts(5), atServer(INT))).toEqual([5]);
    expect(await roundTrip(executor, federatedInts(6), atAll)).toEqual([6]);
    const both = struct({ c: atClients(INT), s: atServer(INT) });
    const value = { kind: 'struct', elements: [federatedInts(1, 2, 3), federatedInts(4)] } as const;
    expect(await roundTrip(executor, value, both)).toEqual([[1, 2, 3], [4]]);
  });

  test('refuses the wrong number of members', async () => {
    const executor = await make(3);
    const mismatch = { name: 'CardinalityError', code: 'cardinality.mismatch' };
    for (const [members, type] of [
      [federatedInts(1, 2), atClients(INT)],
      [federatedInts(1, 2, 3, 4), atClients(INT)],
      [federatedInts(1, 2, 3), atAll],
      [federatedInts(), atServer(INT)],
    ] as const) {
      await expect(executor.createValue(members, type)).rejects.toMatchObject(mismatch);
    }
  });

  test('refuses a placement that is not there', async () => {
    const executor = await make(1);
    const type = federated(INT, 'notary', true);
    const attempt = executor.createValue(federatedInts(1), type);
    await expect(attempt).rejects.toMatchObject({ code: 'cardinality.unknown' });
    await expect(attempt).rejects.toThrow(/NOTARY/);
  });

  test('refuses to call a placed value, to select from one, and to compute a placement', async () => {
    const executor = await make(2);
    using x = await executor.createValue(federatedInts(1, 2), atClients(INT));
    const wrongKind = { code: 'type.wrong_kind' };
    await expect(executor.createCall(x)).rejects.toMatchObject(wrongKind);
    await expect(executor.createSelection(x, 0)).rejects.toMatchObject(wrongKind);
    const where = placement('clients');
    const attempt = executor.createValue(where, where.type).then((handle) => handle.compute());
    await expect(attempt).rejects.toMatchObject({ code: 'execution.unsupported_value' });
  });

  test('refuses placed values where unplaced ones are due', async () => {
    const executor = await make(2);
    using x = await executor.createValue(federatedInts(1, 2), atClients(INT));
    using fn = await executor.createValue(plusOne, plusOne.type);
    await expect(executor.createCall(fn, x)).rejects.toMatchObject({
      name: 'FederatedTypeError',
    });
  });

  test('maps at clients, by a compiled computation and by a lambda', async () => {
    const executor = await make(3);
    expect(await run(executor, mapComputation(plusOne), federatedInts(1, 2, 3))).toEqual([2, 3, 4]);
    const twice = lambda('x', INT, call(plusOne, call(plusOne, reference('x', INT))));
    expect(await run(executor, mapComputation(twice), federatedInts(1, 2, 3))).toEqual([3, 4, 5]);
  });

  test('maps all-equal values, and applies at the server', async () => {
    const executor = await make(2);
    const mapped = computation(atAll, (x) =>
      callIntrinsic('federated_map_all_equal', [plusOne, x], atAll),
    );
    expect(await run(executor, mapped, federatedInts(1))).toEqual([2]);
    const applied = computation(atServer(INT), (x) =>
      callIntrinsic('federated_apply', [plusOne, x], atServer(INT)),
    );
    expect(await run(executor, applied, federatedInts(1))).toEqual([2]);
  });

  test('aggregates in the order of the clients', async () => {
    expect(await run(await make(4), digitsAtServer, federatedInts(4, 3, 2, 1))).toEqual([4321]);
  });

  test('broadcasts, and places unplaced values', async () => {
    const executor = await make(2);
    const sent = computation(atServer(INT), (x) =>
      call(mapComputation(plusOne), callIntrinsic('federated_broadcast', [x], atAll)),
    );
    expect(await run(executor, sent, federatedInts(1))).toEqual([2, 2]);
    const placed = computation(INT, (x) =>
      pair(
        callIntrinsic('federated_value_at_clients', [x], atAll),
        callIntrinsic('federated_value_at_server', [x], atServer(INT)),
      ),
    );
    expect(await run(executor, placed, int(5))).toEqual([[5], [5]]);
  });

  test('places structs that were made of unplaced values', async () => {
    const type = struct([INT, INT]);
    const placed = computation(INT, (x) =>
      callIntrinsic('federated_value_at_server', [pair(x, call(plusOne, x))], atServer(type)),
    );
    expect(await run(await make(1), placed, int(1))).toEqual([[1, 2]]);
  });

  test('evaluates at each client and at the server', async () => {
    const executor = await make(3);
    const everywhere = lambda(
      null,
      null,
      pair(
        callIntrinsic('federated_eval_at_clients', [seven], atClients(INT)),
        callIntrinsic('federated_eval_at_server', [seven], atServer(INT)),
      ),
    );
    expect(await run(executor, everywhere)).toEqual([[7, 7, 7], [7]]);
  });

  test('zips, however nested', async () => {
    const executor = await make(2);
    const inner = structOf([{ name: 'b', type: atAll }, unnamed(atClients(INT))]);
    const parameter = structOf([{ name: 'a', type: atClients(INT) }, unnamed(inner)]);
    const zipped = structOf([
      { name: 'a', type: INT },
      unnamed(structOf([{ name: 'b', type: INT }, unnamed(INT)])),
    ]);
    const zip = intrinsic('federated_zip_at_clients', func(parameter, atClients(zipped)));
    const argument: MaterializedValue = {
      kind: 'struct',
      elements: [
        federatedInts(1, 2),
        { kind: 'struct', elements: [federatedInts(9), federatedInts(3, 4)] },
      ],
    };
    expect(await run(executor, zip, argument)).toEqual([
      [1, [9, 3]],
      [2, [9, 4]],
    ]);
    const servers = struct([atServer(INT), atServer(INT)]);
    const zipServers = intrinsic(
      'federated_zip_at_server',
      func(servers, atServer(struct([INT, INT]))),
    );
    const atBoth = { kind: 'struct', elements: [federatedInts(1), federatedInts(2)] } as const;
    expect(await run(executor, zipServers, atBoth)).toEqual([[1, 2]]);
  });

  test('works without clients', async () => {
    const executor = await make(0);
    expect(await run(executor, mapComputation(plusOne), federatedInts())).toEqual([]);
    expect(await run(executor, digitsAtServer, federatedInts())).toEqual([0]);
    const sent = computation(atServer(INT), (x) =>
      callIntrinsic('federated_broadcast', [x], atAll),
    );
    expect(await run(executor, sent, federatedInts(4))).toEqual([4]);
  });

  test('names the client that failed, keeps the cause, and goes on', async () => {
    const executor = await make(3);
    const attempt = run(executor, mapComputation(failUnlessSmall), federatedInts(1, 999, 3));
    await expect(attempt).rejects.toMatchObject({
      name: 'ExecutionError',
      code: 'execution.client_failed',
      cause: { code: 'execution.sum_overflow' },
    });
    await expect(attempt).rejects.toThrow(/Client 1 /);
    expect(await run(executor, mapComputation(plusOne), federatedInts(1, 2, 3))).toEqual([2, 3, 4]);
  });

  describe.each(['federated_select', 'federated_secure_select'])('%s', (uri) => {
    const parameter = struct([atClients(int32(2)), atServer(INT), atServer(INT)]);
    const selected = computation(parameter, (x) =>
      callIntrinsic(
        uri,
        [selection(x, 0), selection(x, 1), selection(x, 2), appendDigit],
        atClients(sequence(INT)),
      ),
    );
    const of = (maxKey: number, ...keys: number[][]): MaterializedValue => ({
      kind: 'struct',
      elements: [
        { kind: 'federated', members: keys.map((each) => ints(...each)) },
        federatedInts(maxKey),
        federatedInts(5),
      ],
    });

    test('sends each client its rows, in the order of its keys', async () => {
      const executor = await make(2);
      expect(await run(executor, selected, of(3, [3, 0], [3, 3]))).toEqual([
        [53, 50],
        [53, 53],
      ]);
    });

    test('enforces the range of the keys, both ends included', async () => {
      const executor = await make(2);
      for (const wrong of [-1, 4]) {
        const attempt = run(executor, selected, of(3, [0, 3], [wrong, 0]));
        const error: unknown = await attempt.catch((reason: unknown) => reason);
        const cause = uri === 'federated_select' ? error : (error as Error).cause;
        expect(cause).toMatchObject({ code: 'execution.key_out_of_range' });
        expect(String(error)).toMatch(/Client 1 /);
      }
    });
  });

  test('selects nothing for no keys', async () => {
    const parameter = struct([atClients(int32(0)), atServer(INT), atServer(INT)]);
    const selected = computation(parameter, (x) =>
      callIntrinsic(
        'federated_select',
        [selection(x, 0), selection(x, 1), selection(x, 2), appendDigit],
        atClients(sequence(INT)),
      ),
    );
    const none = new TensorValue('int32', [0], new Int32Array(0));
    const value: MaterializedValue = {
      kind: 'struct',
      elements: [{ kind: 'federated', members: [none] }, federatedInts(3), federatedInts(5)],
    };
    expect(await run(await make(1), selected, value)).toEqual([[]]);
  });

  test('refuses an intrinsic on placed values that nobody implements, naming it', async () => {
    const executor = await make(1);
    const unknown = computation(atClients(INT), (x) =>
      callIntrinsic('federated_conjure', [x], atServer(INT)),
    );
    const attempt = run(executor, unknown, federatedInts(1));
    await expect(attempt).rejects.toMatchObject({ code: 'execution.unsupported_intrinsic' });
    await expect(attempt).rejects.toThrow(/federated_conjure/);
  });

  test('reduces sequences at the clients', async () => {
    const type = sequence(INT);
    const digits = computation(type, (x) =>
      callIntrinsic('sequence_reduce', [x, intLiteral(0), appendDigit], INT),
    );
    const value: MaterializedValue = {
      kind: 'federated',
      members: [
        { kind: 'sequence', elements: [int(1), int(2)] },
        { kind: 'sequence', elements: [] },
      ],
    };
    expect(await run(await make(2), mapComputation(digits), value)).toEqual([12, 0]);
  });

  test('identity keeps every member', async () => {
    expect(await run(await make(2), mapComputation(identity(INT)), federatedInts(8, 9))).toEqual([
      8, 9,
    ]);
  });
}
