/** @file Whatever bytes a client is handed, it answers with a refusal, and whatever it says, the server lives. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hospitals, NAMES, SUM } from './hospitals.ts';

const isRefusal = (reply: Uint8Array): boolean => reply[3] === 3;

test('bytes that are no request get a refusal', async () => {
  const { clients } = hospitals();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      expect(isRefusal(await clients[0]!.handle(bytes))).toBe(true);
    }),
  );
  // What is no bytes at all is no reason to reject either.
  for (const given of [undefined, null, 'FL', [1, 2]]) {
    expect(isRefusal(await clients[0]!.handle(given as never))).toBe(true);
  }
  expect(clients[0]!.sessions).toBe(0);
});

test('requests of any steps and bodies get refusals, and leave nothing behind', async () => {
  const { clients } = hospitals();
  const request = fc
    .tuple(
      fc.nat(8),
      fc.uint8Array({ minLength: 14, maxLength: 66 }),
      fc.uint8Array({ maxLength: 60 }),
      fc.uint8Array({ maxLength: 120 }),
    )
    .map(([step, session, task, body]) =>
      Uint8Array.from([
        ...[0x46, 0x4c, 6, 1, 1, step, 0, 0, 0, session.length, ...session],
        ...[0, 0, 0, task.length, ...task, ...body],
      ]),
    );
  await fc.assert(
    fc.asyncProperty(request, async (bytes) => {
      const reply = await clients[0]!.handle(bytes);
      // To leave what one is not in is no offence.
      expect(isRefusal(reply) || bytes[5] === 6).toBe(true);
      expect(clients[0]!.sessions).toBe(0);
    }),
  );
});

test('a bit that flips in any message ends nothing but the part of its client', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('advertise', 'share-keys', 'mask-vectors', 'confirm-survivors', 'unmask'),
      fc.nat(),
      fc.boolean(),
      async (at, position, toClient) => {
        const { workflow, peers } = hospitals({
          line: async ({ name, step, message, answer }) => {
            if (name !== 'south' || step !== at) return answer();
            const flip = (bytes: Uint8Array): Uint8Array => {
              const other = bytes.slice();
              other[(position >> 3) % other.length]! ^= 1 << (position & 7);
              return other;
            };
            return toClient ? answer(flip(message)) : flip(await answer());
          },
        });
        const outcome = await workflow
          .startSum(peers, SUM)
          .run()
          .catch((error: unknown) => error as Error);
        if (outcome instanceof Error) {
          // A wrong key or share can cost the round; never a wrong sum, never another kind of error.
          expect(outcome.name).toBe('ProtocolAbortError');
          return;
        }
        const total = outcome.clients.reduce((sum, name) => sum + NAMES.indexOf(name), 0);
        const counts = [...outcome.sums.counts!];
        // What a client sends masked is its own: flipped on the way, it is another input.
        if (at === 'mask-vectors' && !toClient && outcome.clients.includes('south')) return;
        expect(counts).toEqual([BigInt(total), BigInt(2 * total)]);
      },
    ),
    { numRuns: 40 },
  );
});
