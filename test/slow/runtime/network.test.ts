/** @file Rounds over a network that is slow, thin, or cut in the middle of them, by gRPC. */

import {
  federatedComputation,
  federatedData,
  federatedSecureSum,
  int32,
  type SecureSumStep,
  secAgg,
  secAggPlus,
  TensorValue,
  withContext,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import { Federation, type FederationOptions } from '../../runtime/dial-in/federation.ts';
import { SlowNetwork, type SlowNetworkOptions } from '../../runtime/dial-in/slow-network.ts';
import { watched } from './watched.ts';

const NAMES = ['north', 'south', 'east', 'west', 'centre'];
/** A link that says nothing for so long counts as dead: not much more than a slow one takes to answer. */
const HEARTBEAT = { heartbeatMs: 200, silenceMs: 2_000, graceMs: 10_000 } as const;
const SMALL = 4;
const LARGE = 400_000;

/** A federation behind a network, and what happened to its clients. */
async function start(
  options: SlowNetworkOptions,
  length: number,
): Promise<{ federation: Federation; network: SlowNetwork; events: string[] }> {
  const events: string[] = [];
  const networks: SlowNetwork[] = [];
  const federation = await Federation.start(NAMES, {
    coordinator: {
      clients: { heartbeat: HEARTBEAT, onEvent: ({ kind }) => events.push(kind) },
    },
    through: async (coordinator) => {
      const network = await SlowNetwork.start(Number(coordinator.split(':').at(-1)), options);
      networks.push(network);
      return `127.0.0.1:${network.port}`;
    },
    data: (index) =>
      new TensorValue('int32', [length], new Int32Array(length).fill(10 * (index + 1))),
  } satisfies FederationOptions);
  return { federation, network: networks[0] as SlowNetwork, events };
}

/** A sum of everybody's values. @param asked told of each operator that a client is asked for. */
async function sum(
  { coordinator }: Federation,
  length: number,
  { protocol = secAggPlus, asked = (_uri: string): void => {} } = {},
): Promise<{
  readonly sums: ReadonlySet<unknown>;
  readonly clients: number;
  readonly toServer: number;
}> {
  const total = federatedComputation([], () =>
    federatedSecureSum(federatedData('reading', int32(length)), 1000),
  );
  const cohort = await coordinator.select({ atLeast: NAMES.length, within: 20_000 });
  await using context = cohort.context({
    secureAggregation: (identities) => protocol({ identities, timeoutMs: 30_000 }),
    wrapLeaf: (leaf, placement) => (placement === 'clients' ? watched(leaf, asked) : leaf),
  });
  const steps: SecureSumStep[] = [];
  context.on('progress', (event) => {
    if (event.stage === 'run' && event.step.kind === 'secure-sum') steps.push(event.step);
  });
  const result = await withContext(context, () => total());
  expect(result.shape).toEqual([length]);
  return {
    sums: new Set<unknown>(result.data),
    clients: steps[0]?.clients.length ?? 0,
    toServer: steps[0]?.traffic?.toServer ?? 0,
  };
}

// They wait most of the time, and can do so together.
describe.concurrent('a network', () => {
  test.each([0, 50, 200])(
    '%i ms each way: the sum is exact, and no link counts as dead',
    async (delayMs) => {
      const { federation, network, events } = await start({ delayMs }, SMALL);
      await using _network = network;
      await using _federation = federation;
      expect(await sum(federation, SMALL)).toMatchObject({ sums: new Set([150]), clients: 5 });
      expect(events).toEqual(Array(5).fill('joined'));
    },
  );

  test.each([0, 50])(
    'of %i ms each way that is cut within a round: it goes on in the same sessions',
    async (delayMs) => {
      const { federation, network, events } = await start({ delayMs }, SMALL);
      await using _network = network;
      await using _federation = federation;
      let times = 0;
      const asked = (uri: string): void => {
        if (uri === 'secagg_mask_vectors' && ++times === 3) network.cut();
      };
      expect(await sum(federation, SMALL, { protocol: secAgg, asked })).toMatchObject({
        sums: new Set([150]),
        clients: 5,
      });
      expect(network.connections).toBe(10);
      expect(events.filter((kind) => kind === 'resumed')).toHaveLength(5);
      expect(events).not.toContain('lost');
    },
  );

  test('of 256 KiB a second, for vectors that take longer than a silence may last', async () => {
    const bytesPerSecond = 256 * 1024;
    const { federation, network, events } = await start({ delayMs: 20, bytesPerSecond }, LARGE);
    await using _network = network;
    await using _federation = federation;
    const { sums, clients, toServer } = await sum(federation, LARGE);
    expect({ sums, clients }).toEqual({ sums: new Set([150]), clients: 5 });
    expect((1000 * toServer) / clients / bytesPerSecond).toBeGreaterThan(HEARTBEAT.silenceMs);
    expect(events).toEqual(Array(5).fill('joined'));
  });
});
