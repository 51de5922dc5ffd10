/**
 * @file A curious server: each test is a way to get at a client's value, or to bring the client down.
 * The client refuses by a named rule and goes on serving; its log has the refusal; and the value is in
 * nothing that left.
 */

import {
  atServer,
  federatedComputation,
  federatedData,
  federatedSecureSum,
  federatedSum,
  int32,
  secAgg,
} from 'fedloom';
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
  selection,
  structBlock,
} from '../../../computations/building-blocks.ts';
import { func, sequence, structOf } from '../../../computations/types/index.ts';
import type { AuditEntry, GuardPolicyOptions } from '../../../executors/guard/index.ts';
import type { ReleasePermit } from '../../../executors/leaf/operator.ts';
import { defineOperator } from '../../../executors/secure/define-operator.ts';
import { secAggState } from '../../../executors/secure/secagg/operators.ts';
import {
  addConstant,
  failUnlessSmall,
  INT,
  identity,
  int,
  pair,
  plain,
  unnamed,
  unnamedValue,
} from '../blocks.ts';
import { failureOf, printed } from '../secure/parties.ts';
import {
  BYTES,
  bytesValue,
  guardedStack,
  ints,
  participant,
  secretOf,
  secretSum,
  sumOfSecrets,
} from './support.ts';

import {
  advertise,
  audit,
  describeVictim,
  expectUnharmed,
  guard,
  make,
  pairOf,
  put,
  ROWS,
  read,
  refusedBy,
  SECRET,
} from './victim.ts';

describeVictim();

describe('reads a value', () => {
  test('by computing named data', async () => {
    await refusedBy('privateValues', read(SECRET));
  });

  test('by computing it as part of a struct', async () => {
    await refusedBy('privateValues', read(pair(literal(int(1), INT), SECRET)));
  });

  test('by selecting it; what is public in the same struct can be read', async () => {
    using both = await put(pair(literal(int(1), INT), SECRET));
    using first = await guard.createSelection(both, 0);
    using second = await guard.createSelection(both, 1);
    expect(await plain(await first.compute())).toBe(1);
    await refusedBy('privateValues', second.compute());
  });

  test('by a struct that is made of handles', async () => {
    using secret = await put(SECRET);
    using struct = await guard.createStruct([{ name: 'a', value: secret }]);
    using back = await guard.createSelection(struct, 0);
    await refusedBy('privateValues', back.compute());
  });

  test.each<[string, BuildingBlock]>([
    ['the identity', identity(INT)],
    ['a sum with a constant', addConstant(1)],
    ['a function that ignores its purpose', lambda('x', INT, reference('x', INT))],
    ['a constant function', lambda('x', INT, call(addConstant(1), reference('x', INT)))],
  ])('by a map with %s', async (_, fn) => {
    await refusedBy('privateValues', read(call(fn, SECRET)));
  });

  test('by a call of handles', async () => {
    using fn = await put(addConstant(0));
    using secret = await put(SECRET);
    using result = await guard.createCall(fn, secret);
    await refusedBy('privateValues', result.compute());
  });

  test('by selecting from what a function made of it', async () => {
    await refusedBy('privateValues', read(selection(call(pairOf, SECRET), 1)));
  });

  test('by adding it to a sequence, and by reducing one with it', async () => {
    const seq = literal({ kind: 'sequence', elements: [ints(1), ints(2)] }, ROWS);
    const withSecret = lambda('x', int32(1), SECRET);
    const map = intrinsic(
      'sequence_map',
      func(structOf([unnamed(withSecret.type), unnamed(ROWS)]), sequence(INT)),
    );
    await refusedBy('privateValues', read(call(map, pair(withSecret, seq))));
    const step = lambda('p', structOf([unnamed(INT), unnamed(int32(1))]), SECRET);
    const reduce = intrinsic(
      'sequence_reduce',
      func(structOf([unnamed(ROWS), unnamed(INT), unnamed(step.type)]), INT),
    );
    const args = structBlock(
      [seq, literal(int(0), INT), step].map((value) => ({ name: null, value })),
    );
    await refusedBy('privateValues', read(call(reduce, args)));
  });

  test('by a function that captures it', async () => {
    const seq = literal({ kind: 'sequence', elements: [ints(1)] }, ROWS);
    const captures = lambda('x', int32(1), reference('s', INT));
    const map = intrinsic(
      'sequence_map',
      func(structOf([unnamed(captures.type), unnamed(ROWS)]), sequence(INT)),
    );
    const whole = block(
      [{ name: 's', value: call(addConstant(0), SECRET) }],
      call(map, pair(captures, seq)),
    );
    await refusedBy('privateValues', put(whole));
  });

  test('by the elements of a sequence of data', async () => {
    await refusedBy('privateValues', read(data('rows', sequence(int32(1)))));
  });

  test('by giving it to a protocol as a message', async () => {
    make({}, { dataSource: { resolve: () => bytesValue(Uint8Array.of(7, 0, 1)) } });
    using bytes = await put(data('bytes', BYTES));
    const result = structOf([unnamed(secAggState.type), unnamed(BYTES)]);
    const party = participant('clients/0', guard);
    await refusedBy('privateValues', party.call('secagg_advertise', [bytes], result));
  });

  describe('by whether a computation on it fails', () => {
    const failing = call(failUnlessSmall, SECRET);

    test.each<[string, BuildingBlock]>([
      ['as it is', failing],
      ['in further computations', call(addConstant(1), failing)],
      ['in a struct', pair(failing, SECRET)],
      ['in an element of what a function made', selection(call(pairOf, failing), 1)],
    ])('(%s): it looks as if it did not', async (_, node) => {
      using value = await put(node);
      await refusedBy('privateValues', value.compute());
      expect(audit.find(({ kind }) => kind === 'failed')).toMatchObject({
        rule: 'privateValues',
        code: 'ExecutionError execution.sum_overflow',
      });
      const said = await participant('clients/0', guard).request('secagg_state_context', [value]);
      expect(said.length).toBe(32);
    });

    test.each<[string, BuildingBlock]>([
      ['as it is', failing],
      ['in further computations', call(addConstant(1), failing)],
      ['in a struct', pair(SECRET, failing)],
      ['in an element of what a function made', selection(call(pairOf, failing), 1)],
    ])('(%s) until it is to be released, which costs a round', async (_, node) => {
      make({ protocols: { masking: {} }, roundsPerDay: 1 });
      using advertised = await advertise();
      using state = await guard.createSelection(advertised, 0);
      using value = await put(node);
      const party = participant('clients/0', guard);
      const release = () => party.request('masking_mask_input', [state, new Uint8Array(9), value]);
      const error = await failureOf(release());
      expect(error.message).toBe(
        '[execution.kernel_failed] Work on private data failed at this client; its own log says how.',
      );
      await expectUnharmed(error);
      await refusedBy('roundsPerDay', release());
    });

    test('or by a limit that depends on how long data is', async () => {
      make({ limits: { elementCalls: 1 } });
      const step = lambda('x', int32(1), reference('x', int32(1)));
      const map = intrinsic(
        'sequence_map',
        func(structOf([unnamed(step.type), unnamed(ROWS)]), ROWS),
      );
      const reduce = intrinsic(
        'sequence_reduce',
        func(structOf([unnamed(ROWS), unnamed(INT), unnamed(TAKE_STATE.type)]), INT),
      );
      const reduced = (rows: BuildingBlock) =>
        call(
          reduce,
          structBlock(
            [call(map, pair(step, rows)), literal(int(0), INT), TAKE_STATE].map(unnamedValue),
          ),
        );
      await refusedBy('privateValues', read(reduced(data('rows', ROWS))));
      expect(audit.some(({ kind }) => kind === 'failed')).toBe(true);
      const elements = [ints(1), ints(2)];
      await refusedBy(
        'limits.elementCalls',
        put(reduced(literal({ kind: 'sequence', elements }, ROWS))),
      );
    });

    test('or by the type of data that it asks for', async () => {
      const failures: unknown[] = [];
      const sink = {
        record: (entry: AuditEntry) => void audit.push(entry),
        failure: (error: unknown) => void failures.push(error),
      };
      make({}, { audit: sink });
      for (const [name, type] of [
        ['broken', INT],
        ['typo', INT],
        ['secret', int32(2)],
      ] as const) {
        await refusedBy('privateValues', read(data(name, type)));
      }
      expect(audit.filter(({ kind }) => kind === 'failed').length).toBe(3);
      // The owner gets it in full.
      expect(failures.map(String).join()).toContain(`cannot read ${secretOf(0)}`);
      await refusedBy('limits.heldBytes', read(data('secret', int32(2 ** 30, 2 ** 10))));
    });
  });

  test('by what an error says that was not written for others', async () => {
    const failing = defineOperator({
      uri: 'claim',
      signature: '( -> int32)',
      purity: 'random',
      run: () => {
        throw new Error("EACCES: permission denied, open '/home/client/state'");
      },
    });
    make({}, { operators: [failing] });
    const type = func(null, INT);
    const error = await failureOf(read(call(intrinsic('claim', type))));
    expect(printed(error)).not.toContain('/home/client');
    expect(audit).toMatchObject([{ kind: 'failed', rule: 'internal' }]);
    await expectUnharmed(error);
  });

  test('by a plain sum', async () => {
    const plainSum = federatedComputation([], () => federatedSum(federatedData('secret', int32())));
    await using stack = await guardedStack({
      aggregation: (identities) =>
        secAgg({ identities, aggregation: { allowPlain: ['federated_sum'] } }),
    });
    const error = await failureOf(stack.run(plainSum));
    expect(printed(error)).toContain('policy.private_value');
    expect(printed(error)).not.toContain(String(secretOf(0)));
    expect(stack.audits[0]).toMatchObject([{ kind: 'refused', rule: 'privateValues' }]);
  });

  test('by bringing all values to itself', async () => {
    const all = federatedComputation([], () => federatedData('secret', int32()));
    await using stack = await guardedStack();
    await expect(stack.run(all)).rejects.toThrow(/policy.private_value/);
  });
});

describe('misuses a protocol', () => {
  test.each([1, 2])('by a sum over a cohort of %i', async (clients) => {
    await using stack = await guardedStack({
      clients,
      aggregation: (identities) => secAgg({ identities, minimumClients: 1 }),
    });
    const error = await failureOf(stack.run(secretSum, 1));
    expect(error).toMatchObject({ code: 'protocol.too_few_clients' });
    for (const log of stack.audits) {
      expect(log).toMatchObject([{ kind: 'refused', code: 'protocol.too_few_clients' }]);
    }
  });

  test('by asking for the state of it', async () => {
    make({ protocols: { masking: {} } });
    using advertised = await advertise();
    using state = await guard.createSelection(advertised, 0);
    using message = await guard.createSelection(advertised, 1);
    expect((await message.compute()).kind).toBe('tensor');
    await refusedBy('privateValues', state.compute());
    await refusedBy('privateValues', advertised.compute());
  });

  test('by using a state twice', async () => {
    make({ protocols: { masking: {} }, smallestCohort: 1 });
    using advertised = await advertise(1);
    using state = await guard.createSelection(advertised, 0);
    using value = await put(data('readings', int32(3)));
    const party = participant('clients/0', guard);
    const roster = bytesValue(new Uint8Array(9));
    await failureOf(party.request('masking_mask_input', [state, roster.data as Uint8Array, value]));
    const error = await failureOf(
      party.request('masking_mask_input', [state, roster.data as Uint8Array, value]),
    );
    expect(error).toMatchObject({ code: 'execution.linear_reuse' });
    await expectUnharmed(error);
    expect(audit.at(-1)).toMatchObject({ code: 'ExecutionError execution.linear_reuse' });
  });

  test('by another protocol than the client takes part in', async () => {
    const error = await failureOf(advertise());
    expect(error).toMatchObject({ code: 'execution.unsupported_intrinsic' });
    expect(audit).toMatchObject([{ kind: 'refused', rule: 'protocols' }]);
    await expectUnharmed(error);
  });

  test('by private data in the place of a message, and of the value too', async () => {
    make(
      { protocols: { masking: {} } },
      { dataSource: { resolve: () => bytesValue(Uint8Array.of(7)) } },
    );
    using again = await advertise();
    using kept = await guard.createSelection(again, 0);
    using secretBytes = await put(data('bytes', BYTES));
    using own = await put(literal(ints(1, 2), int32(2)));
    const party = participant('clients/0', guard);
    for (const value of [own, secretBytes]) {
      const args = [kept, secretBytes, value];
      await refusedBy('privateValues', party.request('masking_mask_input', args));
    }
  });

  test.each<[string, GuardPolicyOptions]>([
    ['largestBitWidth', { largestBitWidth: 16 }],
    ['largestVector', { protocols: { secAgg: {} }, largestVector: 1 }],
    ['smallestCohort', { protocols: { secAgg: { smallestCohort: 1 } }, smallestCohort: 5 }],
  ])('by terms beyond %s', async (rule, policy) => {
    await using stack = await guardedStack({ leaf: { policy } });
    const outcome = stack.run(rule === 'largestVector' ? vectorSum : secretSum, 1);
    if (rule === 'smallestCohort') {
      // The protocol's own rule goes before that of all.
      expect(await outcome).toBe(sumOfSecrets(4));
      return;
    }
    expect(await failureOf(outcome)).toMatchObject({ code: 'protocol.too_few_clients' });
    for (const log of stack.audits) expect(log).toMatchObject([{ kind: 'refused', rule }]);
  });

  test('by more rounds than a day has, before and after a restart', async () => {
    let now = Date.UTC(2026, 0, 1, 23);
    const ledgers = Array.from({ length: 4 }, () => new Set<string>());
    const stackOfToday = () =>
      guardedStack({
        leaf: { policy: { roundsPerDay: 1 }, now: () => now },
        ledgers: (client) => ({
          claim(step) {
            const known = ledgers[client] as Set<string>;
            return !known.has(step) && known.add(step).has(step);
          },
        }),
      });
    {
      await using stack = await stackOfToday();
      expect(await stack.run(secretSum, 1)).toBe(sumOfSecrets(4));
      await failureOf(stack.run(secretSum, 2));
      for (const log of stack.audits) {
        expect(log.map(({ rule }) => rule)).toEqual(['protocols.secAgg', 'roundsPerDay']);
      }
    }
    await using restarted = await stackOfToday();
    await failureOf(restarted.run(secretSum, 1));
    now += 3_600_000;
    expect(await restarted.run(secretSum, 1)).toBe(sumOfSecrets(4));
  });

  test('by permitting itself', async () => {
    make({ protocols: { masking: {} }, largestBitWidth: 4 });
    const permit: ReleasePermit = { context: new Uint8Array(0), check: () => {} };
    const party = participant('clients/0', guard, { permit });
    using advertised = await advertise();
    using state = await guard.createSelection(advertised, 0);
    using value = await put(data('readings', int32(3)));
    await refusedBy(
      'largestBitWidth',
      party.request('masking_mask_input', [state, new Uint8Array(9), value]),
    );
    await refusedBy('privateValues', value.compute({ permit }));
  });
});

/** `(<int32,int32[1]> -> int32)`: the state as it was, by a call of an element. */
const TAKE_STATE = (() => {
  const type = structOf([unnamed(INT), unnamed(int32(1))]);
  return lambda('p', type, selection(reference('p', type), 0));
})();

const vectorSum = federatedComputation([atServer(int32())], () =>
  federatedSecureSum(federatedData('readings', int32(3)), 100_000),
);
