/** @file The report as a table and as data, and the assertion on it. */

import {
  assertOnlySecureAggregation,
  atClients,
  atServer,
  compileForExecution,
  disclosure,
  federatedBroadcast,
  federatedComputation,
  federatedMean,
  federatedSecureSelect,
  federatedSecureSum,
  federatedSecureSumBitwidth,
  federatedSelect,
  federatedValue,
  float32,
  int32,
  struct,
  tensorComputation,
  UnsupportedAggregationError,
} from 'fedloom';
import { expect, test } from 'vitest';
import { callSite, type SourceLocation } from '../../../computations/call-site.ts';

const file = 'test/intrinsics/disclosure/report.test.ts';
const INT = int32();
const Visit = struct({ pages: INT, seconds: float32() });
const rowOf = tensorComputation([int32(4), INT], (table, key) => table.gather(key));

const { line } = callSite() as SourceLocation;
const everything = federatedComputation(
  [atClients(Visit), atClients(int32(2)), atServer(int32(4))],
  function statistics(visit, keys, table) {
    const pages = federatedSecureSumBitwidth(visit.pages, 10);
    const seconds = federatedMean(visit.seconds);
    const rows = federatedSelect(keys, federatedValue(3, 'server', INT), table, rowOf);
    return { pages: federatedBroadcast(pages), seconds, rows };
  },
);

test('the table needs no knowledge of the language', () => {
  expect(String(disclosure(everything)).replaceAll(/:(\d+):\d+/g, (_, n) => `:${n - line}`)).toBe(
    `What leaves the clients in statistics:
3 disclosures of single clients' values, 1 secure sum.

   How                                      Derived from             Type              Where
1  the server sees only the sum of all      visit.pages              int32             federated_secure_sum_bitwidth
   clients (secure, values of 10 bits)                                                 ${file}:4
2  the server sees each client's value      visit.seconds            float32           federated_mean
                                                                                       ${file}:5
3  the server sees each client's keys       keys                     int32[2]          federated_select
                                                                                       ${file}:6
4  sent to all clients; nothing new leaves  visit.pages (through 1)  int32             federated_broadcast
                                                                                       ${file}:7
5  each client's value is handed to the     keys                     {int32*}@CLIENTS  federated_select
   caller, as rows of the result                                                       ${file}:6`,
  );
});

test('a computation that discloses nothing says so', () => {
  const nothing = federatedComputation([atServer(INT)], function send(x) {
    return federatedBroadcast(x);
  });
  expect(String(disclosure(nothing))).toBe(
    "What leaves the clients in send:\nnothing that is derived from clients' data.",
  );
  expect(String(disclosure(nothing.buildingBlock))).toContain(
    'in a computation of type (int32@SERVER -> int32@CLIENTS):',
  );
});

test('the report is plain data', () => {
  const report = disclosure(everything);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  expect(structuredClone(report)).toEqual(report);
  expect(report.entries[0]).toEqual({
    kind: 'disclosure',
    via: 'secure',
    intrinsic: 'federated_secure_sum_bitwidth',
    source: { file, line: line + 4, column: expect.any(Number) },
    from: ['visit.pages'],
    to: 'server',
    type: 'int32',
    bound: { kind: 'bitwidth', value: 10 },
  });
});

test('only secure aggregations pass the assertion', () => {
  const secure = federatedComputation([atClients(INT), atClients(int32(2))], (x, keys) => {
    const total = federatedSecureSum(x, 10);
    federatedBroadcast(total);
    const table = federatedValue([1, 2, 3, 4], 'server', int32(4));
    federatedSecureSelect(keys, federatedValue(3, 'server', INT), table, rowOf);
    return total;
  });
  expect(assertOnlySecureAggregation(secure).entries.map(({ via }) => via)).toEqual([
    'secure',
    'broadcast',
  ]);
});

test('the assertion names file and line of every other way out', () => {
  const failure = failureOf(() => assertOnlySecureAggregation(everything));
  expect(failure).toBeInstanceOf(UnsupportedAggregationError);
  expect(failure).toMatchObject({ code: 'aggregation.discloses' });
  const at = (offset: number) => `${file}:${line + offset}:`;
  expect(failure.message).toContain(
    'statistics lets data of single clients leave them in 3 places',
  );
  expect(failure.message).toMatch(
    new RegExp(
      `${at(5)}\\d+: federated_mean shows the server each client's value, .* visit.seconds`,
    ),
  );
  expect(failure.message).toMatch(
    new RegExp(`${at(6)}\\d+: federated_select shows .* keys .*Use federatedSecureSelect`),
  );
  expect(failure.message).toMatch(new RegExp(`${at(6)}\\d+: rows of the result .* caller`));
});

test('the places are kept through the compiler', () => {
  const compiled = compileForExecution(everything.buildingBlock);
  const failure = failureOf(() => assertOnlySecureAggregation(compiled));
  expect(failure.message).toMatch(new RegExp(`${file}:${line + 5}:\\d+: federated_mean`));
  expect(failure.message).toMatch(new RegExp(`${file}:${line + 6}:\\d+: federated_select`));
});

function failureOf(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('It did not fail.');
}
