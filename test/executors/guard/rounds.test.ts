/**
 * @file Whole rounds with guarded clients: honest ones add up, and a client that was given another
 * program or model than the rest contributes noise or nothing, whatever the server does about it.
 */

import {
  atServer,
  federatedBroadcast,
  federatedComputation,
  federatedData,
  federatedMap,
  federatedSecureSum,
  int32,
  masking,
  paillier,
  perturbations,
  secAggPlus,
  struct,
  tensorComputation,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import { data, literal } from '../../../computations/building-blocks.ts';
import { loadBackend } from '../../../computations/tensors/index.ts';
import { structOf, type Type } from '../../../computations/types/index.ts';
import { toBlock } from '../../../computations/value.ts';
import type { ExecutorInput, ExecutorValue } from '../../../executors/executor.ts';
import type { SecureSumStep } from '../../../executors/progress.ts';
import {
  exchangedState,
  perturbationParameters,
  perturbationsState,
} from '../../../executors/secure/perturbations-operators.ts';
import {
  advertisedKeyCodec,
  deliveredPerturbationsCodec,
  type MaskedInput,
  type MaskedVectors,
  maskedInputCodec,
  maskedVectorsCodec,
  parametersCodec,
} from '../../../protocols/index.ts';
import { int } from '../blocks.ts';
import { failureOf, rosterOf, SESSION, setupFor, TERM } from '../secure/parties.ts';
import {
  BYTES,
  type GuardedStack,
  type GuardedStackOptions,
  guardedStack,
  guardOf,
  ints,
  modularSum,
  participant,
  secretOf,
  secretSum,
  sumOfSecrets,
  type Tampering,
} from './support.ts';

const CLIENTS = 4;
const MODULUS = 2 ** 20;

/** Protocols, with the policy under which clients take part. */
const PROTOCOLS = {
  secAgg: {},
  secAggPlus: {
    clients: 12,
    aggregation: (identities) =>
      secAggPlus({ identities, securityBits: 4, corruptRate: 0, neighbours: 6, threshold: 4 }),
    // Enough for what is tested here.
    leaf: { policy: { protocols: { secAgg: {}, secAggPlus: {} } } },
  },
  masking: {
    aggregation: () => masking(),
    leaf: { policy: { protocols: { masking: {} } } },
  },
  perturbations: {
    aggregation: () => perturbations(),
    leaf: { policy: { protocols: { perturbations: {} } } },
  },
  paillier: {
    aggregation: (identities) =>
      paillier({
        identities,
        keyHolder: 'key_holder',
        modulusBits: 512,
        allowInsecureModulus: true,
      }),
    leaf: {
      policy: { protocols: { paillier: {} } },
      paillier: { modulusBits: 512, allowInsecureModulus: true },
    },
  },
} as const satisfies { readonly [name: string]: GuardedStackOptions };

describe.each(Object.entries(PROTOCOLS) as [string, GuardedStackOptions][])(
  'a round of %s',
  (name, options) => {
    const { clients = CLIENTS } = options;

    test('adds up what guarded clients do not show', async () => {
      await using stack = await guardedStack(options);
      expect(await stack.run(secretSum, 2)).toBe(2 * sumOfSecrets(clients));
      const logs = stack.audits.map((log) => log.map(({ kind, rule }) => `${kind} ${rule}`));
      expect(logs).toEqual(Array(clients).fill([`released protocols.${name}`]));
    });

    test('adds up again, with other inputs', async () => {
      await using stack = await guardedStack(options);
      expect(await stack.run(modularSum, 1)).toBe(sumOfSecrets(clients) % MODULUS);
      expect(await stack.run(modularSum, 3)).toBe((3 * sumOfSecrets(clients)) % MODULUS);
    });
  },
);

test('clients here and clients behind a wire come from the same, whatever the model is made of', async () => {
  const model = struct({ factor: int32(), offsets: struct({ pair: int32(2), one: int32() }) });
  const score = tensorComputation([int32(), model], (secret, { factor, offsets }) =>
    secret.mul(factor).add(offsets.one).add(offsets.pair.sum()),
  );
  const sum = federatedComputation([atServer(model)], (given) =>
    federatedSecureSum(
      federatedMap(score, [federatedData('secret', int32()), federatedBroadcast(given)]),
      100_000,
    ),
  );
  await using stack = await guardedStack({ clients: 6, remote: (client) => client % 2 === 1 });
  const given = { factor: 2, offsets: { pair: [1, 2], one: 4 } };
  expect(await stack.run(sum, given)).toBe(2 * sumOfSecrets(6) + 6 * 7);
  expect(sumStep(stack).lost).toEqual([]);
});

/** Another model for one client: the scalar that the server broadcasts. */
const otherModel: Tampering = {
  sends: (value) => (isScalar(value) ? int(0) : value),
};

const steal = tensorComputation([int32(), int32()], (secret) => secret);

/** Another program for one client. */
const otherProgram: Tampering = {
  sends: (value) => (isProgram(value) ? toBlock(steal, 'another program') : value),
};

describe.each([
  ['model', otherModel],
  ['program', otherProgram],
])('a client that was given another %s', (_, tampering) => {
  test.each([0, 2])('is left out of the sum (client %i)', async (victim) => {
    await using stack = await guardedStack({
      clients: 5,
      tampering: (client) => (client === victim ? tampering : undefined),
    });
    expect(await stack.run(secretSum, 2)).toBe(2 * sumOfSecrets(5, victim));
    const { lost } = sumStep(stack);
    expect(lost).toEqual([
      { client: `clients/${victim}`, stage: 'mask-vectors', reason: 'refused' },
    ]);
  });

  test('contributes noise where the server takes its vectors all the same', async () => {
    const sums = new Set<number>();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const honest = new Map<string, Uint8Array>();
      await using stack = await guardedStack({
        tampering: (client) =>
          client === 1 ? { ...tampering, receives: forging(honest) } : { receives: noting(honest) },
      });
      const sum = (await stack.run(modularSum, 2)) as number;
      sums.add(sum);
      const others = 2 * sumOfSecrets(CLIENTS, 1);
      const rest = (((sum - others) % MODULUS) + MODULUS) % MODULUS;
      for (const leaked of [0, secretOf(1), 2 * secretOf(1)]) expect(rest).not.toBe(leaked);
    }
    // Nothing else varies from one attempt to the next.
    expect(sums.size).toBe(3);
  });
});

test("a protocol's own smallest cohort holds for those who are left, too", async () => {
  const sumWithoutOne = async (smallestCohort: number) => {
    const protocols = { secAgg: { smallestCohort }, secAggPlus: {} };
    await using stack = await guardedStack({
      clients: 5,
      leaf: { policy: { protocols } },
      tampering: (client) => (client === 0 ? otherModel : undefined),
    });
    return await stack.run(secretSum, 2);
  };
  expect(await sumWithoutOne(4)).toBe(2 * sumOfSecrets(5, 0));
  expect(await failureOf(sumWithoutOne(5))).toMatchObject({ code: 'protocol.too_few_clients' });
});

test('values that the server forces on all others do not uncover the one that is left', async () => {
  const honest = new Map<string, Uint8Array>();
  const INT = int32();
  await using stack = await guardedStack({
    tampering: (client) =>
      client === 1
        ? { receives: forging(honest) }
        : {
            sends: (value) => (value.kind === 'data' ? literal(int(0), INT) : value),
            receives: noting(honest),
          },
  });
  const sum = (await stack.run(modularSum, 1)) as number;
  expect(sum).not.toBe(secretOf(1));
  // Values of the server are summed as they are; what they hide is noise.
  expect(stack.audits.map(({ length }) => length)).toEqual([0, 1, 0, 0]);
});

test('clients of which no half was given the same end the round', async () => {
  await using stack = await guardedStack({
    tampering: (client) => (client < 2 ? otherModel : undefined),
  });
  expect(await failureOf(stack.run(secretSum, 2))).toMatchObject({ reason: 'context-mismatch' });
});

test('a client that says another context than it masks with is left out', async () => {
  await using stack = await guardedStack({
    clients: 5,
    tampering: (client) =>
      client === 0
        ? {
            ...otherModel,
            // Says what all say, of which it knows nothing but its own; masks with its own.
            receives: (bytes) => (bytes.length === 32 ? new Uint8Array(32) : bytes),
          }
        : // The liar comes first.
          { isSlow: true },
  });
  expect(await stack.run(secretSum, 2)).toBe(2 * sumOfSecrets(5, 0));
});

describe('the other protocols, where one client was given another model', () => {
  const attacked = (name: keyof typeof PROTOCOLS, receives?: Tampering['receives']) =>
    guardedStack({
      ...PROTOCOLS[name],
      tampering: (client) =>
        client === 1 ? { ...otherModel, ...(receives && { receives }) } : undefined,
    });

  test('masking refuses the sum', async () => {
    await using stack = await attacked('masking');
    expect(await failureOf(stack.run(modularSum, 2))).toMatchObject({ reason: 'context-mismatch' });
  });

  test('masking gives noise to a server that does not', async () => {
    const honest = new Map<string, Uint8Array>();
    await using stack = await guardedStack({
      ...PROTOCOLS.masking,
      tampering: (client) =>
        client === 1 ? { ...otherModel, receives: forging(honest) } : { receives: noting(honest) },
    });
    const sum = (await stack.run(modularSum, 2)) as number;
    expect((sum - 2 * sumOfSecrets(CLIENTS, 1) + MODULUS) % MODULUS).not.toBe(0);
  });

  test('perturbations that were sent for one value hide no other', async () => {
    const client = guardOf({
      backend: await loadBackend(),
      leaf: { policy: { protocols: { perturbations: {} }, smallestCohort: 1 } },
    });
    const party = participant('clients/0', client);
    const split = async (value: ExecutorValue) => {
      const [state, bytes] = await party.split(value);
      return { state: state!, bytes: await party.read(bytes!) };
    };
    const stateAnd = (type: Type) =>
      structOf([type, BYTES].map((each) => ({ name: null, type: each })));
    const setup = setupFor('clients/0', { clients: 1 });
    const parameters = parametersCodec.encode(perturbationParameters([TERM], 1, undefined));
    const first = await split(
      await party.call(
        'perturbations_advertise',
        [setup, parameters],
        stateAnd(perturbationsState.type),
      ),
    );
    const key = advertisedKeyCodec.decode(first.bytes);
    if (key.kind === 'fault') throw new Error(key.message);
    const rows = await client.createValue(data('pair', int32(2)), int32(2));
    const exchange = (value: ExecutorValue) =>
      party.call(
        'perturbations_exchange',
        [first.state, rosterOf({ 'clients/0': key.publicKey }), value],
        stateAnd(exchangedState.type),
      );
    const second = await split(await exchange(rows));
    const other = await client.createValue(ints(1, 2), int32(2));
    const delivered = deliveredPerturbationsCodec.encode({
      kind: 'delivered-perturbations',
      session: SESSION,
      round: 0,
      client: 'clients/0',
      perturbations: [],
    });
    const masked = party.request('perturbations_mask_input', [second.state, delivered, other]);
    expect(await failureOf(masked)).toMatchObject({ reason: 'context-mismatch' });
    await client.close();
  });

  test('perturbations do not open', async () => {
    await using stack = await attacked('perturbations');
    expect(await failureOf(stack.run(modularSum, 2))).toMatchObject({ reason: 'open-failed' });
  });

  test.each([0, 1])('the aggregator of Paillier leaves it out (client %i)', async (victim) => {
    await using stack = await guardedStack({
      ...PROTOCOLS.paillier,
      tampering: (client) => (client === victim ? otherModel : undefined),
    });
    expect(await stack.run(secretSum, 2)).toBe(2 * sumOfSecrets(CLIENTS, victim));
    expect(sumStep(stack).lost).toMatchObject([
      { client: `clients/${victim}`, stage: 'collect-masks' },
    ]);
  });

  test('Paillier has no sum of clients that no half agrees with', async () => {
    await using stack = await guardedStack({
      ...PROTOCOLS.paillier,
      tampering: (client) => (client < 2 ? otherModel : undefined),
    });
    const error = await failureOf(stack.run(secretSum, 2));
    expect(error).toMatchObject({ reason: 'context-mismatch' });
  });
});

/** Remembers the context of an honest client from its masked vectors. */
function noting(honest: Map<string, Uint8Array>): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => {
    if (bytes.length === 32) honest.set('context', bytes);
    const masked = maskedOf(bytes);
    if (masked !== undefined) honest.set('context', masked.contextHash);
    return bytes;
  };
}

/** What a server makes of the victim's messages: they say the context of the others. */
function forging(honest: ReadonlyMap<string, Uint8Array>): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => {
    const contextHash = honest.get('context');
    const masked = maskedOf(bytes);
    if (masked === undefined || contextHash === undefined) return bytes;
    return masked.kind === 'masked-vectors'
      ? maskedVectorsCodec.encode({ ...masked, contextHash })
      : maskedInputCodec.encode({ ...masked, contextHash });
  };
}

function maskedOf(bytes: Uint8Array): MaskedVectors | MaskedInput | undefined {
  const vectors = maskedVectorsCodec.decode(bytes);
  if (vectors.kind !== 'fault') return vectors;
  const input = maskedInputCodec.decode(bytes);
  return input.kind === 'fault' ? undefined : input;
}

function isScalar(value: ExecutorInput): boolean {
  return value.kind === 'tensor' && value.dtype === 'int32' && value.shape.length === 0;
}

function isProgram(value: ExecutorInput): boolean {
  return value.kind === 'compiled' || value.kind === 'lambda';
}

function sumStep({ progress }: GuardedStack): SecureSumStep {
  const step = progress.find(({ kind }) => kind === 'secure-sum');
  if (step?.kind !== 'secure-sum') throw new Error('no sum was made');
  return step;
}
