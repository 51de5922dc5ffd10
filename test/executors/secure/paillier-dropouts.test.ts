/** @file Clients of a Paillier sum that fail, hang, refuse or cheat: the sum is of the others, by name. */

import {
  atClients,
  ExecutionContext,
  federatedComputation,
  federatedSecureSum,
  int32,
  localExecutorFactory,
  type PaillierOptions,
  paillier,
  withContext,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import { smallPrimes } from '../../protocols/paillier/keys.ts';
import { type Meddling, MeddlingExecutor } from './meddling.ts';
import { failureOf } from './parties.ts';

const pinned = {
  modulusBits: 512,
  allowInsecureModulus: true,
  keys: { paillier: smallPrimes },
} as const;

/** Each arrangement, and what a client does in it. */
const ARRANGEMENTS: readonly [string, PaillierOptions, string][] = [
  ['key at the server', {}, 'paillier_encrypt'],
  ['key holder that adds', { keyHolder: 'key_holder' }, 'paillier_encrypt_masked'],
  [
    'key holder that is told the sum',
    { keyHolder: 'key_holder', verifyInputs: false },
    'paillier_encrypt',
  ],
  [
    'server that keeps the masks',
    { keyHolder: 'key_holder', aggregator: 'server' },
    'paillier_encrypt_masked',
  ],
];

const VALUES = [1, 2, 4, 8, 16];

/** A sum of five clients of which some meddle: by client, with the losses that were reported. */
async function sumWith(
  options: PaillierOptions,
  meddling: { readonly [client: number]: Meddling },
  values: readonly number[] = VALUES,
) {
  await using context = new ExecutionContext(
    localExecutorFactory({
      secureAggregation: paillier({ ...pinned, ...options }),
      wrapLeaf: (leaf, placement, index) => {
        const own = placement === 'clients' ? meddling[index] : undefined;
        return own === undefined ? leaf : new MeddlingExecutor(leaf, own);
      },
    }),
  );
  const reports: unknown[] = [];
  context.on('progress', (event) => {
    if (event.stage === 'run') reports.push(event.step);
  });
  const sum = federatedComputation([atClients(int32())], (x) => federatedSecureSum(x, 100));
  const total = await withContext(context, () => sum([...values]));
  return { total, reports };
}

const failing = (uri: string): Meddling => ({
  call: async (called, go) => {
    if (called === uri) throw new Error('the line is dead');
    return go();
  },
});
const hanging = (uri: string): Meddling => ({
  call: (called, go) => (called === uri ? new Promise(() => {}) : go()),
});

describe.each(ARRANGEMENTS)('with a %s', (_name, options, encrypt) => {
  test.each([
    ['paillier_prepare', 'keys'],
    [encrypt, 'encrypt'],
  ])('clients that fail or hang in %s are lost, and the others summed', async (uri, stage) => {
    const meddling = { 1: failing(uri), 3: hanging(uri) };
    const { total, reports } = await sumWith({ ...options, timeoutMs: 400 }, meddling);
    expect(total).toBe(1 + 4 + 16);
    expect(reports).toContainEqual(
      expect.objectContaining({
        lost: [
          { client: 'clients/1', stage, reason: 'failed' },
          { client: 'clients/3', stage, reason: 'timeout' },
        ],
      }),
    );
  });

  test('a client that refuses its own value is lost, and says so', async () => {
    const { total, reports } = await sumWith(options, {}, [1, 101, 4, -1, 16]);
    expect(total).toBe(21);
    const lost = ['clients/1', 'clients/3'].map((client) => ({
      client,
      stage: 'encrypt',
      reason: 'refused',
    }));
    expect(reports).toContainEqual(expect.objectContaining({ lost }));
  });

  test('a client whose message is garbage is lost', async () => {
    const { total } = await sumWith(options, { 2: { send: () => new Uint8Array(40) } });
    expect(total).toBe(1 + 2 + 8 + 16);
  });

  test('too few left end the sum, and name who is missing and why', async () => {
    const meddling = { 0: failing(encrypt), 1: failing(encrypt), 2: hanging('paillier_prepare') };
    const error = await failureOf(
      sumWith({ ...options, minimumClients: 3, timeoutMs: 400 }, meddling),
    );
    expect(error).toMatchObject({
      name: 'ProtocolAbortError',
      code: 'protocol.too_few_clients',
      stage: 'encrypt',
      reason: 'too-few-inputs',
      missing: ['clients/2', 'clients/0', 'clients/1'],
    });
    expect(error.message).toMatch(
      /2 clients are left.*clients\/0 in 'encrypt' \(the line is dead\)/,
    );
    expect(error.message).toMatch(/clients\/2 in 'keys' \(no answer in time\)/);
  });

  test('a client that was lost is in the next sum, if it answers then', async () => {
    let failures = 1;
    const flaky: Meddling = {
      call: async (called, go) => {
        if (called === 'paillier_prepare' && failures-- > 0) throw new Error('not yet');
        return go();
      },
    };
    await using context = new ExecutionContext(
      localExecutorFactory({
        secureAggregation: paillier({ ...pinned, ...options }),
        wrapLeaf: (leaf, placement, index) =>
          placement === 'clients' && index === 0 ? new MeddlingExecutor(leaf, flaky) : leaf,
      }),
    );
    const sum = federatedComputation([atClients(int32())], (x) => federatedSecureSum(x, 100));
    expect(await withContext(context, () => sum([1, 2, 4]))).toBe(6);
    expect(await withContext(context, () => sum([1, 2, 4]))).toBe(7);
  });
});

test('one client alone, of two, is not summed', async () => {
  for (const [, options, encrypt] of ARRANGEMENTS) {
    const error = await failureOf(sumWith(options, { 1: failing(encrypt) }, [5, 6]));
    expect(error).toMatchObject({ code: 'protocol.too_few_clients', offender: 'clients/1' });
  }
});
