/** @file The process of a client as the command line makes it, and a server that dismisses it. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  federatedComputation,
  federatedData,
  federatedSecureSum,
  int32,
  secAgg,
  silentLogger,
  withContext,
} from 'fedloom';
import { ClientProcess, Coordinator, makeDevelopmentKeys } from 'fedloom/node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { clientLeaf } from '../../../runtime/cli/client-leaf.node.ts';
import { runCommand } from '../../../runtime/cli/commands/run-command.node.ts';
import { readKeyFolder } from '../../../runtime/cli/key-folder.node.ts';

const NAMES = ['north', 'south', 'east'];
const total = federatedComputation([], () =>
  federatedSecureSum(federatedData('reading', int32(1)), 100),
);
let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fedloom-leaf-'));
  await makeDevelopmentKeys(join(folder, 'keys'), { clients: NAMES });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function listen(): Promise<Coordinator> {
  const { credentials, roster } = await readKeyFolder(join(folder, 'keys/server'));
  return Coordinator.start({ listen: '127.0.0.1:0', credentials, roster });
}

test('a server that begins a new session gets no new rounds by it', async () => {
  const policy = join(folder, 'policy.json');
  writeFileSync(policy, '{"format":"fedloom policy","version":1,"roundsPerDay":1}');
  const reading = join(folder, 'reading.json');
  writeFileSync(reading, '[7]');
  await using coordinator = await listen();
  const running: ClientProcess[] = [];
  for (const name of NAMES) {
    const keys = await readKeyFolder(join(folder, 'keys', name));
    const { credentials, roster, roles, identity } = keys;
    const leaf = await clientLeaf({
      data: [`reading=${reading}`],
      policy,
      roster,
      roles,
      identity: identity!,
      quantization: {},
      log: silentLogger,
    });
    const client = new ClientProcess({
      connect: `localhost:${coordinator.address.split(':').at(-1)}`,
      credentials,
      name,
      capabilities: { operators: [], backend: leaf.backend, platform: '', version: '' },
      policy: { text: '', hash: new Uint8Array(0) },
      makeExecutor: leaf.makeExecutor,
      backOff: { firstMs: 10, mostMs: 50 },
    });
    running.push(client);
    client.run().catch(() => {});
  }
  const round = async (): Promise<unknown> => {
    const cohort = await coordinator.select({ atLeast: 3, within: 20_000 });
    await using context = cohort.context({
      secureAggregation: (identities) => secAgg({ identities, timeoutMs: 10_000 }),
    });
    return (await withContext(context, () => total())).toArray();
  };
  try {
    expect(await round()).toEqual([21]);
    await Promise.all(coordinator.clients.clients.map((client) => client.close()));
    await expect(round()).rejects.toThrow(/roundsPerDay/);
  } finally {
    await Promise.all(running.map((client) => client.close()));
  }
}, 60_000);

async function clientCommand(keys: string, port: string) {
  let error = '';
  const code = await runCommand(
    ['client', '--connect', `localhost:${port}`, '--keys', keys, '--max-failures', '2'],
    {
      out: () => {},
      error: (text) => {
        error += text;
      },
      env: { FEDLOOM_LOG: 'error' },
      isTerminal: false,
    },
  );
  return { code, error };
}

test('`fedloom client` ends with 3 when it is refused by name, and with 4 by another authority', async () => {
  await using coordinator = await listen();
  const port = coordinator.address.split(':').at(-1) as string;
  // The same authority certifies it, but the coordinator has read the roster before.
  await makeDevelopmentKeys(join(folder, 'keys'), { clients: ['late'] });
  const late = await clientCommand(join(folder, 'keys/late'), port);
  expect(late).toMatchObject({ code: 3, error: expect.stringMatching(/not in the roster/) });

  await makeDevelopmentKeys(join(folder, 'others'), { clients: ['north'] });
  const other = await clientCommand(join(folder, 'others/north'), port);
  expect(other).toMatchObject({ code: 4, error: expect.stringMatching(/transport\./) });
}, 60_000);
