/** @file What clients refuse, what the server hears of it, and that nobody hears a secret. */

import { inspect } from 'node:util';
import { generateIdentities, type SummationClientOptions, summationClient } from 'fedloom';
import {
  type Announcement,
  announcementCodec,
  concatBytes,
  ProtocolError,
  type SecAggAgreement,
  sumVector,
} from 'fedloom/protocols';
import { expect, test } from 'vitest';
import { hospitals, MEAN, NAMES, SUM } from './hospitals.ts';

type Given = Partial<SummationClientOptions>;
const SECRET = 1234.56789;

const REFUSED: readonly (readonly [string, Given, string, string])[] = [
  ['a larger cohort', { policy: { minimumClients: 6 } }, 'setup', 'cohort-too-small'],
  ['another model', { policy: { models: ['semi-honest'] } }, 'setup', 'model-refused'],
  ['more security', { policy: { corruptRate: 0.5 } }, 'setup', 'insecure-parameters'],
  [
    'another clipping range',
    { quantization: { clippingRange: 4 } },
    'setup',
    'quantization-refused',
  ],
  [
    'other levels',
    { quantization: { quantizationRange: 2 ** 20 } },
    'setup',
    'quantization-refused',
  ],
  ['another largest weight', { quantization: { maxWeight: 10 } }, 'setup', 'quantization-refused'],
  ['another modulus', { quantization: { modulusRange: 2 ** 40 } }, 'setup', 'quantization-refused'],
  ['shorter messages', { limits: { values: 2 } }, 'setup', 'malformed-message'],
];

test.each(REFUSED)('a client that asks for %s does not take part', async (_, own, stage, code) => {
  const { workflow, peers, clients } = hospitals({
    client: (name) => (name === 'east' ? own : {}),
  });
  const { lost, clients: included } = await workflow.startMean(peers, MEAN).run();
  expect(included).toEqual(NAMES.filter((name) => name !== 'east'));
  expect(lost).toMatchObject([{ client: 'east', stage, code, reason: 'refused' }]);
  expect(clients[1]!.sessions).toBe(0);
});

test('a client that states what it is ready to sum refuses other bounds', async () => {
  const { workflow, peers } = hospitals({
    client: (name) =>
      name === 'east'
        ? {
            accept: (task, clients) =>
              task.kind === 'sum' && task.tensors[0]!.maximum === 1000n && clients === 5,
          }
        : {},
  });
  expect((await workflow.startSum(peers, SUM).run()).lost).toEqual([]);
  const narrow = { tensors: { counts: { shape: 2, maximum: 999 } } };
  for (const round of [workflow.startSum(peers, narrow), workflow.startMean(peers, MEAN)]) {
    expect((await round.run()).lost).toMatchObject([
      { client: 'east', stage: 'setup', code: 'task-refused' },
    ]);
  }
});

const GIVEN: readonly (readonly [string, unknown, string])[] = [
  ['nothing', undefined, 'wrong-contribution'],
  ['no tensors', { weight: 1 }, 'wrong-contribution'],
  ['a tensor too few', { tensors: { weights: [1, 2] }, weight: 1 }, 'wrong-contribution'],
  [
    'a tensor too many',
    { tensors: { weights: [1, 2], bias: [1], [`patient ${SECRET}`]: [1] }, weight: 1 },
    'wrong-contribution',
  ],
  ['another length', { tensors: { weights: [1], bias: [1] }, weight: 1 }, 'wrong-contribution'],
  ['no weight', { tensors: { weights: [1, 2], bias: [1] } }, 'wrong-contribution'],
  ['texts', { tensors: { weights: ['1', '2'], bias: [1] }, weight: 1 }, 'wrong-contribution'],
  ['no number', { tensors: { weights: [1, Number.NaN], bias: [1] }, weight: 1 }, 'not-finite'],
  ['a large weight', { tensors: { weights: [1, 2], bias: [1] }, weight: SECRET }, 'out-of-range'],
  [
    'a negative weight',
    { tensors: { weights: [1, 2], bias: [1] }, weight: -SECRET },
    'out-of-range',
  ],
];

test.each(GIVEN)('a contribution of %s is refused at its client', async (_, given, code) => {
  const { workflow, peers } = hospitals({
    client: (name) => (name === 'east' ? { contribute: () => given as never } : {}),
  });
  const result = await workflow.startMean(peers, MEAN).run();
  expect(result.lost).toMatchObject([{ client: 'east', stage: 'collectMaskedVectors', code }]);
  expect(JSON.stringify(result.lost)).not.toContain(String(SECRET));
});

test.each([
  ['a fraction', { tensors: { counts: [0.5, 1] } }, 'not-an-integer'],
  ['more than the maximum', { tensors: { counts: [1001, 1] } }, 'out-of-range'],
  ['less than nothing', { tensors: { counts: [-1, 1] } }, 'out-of-range'],
  ['a weight, as for a mean', { tensors: { counts: [1, 1] }, weight: 2 }, 'wrong-contribution'],
] as const)('for a sum, %s is refused at its client', async (_, given, code) => {
  const { workflow, peers } = hospitals({
    client: (name) => (name === 'east' ? { contribute: () => given as never } : {}),
  });
  const { lost } = await workflow.startSum(peers, SUM).run();
  expect(lost).toMatchObject([{ client: 'east', code }]);
});

/** Where the task of a first request begins, and where its body does. */
const TASK = 6 + 4 + 32 + 4;
const bodyOf = (message: Uint8Array): number =>
  TASK + new DataView(message.buffer, message.byteOffset).getUint32(TASK - 4);

const LIES: readonly (readonly [
  string,
  (agreement: SecAggAgreement) => SecAggAgreement,
  string,
])[] = [
  [
    'another vector beside those of the task',
    (agreement) => ({
      ...agreement,
      vectors: [...agreement.vectors, sumVector('more', 1, 1n, agreement.clients)],
    }),
    'invalid-parameters',
  ],
  [
    'a longer vector than that of the task',
    ({ vectors: [vector], ...agreement }) => ({
      ...agreement,
      vectors: [{ ...vector!, length: vector!.length + 1 }],
    }),
    'invalid-parameters',
  ],
  [
    'another session than the envelope',
    (agreement) => ({ ...agreement, session: new Uint8Array(32) }),
    'wrong-session',
  ],
];

test.each(LIES)('a server that announces %s is refused', async (_, lie, code) => {
  const { workflow, peers } = hospitals({
    line: ({ name, step, message, answer }) => {
      if (name !== 'east' || step !== 'advertise') return answer();
      const start = bodyOf(message);
      const announcement = announcementCodec.decode(message.slice(start)) as Announcement;
      const told = { ...announcement, agreement: lie(announcement.agreement) };
      return answer(concatBytes(message.subarray(0, start), announcementCodec.encode(told)));
    },
  });
  const { lost } = await workflow.startSum(peers, SUM).run();
  expect(lost).toMatchObject([{ client: 'east', stage: 'setup', code }]);
});

test('a client that was told another task than the rest adds noise, which is left out', async () => {
  const context = new Uint8Array(4);
  const { workflow, peers } = hospitals({
    // What it found itself is that of the rest: only the task is another.
    client: (_, i) => ({ contribute: () => ({ tensors: { counts: [i, 2 * i] }, context }) }),
    line: ({ name, step, message, answer }) => {
      if (name !== 'east' || step !== 'advertise') return answer();
      const other = message.slice();
      // Behind the frame, the kind and the length of the context.
      other[TASK + 5 + 1 + 4]! ^= 1;
      return answer(other);
    },
  });
  const { lost, sums } = await workflow.startSum(peers, { ...SUM, context }).run();
  expect(lost).toMatchObject([{ client: 'east', code: 'context-mismatch' }]);
  expect([...sums.counts!]).toEqual([9n, 18n]);
});

test('values outside of the range are clipped, or refused by a client that wants so', async () => {
  const far = { tensors: { weights: [100, -100], bias: [SECRET] }, weight: 1 };
  const { workflow, peers } = hospitals({
    client: (_, i) => ({ contribute: () => far, ...(i === 1 && { onClip: 'refuse' as const }) }),
  });
  const { lost, mean, errorBound } = await workflow.startMean(peers, MEAN).run();
  expect(lost).toMatchObject([{ client: 'east', code: 'out-of-range' }]);
  expect(lost[0]!.message).not.toContain(String(SECRET));
  expect(Math.abs(mean.weights![0]! - 8)).toBeLessThanOrEqual(errorBound);
});

test('what a client throws stays there; the server hears that it failed', async () => {
  const failure = new Error(`patient ${SECRET} has no record`);
  const heard: unknown[] = [];
  const { workflow, peers } = hospitals({
    client: (name) =>
      name === 'east'
        ? {
            contribute: () => Promise.reject(failure),
            onError: (error, { step }) => heard.push(error, step),
          }
        : {},
  });
  const result = await workflow.startMean(peers, MEAN).run();
  expect(heard).toEqual([failure, 'mask-vectors']);
  expect(result.lost).toMatchObject([{ client: 'east', code: 'client-failed' }]);
  expect(inspect(result, { depth: 9 })).not.toContain(String(SECRET));
});

test('a ledger that fails keeps a step from being done', async () => {
  const heard: unknown[] = [];
  const { workflow, peers } = hospitals({
    client: (name) =>
      name === 'east'
        ? {
            ledger: {
              claim(step) {
                if (step.endsWith('share-keys')) throw new Error('disk full at /secret/place');
                return true;
              },
            },
            onError: (error) => heard.push(error),
          }
        : {},
  });
  const { lost } = await workflow.startSum(peers, SUM).run();
  expect(lost).toMatchObject([{ client: 'east', stage: 'shareKeys', code: 'client-failed' }]);
  expect(lost[0]!.message).not.toContain('secret');
  expect(heard).toHaveLength(1);
});

test('a client with enough rounds behind it takes part in no more', async () => {
  const claimed = new Set<string>();
  const ledger = { claim: (step: string) => !claimed.has(step) && !!claimed.add(step) };
  const { workflow, peers } = hospitals({
    client: (name) => (name === 'east' ? { policy: { mostRounds: 1 }, ledger } : {}),
  });
  expect((await workflow.startSum(peers, SUM).run()).lost).toEqual([]);
  const { lost } = await workflow.startSum(peers, SUM).run();
  expect(lost).toMatchObject([{ client: 'east', code: 'too-many-rounds' }]);
});

test('a client takes part in so many rounds at a time', async () => {
  const { workflow, peers } = hospitals({ client: () => ({ mostSessions: 1 }) });
  using first = workflow.startSum(peers, SUM);
  await first.setup();
  const second = await workflow
    .startSum(peers, SUM)
    .run()
    .catch((error) => error);
  expect(second.message).toContain('1 rounds at a time');
  expect((await first.run()).clients).toEqual(NAMES);
});

test('rounds that are left alone are erased, and a contribution nobody waits for is aborted', async () => {
  let aborted = false;
  const noteAbort = () => {
    aborted = true;
  };
  const { workflow, peers, clients } = hospitals({
    workflow: { timeout: 20 },
    client: (_, i) => ({
      sessionTimeout: i === 2 ? 0.3 : 100,
      contribute: ({ signal }) =>
        i === 2
          ? new Promise(() => signal.addEventListener('abort', noteAbort))
          : { tensors: { counts: [1, 1] } },
    }),
  });
  const { lost } = await workflow.startSum(peers, SUM).run();
  expect(lost).toMatchObject([{ client: 'south', code: 'session-over' }]);
  expect(aborted).toBe(true);
  expect(clients[2]!.sessions).toBe(0);
});

test('a text from a client cannot pass for lines of a log', async () => {
  const { workflow, peers } = hospitals({
    line: async ({ name, step, answer }) => {
      const bytes = await answer();
      if (name !== 'east' || step !== 'advertise') return bytes;
      const session = bytes.subarray(6, 6 + 36);
      const code = new TextEncoder().encode('no-way');
      const text = new TextEncoder().encode('no\n\u001b[31mERROR: all is lost');
      return Uint8Array.from([
        ...[0x46, 0x4c, 6, 3, 1, 0, ...session],
        ...[0, 0, 0, code.length, ...code, 0, 0, 0, text.length, ...text],
      ]);
    },
  });
  const { lost } = await workflow.startSum(peers, SUM).run();
  expect(lost).toMatchObject([{ client: 'east', code: 'no-way' }]);
  expect(lost[0]!.message).toMatch(/no\uFFFD\uFFFD\[31mERROR/);
});

test('no key is in a client, a round or a workflow that is printed', async () => {
  const { workflow, peers, clients, options } = hospitals();
  const round = workflow.startMean(peers, MEAN);
  await round.setup();
  await round.shareKeys();
  const printed = [clients, round, workflow, peers, options]
    .map((value) => inspect(value, { depth: 12, showHidden: true }) + JSON.stringify(value))
    .join();
  for (const { identity } of options) {
    const key = Buffer.from(identity!.secretKey.reveal());
    expect(printed).not.toContain(key.toString('hex'));
    expect(printed).not.toContain(key.join(', '));
  }
  round.close();
});

test('a client needs what its policy and its store take', () => {
  const { roster, identities } = generateIdentities(['a', 'b']);
  const [identity, other] = identities;
  const contribute = () => ({ tensors: {} });
  const impossible: (readonly [Given, RegExp])[] = [
    [{}, /needs an identity/],
    [{ identity: identity! }, /needs a roster/],
    [{ identity: { ...identity!, secretKey: other!.secretKey }, roster }, /another public key/],
    [{ identity: generateIdentities(['z']).identities[0]!, roster }, /none of the 2 members/],
    [
      { identity: identity!, roster, store: { save() {}, load: () => undefined, remove() {} } },
      /ledger/,
    ],
    [{ identity: identity!, roster, policy: { mostRounds: 1 } }, /ledger/],
  ];
  for (const [own, message] of impossible) {
    expect(() => summationClient({ contribute, ...own })).toThrow(
      expect.objectContaining({ message: expect.stringMatching(message) }),
    );
    expect(() => summationClient({ contribute, ...own })).toThrow(ProtocolError);
  }
  const base = { contribute, identity: identity!, roster };
  for (const own of [
    { mostSessions: 0 },
    { sessionTimeout: 0 },
    { quantization: { maxWeight: -1 } },
  ]) {
    expect(() => summationClient({ ...base, ...own })).toThrow(
      expect.objectContaining({ name: 'ValueError' }),
    );
  }
});
