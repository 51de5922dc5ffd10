import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../computations/computation.ts';
import { federatedComputation } from '../../computations/federated-computation.ts';
import {
  atClients,
  atServer,
  bool,
  compactNotation,
  federated,
  int32,
  struct,
  structOf,
  type Type,
} from '../../computations/types/index.ts';
import { isValue, typeOf } from '../../computations/value.ts';

const pair = struct({ a: int32(), b: bool() });

/** The printed form of a body over one parameter, as JavaScript would write it. */
const trace = (type: Type, body: (x: never) => unknown): string =>
  String(federatedComputation([type], body as (x: unknown) => Value, { name: 'f' }));

describe('elements of a struct', () => {
  it('are selected by name and by index', () => {
    expect(trace(pair, (x: { a: Value }) => x.a)).toBe('(x -> x.a)');
    expect(trace(pair, (x: Value[]) => x[1])).toBe('(x -> x.b)');
    const mixed = structOf([
      { name: null, type: int32() },
      { name: 'b', type: struct([bool()]) },
    ]);
    expect(trace(mixed, (x: { b: Value[]; 0: Value }) => [x[0], x.b[0]])).toBe(
      '(x -> <x[0],x.b[0]>)',
    );
  });

  it('are taken apart, counted, iterated and spread', () => {
    expect(trace(pair, ({ a, b }: { a: Value; b: Value }) => [b, a])).toBe(
      '(arg -> <arg.b,arg.a>)',
    );
    expect(trace(pair, ([a, ...rest]: Value[]) => [...rest, a])).toBe('(arg -> <arg.b,arg.a>)');
    expect(trace(pair, (x: Value[]) => x.length)).toBe('(x -> 2)');
    expect(trace(pair, (x: object) => ({ ...x, c: 1 }))).toBe('(x -> <a=x.a,b=x.b,c=1>)');
    expect(trace(pair, ({ a, ...others }: { a: Value }) => ({ ...others, a }))).toBe(
      '(arg -> <b=arg.b,a=arg.a>)',
    );
  });

  it('may be called like what a value has anyway', () => {
    const type = struct({ length: int32(), toJSON: bool() });
    expect(trace(type, (x: { length: Value; toJSON: Value }) => [x.length, x.toJSON])).toBe(
      '(x -> <x.length,x.toJSON>)',
    );
  });
});

describe('elements of a placed struct', () => {
  it.each([
    [atClients(pair), 'federated_map', '{int32}@CLIENTS'],
    [atClients(pair, { allEqual: true }), 'federated_map_all_equal', 'int32@CLIENTS'],
    [atServer(pair), 'federated_apply', 'int32@SERVER'],
  ])('of %s are mapped by %s', (type, uri, result) => {
    const f = federatedComputation([type as Type], (x) => (x as unknown as { a: Value }).a, {
      name: 'f',
    });
    expect(String(f)).toBe(
      `(x -> (let fc_f_symbol_0=${uri}(<(arg -> arg.a),x>) in fc_f_symbol_0))`,
    );
    expect(compactNotation(f.resultType)).toBe(result);
  });

  it('are iterated and spread, one call each', () => {
    const iterated = trace(atServer(pair), ([a, b]: Value[]) => [b, a]);
    expect(iterated.match(/federated_apply/g)).toHaveLength(2);
    const spread = trace(atServer(pair), (x: object) => ({ ...x }));
    expect(spread.match(/federated_apply/g)).toHaveLength(2);
    expect(spread).toMatch(/in <a=fc_f_symbol_0,b=fc_f_symbol_1>\)\)$/);
  });
});

describe('a value', () => {
  it('has a type, and is told from data', () => {
    let seen = '';
    trace(federated(int32(), 'aggregator', true), (x: Value) => {
      seen = `${isValue(x)} ${compactNotation(typeOf(x))} ${isValue({})} ${isValue(3)} ${isValue(null)}`;
      return x;
    });
    expect(seen).toBe('true int32@AGGREGATOR false false false');
  });

  it('prints its type and is no promise', () => {
    trace(atClients(pair), (x: { then: unknown; toString(): string }) => {
      expect(inspect(x)).toBe('Value({<a=int32,b=bool>}@CLIENTS)');
      expect(x.toString()).toBe('Value({<a=int32,b=bool>}@CLIENTS)');
      expect(x.then).toBeUndefined();
      return x;
    });
  });
});
