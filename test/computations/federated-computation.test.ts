import { beforeEach, describe, expect, it } from 'vitest';
import { call, intrinsic, lambda, reference } from '../../computations/building-blocks.ts';
import type { Computation, Operand, Value } from '../../computations/computation.ts';
import { type Context, withContext } from '../../computations/contexts/context.ts';
import { defineComputation } from '../../computations/define.ts';
import { federatedComputation } from '../../computations/federated-computation.ts';
import { currentTrace } from '../../computations/trace.ts';
import { typecheckBlock } from '../../computations/typecheck.ts';
import {
  type AtClients,
  type AtServer,
  atClients,
  atServer,
  bool,
  ContextError,
  compactNotation,
  type FederatedType,
  FederatedTypeError,
  federated,
  float32,
  func,
  int32,
  struct,
  TraceError,
  type Type,
  ValueError,
} from '../../computations/types/index.ts';
import { bindValue, toBlock } from '../../computations/value.ts';

// Intrinsics as the room above this one builds them, without its rules.
function bindCall<T extends FederatedType>(uri: string, value: Value, result: T): Operand<T> {
  const node = toBlock(value, `The argument of ${uri}`);
  return bindValue<T>(call(intrinsic(uri, func(node.type, result)), node), uri);
}
const sum = (value: Value): Operand<AtServer> =>
  bindCall('federated_sum', value, atServer(int32()));
const broadcast = (value: Value): Operand<AtClients> =>
  bindCall('federated_broadcast', value, atClients(float32(), { allEqual: true }));
const mean = (value: Value): Operand<AtServer> =>
  bindCall('federated_mean', value, atServer(float32()));

const codeOf = (attempt: () => unknown): string => {
  try {
    attempt();
  } catch (error) {
    if (
      error instanceof TraceError ||
      error instanceof FederatedTypeError ||
      error instanceof ContextError ||
      error instanceof ValueError
    ) {
      return error.code;
    }
    throw error;
  }
  return 'none';
};

// A computation defined from JavaScript, where the compiler does not object.
const untyped = (parameters: readonly Type[], body: unknown): unknown =>
  federatedComputation(parameters, body as (...args: readonly unknown[]) => Value);

describe('tracing', () => {
  it('binds each call to a name, in order, as TensorFlow Federated does', () => {
    const F = federatedComputation([atServer(float32())], function F(x) {
      return mean(broadcast(x));
    });
    expect(String(F)).toBe(
      '(x -> (let fc_F_symbol_0=federated_broadcast(x),fc_F_symbol_1=federated_mean(fc_F_symbol_0) in fc_F_symbol_1))',
    );
    expect(compactNotation(F.type)).toBe('(float32@SERVER -> float32@SERVER)');
    expect(F.name).toBe('F');
    expect(compactNotation(F.resultType)).toBe('float32@SERVER');
  });

  it('runs the body once, however often the computation is used', () => {
    let runs = 0;
    const f = federatedComputation([atClients(int32())], (x) => {
      runs++;
      return sum(x);
    });
    federatedComputation([atClients(int32())], (x) => [f(x), f(x)]);
    expect(runs).toBe(1);
  });

  it('binds a value that is used twice once', () => {
    const f = federatedComputation(
      [atClients(int32())],
      (x) => {
        const total = sum(x);
        return [total, total];
      },
      { name: 'twice' },
    );
    expect(String(f)).toBe(
      '(x -> (let fc_twice_symbol_0=federated_sum(x) in <fc_twice_symbol_0,fc_twice_symbol_0>))',
    );
  });

  it('needs no block if the body calls nothing', () => {
    const f = federatedComputation([int32(), bool()], (a, b) => ({ b, a }));
    expect(String(f)).toBe('(arg -> <b=arg.b,a=arg.a>)');
    expect(compactNotation(f.type)).toBe('(<a=int32,b=bool> -> <b=bool,a=int32>)');
  });

  it('takes no parameter, one, or a struct of several with the names of the body', () => {
    expect(String(federatedComputation([], () => ({ a: 1, b: 2.5, c: ['x'], d: true })))).toBe(
      '( -> <1,2.5,["x"],true>)',
    );
    expect(String(federatedComputation([int32()], (only) => only))).toBe('(only -> only)');
    const types = [int32(), int32()] as const;
    const typeOfBody = (body: unknown): string =>
      compactNotation((untyped(types, body) as Computation).type.parameter as Type);
    expect(typeOfBody((a: Value, b: Value) => [a, b])).toBe('<a=int32,b=int32>');
    expect(typeOfBody((a: Value) => a)).toBe('<a=int32,int32>');
    expect(typeOfBody(() => 1)).toBe('<int32,int32>');
  });

  it('produces blocks that type-check', () => {
    const f = federatedComputation([atClients(struct({ a: int32(), b: int32() }))], (x) =>
      sum(x.a),
    );
    const g = federatedComputation(
      [atClients(struct({ a: int32(), b: int32() })), bool()],
      (x, y) => ({
        total: f(x),
        y,
      }),
    );
    typecheckBlock(g.buildingBlock);
  });

  it('leaves no trace open when a body throws', () => {
    expect(() =>
      federatedComputation([int32()], () => {
        throw new RangeError('mine');
      }),
    ).toThrow('mine');
    expect(codeOf(() => currentTrace('x'))).toBe('context.not_federated');
  });
});

describe('mistakes in a body', () => {
  const one = [atClients(int32())] as const;

  it.each<[string, () => unknown, string]>([
    ['no result', () => untyped(one, () => {}), 'trace.no_result'],
    ['null as result', () => untyped(one, () => null), 'trace.no_result'],
    ['an async body', () => untyped(one, async (x: Value) => sum(x)), 'trace.async'],
    [
      'more parameters than types',
      () => untyped(one, (x: Value, y: Value) => [x, y]),
      'type.arity',
    ],
    ['a rest parameter', () => untyped(one, (...xs: Value[]) => xs[0]), 'type.arity'],
    [
      'a rest parameter after others',
      () => untyped(one, (x: Value, ..._xs: Value[]) => x),
      'type.arity',
    ],
    [
      'a parameter that is no type',
      () => untyped([{ kind: 'tensor' } as never], (x: Value) => x),
      'type.invalid',
    ],
    ['no body', () => untyped(one, undefined), 'type.invalid'],
    ['a comparison', () => untyped(one, (x: never) => (x > 3 ? x : x)), 'trace.value_dependent'],
    ['arithmetic', () => untyped(one, (x: never) => x + 1), 'trace.value_dependent'],
    ['a value in text', () => untyped(one, (x: Value) => `${x}`), 'trace.value_dependent'],
    [
      'assignment to a value',
      () =>
        untyped([struct({ a: int32() })], (x: { a: unknown }) => {
          x.a = 1;
          return x;
        }),
      'trace.side_effect',
    ],
    [
      'an element that is not there',
      () => untyped([struct({ a: int32() })], (x: { b: Value }) => x.b),
      'type.wrong_kind',
    ],
    [
      'an element of a tensor',
      () => untyped([int32()], (x: { b: Value }) => x.b),
      'type.wrong_kind',
    ],
    [
      'an index out of range',
      () => untyped([struct([int32()])], (x: Value[]) => x[1]),
      'type.wrong_kind',
    ],
    ['a function as result', () => untyped(one, () => () => 1), 'value.wrong_type'],
    [
      'a generator as body',
      () =>
        untyped(one, function* (x: Value) {
          yield x;
        }),
      'value.wrong_type',
    ],
    [
      'a function call with a wrong type',
      () =>
        federatedComputation([bool()], (x) =>
          (untyped([int32()], (y: Value) => y) as (v: unknown) => Value)(x),
        ),
      'type.not_assignable',
    ],
    [
      'a call with too few arguments',
      () => federatedComputation([], () => (untyped([int32()], (y: Value) => y) as () => Value)()),
      'type.arity',
    ],
    [
      'data for a placed parameter',
      () =>
        federatedComputation([], () =>
          (untyped([atServer(int32())], (y: Value) => y) as (v: unknown) => Value)(3),
        ),
      'type.not_assignable',
    ],
  ])('%s is refused', (_what, attempt, code) => {
    expect(codeOf(attempt)).toBe(code);
  });

  it('says how to place data', () => {
    const f = untyped([atServer(int32())], (y: Value) => y) as (v: unknown) => Value;
    expect(() => federatedComputation([], () => f(3))).toThrow(/use federatedValue to place it/);
  });

  it('catches what an async body does after its first await', async () => {
    expect(
      codeOf(() =>
        untyped(one, async (x: Value) => {
          await null;
          return sum(x); // Outside of any trace: must not become an unhandled rejection.
        }),
      ),
    ).toBe('trace.async');
    await new Promise((resolve) => setTimeout(resolve, 5));
  });

  it('names intrinsics that are called outside of a body', () => {
    expect(() => currentTrace('federatedSum')).toThrow(ContextError);
    expect(() => currentTrace('federatedSum')).toThrow(/federatedSum was called outside/);
  });
});

describe('values that leave their body', () => {
  const member = struct({ a: int32(), b: int32() });
  const leak = (): { f: Computation; x: Operand<AtClients<typeof member>> } => {
    let x: unknown;
    const f = federatedComputation([atClients(member)], (value) => {
      x = value;
      return sum(value.a);
    });
    return { f: f as unknown as Computation, x: x as Operand<AtClients<typeof member>> };
  };

  it('cannot be used in another body, an inner one included', () => {
    const { x } = leak();
    expect(codeOf(() => federatedComputation([], () => sum(x)))).toBe('trace.leaked_tracer');
    expect(
      codeOf(() =>
        federatedComputation([atClients(int32())], (outer) => {
          federatedComputation([], () => sum(outer));
          return outer;
        }),
      ),
    ).toBe('trace.leaked_tracer');
  });

  it('cannot change the computation that they come from', () => {
    const { f, x } = leak();
    const printed = String(f);
    expect(codeOf(() => x.b)).toBe('trace.leaked_tracer');
    expect(String(f)).toBe(printed);
  });

  it('cannot be given to a computation as data', () => {
    const { f, x } = leak();
    const apply = f as unknown as (value: unknown) => unknown;
    expect(codeOf(() => apply(x))).toBe('trace.leaked_tracer');
    expect(codeOf(() => apply([x]))).toBe('trace.leaked_tracer');
  });
});

describe('calls of computations', () => {
  const invocations: [string, readonly unknown[]][] = [];
  const recording: Context = {
    invoke: async (computation, args) => {
      invocations.push([compactNotation(computation.type), args]);
      return 42;
    },
  };
  beforeEach(() => {
    invocations.length = 0;
  });

  it('become building blocks inside a body', () => {
    const inner = federatedComputation([atClients(int32())], function inner(x) {
      return sum(x);
    });
    const outer = federatedComputation([atClients(int32())], function outer(y) {
      return inner(y);
    });
    expect(String(outer)).toBe(
      '(y -> (let fc_outer_symbol_0=(x -> (let fc_inner_symbol_0=federated_sum(x) in fc_inner_symbol_0))(y) in fc_outer_symbol_0))',
    );
  });

  it('pass several arguments as one struct, whatever the names outside', () => {
    const inner = federatedComputation([int32(), bool()], (a, b) => [b, a]);
    const outer = federatedComputation([bool(), int32()], (p, q) => inner(q, p), { name: 'outer' });
    expect(String(outer)).toBe(
      '(arg -> (let fc_outer_symbol_0=(arg -> <arg.b,arg.a>)(<a=arg.q,b=arg.p>) in fc_outer_symbol_0))',
    );
  });

  it('take an object for a struct in any order, and data beside values', () => {
    const inner = federatedComputation([struct({ a: int32(), b: float32() })], (s) => s.b);
    const outer = federatedComputation([int32()], (x) => inner({ b: 1, a: x } as never), {
      name: 'o',
    });
    expect(String(outer)).toBe('(x -> (let fc_o_symbol_0=(s -> s.b)(<a=x,b=1>) in fc_o_symbol_0))');
    typecheckBlock(outer.buildingBlock);
  });

  it('without parameters are bound too', () => {
    const seed = federatedComputation([], () => 7);
    const f = federatedComputation([], () => [seed(), seed()] as unknown as Value[], { name: 'f' });
    expect(String(f)).toBe(
      '( -> (let fc_f_symbol_0=( -> 7)(),fc_f_symbol_1=( -> 7)() in <fc_f_symbol_0,fc_f_symbol_1>))',
    );
  });

  it('run in the current context outside of a body', async () => {
    const f = federatedComputation([int32(), bool()], (a, b) => [b, a]);
    await expect(withContext(recording, () => f(1, true))).resolves.toBe(42);
    expect(invocations).toEqual([['(<a=int32,b=bool> -> <bool,int32>)', [1, true]]]);
  });

  it('check the number of arguments first', () => {
    const f = untyped([int32(), bool()], (a: Value, b: Value) => [b, a]) as (
      ...args: unknown[]
    ) => unknown;
    expect(codeOf(() => withContext(recording, () => f(1)))).toBe('type.arity');
    expect(() => withContext(recording, () => f(1, true, 2))).toThrow(
      /takes 2 arguments \(int32, bool\); got 3/,
    );
    expect(invocations).toEqual([]);
  });

  it('accept any building block of function type', () => {
    const f = defineComputation('id', [int32()], lambda('x', int32(), reference('x', int32())));
    expect(String(federatedComputation([int32()], (y) => f(y), { name: 'g' }))).toBe(
      '(y -> (let fc_g_symbol_0=(x -> x)(y) in fc_g_symbol_0))',
    );
  });
});

describe('polymorphic computations', () => {
  it('take the types of their arguments, and are traced once for each', () => {
    let runs = 0;
    const pair = federatedComputation((x) => {
      runs++;
      return [x, x];
    });
    const f = federatedComputation([int32(), bool(), int32()], (a, b, c) => [
      pair(a),
      pair(b),
      pair(c),
    ]);
    expect(runs).toBe(2);
    expect(compactNotation(f.resultType)).toBe('<<int32,int32>,<bool,bool>,<int32,int32>>');
    expect(compactNotation(pair.withTypes(federated(int32(), 'clients', false)).type)).toBe(
      '({int32}@CLIENTS -> <{int32}@CLIENTS,{int32}@CLIENTS>)',
    );
  });

  it('infer the types of data, and of structs of values', async () => {
    const types: string[] = [];
    const context: Context = {
      invoke: async ({ type }) => {
        types.push(compactNotation(type));
      },
    };
    const same = federatedComputation((x) => x);
    await withContext(context, () => Promise.all([same(1), same([1.5, 2]), same({ a: 'x' })]));
    expect(types).toEqual([
      '(int32 -> int32)',
      '(float32[2] -> float32[2])',
      '(<a=string> -> <a=string>)',
    ]);
    const f = federatedComputation([int32()], (x) => same({ x, two: 2 } as never));
    expect(compactNotation(f.resultType)).toBe('<x=int32,two=int32>');
  });

  it('refuse data that has no type of its own', () => {
    const same = federatedComputation((x) => x) as (x: unknown) => unknown;
    expect(codeOf(() => same([]))).toBe('value.wrong_type');
  });
});
