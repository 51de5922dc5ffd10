/** @file Where in the user's code an intrinsic was called. */

import {
  atClients,
  federatedComputation,
  federatedMean,
  federatedSum,
  federatedZip,
  float32,
  int32,
} from 'fedloom';
import { expect, test } from 'vitest';
import type { BuildingBlock } from '../../computations/building-blocks.ts';
import { childBlocks } from '../../computations/building-blocks.ts';
import { callSite, printLocation, type SourceLocation } from '../../computations/call-site.ts';

const file = 'test/computations/call-site.test.ts';

test('the line of the call in this file', () => {
  const { line } = callSite() as SourceLocation;
  expect(callSite()).toMatchObject({ file, line: line + 1 });
  expect(printLocation({ file: 'a.ts', line: 1, column: 2 })).toBe('a.ts:1:2');
});

test('an intrinsic remembers the call, wherever it stands in the body', () => {
  const { line } = callSite() as SourceLocation;
  const computation = federatedComputation([atClients(float32()), atClients(int32())], (x, n) => {
    const mean = federatedMean(x, { weight: n });
    return {
      mean,
      sum: federatedSum(federatedZip([n, n])),
    };
  });
  expect(sources(computation.buildingBlock)).toEqual([
    ['federated_weighted_mean', line + 2],
    ['federated_zip_at_clients', line + 5],
    ['federated_sum', line + 5],
  ]);
});

test('the stack trace limit of the program is left as it was', () => {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 1;
  try {
    expect(callSite()?.file).toBe(file);
    expect(Error.stackTraceLimit).toBe(1);
  } finally {
    Error.stackTraceLimit = before;
  }
});

const USER = { file: '/app/src/train.js', line: 3, column: 7 };

test.each<[string, string, SourceLocation | null]>([
  [
    'V8, within a span',
    `Error
    at callSite (file:///app/node_modules/fedloom/dist/computations/call-site.js:20:40)
    at AsyncLocalStorage.run (node:async_hooks:346:14)
    at AsyncLocalStorageContextManager.with (/app/node_modules/@opentelemetry/context-async-hooks/build/src/AsyncLocalStorageContextManager.js:33:40)
    at withinSpan (file:///app/node_modules/fedloom/dist/executors/remote/call-spans.js:9:1)
    at file:///app/src/train.js:3:7`,
    USER,
  ],
  [
    'V8, built',
    `Error
    at printedStack (file:///app/node_modules/fedloom/dist/computations/call-site.js:50:12)
    at callSite (file:///app/node_modules/fedloom/dist/computations/call-site.js:20:40)
    at federatedSum (file:///app/node_modules/fedloom/dist/intrinsics/aggregate.js:9:1)
    at Array.map (<anonymous>)
    at async file:///app/src/train.js:3:7`,
    USER,
  ],
  [
    'V8, a method and a path with brackets',
    `Error
    at callSite (/app (1)/fedloom/computations/call-site.ts:20:40)
    at Module.federatedSum (/app (1)/fedloom/intrinsics/aggregate.ts:9:1)
    at Model.<anonymous> (/app (1)/main.ts:3:7)`,
    { ...USER, file: '/app (1)/main.ts' },
  ],
  [
    'Firefox',
    `callSite@https://example.org/node_modules/fedloom/dist/computations/call-site.js:20:40
federatedSum@https://example.org/node_modules/fedloom/dist/intrinsics/aggregate.js:9:1
body/<@https://example.org/app/src/train.js:3:7`,
    USER,
  ],
  [
    'Safari',
    `callSite@https://example.org/fedloom/computations/call-site.js:20:40
@https://example.org/app/src/train.js:3:7`,
    USER,
  ],
  [
    'Windows',
    `Error
    at callSite (file:///C:/app/node_modules/fedloom/dist/computations/call-site.js:20:40)
    at federatedSum (file:///C:/app/node_modules/fedloom/dist/intrinsics/aggregate.js:9:1)
    at file:///C:/app/a%20b/train.js:3:7`,
    { ...USER, file: 'C:/app/a b/train.js' },
  ],
  [
    'bundled into one file',
    `Error
    at callSite (https://example.org/bundle.js:1:400)
    at body (https://example.org/bundle.js:1:900)`,
    null,
  ],
  ['no stack', '', null],
])('a stack of %s', (_host, stack, expected) => {
  expect(callSite(stack)).toEqual(expected);
});

function sources(node: BuildingBlock): [string, number | undefined][] {
  const own: [string, number | undefined][] =
    node.kind === 'intrinsic' && node.source ? [[node.uri, node.source.line]] : [];
  return [...own, ...childBlocks(node).flatMap(sources)];
}
