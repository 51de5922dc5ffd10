/** @file Compiled computations are known by their content, kept within a bound, and fail loudly. */

import { describe, expect, test } from 'vitest';
import {
  type BuildingBlock,
  call,
  intrinsic,
  lambda,
  literal,
  reference,
} from '../../computations/building-blocks.ts';
import {
  atClients,
  atServer,
  func,
  int32,
  sequence,
  TensorValue,
} from '../../computations/types/index.ts';
import { CachingCompiler } from '../../runtime/caching-compiler.ts';

const sum = (parameter: string): BuildingBlock =>
  lambda(
    parameter,
    atClients(int32()),
    call(
      intrinsic('federated_sum', func(atClients(int32()), atServer(int32()))),
      reference(parameter, atClients(int32())),
    ),
  );

const compiler = (maxEntries: number): CachingCompiler =>
  new CachingCompiler({ factory: {}, level: 'full', maxEntries });

describe('a caching compiler', () => {
  test('compiles equal computations once', () => {
    const cache = compiler(10);
    expect(cache.compile(sum('x'))).toBe(cache.compile(sum('x')));
    expect(cache.size).toBe(1);
  });

  test('drops the one that was used longest ago', () => {
    const cache = compiler(2);
    const first = cache.compile(sum('a'));
    cache.compile(sum('b'));
    expect(cache.compile(sum('a'))).toBe(first);
    cache.compile(sum('c'));
    expect(cache.size).toBe(2);
    expect(cache.compile(sum('a'))).toBe(first);
    const again = cache.compile(sum('b'));
    expect(cache.compile(sum('b'))).toBe(again);
    expect(cache.compile(sum('a'))).toBe(first);
  });

  test('knows what has no content hash by identity', () => {
    const cache = compiler(10);
    const one = new TensorValue('int32', [], Int32Array.of(1));
    const lazy = literal({ kind: 'sequence', elements: [one].values() }, sequence(int32()));
    const computation = lambda(null, null, lazy);
    expect(cache.compile(computation)).toBe(cache.compile(computation));
    expect(cache.size).toBe(0);
  });

  test('tells intrinsics of different origins apart', () => {
    const cache = compiler(10);
    const withOrigin = (origin: string): BuildingBlock => {
      const type = func(atClients(int32()), atServer(int32()));
      return { ...intrinsic('custom', type), origin };
    };
    const compiled = ['federated_sum', 'federated_max'].map((origin) =>
      cache.compile(lambda(null, null, withOrigin(origin))),
    );
    expect(compiled[0]).not.toBe(compiled[1]);
  });

  test('fails if a computation cannot be compiled, each time', () => {
    const cache = compiler(10);
    const broken: BuildingBlock = {
      kind: 'selection',
      source: reference('x', int32()),
      index: 0,
      type: int32(),
    };
    expect(() => cache.compile(broken)).toThrow(/no.*select|element/);
    expect(() => cache.compile(broken)).toThrow(/no.*select|element/);
    expect(cache.size).toBe(0);
  });

  test('refuses a bound that is no number of computations', () => {
    expect(() => compiler(-1)).toThrow(RangeError);
  });
});
