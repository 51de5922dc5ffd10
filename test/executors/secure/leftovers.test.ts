/**
 * @file What a secure sum leaves behind at its parties, whether it succeeds, fails or is cut off: no
 * key, no state and no handle but those that the next sum of the stack uses.
 */

import {
  atServer,
  masking,
  maskingProtocol,
  paillier,
  type SecureAggregation,
  type SecureSum,
  secureAggregation,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import type { Executor, ExecutorValue } from '../../../executors/executor.ts';
import { smallPrimes } from '../../protocols/paillier/keys.ts';
import { callIntrinsic, computation, INT, intLiteral } from '../blocks.ts';
import { type Meddling, MeddlingExecutor } from './meddling.ts';
import { CLIENT_INTS, failureOf, run, stackOf } from './parties.ts';

const pinned = {
  modulusBits: 512,
  allowInsecureModulus: true,
  keys: { paillier: smallPrimes },
} as const;

const sum = computation(CLIENT_INTS, (x) =>
  callIntrinsic('federated_secure_sum', [x, intLiteral(100)], atServer(INT)),
);

interface Observed {
  readonly stack: Executor;
  /** Handles that are alive, at all parties. */
  readonly handles: Set<ExecutorValue>;
  /** All random bytes that operators drew. Masking keys are drawn bytes, and erased in place. */
  readonly drawn: Uint8Array[];
}

async function observed(
  aggregation: SecureAggregation,
  meddling: (party: string) => Meddling = () => ({}),
): Promise<Observed> {
  const handles = new Set<ExecutorValue>();
  const drawn: Uint8Array[] = [];
  const stack = await stackOf(aggregation, 2, {
    wrapLeaf: (leaf, placement, index) =>
      new MeddlingExecutor(leaf, { handles, ...meddling(`${placement}/${index}`) }),
    random: (n) => {
      const bytes = crypto.getRandomValues(new Uint8Array(n));
      drawn.push(bytes);
      return bytes;
    },
  });
  return { stack, handles, drawn };
}

/** A party that answers when it is told to. */
function lateness(): { at(uri: string): Meddling; answer(): Promise<void> } {
  let begin = () => {};
  const told = new Promise<void>((resolve) => {
    begin = resolve;
  });
  let answered: Promise<unknown> = told;
  return {
    at: (uri) => ({
      call: (called, go) => {
        if (called !== uri) return go();
        const result = told.then(go);
        answered = result;
        return result;
      },
    }),
    async answer() {
      begin();
      await answered;
      // What follows the answer in this process: a few steps without waiting for anything else.
      for (let step = 0; step < 5; step++) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

const erased = (secret: Uint8Array) => secret.every((byte) => byte === 0);

describe('masking leaves nothing', () => {
  test('after a sum, nor after one that a client refuses', async () => {
    const { stack, handles, drawn } = await observed(masking());
    expect(await run(stack, sum, 1, 2)).toEqual([3]);
    expect(await failureOf(run(stack, sum, 1, 2000))).toMatchObject({
      code: 'execution.client_failed',
    });
    expect(drawn).toHaveLength(4);
    expect(drawn.every(erased)).toBe(true);
    expect(handles.size).toBe(0);
    await stack.close();
  });

  test('after sums at once of which one fails', async () => {
    const { stack, handles, drawn } = await observed(masking());
    const outcomes = await Promise.allSettled([
      run(stack, sum, 1, 2),
      run(stack, sum, 1, 2000),
      run(stack, sum, 3, 4),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(drawn).toHaveLength(6);
    expect(drawn.every(erased)).toBe(true);
    expect(handles.size).toBe(0);
    await stack.close();
  });

  test('when a client’s key cannot be read', async () => {
    const { stack, handles, drawn } = await observed(masking(), (party) =>
      party !== 'clients/1'
        ? {}
        : {
            send: () => {
              throw new Error('broken pipe');
            },
          },
    );
    expect(await failureOf(run(stack, sum, 1, 2))).toMatchObject({ offender: 'clients/1' });
    expect(drawn).toHaveLength(2);
    expect(drawn.every(erased)).toBe(true);
    expect(handles.size).toBe(0);
    await stack.close();
  });

  test('when the server refuses a client’s key', async () => {
    const { stack, handles, drawn } = await observed(masking(), (party) =>
      party !== 'clients/1' ? {} : { send: () => new Uint8Array(3) },
    );
    expect(await failureOf(run(stack, sum, 1, 2))).toMatchObject({ offender: 'clients/1' });
    expect(drawn.every(erased)).toBe(true);
    expect(handles.size).toBe(0);
    await stack.close();
  });

  test('when a client answers after its time', async () => {
    const late = lateness();
    const { stack, handles, drawn } = await observed(masking({ timeoutMs: 100 }), (party) =>
      party === 'clients/1' ? late.at('masking_advertise') : {},
    );
    expect(await failureOf(run(stack, sum, 1, 2))).toMatchObject({ code: 'protocol.timeout' });
    await late.answer();
    expect(drawn).toHaveLength(2);
    expect(drawn.every(erased)).toBe(true);
    expect(handles.size).toBe(0);
    await stack.close();
  });
});

describe('paillier leaves', () => {
  test('its keys for the next sum, and none when the stack is closed', async () => {
    const { stack, handles } = await observed(paillier(pinned));
    await run(stack, sum, 1, 2);
    const kept = handles.size;
    // The private key, the channel keys, an encryptor each at the aggregator and two clients.
    expect(kept).toBe(5);
    await run(stack, sum, 1, 2);
    await failureOf(run(stack, sum, 1, 2000));
    expect(handles.size).toBe(kept);
    await stack.close();
    expect(handles.size).toBe(0);
  });

  test.each([
    ['paillier_add', 'aggregator/0'],
    ['paillier_finish', 'aggregator/0'],
    ['paillier_decrypt', 'server/0'],
  ])('no aggregate when %s fails at %s', async (uri, who) => {
    const { stack, handles } = await observed(paillier(pinned), (party) =>
      party !== who
        ? {}
        : {
            call: async (called, go) => {
              if (called === uri) throw new Error('the line is dead');
              return go();
            },
          },
    );
    await failureOf(run(stack, sum, 1, 2));
    expect(handles.size).toBe(5);
    await stack.close();
    expect(handles.size).toBe(0);
  });

  test('no aggregate that comes after its time', async () => {
    const late = lateness();
    const { stack, handles } = await observed(paillier({ ...pinned, timeoutMs: 300 }), (party) =>
      party === 'aggregator/0' ? late.at('paillier_aggregate') : {},
    );
    expect(await failureOf(run(stack, sum, 1, 2))).toMatchObject({ code: 'protocol.timeout' });
    await late.answer();
    expect(handles.size).toBe(5);
    await stack.close();
  });

  test('no keys of a set-up that failed, and makes new ones for the next sum', async () => {
    let failures = 1;
    const { stack, handles } = await observed(paillier(pinned), (party) =>
      party !== 'aggregator/0'
        ? {}
        : {
            call: async (uri, go) => {
              if (uri === 'paillier_prepare' && failures-- > 0) throw new Error('not yet');
              return go();
            },
          },
    );
    expect(await failureOf(run(stack, sum, 1, 2))).toMatchObject({ offender: 'aggregator/0' });
    expect(handles.size).toBe(0);
    expect(await run(stack, sum, 1, 2)).toEqual([3]);
    expect(handles.size).toBe(5);
    await stack.close();
  });

  test('the keys of the others where a client is lost, and asks it again at the next sum', async () => {
    let failures = 1;
    const { stack, handles } = await observed(paillier(pinned), (party) =>
      party !== 'clients/1'
        ? {}
        : {
            call: async (uri, go) => {
              if (uri === 'paillier_prepare' && failures-- > 0) throw new Error('not yet');
              return go();
            },
          },
    );
    expect(await failureOf(run(stack, sum, 1, 2))).toMatchObject({ offender: 'clients/1' });
    expect(handles.size).toBe(4);
    expect(await run(stack, sum, 1, 2)).toEqual([3]);
    expect(handles.size).toBe(5);
    await stack.close();
    expect(handles.size).toBe(0);
  });

  test.each([
    ['clients/0', 'paillier_prepare', 'protocol.too_few_clients', 4],
    ['server/0', 'paillier_key_pair', 'protocol.timeout', 0],
    ['aggregator/0', 'channel_key_pair', 'protocol.timeout', 0],
  ])('no key that comes from %s after its time (%s)', async (who, uri, code, kept) => {
    const late = lateness();
    const { stack, handles } = await observed(paillier({ ...pinned, timeoutMs: 300 }), (party) =>
      party === who ? late.at(uri) : {},
    );
    expect(await failureOf(run(stack, sum, 1, 2))).toMatchObject({ code });
    await late.answer();
    expect(handles.size).toBe(kept);
    await stack.close();
    expect(handles.size).toBe(0);
  });

  test.each([
    ['paillier_keep_mask', 'aggregator/0'],
    ['paillier_collect_input', 'key_holder/0'],
    ['paillier_decrypt_inputs', 'key_holder/0'],
    ['paillier_release_masks', 'aggregator/0'],
  ])('no masks and inputs when %s fails at %s', async (uri, who) => {
    const separate = paillier({ ...pinned, keyHolder: 'key_holder' });
    const { stack, handles } = await observed(separate, (party) =>
      party !== who
        ? {}
        : {
            call: async (called, go) => {
              if (called === uri) throw new Error('the line is dead');
              return go();
            },
          },
    );
    await failureOf(run(stack, sum, 1, 2));
    // As above, and the key holder's channel keys.
    expect(handles.size).toBe(6);
    await stack.close();
    expect(handles.size).toBe(0);
  });

  test('no keys when the stack is closed while they are made', async () => {
    let closing: Promise<void> | undefined;
    const { stack, handles } = await observed(paillier(pinned), (party) =>
      party !== 'aggregator/0'
        ? {}
        : {
            call: async (uri, go) => {
              const result = await go();
              if (uri === 'channel_key_pair') closing = stack.close();
              return result;
            },
          },
    );
    expect(await failureOf(run(stack, sum, 1, 2))).toMatchObject({ code: 'context.closed' });
    await closing;
    expect(handles.size).toBe(0);
  });
});

describe('a protocol of somebody else’s that returns', () => {
  const returning = (sums: SecureSum['sums']): SecureAggregation =>
    secureAggregation({
      ...maskingProtocol(),
      open: () => ({ sum: async () => ({ sums, clients: [] }), close: () => {} }),
    });

  test.each<[string, SecureSum['sums'], RegExp]>([
    ['no sums', [], /0 sums for a tensor of 1/],
    ['a tensor too many', [[1], [2]], /1 sums too many/],
    ['a tensor of another length', [[1, 2]], /2 sums for a tensor of 1/],
    ['a negative sum', [[-1]], /negative sum/],
    ['a sum beyond the dtype', [[2n ** 31n]], /execution.sum_overflow/],
  ])('%s makes no result', async (_what, sums, message) => {
    const stack = await stackOf(returning(sums));
    expect((await failureOf(run(stack, sum, 1, 2))).message).toMatch(message);
    await stack.close();
    const fine = await stackOf(returning([[7]]));
    expect(await run(fine, sum, 1, 2)).toEqual([7]);
    await fine.close();
  });
});
