import { beforeEach, describe, expect, test } from 'vitest';
import {
  type BuildingBlock,
  block,
  call,
  intrinsic,
  lambda,
  reference,
  selection,
} from '../../computations/building-blocks.ts';
import { freeReferences, replaceReferences } from '../../computations/free-references.ts';
import {
  atClients,
  atServer,
  func,
  type MaterializedValue,
  sequence,
  struct,
  type Type,
} from '../../computations/types/index.ts';
import type { Executor } from '../../executors/executor.ts';
import type { Operator } from '../../executors/leaf/operator.ts';
import { ReferenceResolvingExecutor } from '../../executors/reference-resolving.ts';
import { leafExecutor, localExecutorFactory } from '../../runtime/index.ts';
import { run } from '../compliance/executor-run.ts';
import {
  add,
  addConstant,
  callIntrinsic,
  computation,
  digitsAtServer,
  federatedInts,
  INT,
  int,
  intLiteral,
  mapComputation,
  pair,
} from './blocks.ts';
import { PassThroughExecutor } from './pass-through.ts';
import { type TrackedBackend, trackedBackend } from './tracked-backend.ts';

let backend: TrackedBackend;
let target: PassThroughExecutor;
let executor: Executor;
let marks: number[];

const x = reference('x', INT);
const mark = (block_: BuildingBlock): BuildingBlock =>
  call(intrinsic('test_mark', func(INT, INT)), block_);
const countCalls = (): number => target.calls.filter((each) => each === 'createCall').length;

beforeEach(async () => {
  backend = await trackedBackend();
  marks = [];
  const marker: Operator = {
    uri: 'test_mark',
    purity: 'random',
    checkType: () => {},
    run(argument) {
      if (argument?.kind !== 'tensor') throw new TypeError('no tensor');
      marks.push(Number(argument.scalar()));
      return argument;
    },
  };
  target = new PassThroughExecutor(leafExecutor(backend, { operators: [marker] }));
  executor = new ReferenceResolvingExecutor(target);
});

describe('evaluation', () => {
  test('takes the locals of a block in order, once each, used or not', async () => {
    const body = block(
      [
        { name: 'a', value: mark(intLiteral(1)) },
        { name: 'unused', value: mark(intLiteral(2)) },
        { name: 'b', value: mark(call(add, pair(reference('a', INT), reference('a', INT)))) },
      ],
      call(add, pair(reference('b', INT), reference('b', INT))),
    );
    const fn = lambda(null, null, body);
    expect(await run(executor, fn)).toBe(4);
    expect(marks).toEqual([1, 2, 2]);
    marks = [];
    await run(executor, fn);
    expect(marks).toEqual([1, 2, 2]);
  });

  test('does not touch what has no call until it is needed', async () => {
    const body = block(
      [
        { name: 'constant', value: intLiteral(1) },
        { name: 'missing', value: { kind: 'data', uri: 'nowhere', type: INT } },
        { name: 'f', value: lambda('y', INT, mark(reference('y', INT))) },
      ],
      x,
    );
    expect(await run(executor, lambda('x', INT, body), int(3))).toBe(3);
    expect(target.calls).toEqual(['createValue tensor']);
    expect(marks).toEqual([]);
  });

  test('brings a constant that is used twice to the target once', async () => {
    const body = block(
      [{ name: 'c', value: intLiteral(2) }],
      call(add, pair(reference('c', INT), reference('c', INT))),
    );
    expect(await run(executor, lambda(null, null, body))).toBe(4);
    expect(target.calls.filter((each) => each === 'createValue literal')).toHaveLength(1);
  });

  test('evaluates the argument of a lambda once, however often it is used', async () => {
    const twice = lambda('y', INT, call(add, pair(reference('y', INT), reference('y', INT))));
    expect(await run(executor, lambda('x', INT, call(twice, mark(x))), int(5))).toBe(10);
    expect(marks).toEqual([5]);
  });

  test('evaluates the elements of a struct in order', async () => {
    await run(executor, lambda(null, null, pair(mark(intLiteral(1)), mark(intLiteral(2)))));
    expect(marks).toEqual([1, 2]);
    expect(countCalls()).toBe(2);
  });

  test('frees each value when its scope ends', async () => {
    let body: BuildingBlock = x;
    for (let i = 0; i < 20; i++) {
      body = block([{ name: 'x', value: call(addConstant(1), x) }], body);
    }
    expect(await run(executor, lambda('x', INT, body), int(0))).toBe(20);
    expect(backend.live()).toBe(0);
  });
});

describe('functions handed to the target', () => {
  test('are closed: functions, constants and unplaced values that they capture go along', async () => {
    const stack = await localExecutorFactory({ backend }).createExecutor({ clients: 2 });
    const mapper = lambda(
      'x',
      INT,
      call(reference('f', addConstant(1).type), call(add, pair(x, reference('k', INT)))),
    );
    const parameter = struct([atClients(INT), INT]);
    const body = computation(parameter, (argument) =>
      block(
        [
          { name: 'f', value: addConstant(100) },
          { name: 'one', value: intLiteral(1) },
          {
            name: 'k',
            value: call(
              add,
              pair(
                { kind: 'selection', source: argument, index: 1, type: INT },
                reference('one', INT),
              ),
            ),
          },
        ],
        callIntrinsic(
          'federated_map',
          [mapper, { kind: 'selection', source: argument, index: 0, type: atClients(INT) }],
          atClients(INT),
        ),
      ),
    );
    const value = { kind: 'struct', elements: [federatedInts(1, 2), int(10)] } as const;
    expect(await run(stack, body, value)).toEqual([112, 113]);
    await stack.close();
    expect(backend.live()).toBe(0);
  });

  test('are refused when they capture a placed value, naming it', async () => {
    const stack = await localExecutorFactory({ backend }).createExecutor({ clients: 1 });
    const placed = atServer(INT);
    const mapper = lambda(
      'y',
      INT,
      callIntrinsic('federated_broadcast', [reference('secret', placed)], atClients(INT)),
    );
    const body = lambda(
      'secret',
      placed,
      callIntrinsic(
        'federated_eval_at_clients',
        [lambda(null, null, call(mapper, intLiteral(1)))],
        atClients(INT),
      ),
    );
    const attempt = run(stack, body as BuildingBlock, federatedInts(1));
    await expect(attempt).rejects.toMatchObject({ code: 'type.unbound_reference' });
    await expect(attempt).rejects.toThrow(/captures 'secret', of type int32@SERVER/);
    await stack.close();
  });

  test('take one tensor of a struct that holds what cannot be captured', async () => {
    const stack = await localExecutorFactory({ backend }).createExecutor({ clients: 2 });
    const member = struct([sequence(INT), struct([INT, sequence(INT)])]);
    const given = reference('given', member);
    const state = reference('state', struct([INT, INT]));
    const weight = selection(selection(given, 1), 0);
    const step = lambda(
      'state',
      state.type,
      call(add, pair(call(add, pair(selection(state, 0), selection(state, 1))), weight)),
    );
    const mapper = lambda(
      'given',
      member,
      callIntrinsic('sequence_reduce', [selection(given, 0), intLiteral(0), step], INT),
    );
    const client = (elements: number[], each: number): MaterializedValue => ({
      kind: 'struct',
      elements: [
        { kind: 'sequence', elements: elements.map(int) },
        { kind: 'struct', elements: [int(each), { kind: 'sequence', elements: [] }] },
      ],
    });
    const members = [client([1, 2, 3], 10), client([4, 5], 100)];
    const mapped = mapComputation(mapper);
    expect(await run(stack, mapped, { kind: 'federated', members })).toEqual([36, 209]);
    await stack.close();
    expect(backend.live()).toBe(0);
  });

  test('keep names apart: a parameter hides a captured value of the same name', async () => {
    const stack = await localExecutorFactory({ backend }).createExecutor({ clients: 2 });
    const inner = lambda('x', INT, call(addConstant(1), x));
    const outer = lambda('x', INT, call(add, pair(call(inner, intLiteral(1)), x)));
    expect(await run(stack, mapComputation(outer), federatedInts(10, 20))).toEqual([12, 22]);
    expect(await run(stack, digitsAtServer, federatedInts(1, 2))).toEqual([12]);
    await stack.close();
  });
});

describe('free references', () => {
  const free = (node: BuildingBlock): string[] => [...freeReferences(node)].sort();
  const y = reference('y', INT);
  const both: BuildingBlock = pair(x, y);

  test('are those that nothing inside binds', () => {
    expect(free(both)).toEqual(['x', 'y']);
    expect(free(lambda('x', INT, both))).toEqual(['y']);
    expect(free(lambda(null, null, both))).toEqual(['x', 'y']);
    expect(free(addConstant(1))).toEqual([]);
  });

  test('of a block include a name that is used before it is bound', () => {
    expect(free(block([{ name: 'x', value: x }], both))).toEqual(['x', 'y']);
    expect(free(block([{ name: 'x', value: intLiteral(1) }], both))).toEqual(['y']);
    const second = block(
      [
        { name: 'y', value: intLiteral(1) },
        { name: 'x', value: y },
      ],
      both,
    );
    expect(free(second)).toEqual([]);
  });

  test('are replaced, but not where an inner name hides them', () => {
    const replacements = new Map([['x', intLiteral(5)]]);
    const hidden = lambda('x', INT, x);
    expect(replaceReferences(hidden, replacements)).toBe(hidden);
    const replaced = replaceReferences(pair(x, call(hidden, x)), replacements);
    expect(free(replaced)).toEqual([]);
    const shadowed = replaceReferences(
      block([{ name: 'x', value: call(addConstant(1), x) }], x),
      replacements,
    );
    expect(shadowed).toMatchObject({ result: { kind: 'reference', name: 'x' } });
    expect(free(shadowed)).toEqual([]);
    const type: Type = replaced.type;
    expect(String(type)).toBe('<int32,int32>');
  });
});
