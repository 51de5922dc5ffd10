/** @file What a client looks at before it takes part, and what it needs of its own. */

import {
  agreementHash,
  type MaskedVector,
  type ModularVector,
  memoryLedger,
  ProtocolError,
  type SecAggClientConfig,
  type SecAggPolicy,
  type SessionLedger,
  type SumVector,
  startSecAggClient,
} from 'fedloom/protocols';
import { describe, expect, test, vi } from 'vitest';
import type { ExpectedVector } from '../../../protocols/secagg/client/config.ts';
import { expectKind } from '../support.ts';
import { cohortOf, sumOf, sumsIn } from './cohort.ts';
import {
  type ParameterRefusal,
  PLACE_REFUSALS,
  POLICY_REFUSALS,
  SENSE_REFUSALS,
} from './refusals/parameters.ts';
import { SHAPES, type Shape, StagedRound } from './staged.ts';

const LISTS: readonly (readonly [string, readonly ParameterRefusal[]])[] = [
  ['an announcement that makes no sense: a client checks that', SENSE_REFUSALS],
  ['an announcement that does not hide its value: a client demands that', POLICY_REFUSALS],
  ['Bonawitz et al. 2017, figure 4, set-up: a client checks that', PLACE_REFUSALS],
];

describe.each(LISTS)('%s', (_where, refusals) => {
  test.each(refusals.map((refusal) => [titleOf(refusal), refusal] as const))('%s', (_, refusal) => {
    const { shape, options, change, client = 0, config: other, code } = refusal;
    const cohort = cohortOf({ ...SHAPES[shape], ...options });
    const agreement = { ...cohort.agreement, ...change?.(cohort.agreement, cohort) };
    const claim = vi.fn(() => true);
    const config = {
      ...(cohort.configs[0] as SecAggClientConfig),
      ledger: { claim },
      ...other?.(cohort.configs[0] as SecAggClientConfig, cohort),
    };
    const rng = vi.fn(() => {
      throw new Error('drawn');
    });

    const outcome = startSecAggClient({ kind: 'announcement', client, agreement }, config, { rng });

    expect(outcome).toEqual({
      kind: 'fault',
      stage: 'advertise',
      code,
      message: expect.any(String),
    });
    // No keys were made, and a server that corrects itself can ask again.
    expect(rng).not.toHaveBeenCalled();
    expect(claim).not.toHaveBeenCalled();
  });
});

test.each(['complete', 'chosen', 'believed', 'ring'] as const)(
  'a client takes part in what is secure and its own (%s)',
  (shape) => {
    const { agreement, configs } = cohortOf(SHAPES[shape]);
    for (const [client, config] of configs.entries()) {
      const started = startSecAggClient({ kind: 'announcement', client, agreement }, config);
      expectKind(started, 'continue');
    }
  },
);

test('insecure parameters are refused with what would be secure', () => {
  const { agreement, configs } = cohortOf(SHAPES.complete);
  const announcement = { kind: 'announcement', client: 0, agreement } as const;
  const weak = { ...announcement, agreement: { ...agreement, threshold: 2 } };
  const { message } = expectKind(startSecAggClient(weak, configs[0]!), 'fault');
  expect(message).toMatch(/threshold of (at least )?3/);
});

describe('a client that limits its rounds', () => {
  const { agreement, configs } = cohortOf(SHAPES.complete);
  const begin = (session: number, config: SecAggClientConfig, client = 0) =>
    startSecAggClient(
      {
        kind: 'announcement',
        client,
        agreement: { ...agreement, session: new Uint8Array(16).fill(session) },
      },
      config,
    );
  const limited = (ledger: SessionLedger, client = 0): SecAggClientConfig => ({
    ...configs[client]!,
    policy: { ...configs[client]!.policy, mostRounds: 2 },
    ledger,
  });

  test('takes part in no more of them, whichever they are', () => {
    const config = limited(memoryLedger());
    expectKind(begin(1, config), 'continue');
    // What it refuses for another reason does not count.
    expect(begin(1, config)).toMatchObject({ code: 'session-used' });
    expect(begin(2, config, 1)).toMatchObject({ code: 'not-in-cohort' });
    expectKind(begin(2, config), 'continue');
    for (const session of [3, 4]) {
      expect(begin(session, config)).toEqual({
        kind: 'fault',
        stage: 'advertise',
        code: 'too-many-rounds',
        message: expect.stringContaining('2 rounds'),
      });
    }
  });

  test('counts by its ledger: another process with it goes on counting', () => {
    const ledger = memoryLedger();
    expectKind(begin(1, limited(ledger)), 'continue');
    expectKind(begin(2, limited(ledger)), 'continue');
    expect(begin(3, limited(ledger))).toMatchObject({ code: 'too-many-rounds' });
    // Several clients may have one ledger.
    expectKind(begin(3, limited(ledger, 1), 1), 'continue');
  });
});

describe('a client that says what it is ready to sum', () => {
  const one = (maximum: SumVector['maximum']): SumVector => ({
    kind: 'sum',
    id: 'a',
    length: 2,
    maximum,
    modulus: 1024n,
  });
  const modular = (modulus: bigint): ModularVector => ({
    kind: 'modular-sum',
    id: 'a',
    length: 2,
    modulus,
  });
  const begin = (announced: readonly MaskedVector[], vectors: readonly ExpectedVector[]) => {
    const { agreement, configs } = cohortOf({
      ...SHAPES.complete,
      agreement: { vectors: announced },
    });
    return startSecAggClient(
      { kind: 'announcement', client: 0, agreement },
      { ...configs[0]!, vectors },
    );
  };

  test.each<[string, readonly MaskedVector[], readonly ExpectedVector[]]>([
    ['one bound', [one(9n)], [one(9n)]],
    ['a bound for each element', [one([9n, 8n])], [one([9n, 8n])]],
    ['another modulus for the same bound', [{ ...one(9n), modulus: 4096n }], [one(9n)]],
    ['residues', [modular(12n)], [modular(12n)]],
    ['both', [one(9n), { ...modular(12n), id: 'b' }], [one(9n), modular(12n)]],
  ])('takes part in just that: %s', (_what, announced, expected) => {
    expectKind(begin(announced, expected), 'continue');
  });

  test.each<[string, readonly MaskedVector[], readonly ExpectedVector[]]>([
    ['a vector less', [one(9n)], [one(9n), one(9n)]],
    ['a vector more', [one(9n), { ...one(9n), id: 'b' }], [one(9n)]],
    ['another length', [{ ...one(9n), length: 3 }], [one(9n)]],
    ['another bound', [one(8n)], [one(9n)]],
    ['another bound of an element', [one([9n, 7n])], [one([9n, 8n])]],
    ['fewer bounds', [one([9n, 8n])], [one([9n])]],
    ['one bound for each', [one(9n)], [one([9n, 9n])]],
    ['bounds of each for one', [one([9n, 9n])], [one(9n)]],
    ['residues for sums', [modular(1024n)], [one(9n)]],
    ['sums for residues', [one(9n)], [modular(1024n)]],
    ['bounds of each for residues', [one([9n, 9n])], [modular(1024n)]],
    ['more bounds', [one([9n, 8n])], [one([9n, 8n, 7n])]],
    ['another modulus', [modular(12n)], [modular(13n)]],
  ])('and in nothing else: %s', (_what, announced, expected) => {
    expect(begin(announced, expected)).toMatchObject({
      kind: 'fault',
      stage: 'advertise',
      code: 'unexpected-vectors',
    });
  });
});

test('a client that asks for nothing to be hidden takes part alone', () => {
  const { agreement, configs, ...cohort } = cohortOf(SHAPES.believed);
  const alone = { ...agreement, clients: 1, neighbours: 0, threshold: 1 };
  const asking = (minimumClients: number) => [
    { ...configs[0]!, policy: { ...configs[0]!.policy, minimumClients } },
  ];
  const round = new StagedRound({ ...cohort, agreement: alone, configs: asking(1) });
  const end = expectKind(round.finish(), 'finish');
  expect(sumsIn(end)).toEqual(sumOf(round.cohort, [0]));
  expect(
    new StagedRound({ ...cohort, agreement: alone, configs: asking(2) }).step(0),
  ).toMatchObject({ kind: 'fault', code: 'cohort-too-small' });
});

test('a client needs no key and no roster where nobody signs', () => {
  const { agreement, configs } = cohortOf(SHAPES.believed);
  const { policy } = configs[0]!;
  const announcement = { kind: 'announcement', client: 0, agreement } as const;
  expectKind(startSecAggClient(announcement, { policy: policy! }), 'continue');
});

describe('a client of the active model cannot do without its own', () => {
  test.each(['roster', 'name', 'signingKey'] as const)('%s', (part) => {
    const { agreement, configs } = cohortOf(SHAPES.complete);
    const { [part]: _, ...config } = configs[0]!;
    const [claim, rng] = [vi.fn(() => true), vi.fn(() => new Uint8Array(32))];
    const start = () =>
      startSecAggClient(
        { kind: 'announcement', client: 0, agreement },
        { ...config, ledger: { claim } },
        { rng },
      );
    expect(start).toThrow(ProtocolError);
    expect(start).toThrow(/invalid-argument/);
    // It finds out before the session is used up, and before there are secrets to erase.
    expect(claim).not.toHaveBeenCalled();
    expect(rng).not.toHaveBeenCalled();
  });

  test.each<[string, Partial<SecAggPolicy>]>([
    ['no clients', { minimumClients: 0 }],
    ['a part of a client', { minimumClients: 1.5 }],
    ['NaN clients', { minimumClients: Number.NaN }],
    ['no security', { securityBits: 0 }],
    ['NaN bits', { securityBits: Number.NaN }],
    ['more bits than keys have', { securityBits: 257 }],
    ['everyone corrupt', { corruptRate: 1 }],
    ['less than nobody corrupt', { corruptRate: -0.1 }],
    ['NaN corrupt', { corruptRate: Number.NaN }],
    ['no rounds', { mostRounds: 0 }],
    ['a part of a round', { mostRounds: 1.5 }],
    ['NaN rounds', { mostRounds: Number.NaN }],
    ['rounds that it does not remember', { mostRounds: 3 }],
  ])('a policy that checks something, so not %s', (_what, policy) => {
    // Alone, where nothing else looks at the policy.
    const { agreement, configs } = cohortOf(SHAPES.believed);
    const alone = { ...agreement, clients: 1, neighbours: 0, threshold: 1 };
    const [option] = Object.keys(policy) as [keyof SecAggPolicy];
    const start = () =>
      startSecAggClient(
        { kind: 'announcement', client: 0, agreement: alone },
        { ...configs[0]!, policy: { ...configs[0]!.policy, minimumClients: 1, ...policy } },
      );
    expect(start).toThrow(/invalid-argument/);
    if (policy.mostRounds !== 3) expect(start).toThrow(new RegExp(`${option} is `));
  });

  test.each<Partial<SecAggPolicy>>([
    { minimumClients: 1 },
    { securityBits: 1 },
    { securityBits: 256 },
    { corruptRate: 0 },
    { corruptRate: 0.999 },
    { mostRounds: 1 },
  ])('and may be as little, or as much, as %o', (policy) => {
    const { agreement, configs } = cohortOf(SHAPES.believed);
    const alone = { ...agreement, clients: 1, neighbours: 0, threshold: 1 };
    const config = {
      ...configs[0]!,
      ledger: memoryLedger(),
      policy: { ...configs[0]!.policy, minimumClients: 1, ...policy },
    };
    const announcement = { kind: 'announcement', client: 0, agreement: alone } as const;
    expectKind(startSecAggClient(announcement, config), 'continue');
  });
});

describe('everything that is agreed on is in the hash that binds the round', () => {
  const { agreement } = cohortOf(SHAPES.chosen);
  const { vectors } = agreement;
  const [vector] = vectors;
  if (vector?.kind !== 'sum') throw new Error('another kind of vector');
  const CHANGES = {
    session: { session: new Uint8Array(32) },
    round: { round: 1 },
    model: { model: 'semi-honest' },
    graph: { graph: 'complete' },
    clients: { clients: 10 },
    neighbours: { neighbours: 6 },
    threshold: { threshold: 5 },
    inDegreeLimit: { inDegreeLimit: 9 },
    rosterHash: { rosterHash: new Uint8Array(32) },
    cohort: { cohort: cohortOf({ ...SHAPES.chosen, clients: 10 }).agreement.cohort },
    vectors: { vectors: [...vectors, { ...vector, id: 'b' }] },
  } as const satisfies { readonly [field in keyof typeof agreement]: Partial<typeof agreement> };

  test.each(Object.entries(CHANGES))('%s', (_field, change) => {
    expect(agreementHash({ ...agreement, ...change })).not.toEqual(agreementHash(agreement));
  });

  test.each([
    ['the id', { id: 'b' }],
    ['the length', { length: 4 }],
    ['the bound', { maximum: 101n }],
    ['the bounds', { maximum: [100n, 100n, 100n] }],
    ['the modulus', { modulus: vector.modulus + 1n }],
  ])('%s of a vector', (_what, change) => {
    const other = { ...agreement, vectors: [{ ...vector, ...change }] };
    expect(agreementHash(other)).not.toEqual(agreementHash(agreement));
  });
});

function titleOf({
  check,
  shape,
  code,
}: {
  readonly check: string;
  readonly shape: Shape;
  readonly code: string;
}): string {
  return `${check} (${shape}): ${code}`;
}
