/** @file A thousand connections to a coordinator, of which half never speak. */

import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Coordinator } from '../../../runtime/dial-in/coordinator.node.ts';
import { openGrpcLink } from '../../../runtime/grpc/grpc-channel.node.ts';
import { Opened } from '../../runtime/grpc/fixture.ts';
import { echoClient, select } from '../../runtime/remote/envelope.helpers.ts';

const SPEAKERS = 500;
/** They do not even speak HTTP/2. */
const MUTE = 250;
/** They open a stream, and say no hello. */
const SHY = 250;
const MIB = 2 ** 20;

let opened: Opened;
beforeEach(() => {
  opened = new Opened();
});
afterEach(() => opened.close());

test('500 speak and are served; 500 do not, and are dropped in the stated time', async () => {
  const refused: string[] = [];
  const coordinator = await Coordinator.start({
    listen: '127.0.0.1:0',
    limits: { keepaliveMs: 1_000, keepaliveTimeoutMs: 3_000 },
    clients: {
      helloMs: 4_000,
      maxGreeting: 200,
      onEvent: (event) => {
        if (event.kind === 'refused') refused.push(event.reason.message);
      },
    },
  });
  opened.closeLater(() => coordinator.close(100));
  const [host, port] = coordinator.address.split(':') as [string, string];
  const before = heldBytes();

  const mute = Array.from({ length: MUTE }, () => connect(Number(port), host));
  opened.closeLater(() => mute.forEach((socket) => void socket.destroy()));
  const ended = Promise.all(mute.map(untilClosed));
  const shy = await Promise.all(
    Array.from({ length: SHY }, () => openGrpcLink(coordinator.address)),
  );
  opened.closeLater(() => shy.forEach((link) => void link.close()));
  const dismissed = Promise.all(
    shy.map(
      (link) => new Promise<Error>((resolve) => link.listen({ frame() {}, closed: resolve })),
    ),
  );
  // No more than these wait to be greeted; the others made room already.
  expect(coordinator.clients.greeting).toBe(200);

  const names = Array.from({ length: SPEAKERS }, (_, i) => `client ${i}`);
  // In groups, so that those who wait longest are never those who are about to speak.
  for (let i = 0; i < SPEAKERS; i += 50) {
    await Promise.all(
      names.slice(i, i + 50).map(async (name) => {
        const client = echoClient([], { name });
        opened.closeLater(() => client.close());
        await client.serve(await openGrpcLink(coordinator.address));
      }),
    );
  }
  expect(coordinator.clients.clients).toHaveLength(SPEAKERS);
  const answers = await Promise.all(
    names.map((name, i) => select(coordinator.clients.get(name)!, i)),
  );
  expect(answers).toEqual(names.map((_, i) => i));
  // Both ends of a thousand connections are in this process.
  expect(heldBytes() - before).toBeLessThan(200 * MIB);

  await Promise.all([ended, dismissed]);
  expect(coordinator.clients.greeting).toBe(0);
  expect(refused).toHaveLength(SHY);
  // Whoever came to speak meanwhile waited for a moment, too.
  const [made, late] = ['has said nothing for longest', 'Nobody sent a hello within 4000 ms'].map(
    (why) => refused.filter((said) => said.includes(why)).length,
  );
  expect(made).toBeGreaterThanOrEqual(SHY - 200);
  expect((made ?? 0) + (late ?? 0)).toBe(SHY);
  expect(coordinator.clients.clients.every(({ isConnected }) => isConnected)).toBe(true);
  expect(await select(coordinator.clients.get('client 7')!, 7)).toBe(7);
});

function untilClosed(socket: Socket): Promise<void> {
  socket.on('error', () => {}).resume();
  return new Promise((resolve) => socket.on('close', () => resolve()));
}

function heldBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
