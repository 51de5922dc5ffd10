/**
 * @file Parties of a secure stack that are lost, hang, lie or cheat, cohorts that hide nothing, and
 * what is left behind after a failure.
 */

import {
  atClients,
  atServer,
  ExecutionContext,
  federatedComputation,
  federatedSecureSum,
  int32,
  type LocalExecutorFactoryOptions,
  localExecutorFactory,
  masking,
  paillier,
  type SecureAggregation,
  struct,
  withContext,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import type { Executor } from '../../../executors/executor.ts';
import {
  advertisedKeyCodec,
  encryptedSumCodec,
  type MaskedInput,
  maskedInputCodec,
} from '../../../protocols/index.ts';
import { smallPrimes } from '../../protocols/paillier/keys.ts';
import { callIntrinsic, computation, INT, intLiteral } from '../blocks.ts';
import { type Meddling, MeddlingExecutor } from './meddling.ts';
import { CLIENT_INTS, failureOf, run, stackOf } from './parties.ts';

const quick = { modulusBits: 512, allowInsecureModulus: true } as const;

/** A sum of two clients' values up to 100, on a stack one of whose parties meddles. */
async function meddled(
  aggregation: SecureAggregation,
  who: string,
  meddling: Meddling,
  options: LocalExecutorFactoryOptions = {},
): Promise<unknown> {
  await using context = new ExecutionContext(
    localExecutorFactory({
      secureAggregation: aggregation,
      wrapLeaf: (leaf, placement, index) =>
        `${placement}/${index}` === who ? new MeddlingExecutor(leaf, meddling) : leaf,
      ...options,
    }),
  );
  const sum = federatedComputation([atClients(int32())], (x) => federatedSecureSum(x, 100));
  return await withContext(context, () => sum([1, 2]));
}

const pinned = { ...quick, keys: { paillier: smallPrimes } } as const;
const masked = (timeoutMs: number) => masking({ timeoutMs });
const encrypted = (timeoutMs: number) => paillier({ ...pinned, timeoutMs });
const separate = (timeoutMs: number) => paillier({ ...pinned, keyHolder: 'key_holder', timeoutMs });
const trusting = (timeoutMs: number) =>
  paillier({ ...pinned, keyHolder: 'key_holder', verifyInputs: false, timeoutMs });

type Stage = readonly [
  who: string,
  uri: string,
  stage: string,
  create: (timeoutMs: number) => SecureAggregation,
];
const STAGES: readonly Stage[] = [
  ['clients/1', 'masking_advertise', 'advertise', masked],
  ['clients/0', 'masking_mask_input', 'mask', masked],
  ['server/0', 'paillier_key_pair', 'keys', encrypted],
  ['aggregator/0', 'channel_key_pair', 'keys', encrypted],
  ['aggregator/0', 'paillier_prepare', 'keys', encrypted],
  ['aggregator/0', 'paillier_sign_channel_key', 'keys', encrypted],
  ['key_holder/0', 'paillier_input_key_pair', 'keys', separate],
  ['aggregator/0', 'paillier_aggregate', 'aggregate', encrypted],
  ['aggregator/0', 'paillier_add', 'aggregate', encrypted],
  ['aggregator/0', 'paillier_finish', 'aggregate', encrypted],
  ['key_holder/0', 'paillier_decrypt', 'decrypt', trusting],
  ['aggregator/0', 'paillier_keep_masks', 'collect-masks', separate],
  ['aggregator/0', 'paillier_keep_mask', 'collect-masks', separate],
  ['key_holder/0', 'paillier_collect', 'decrypt', separate],
  ['key_holder/0', 'paillier_collect_input', 'decrypt', separate],
  ['key_holder/0', 'paillier_decrypt_inputs', 'decrypt', separate],
  ['aggregator/0', 'paillier_release_masks', 'mask', separate],
];

describe('a party that is lost or hangs ends the sum, by name', () => {
  test.each(STAGES)('%s, lost in %s (stage %s)', async (who, uri, stage, create) => {
    const error = await failureOf(
      meddled(create(20_000), who, {
        call: async (called, go) => {
          if (called === uri) throw new Error('the line is dead');
          return go();
        },
      }),
    );
    expect(error).toMatchObject({
      name: 'ProtocolAbortError',
      stage,
      reason: 'lost',
      offender: who,
    });
    const code = who.startsWith('clients') ? 'protocol.client_lost' : 'protocol.aborted';
    expect(error).toMatchObject({ code });
    expect(error.message).toContain('the line is dead');
  });

  test.each(STAGES)('%s, hanging in %s (stage %s)', async (who, uri, stage, create) => {
    const error = await failureOf(
      meddled(create(300), who, {
        call: (called, go) => (called === uri ? new Promise(() => {}) : go()),
      }),
    );
    expect(error).toMatchObject({ code: 'protocol.timeout', stage, offender: who });
  });

  test('a process that is busy does not count its own time against its clients', async () => {
    const busy = () => {
      const end = Date.now() + 250;
      while (Date.now() < end);
    };
    const sum = await meddled(masking({ timeoutMs: 200 }), 'clients/0', {
      call: async (_uri, go) => {
        await new Promise((resolve) => setImmediate(resolve));
        busy();
        await new Promise((resolve) => setImmediate(resolve));
        return go();
      },
    });
    expect(sum).toBe(3);
  });
});

describe('a party that lies', () => {
  test.each(['clients/0', 'clients/1'])('about its name is the offender: %s', async (liar) => {
    const other = liar === 'clients/0' ? 'clients/1' : 'clients/0';
    const rename = (bytes: Uint8Array): Uint8Array => {
      const key = advertisedKeyCodec.decode(bytes);
      return key.kind === 'fault' ? bytes : advertisedKeyCodec.encode({ ...key, client: other });
    };
    const error = await failureOf(meddled(masking(), liar, { send: rename }));
    expect(error).toMatchObject({ reason: 'wrong-sender', offender: liar });
    const renameInput = (bytes: Uint8Array): Uint8Array => {
      const input = maskedInputCodec.decode(bytes);
      return input.kind === 'fault' ? bytes : maskedInputCodec.encode({ ...input, client: other });
    };
    const second = await failureOf(meddled(masking(), liar, { send: renameInput }));
    expect(second).toMatchObject({ reason: 'wrong-sender', offender: liar });
  });

  test('about its value, beyond its bounds, gives no sum (masking)', async () => {
    const cheat = (bytes: Uint8Array): Uint8Array => {
      const input = maskedInputCodec.decode(bytes);
      if (input.kind === 'fault') return bytes;
      const [vector] = (input as MaskedInput).vectors;
      if (vector?.lane !== 'u32') throw new Error('another lane');
      const values = vector.values.map((value) => (value + 220) % Number(vector.modulus));
      return maskedInputCodec.encode({ ...input, vectors: [{ ...vector, values }] });
    };
    const error = await failureOf(meddled(masking(), 'clients/1', { send: cheat }));
    expect(error).toMatchObject({ name: 'ProtocolAbortError', reason: 'sum-out-of-range' });
  });

  test.each<[string, readonly string[]]>([
    ['some', ['clients/0']],
    ['others', ['clients/0', 'sybil']],
    ['too many', ['clients/0', 'clients/1', 'clients/2']],
    ['one twice', ['clients/0', 'clients/0']],
  ])('about whose inputs are in the sum (%s) is found out', async (_what, clients) => {
    const send = (bytes: Uint8Array): Uint8Array => {
      const sum = encryptedSumCodec.decode(bytes);
      if (sum.kind === 'fault') return bytes;
      const inputs = clients.map((client) => ({ ...sum.inputs[0]!, client }));
      return encryptedSumCodec.encode({ ...sum, inputs });
    };
    const error = await failureOf(meddled(paillier(pinned), 'aggregator/0', { send }));
    expect(error).toMatchObject({ reason: 'wrong-cohort', offender: 'aggregator/0' });
  });

  test('with garbage is named', async () => {
    const send = () => new Uint8Array(7);
    for (const [aggregation, who] of [
      [masking(), 'clients/1'],
      [paillier(pinned), 'clients/1'],
      [paillier(pinned), 'aggregator/0'],
      [separate(20_000), 'key_holder/0'],
    ] as const) {
      expect(await failureOf(meddled(aggregation, who, { send }))).toMatchObject({
        name: 'ProtocolAbortError',
      });
    }
  });
});

describe('a sum', () => {
  const sum = federatedComputation([atClients(int32())], (x) => federatedSecureSum(x, 100));

  test.each([
    ['masking', () => masking()],
    ['paillier', () => paillier(pinned)],
  ])('of one client, or of none, is refused (%s)', async (_name, create) => {
    await using context = new ExecutionContext(
      localExecutorFactory({ secureAggregation: create() }),
    );
    expect(await failureOf(withContext(context, () => sum([5])))).toMatchObject({
      code: 'protocol.too_few_clients',
    });
    expect(await failureOf(withContext(context, () => sum([])))).toMatchObject({
      code: 'protocol.too_few_clients',
    });
  });

  test.each([
    ['masking', () => masking()],
    ['paillier', () => paillier(pinned)],
  ])('of nothing is nothing (%s)', async (_name, create) => {
    await using context = new ExecutionContext(
      localExecutorFactory({ secureAggregation: create() }),
    );
    const nothing = federatedComputation([atClients(struct({}))], (x) => federatedSecureSum(x, 5));
    expect(await withContext(context, () => nothing([{}, {}] as never))).toEqual([]);
  });

  test.each([
    ['masking', () => masking(), 'masking_mask_input'],
    ['paillier', () => paillier(pinned), 'paillier_encrypt'],
  ])('that the stack is closed under says so (%s)', async (_name, create, uri) => {
    let closing: Promise<void> | undefined;
    const stack: Executor = await stackOf(create(), 2, {
      wrapLeaf: (leaf, placement, index) =>
        new MeddlingExecutor(leaf, {
          call: async (called, go) => {
            if (called === uri && placement === 'clients' && index === 0) closing = stack.close();
            return go();
          },
        }),
    });
    const block = computation(CLIENT_INTS, (x) =>
      callIntrinsic('federated_secure_sum', [x, intLiteral(9)], atServer(INT)),
    );
    expect(await failureOf(run(stack, block, 1, 2))).toMatchObject({ code: 'context.closed' });
    await closing;
  });
});
