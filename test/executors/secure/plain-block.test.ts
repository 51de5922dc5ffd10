/**
 * @file Attacks on what a secure stack lets run: ways past the block of plain aggregations, foreign
 * handles, and policies and options that would check nothing.
 */

import {
  atClients,
  atServer,
  ExecutionContext,
  federatedComputation,
  federatedSecureSelect,
  federatedSelect,
  int32,
  localExecutorFactory,
  masking,
  maskingProtocol,
  paillier,
  paillierProtocol,
  type SecureAggregation,
  type SecureAggregationProtocol,
  secureAggregation,
  withContext,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import {
  type BuildingBlock,
  call,
  type Intrinsic,
  intrinsic,
  lambda,
  reference,
} from '../../../computations/building-blocks.ts';
import { type FunctionType, func, structOf } from '../../../computations/types/index.ts';
import { decodeBlock, encodeBlock } from '../../../computations/wire/index.ts';
import type { Executor } from '../../../executors/executor.ts';
import { compileForExecution } from '../../../intrinsics/index.ts';
import {
  callIntrinsic,
  computation,
  digitsAtServer,
  federatedInts,
  INT,
  intLiteral,
} from '../blocks.ts';
import { CLIENT_INTS, failureOf, run, stackOf } from './parties.ts';

describe('past the block of plain aggregations does not lead', () => {
  const sumType = func(CLIENT_INTS, atServer(INT));
  const sum = intrinsic('federated_sum', sumType);
  const x = reference('arg', CLIENT_INTS);
  const over = (body: BuildingBlock) => computation(CLIENT_INTS, () => body);
  const withLocal = (name: string, value: BuildingBlock, result: BuildingBlock): BuildingBlock => ({
    kind: 'block',
    locals: [{ name, value }],
    result,
    type: result.type,
  });
  const inner = (digitsAtServer as Extract<BuildingBlock, { kind: 'lambda' }>).result as Extract<
    BuildingBlock,
    { kind: 'call' }
  >;
  const forged = (origin: string): BuildingBlock =>
    over({ ...inner, function: { ...(inner.function as Intrinsic), origin } });

  test.each<[string, BuildingBlock]>([
    ['the aggregation by its name', over(call(sum, x))],
    ['the primitive that it is made of', digitsAtServer],
    ['an alias', over(withLocal('f', sum, call(reference('f', sumType), x)))],
    ['a lambda', over(call(lambda('y', CLIENT_INTS, call(sum, reference('y', CLIENT_INTS))), x))],
    [
      'a struct of functions',
      over(
        call(
          {
            kind: 'selection',
            source: {
              kind: 'struct',
              elements: [{ name: 'f', value: sum }],
              type: structOf([{ name: 'f', type: sumType }]),
            },
            index: 0,
            type: sumType,
          },
          x,
        ),
      ),
    ],
    ['a wire round trip', decodeBlock(encodeBlock(digitsAtServer))],
    [
      'a composite compiled before its wire round trip',
      decodeBlock(encodeBlock(compileForExecution(over(call(sum, x))))),
    ],
    ['the name of a harmless origin', forged('federated_map')],
    ['the name of a secure origin', forged('federated_secure_sum')],
    ['the name of an origin that does not exist', forged('no_such_intrinsic')],
  ])('%s', async (_what, block) => {
    for (const aggregation of [masking(), masking().with({ allowPlain: ['federated_mean'] })]) {
      const stack = await stackOf(aggregation);
      expect(await failureOf(run(stack, block, 1, 2))).toMatchObject({
        code: 'aggregation.plain_blocked',
      });
      await stack.close();
    }
  });

  test('allowing one aggregation allows no other, and not the primitive', async () => {
    const stack = await stackOf(masking().with({ allowPlain: ['federated_sum'] }));
    expect(await run(stack, over(call(sum, x)), 1, 2)).toEqual([3]);
    const max = over(call(intrinsic('federated_max', sumType), x));
    for (const block of [max, digitsAtServer]) {
      expect(await failureOf(run(stack, block, 1, 2))).toMatchObject({
        code: 'aggregation.plain_blocked',
      });
    }
    await stack.close();
  });

  test('a client’s map: what has no placement knows no aggregation', async () => {
    const stack = await stackOf(masking());
    const mapped = callIntrinsic('federated_map', [sum, x], CLIENT_INTS);
    expect(await failureOf(run(stack, over(mapped), 1, 2))).toBeInstanceOf(Error);
    await stack.close();
  });

  test('keys in the clear; the secure selection shows them to nobody', async () => {
    await using context = new ExecutionContext(
      localExecutorFactory({ secureAggregation: masking() }),
    );
    const types = [atClients(int32(1)), atServer(int32()), atServer(int32())] as const;
    const row = federatedComputation([int32(), int32()], (source) => source);
    const plain = federatedComputation(types, (keys, most, source) =>
      federatedSelect(keys, most, source, row),
    );
    const secure = federatedComputation(types, (keys, most, source) =>
      federatedSecureSelect(keys, most, source, row),
    );
    const select = (which: typeof plain, keys: number[][]) =>
      withContext(context, () => which(keys, 2, 5));
    expect(await failureOf(select(plain, [[1], [2]]))).toMatchObject({
      code: 'aggregation.plain_blocked',
    });
    expect(await select(secure, [[1], [2]])).toEqual([[5], [5]]);
    const wrong = await failureOf(select(secure, [[1], [7731]]));
    expect(String(wrong)).not.toContain('7731');
  });

  test('a secure sum without a protocol for it', async () => {
    const assignment = { federated_secure_sum: maskingProtocol() };
    const stack = await stackOf(secureAggregation(assignment));
    const bitwidth = over(
      callIntrinsic('federated_secure_sum_bitwidth', [x, intLiteral(4)], atServer(INT)),
    );
    expect(await failureOf(run(stack, bitwidth, 1, 2))).toMatchObject({
      code: 'aggregation.no_secure_protocol',
    });
    const sums = over(callIntrinsic('federated_secure_sum', [x, intLiteral(4)], atServer(INT)));
    expect(await run(stack, sums, 1, 2)).toEqual([3]);
    await stack.close();
  });
});

const SECURE_SUM = func(
  structOf([
    { name: null, type: CLIENT_INTS },
    { name: null, type: INT },
  ]),
  atServer(INT),
);
const secureSum = intrinsic('federated_secure_sum', SECURE_SUM);

describe('handles', () => {
  /** The secure executor itself, with an argument for its sums. */
  const bare = async (aggregation: SecureAggregation = masking()) => {
    let secure: Executor | undefined;
    const stack = aggregation.secureStack();
    const executor = await localExecutorFactory({
      secureAggregation: {
        ...stack,
        wrap: (target) => {
          secure = stack.wrap(target);
          return secure;
        },
      },
    }).createExecutor({ clients: 2 });
    if (secure === undefined) throw new Error('no secure executor');
    const values = await secure.createValue(federatedInts(1, 2), CLIENT_INTS);
    const bound = await secure.createValue(intLiteral(9), INT);
    const argument = await secure.createStruct([
      { name: null, value: values },
      { name: null, value: bound },
    ]);
    return { executor, secure, argument };
  };

  test('of a secure sum serve the stack that made them, until they are disposed', async () => {
    const own = await bare();
    // The other stack asks for cohorts of 50; its function must not be called by this one's leave.
    const other = await bare(masking({ minimumClients: 50 }));
    const foreign = await own.secure.createValue(secureSum, SECURE_SUM);
    expect(await failureOf(other.secure.createCall(foreign, other.argument))).toMatchObject({
      code: 'context.unknown_value',
    });
    const fn = await own.secure.createValue(secureSum, SECURE_SUM);
    expect(await failureOf(own.secure.createCall(fn, other.argument))).toMatchObject({
      code: 'context.unknown_value',
    });
    expect(await failureOf(own.secure.createCall(fn))).toMatchObject({ code: 'type.arity' });
    const values = await own.secure.createSelection(own.argument, 0);
    const twice = await own.secure.createStruct([
      { name: null, value: values },
      { name: null, value: values },
    ]);
    expect(await failureOf(own.secure.createCall(fn, twice))).toMatchObject({
      code: 'type.not_assignable',
    });
    expect(await failureOf(fn.compute())).toMatchObject({ code: 'execution.unsupported_value' });
    await own.secure.createCall(fn, own.argument);
    fn[Symbol.dispose]();
    expect(await failureOf(own.secure.createCall(fn, own.argument))).toMatchObject({
      code: 'execution.released',
    });
    const wrong: FunctionType = func(CLIENT_INTS, atServer(INT));
    expect(
      await failureOf(own.secure.createValue(intrinsic('federated_secure_sum', wrong), wrong)),
    ).toMatchObject({ name: 'FederatedTypeError' });
    await Promise.all([own.executor.close(), other.executor.close()]);
  });
});

test('two protocols cannot put one policy in the place of another', () => {
  const pairs: [SecureAggregationProtocol, SecureAggregationProtocol][] = [
    [maskingProtocol({ minimumClients: 50 }), maskingProtocol()],
    [paillierProtocol({ keyHolder: 'key_holder' }), paillierProtocol({ keyHolder: 'server' })],
  ];
  for (const [first, second] of pairs) {
    const assignment = { federated_secure_sum: first, federated_secure_sum_bitwidth: second };
    expect(() => secureAggregation(assignment)).toThrow(/own policy/);
  }
  const one = maskingProtocol();
  const shared = { federated_secure_sum: one, federated_secure_sum_bitwidth: one };
  expect(() => secureAggregation(shared)).not.toThrow();
});

test.each<[string, () => unknown, string]>([
  ['no smallest cohort', () => masking({ minimumClients: Number.NaN }), 'value.out_of_range'],
  ['a smallest cohort of none', () => paillier({ minimumClients: 0 }), 'value.out_of_range'],
  ['endless time', () => masking({ timeoutMs: Number.POSITIVE_INFINITY }), 'value.out_of_range'],
  ['no time', () => paillier({ timeoutMs: 0 }), 'value.out_of_range'],
  ['a short modulus', () => paillier({ modulusBits: 1024 }), 'value.out_of_range'],
  ['no modulus', () => paillier({ modulusBits: Number.NaN }), 'value.out_of_range'],
  [
    'a client with the key',
    () => paillier({ keyHolder: 'clients' as 'server' }),
    'aggregation.unsafe_roles',
  ],
  [
    'a client that adds',
    () => paillier({ keyHolder: 'key_holder', aggregator: 'clients' as 'server' }),
    'aggregation.unsafe_roles',
  ],
  [
    'a server that adds and decrypts',
    () => paillier({ aggregator: 'server' }),
    'aggregation.unsafe_roles',
  ],
  [
    'inputs in the clear to the key',
    () => paillier({ channels: { 'clients->aggregator': 'plaintext' } }),
    'aggregation.unsafe_roles',
  ],
])('options that check nothing are refused: %s', (_what, create, code) => {
  expect(create).toThrow(expect.objectContaining({ code }));
});
