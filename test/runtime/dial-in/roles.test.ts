/** @file Roles of a protocol that are played elsewhere: an aggregator and a key holder that dial in. */

import {
  federatedComputation,
  federatedData,
  federatedSecureSum,
  int32,
  type PaillierOptions,
  paillier,
  rosterIdentities,
  type SecureSumStep,
  withContext,
} from 'fedloom';
import { describe, expect, test, vi } from 'vitest';
import { loadBackend } from '../../../computations/tensors/index.ts';
import { TensorValue } from '../../../computations/types/index.ts';
import { trustedAggregator } from '../../../examples/support/trusted-aggregation.ts';
import { roleLeaf } from '../../../executors/guard/role-leaf.ts';
import { createIdentityRoster, generateIdentities } from '../../../protocols/index.ts';
import { ClientProcess } from '../../../runtime/dial-in/client-process.node.ts';
import type { CohortOptions } from '../../../runtime/dial-in/cohort.ts';
import { Coordinator } from '../../../runtime/dial-in/coordinator.node.ts';
import { leafExecutor } from '../../../runtime/leaf-executor.ts';
import { watched } from '../../slow/runtime/watched.ts';
import { Federation } from './federation.ts';

const total = federatedComputation([], () =>
  federatedSecureSum(federatedData('reading', int32()), 1000),
);
const NAMES = ['north', 'south', 'east', 'west', 'centre'];
const QUICK = { modulusBits: 256, allowInsecureModulus: true } as const;

describe.each([
  ['server', ['aggregator', 'server']],
  ['key_holder', ['aggregator', 'key_holder']],
] as const)('Paillier sums with the key at %s', (keyHolder, roles) => {
  const start = () =>
    Federation.start(NAMES, {
      roles,
      policy: { protocols: { paillier: { keyHolder } } },
      paillier: QUICK,
    });
  const secure = (options: PaillierOptions = {}): CohortOptions => ({
    secureAggregation: (identities) =>
      paillier({
        ...QUICK,
        identities,
        keyHolder,
        minimumClients: 3,
        timeoutMs: 5_000,
        ...options,
      }),
  });

  test('are exact, of everybody and of some of the roster', async () => {
    await using federation = await start();
    const all = await federation.coordinator.select({ atLeast: 5, within: 10_000 });
    await using everybody = all.context(secure());
    expect(await withContext(everybody, () => total())).toBe(150);
    const chosen = ['south', 'west', 'centre'];
    const some = await federation.coordinator.select({
      atLeast: 3,
      within: 0,
      where: ({ name }) => chosen.includes(name),
    });
    await using context = some.context(secure());
    const steps: SecureSumStep[] = [];
    context.on('progress', (event) => {
      if (event.stage === 'run' && event.step.kind === 'secure-sum') steps.push(event.step);
    });
    expect(await withContext(context, () => total())).toBe(110);
    expect(await withContext(context, () => total())).toBe(110);
    expect(steps[0]?.clients).toEqual(['clients/1', 'clients/3', 'clients/4']);
  });

  test('end with the name of a role that is gone, and go on when it is there again', async () => {
    await using federation = await start();
    const cohort = await federation.coordinator.select({ atLeast: 5, within: 10_000 });
    await using context = cohort.context({ ...secure(), roleWithinMs: 200 });
    expect(await withContext(context, () => total())).toBe(150);
    await federation.players.get('aggregator')?.stop();
    const { clients } = federation.coordinator;
    await vi.waitFor(() => expect(clients.get('aggregator')).toBeUndefined(), { timeout: 20_000 });
    await expect(withContext(context, () => total())).rejects.toThrow(/'aggregator'/);
    federation.players.get('aggregator')?.start();
    await using again = cohort.context(secure());
    expect(await withContext(again, () => total())).toBe(150);
    // Also in the context that has seen it go.
    expect(await withContext(context, () => total())).toBe(150);
  });
});

test('whoever says to be the aggregator gets nothing of the clients, where a name is no proof', async () => {
  const rules = { protocols: { paillier: { keyHolder: 'server' } } } as const;
  await using federation = await Federation.start(NAMES.slice(0, 3), {
    roles: ['aggregator', 'server'],
    policy: rules,
    paillier: QUICK,
  });
  const { coordinator, roster, roles } = federation;
  const cohort = await coordinator.select({ atLeast: 3, within: 10_000 });
  await federation.players.get('aggregator')?.stop();
  await vi.waitFor(() => expect(coordinator.clients.get('aggregator')).toBeUndefined(), {
    timeout: 20_000,
  });
  // It knows all that is public, and signs with a key of its own.
  const own = generateIdentities(['aggregator']);
  const server = roles.members.find(({ client }) => client === 'server')!;
  const identities = rosterIdentities({
    roster,
    roles: createIdentityRoster([...own.roster.members, server]),
    identities: own.identities,
  });
  const backend = await loadBackend();
  await using impostor = new ClientProcess({
    ...descriptionOf('aggregator'),
    connect: coordinator.address,
    makeExecutor: async () =>
      roleLeaf({ role: 'aggregator', backend, identities, policy: rules, paillier: QUICK }),
  });
  impostor.run().catch(() => {});
  await vi.waitFor(() => expect(coordinator.clients.get('aggregator')).toBeDefined(), {
    timeout: 20_000,
  });
  const asked: string[] = [];
  await using context = cohort.context({
    secureAggregation: (known) => paillier({ ...QUICK, identities: known, timeoutMs: 60_000 }),
    wrapLeaf: (leaf, placement) =>
      placement === 'aggregator' ? watched(leaf, (uri) => asked.push(uri)) : leaf,
  });
  await expect(withContext(context, () => total())).rejects.toMatchObject({
    code: 'protocol.too_few_clients',
    message: expect.stringContaining("left the protocol in stage 'keys' (wrong-signature)"),
  });
  expect(asked).toContain('channel_key_pair');
  expect(asked).not.toContain('paillier_add');
});

test('a protocol of ones own has its aggregator elsewhere, too', async () => {
  const own = trustedAggregator();
  const { operators } = own.secureStack();
  const backend = await loadBackend();
  const { roster } = generateIdentities(NAMES);
  await using coordinator = await Coordinator.start({
    listen: '127.0.0.1:0',
    roster,
    roles: ['aggregator'],
  });
  const running = [...NAMES, 'aggregator'].map((name, i) => {
    const reading = new TensorValue('int32', [], Int32Array.of(10 * (i + 1)));
    const client = new ClientProcess({
      ...descriptionOf(name),
      connect: coordinator.address,
      makeExecutor: async () =>
        leafExecutor(backend, { operators, dataSource: { resolve: () => reading } }),
    });
    client.run().catch(() => {});
    return client;
  });
  try {
    await coordinator.clients.select({ atLeast: 6, within: 10_000 });
    const chosen = ['south', 'east', 'centre'];
    const where = ({ name }: { readonly name: string }) => chosen.includes(name);
    const cohort = await coordinator.select({ atLeast: 3, within: 0, where });
    await using context = cohort.context({ secureAggregation: own });
    expect(await withContext(context, () => total())).toBe(100);
  } finally {
    await Promise.all(running.map((client) => client.close(100)));
  }
});

test('a role that nobody may play is told of', async () => {
  await using federation = await Federation.start(NAMES.slice(0, 3));
  const cohort = await federation.coordinator.select({ atLeast: 3, within: 10_000 });
  await using context = cohort.context({ secureAggregation: paillier(QUICK) });
  await expect(withContext(context, () => total())).rejects.toThrow(
    /Nobody may connect here to play the role 'aggregator'/,
  );
});

test('a client cannot play a role as well', async () => {
  const { roster } = generateIdentities(['aggregator', 'north']);
  await expect(
    Coordinator.start({ listen: '127.0.0.1:0', roster, roles: ['aggregator'] }),
  ).rejects.toMatchObject({ code: 'transport.invalid_argument' });
});

function descriptionOf(name: string) {
  return {
    name,
    capabilities: { operators: [], backend: '', platform: '', version: '' },
    policy: { text: '', hash: new Uint8Array(0) },
  };
}
