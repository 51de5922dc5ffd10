/**
 * @file A client's process ends and another one goes on, at every step: it continues the round or is
 * refused, and never says two different things in one step.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryLedger, memorySessionStore, type SessionStore } from 'fedloom';
import { fileSessionLedger, fileSessionStore } from 'fedloom/node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hospitals, MEAN, NAMES, type Step, SUM } from './hospitals.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloom-restart-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const SPARSE = Array.from({ length: 16 }, (_, i) => `clinic-${i}`);
const COMPLETE_STEPS: readonly Step[] = [
  'advertise',
  'share-keys',
  'mask-vectors',
  'confirm-survivors',
  'unmask',
];

const kept = () => ({
  ledger: fileSessionLedger(join(folder, 'ledger')),
  store: fileSessionStore(join(folder, 'sessions')),
});

test.each(COMPLETE_STEPS)('restarted before %s, a client goes on', async (before) => {
  const sessions = (): string[] => readdirSync(join(folder, 'sessions'));
  const { workflow, peers, restart } = hospitals({
    client: (_, i) => (i === 1 ? kept() : {}),
    line: ({ name, step, answer }) => {
      if (name === 'east' && step === before) restart(1);
      return answer();
    },
  });
  const { clients, lost } = await workflow.startMean(peers, MEAN).run();
  expect(lost).toEqual([]);
  expect(clients).toEqual(NAMES);
  expect(sessions()).toEqual([]);
});

test('restarted at every step of SecAgg+, a client goes on', async () => {
  const restarted: Step[] = [];
  const { workflow, peers, restart } = hospitals({
    names: SPARSE,
    workflow: { numShares: 11 },
    client: (_, i) => (i === 1 ? kept() : {}),
    line: ({ name, step, answer }) => {
      if (name === 'clinic-1') {
        restart(1);
        restarted.push(step);
      }
      return answer();
    },
  });
  const { clients } = await workflow.startSum(peers, SUM).run();
  expect(clients).toEqual(SPARSE);
  expect(restarted).toContain('choose-neighbours');
});

test.each(COMPLETE_STEPS)('without a store, one restarted before %s is out', async (before) => {
  const ledger = memoryLedger();
  const { workflow, peers, restart } = hospitals({
    client: (_, i) => (i === 1 ? { ledger } : {}),
    line: ({ name, step, answer }) => {
      if (name === 'east' && step === before) restart(1);
      return answer();
    },
  });
  const { lost } = await workflow.startMean(peers, MEAN).run();
  if (before === 'advertise') expect(lost).toEqual([]);
  else expect(lost).toMatchObject([{ client: 'east', step: before, code: 'unknown-session' }]);
});

test.each(COMPLETE_STEPS)(
  'an answer of %s that is lost comes again, the very same',
  async (step) => {
    const { workflow, peers, restart } = hospitals({
      client: (_, i) => (i === 1 ? kept() : {}),
      line: async ({ name, step: asked, answer }) => {
        if (name !== 'east' || asked !== step) return answer();
        const first = await answer();
        const again = await answer();
        expect(again).toEqual(first);
        // After its last step a client keeps nothing that outlives it.
        if (step === 'unmask') return first;
        restart(1);
        expect(await answer()).toEqual(first);
        return first;
      },
    });
    expect((await workflow.startMean(peers, MEAN).run()).lost).toEqual([]);
  },
);

test.each(COMPLETE_STEPS)('asked at once twice for %s, a client does it once', async (step) => {
  const { workflow, peers } = hospitals({
    line: async ({ name, step: asked, answer }) => {
      if (name !== 'east' || asked !== step) return answer();
      const [first, second] = await Promise.all([answer(), answer()]);
      expect(second).toEqual(first);
      return first!;
    },
  });
  expect((await workflow.startSum(peers, SUM).run()).lost).toEqual([]);
});

test.each(COMPLETE_STEPS)(
  'killed in %s behind the claim and before it was kept, a client refuses the step',
  async (at) => {
    // What is on the disk stays as it was: the process dies before the store is written.
    let frozen = false;
    const inner = memorySessionStore();
    const store: SessionStore = {
      save: (name, state) =>
        frozen ? Promise.reject(new Error('killed')) : inner.save(name, state),
      load: (name) => inner.load(name),
      remove: (name) => (frozen ? undefined : inner.remove(name)),
    };
    const codes: string[] = [];
    const { workflow, peers, restart } = hospitals({
      client: (_, i) => (i === 1 ? { ledger: memoryLedger(), store } : {}),
      line: async ({ name, step, answer }) => {
        if (name !== 'east' || step !== at) return answer();
        frozen = true;
        await answer();
        restart(1);
        frozen = false;
        const second = await answer();
        codes.push(new TextDecoder().decode(second.subarray(6 + 36 + 4)));
        return second;
      },
    });
    const { lost } = await workflow.startMean(peers, MEAN).run();
    expect(lost).toMatchObject([{ client: 'east', step: at }]);
    // Of the last step nothing is kept anyway: its answer is given, and the session was loaded again.
    expect(['session-used', 'unknown-session']).toContain(lost[0]!.code);
    expect(codes).toHaveLength(1);
  },
);

test('a state that is put back does no step again', async () => {
  const store = memorySessionStore();
  const copies = new Map<string, Uint8Array>();
  const keeping: SessionStore = {
    ...store,
    save(name, state) {
      copies.set(name, state.reveal().slice());
      return store.save(name, state);
    },
  };
  let masked: Uint8Array | undefined;
  const { SecretBytes } = await import('fedloom/protocols');
  const { workflow, peers, restart } = hospitals({
    client: (_, i) => (i === 1 ? { ledger: fileSessionLedger(folder), store: keeping } : {}),
    line: async ({ name, step, message, answer }) => {
      if (name !== 'east' || step !== 'mask-vectors') return answer();
      const before = new Map([...copies].map(([key, bytes]) => [key, bytes.slice()]));
      masked = await answer();
      // Somebody puts a backup of the disk back; the ledger is what still knows.
      for (const [key, bytes] of before) await store.save(key, new SecretBytes(bytes));
      restart(1);
      const other = message.slice();
      other[other.length - 1]! ^= 1;
      const again = await answer(other);
      expect(again[3]).toBe(3);
      expect(new TextDecoder().decode(again)).toContain('session-used');
      return masked;
    },
  });
  const { clients, lost } = await workflow.startMean(peers, MEAN).run();
  expect(clients).toContain('east');
  expect(lost).toMatchObject([{ client: 'east', stage: 'unmask' }]);
});

test('a saved session that is damaged, or too old, is not gone on with', async () => {
  const heard: string[] = [];
  for (const spoil of ['damage', 'age'] as const) {
    const own = join(folder, spoil);
    const { workflow, peers, restart } = hospitals({
      client: (_, i) =>
        i === 1
          ? {
              ledger: fileSessionLedger(join(own, 'ledger')),
              store: fileSessionStore(join(own, 'sessions')),
              sessionTimeout: 0.2,
              onError: (error) => heard.push(String(error)),
            }
          : {},
      line: async ({ name, step, answer }) => {
        if (name !== 'east' || step !== 'share-keys') return answer();
        const [file] = readdirSync(join(own, 'sessions'));
        const path = join(own, 'sessions', file!);
        const bytes = readFileSync(path);
        if (spoil === 'damage') bytes[100]! ^= 1;
        else await new Promise((resolve) => setTimeout(resolve, 300));
        writeFileSync(path, bytes);
        restart(1);
        return answer();
      },
    });
    const { lost } = await workflow.startSum(peers, SUM).run();
    expect(lost).toMatchObject([
      { client: 'east', code: spoil === 'damage' ? 'client-failed' : 'unknown-session' },
    ]);
  }
  expect(heard).toHaveLength(1);
  expect(heard[0]).toContain('damaged');
});

test.skipIf(process.platform === 'win32')('saved sessions are for their owner alone', async () => {
  const modes: number[] = [];
  const { workflow, peers } = hospitals({
    client: (_, i) => (i === 1 ? kept() : {}),
    line: ({ name, step, answer }) => {
      if (name === 'east' && step === 'mask-vectors') {
        for (const file of readdirSync(join(folder, 'sessions'))) {
          modes.push(statSync(join(folder, 'sessions', file)).mode & 0o777);
        }
        modes.push(statSync(join(folder, 'sessions')).mode & 0o777);
      }
      return answer();
    },
  });
  await workflow.startSum(peers, SUM).run();
  expect(modes).toEqual([0o600, 0o700]);
});

test('what is saved prints no secret, and a closed client answers nothing more', async () => {
  const { workflow, peers, clients } = hospitals({ client: (_, i) => (i === 1 ? kept() : {}) });
  const round = workflow.startSum(peers, SUM);
  await round.setup();
  clients[1]!.close();
  expect(clients[1]!.sessions).toBe(0);
  const { lost } = await round.run();
  expect(lost).toMatchObject([{ client: 'east', code: 'client-closed' }]);
});
