/**
 * @file Secure sums by perturbations on an executor stack: the base, what a client agrees to, parties
 * that are lost or lie in each stage, and what is left behind.
 */

import {
  atClients,
  atServer,
  ExecutionContext,
  federatedComputation,
  federatedSecureModularSum,
  federatedSecureSum,
  int32,
  localExecutorFactory,
  perturbations,
  withContext,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import { structOf } from '../../../computations/types/index.ts';
import type { ExecutorValue } from '../../../executors/executor.ts';
import { BYTES } from '../../../executors/secure/participant.ts';
import { perturbationsState } from '../../../executors/secure/perturbations-operators.ts';
import {
  advertisedKeyCodec,
  type MaskingParameters,
  maskedInputCodec,
  parametersCodec,
  sentPerturbationsCodec,
} from '../../../protocols/index.ts';
import { callIntrinsic, computation, INT, intLiteral } from '../blocks.ts';
import { type Meddling, MeddlingExecutor } from './meddling.ts';
import { CLIENT_INTS, failureOf, partyOf, run, setupFor, stackOf } from './parties.ts';

const sum = computation(CLIENT_INTS, (x) =>
  callIntrinsic('federated_secure_sum', [x, intLiteral(100)], atServer(INT)),
);

interface Observed {
  readonly outcome: Promise<unknown>;
  /** Operators that were called, in order. */
  readonly calls: string[];
  /** What clients sent, as bytes. */
  readonly sent: Uint8Array[];
  /** Handles that are alive. */
  readonly handles: Set<ExecutorValue>;
  /** All random bytes that operators drew. */
  readonly drawn: Uint8Array[];
}

/** The sum of two clients' values up to 100, where one of them may meddle. */
function observed(
  values: readonly number[],
  options: Parameters<typeof perturbations>[0] = {},
  meddling: (party: string) => Meddling = () => ({}),
): Observed {
  const calls: string[] = [];
  const sent: Uint8Array[] = [];
  const handles = new Set<ExecutorValue>();
  const drawn: Uint8Array[] = [];
  const attempt = async (): Promise<unknown> => {
    const stack = await stackOf(perturbations(options), values.length, {
      wrapLeaf: (leaf, placement, index) => {
        const { call = (_uri, go) => go(), send = (bytes) => bytes } = meddling(
          `${placement}/${index}`,
        );
        return new MeddlingExecutor(leaf, {
          handles,
          call: (uri, go) => {
            calls.push(uri);
            return call(uri, go);
          },
          send: (bytes) => {
            sent.push(bytes);
            return send(bytes);
          },
        });
      },
      random: (n) => {
        const bytes = crypto.getRandomValues(new Uint8Array(n));
        drawn.push(bytes);
        return bytes;
      },
    });
    try {
      return await run(stack, sum, ...values);
    } finally {
      await stack.close();
    }
  };
  return { outcome: attempt(), calls, sent, handles, drawn };
}

const erased = (secret: Uint8Array) => secret.every((byte) => byte === 0);

describe('the base', () => {
  test.each([0, 1, -5, 2.5, Number.NaN, 2 ** 53, 1n, 2n ** 64n + 1n])('%s is none', (base) => {
    expect(() => perturbations({ base })).toThrow(
      expect.objectContaining({ name: 'ValueError', code: 'value.out_of_range' }),
    );
  });

  test('that does not hold the sum is refused before anything is sent', async () => {
    const { outcome, calls } = observed([1, 2, 3], { base: 300 });
    expect(await failureOf(outcome)).toMatchObject({
      code: 'protocol.bad_parameters',
      stage: 'setup',
      reason: 'modulus-too-small',
      message: expect.stringMatching(/modulus 300 does not hold it; use a modulus above 300/),
    });
    expect(calls).toEqual([]);
  });

  test.each([
    ['the smallest that holds the sum', 301, 301n],
    ['the paper’s', 10 ** 6, 10n ** 6n],
    ['all of 64 bits', 2n ** 64n, 2n ** 64n],
    ['the fastest that holds the sum, by default', undefined, 512n],
  ])('may be %s', async (_what, base, modulus) => {
    const { outcome, sent } = observed([1, 100, 30], base === undefined ? {} : { base });
    expect(await outcome).toEqual([131]);
    const masked = sent.map((bytes) => maskedInputCodec.decode(bytes));
    const vectors = masked.flatMap((m) => (m.kind === 'masked-input' ? m.vectors : []));
    expect(vectors.map((vector) => vector.modulus)).toEqual([modulus, modulus, modulus]);
  });

  test('is that of sums; modular sums have their own', async () => {
    const both = federatedComputation([atClients(int32()), atClients(int32())], (a, b) => [
      federatedSecureSum(a, 10),
      federatedSecureModularSum(b, 7),
    ]);
    await using context = new ExecutionContext(
      localExecutorFactory({ secureAggregation: perturbations({ base: 1000 }) }),
    );
    expect(await withContext(context, () => both([3, 4], [5, -1]))).toEqual([7, 4]);
  });
});

test('runs on worker threads', async () => {
  const total = federatedComputation([atClients(int32(2))], (x) => federatedSecureSum(x, 100));
  await using context = new ExecutionContext(
    localExecutorFactory({ secureAggregation: perturbations({ base: 1000 }), threads: 2 }),
  );
  const values = [
    [1, 2],
    [30, 4],
    [100, 0],
  ];
  expect((await withContext(context, () => total(values))).toArray()).toEqual([131, 6]);
});

describe('a client refuses', () => {
  const vector = { kind: 'sum', id: '0', length: 2, maximum: 100n, modulus: 256n } as const;
  const ADVERTISED = structOf([
    { name: null, type: perturbationsState.type },
    { name: null, type: BYTES },
  ]);

  async function advertise(parameters: MaskingParameters, minimumClients = 2) {
    const client = await partyOf(perturbations({ minimumClients }), 'clients/0');
    const announced = parametersCodec.encode(parameters);
    return client.call('perturbations_advertise', [setupFor('clients/0'), announced], ADVERTISED);
  }

  test('nothing that is right', async () => {
    expect((await advertise({ clients: 2, vectors: [vector] })).type).toEqual(ADVERTISED);
  });

  test.each<[string, string, MaskingParameters]>([
    ['of another cohort', 'invalid-parameters', { clients: 3, vectors: [vector] }],
    ['of more vectors', 'invalid-parameters', { clients: 2, vectors: [vector, vector] }],
    [
      'of another length',
      'invalid-parameters',
      { clients: 2, vectors: [{ ...vector, length: 1 }] },
    ],
    [
      'of another maximum',
      'invalid-parameters',
      { clients: 2, vectors: [{ ...vector, maximum: 1n }] },
    ],
    [
      'of maxima',
      'invalid-parameters',
      { clients: 2, vectors: [{ ...vector, maximum: [100n, 100n] }] },
    ],
    [
      'of another kind',
      'invalid-parameters',
      { clients: 2, vectors: [{ kind: 'modular-sum', id: '0', length: 2, modulus: 100n }] },
    ],
    [
      'in a base that does not hold the sum',
      'modulus-too-small',
      { clients: 2, vectors: [{ ...vector, modulus: 200n }] },
    ],
  ])('parameters %s (%s)', async (_what, reason, parameters) => {
    expect(await failureOf(advertise(parameters))).toMatchObject({
      name: 'ProtocolAbortError',
      stage: 'advertise',
      reason,
      code: 'protocol.bad_parameters',
    });
  });

  test('a cohort below its minimum', async () => {
    expect(await failureOf(advertise({ clients: 2, vectors: [vector] }, 3))).toMatchObject({
      code: 'protocol.too_few_clients',
    });
  });
});

describe('every client is needed', () => {
  const STAGES = [
    ['perturbations_advertise', 'advertise'],
    ['perturbations_exchange', 'exchange'],
    ['perturbations_mask_input', 'mask'],
  ] as const;

  test.each(STAGES)('one lost in %s ends the sum, by name (stage %s)', async (uri, stage) => {
    const { outcome, handles, drawn } = observed([1, 2, 3], {}, (party) =>
      party !== 'clients/1'
        ? {}
        : {
            call: async (called, go) => {
              if (called === uri) throw new Error('the line is dead');
              return go();
            },
          },
    );
    expect(await failureOf(outcome)).toMatchObject({
      code: 'protocol.client_lost',
      stage,
      reason: 'lost',
      offender: 'clients/1',
    });
    expect(handles.size).toBe(0);
    expect(drawn.every(erased)).toBe(true);
  });

  test.each(STAGES)('one that hangs in %s is timed out (stage %s)', async (uri, stage) => {
    const { outcome } = observed([1, 2], { timeoutMs: 300 }, (party) =>
      party !== 'clients/1'
        ? {}
        : { call: (called, go) => (called === uri ? new Promise(() => {}) : go()) },
    );
    expect(await failureOf(outcome)).toMatchObject({
      code: 'protocol.timeout',
      stage,
      offender: 'clients/1',
    });
  });
});

describe('a client that lies', () => {
  const liar =
    (send: (bytes: Uint8Array) => Uint8Array) =>
    (party: string): Meddling =>
      party === 'clients/1' ? { send } : {};

  test.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    [
      'in its key',
      (bytes) => {
        const key = advertisedKeyCodec.decode(bytes);
        return key.kind === 'fault'
          ? bytes
          : advertisedKeyCodec.encode({ ...key, client: 'clients/0' });
      },
    ],
    [
      'in its perturbations',
      (bytes) => {
        const message = sentPerturbationsCodec.decode(bytes);
        return message.kind === 'fault'
          ? bytes
          : sentPerturbationsCodec.encode({ ...message, client: 'clients/0' });
      },
    ],
    [
      'in its input',
      (bytes) => {
        const input = maskedInputCodec.decode(bytes);
        return input.kind === 'fault'
          ? bytes
          : maskedInputCodec.encode({ ...input, client: 'clients/0' });
      },
    ],
  ])('about its name %s is the offender', async (_what, rename) => {
    const { outcome } = observed([1, 2], {}, liar(rename));
    expect(await failureOf(outcome)).toMatchObject({
      reason: 'wrong-sender',
      offender: 'clients/1',
    });
  });

  test('by a perturbation that does not open is named by who got it', async () => {
    const { outcome, handles, drawn } = observed(
      [1, 2, 3],
      {},
      liar((bytes) => {
        const message = sentPerturbationsCodec.decode(bytes);
        if (message.kind === 'fault') return bytes;
        const perturbations = message.perturbations.map(({ peer, sealed }) => ({
          peer,
          sealed: sealed.map((byte) => byte ^ 1),
        }));
        return sentPerturbationsCodec.encode({ ...message, perturbations });
      }),
    );
    expect(await failureOf(outcome)).toMatchObject({
      reason: 'open-failed',
      offender: 'clients/1',
    });
    expect(handles.size).toBe(0);
    expect(drawn.every(erased)).toBe(true);
  });
});

test('a sum leaves no handle and no random byte behind', async () => {
  const { outcome, handles, drawn } = observed([1, 2, 3]);
  expect(await outcome).toEqual([6]);
  // A key each, and a perturbation for each of two others.
  expect(drawn.length).toBe(9);
  expect(drawn.every(erased)).toBe(true);
  expect(handles.size).toBe(0);
  const refused = observed([1, 2000, 3]);
  expect(await failureOf(refused.outcome)).toMatchObject({ code: 'execution.client_failed' });
  expect(refused.drawn.every(erased)).toBe(true);
  expect(refused.handles.size).toBe(0);
});
