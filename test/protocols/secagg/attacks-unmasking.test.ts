/**
 * @file Attacks on the end of a round, each under its number in the list of attacks and faults that
 * this package answers: both shares of a client, lies about who survived, wrong shares, crashes.
 */

import {
  Bitmap,
  type Confirmations,
  memoryLedger,
  type RevealedShares,
  restoreSecAggClient,
  type SurvivorSet,
  saveSecAggClient,
  survivorSetCodec,
} from 'fedloom/protocols';
import { describe, expect, test } from 'vitest';
import type { HeldShares } from '../../../protocols/secagg/client/state.ts';
import { expectKind } from '../support.ts';
import { clientStep, cohortOf, sumOf, sumsIn } from './cohort.ts';
import { flipped, VICTIM } from './refusals/client-refusal.ts';
import { lie } from './refusals/server-refusal.ts';
import { configure } from './refusals/steps.ts';
import { secretsIn } from './secrets.ts';
import { type ClientOutcome, SHAPES, type Shape, StagedRound } from './staged.ts';

const shapes = Object.keys(SHAPES) as Shape[];

describe('D1 an unmasking that asks for both shares of one client', () => {
  test('cannot be said: one bit of a client asks for one share or for the other', () => {
    // Every set of survivors of five, in the model in which the server is believed.
    let answers = 0;
    for (let set = 0; set < 2 ** 5; set += 1) {
      const round = StagedRound.of('believed', { threshold: 3 }).to('unmask');
      const dealers = heldBy(round);
      const alive = new Bitmap(5, Uint8Array.of(set));
      const held = dealers.map(sharesOf);
      const outcome = round.step(VICTIM, { ...round.message(VICTIM, 'survivor-set'), alive });
      if (!alive.has(VICTIM) || alive.count() < 3) {
        expectKind(outcome, 'fault');
        continue;
      }
      answers += 1;
      const given = revealedBy(outcome);
      for (const [i, { client }] of dealers.entries()) {
        const { maskShare, selfShare } = held[i]!;
        expect(given[i]).toEqual(alive.has(client) ? selfShare : maskShare);
      }
      expect(given).toHaveLength(dealers.length + 1);
    }
    expect(answers).toBe(11);
  });

  test.each(shapes)('leaves a client with nothing to answer another by (%s)', (shape) => {
    const round = StagedRound.of(shape).to('unmask');
    const state = round.states.get(VICTIM)!;
    const secrets = secretsIn(state.peek().content);
    round.answer(VICTIM);
    expect(secrets.length).toBeGreaterThan(0);
    expect(secrets.every(({ erased }) => erased)).toBe(true);
  });
});

describe('D2 a second unmasking, with other survivors', () => {
  test.each(shapes)('finds the state used up (%s)', (shape) => {
    const round = StagedRound.of(shape).to('unmask');
    const state = round.states.get(VICTIM)!;
    const message = round.messages.get(VICTIM)!;
    round.answer(VICTIM, message);
    expect(() => clientStep(round.cohort, VICTIM, state, 'unmask', message)).toThrow(
      /state-consumed/,
    );
  });

  test.each(shapes)(
    'finds the answer noted before it was given, after a restart too (%s)',
    (shape) => {
      const round = StagedRound.of(shape);
      const ledger = memoryLedger();
      configure(round, { ledger });
      round.to('unmask');
      const saved = saveSecAggClient(round.states.get(VICTIM)!);
      // The process ends when the ledger has written and nothing was sent yet.
      configure(round, {
        ledger: {
          claim(step) {
            ledger.claim(step);
            throw new Error('the process ends');
          },
        },
      });
      round.states.set(VICTIM, restoreSecAggClient(saved, round.cohort.configs[VICTIM]!));
      expect(() => round.step(VICTIM)).toThrow('the process ends');
      configure(round, { ledger });
      round.states.set(VICTIM, restoreSecAggClient(saved, round.cohort.configs[VICTIM]!));
      expect(round.step(VICTIM)).toMatchObject({ kind: 'fault', code: 'session-used' });
    },
  );

  test.each(['complete', 'chosen'] as const)(
    'is refused by a client that confirmed other survivors (%s)',
    (shape) => {
      const round = StagedRound.of(shape).to('confirm-survivors');
      const saidFirst = round.message(VICTIM, 'survivor-set');
      const state = round.states.get(VICTIM)!;
      round.answer(VICTIM, saidFirst);
      const other = { ...saidFirst, alive: new Bitmap(saidFirst.alive.size), included: [] };
      expect(() => clientStep(round.cohort, VICTIM, state, 'confirm-survivors', other)).toThrow(
        /state-consumed/,
      );
      // There is no second confirmation in the state that follows either.
      const next = round.states.get(VICTIM)!;
      const again = clientStep(round.cohort, VICTIM, next, 'confirm-survivors', other);
      expect(again).toMatchObject({ kind: 'fault', code: 'wrong-step' });
    },
  );
});

describe('D3 survivors of whom one', () => {
  const { session } = cohortOf(SHAPES.complete).agreement;
  const heading = { kind: 'survivor-set', session, round: 0, client: VICTIM } as const;

  test('is named twice cannot be said: a set is one bit each', () => {
    const once = { ...heading, alive: Bitmap.of(5, [0, 1, 2, 3]), included: [] };
    const twice = { ...heading, alive: Bitmap.of(5, [0, 1, 2, 3, 3]), included: [] };
    expect(survivorSetCodec.encode(twice)).toEqual(survivorSetCodec.encode(once));
  });

  test('is unknown cannot be said: there is no bit for it', () => {
    const beyond = { ...heading, alive: new Bitmap(5, Uint8Array.of(0b0010_0111)), included: [] };
    expect(survivorSetCodec.decode(survivorSetCodec.encode(beyond))).toMatchObject({
      code: 'malformed-message',
    });
  });

  test.each(['complete', 'believed'] as const)(
    'is said to be dead, the client itself (%s)',
    (shape) => {
      const { outcome, round } = told(shape, [1, 2, 3, 4]);
      expect(outcome).toMatchObject({
        code: 'self-missing',
        message: expect.stringMatching(/survivors/),
      });
      expect(round.states.has(VICTIM)).toBe(false);
    },
  );

  test.each(['complete', 'believed'] as const)(
    'was dead before is refused by its number, and is not asked about (%s)',
    (shape) => {
      const { outcome } = told(shape, [0, 1, 2, 3, 4], [3]);
      expect(outcome).toMatchObject({
        code: 'unknown-survivor',
        message: expect.stringContaining('client 3'),
      });
      // Said to be dead again, it changes nothing: nobody has a share of it.
      const { outcome: fine, round } = told(shape, [0, 1, 2, 4], [3]);
      expect(fine.kind).not.toBe('fault');
      expect(round.states.size).toBeGreaterThan(0);
    },
  );
});

describe('D4 survivors below the threshold', () => {
  test.each(['complete', 'believed'] as const)('get no share of anybody (%s)', (shape) => {
    const { threshold } = cohortOf(SHAPES[shape]).agreement;
    const few = [0, 1, 2, 3, 4].slice(0, threshold - 1);
    const { outcome, secrets } = told(shape, few);
    expect(outcome).toMatchObject({ kind: 'fault', code: 'too-few-survivors' });
    expect(outcome).not.toHaveProperty('message.shares');
    expect(secrets.every(({ erased }) => erased)).toBe(true);
  });

  test('are not confirmed by enough in a graph that clients chose', () => {
    const round = StagedRound.of('chosen').to('confirm-survivors');
    const { threshold, clients } = round.cohort.agreement;
    // The server has most clients take most others for lost; nobody then hears from enough.
    for (const [client, message] of round.messages) {
      const { alive, included } = message as SurvivorSet;
      const places = alive.places().slice(0, 1);
      const few = {
        ...(message as SurvivorSet),
        alive: Bitmap.of(alive.size, places),
        included: included.slice(0, 1),
      };
      round.deliver(client, round.answer(client, few));
    }
    const confirmed = [...round.states.keys()];
    expect(confirmed).toHaveLength(clients);
    const outcomes = confirmed.map((client) => {
      const { content } = round.states.get(client)!.peek();
      if (content.stage !== 'confirmed') throw new Error(content.stage);
      const message: Confirmations = {
        kind: 'confirmations',
        session: content.agreement.session,
        round: 0,
        client,
        from: new Bitmap(content.holders.length),
        statements: [],
      };
      return clientStep(round.cohort, client, round.states.get(client), 'unmask', message)!;
    });
    expect(threshold).toBeGreaterThan(1);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ kind: 'fault', code: 'too-few-confirmations' });
    }
  });
});

describe('D9 survivors of whom clients are told differently', () => {
  test('are found out by the signatures (complete graph)', () => {
    const round = StagedRound.of('complete').to('confirm-survivors');
    const signatures = new Map<number, Uint8Array>();
    for (const client of round.messages.keys()) {
      // Client 4 is alive to the first three, and dead to the rest, who are told of nobody but it.
      const alive = Bitmap.of(5, client < 3 ? [0, 1, 2, 3, 4] : [0, 1, 2, 3]);
      const message = { ...round.message(client, 'survivor-set'), alive };
      const outcome = round.step(client, message);
      if (client === 4) {
        expect(outcome).toMatchObject({ code: 'self-missing' });
        continue;
      }
      const answer = expectKind(outcome, 'continue').message;
      if (answer.kind !== 'confirmation') throw new Error(answer.kind);
      signatures.set(client, answer.statements[0]!);
    }
    for (const client of [0, 1, 2, 3]) {
      const message = confirmationsOf(round, client, signatures);
      const state = round.states.get(client);
      expect(clientStep(round.cohort, client, state, 'unmask', message)).toMatchObject({
        kind: 'fault',
        code: 'bad-signature',
        offender: client < 3 ? 'client-3' : 'client-0',
      });
    }
  });

  test('get shares of one kind at most, however the clients are divided', () => {
    let some = 0;
    for (let division = 0; division < 2 ** 5; division += 1) {
      const shares = sharesOfVictim(new Bitmap(5, Uint8Array.of(division)));
      expect(Math.min(shares.self, shares.mask)).toBe(0);
      some += shares.self + shares.mask;
    }
    // The server that lies to nobody, or to few, gets what it may.
    expect(some).toBeGreaterThan(0);
  });

  test('are found out by the statements of neighbours (chosen graph)', () => {
    // The victim is alive to itself and a survivor to few of those who hold its shares.
    const round = StagedRound.of('chosen').to('confirm-survivors');
    const { threshold } = round.cohort.agreement;
    const holders = round.server.peek().neighbours(VICTIM).holders;
    const convinced = new Set(holders.slice(0, threshold - 2));
    for (const client of round.messages.keys()) {
      const message = round.message(client, 'survivor-set');
      const { dealers } = round.server.peek().neighbours(client);
      const place = dealers.indexOf(VICTIM);
      const lied = place >= 0 && !convinced.has(client);
      const answer = round.answer(client, lied ? withoutPlace(message, place) : message);
      if (answer.kind !== 'confirmation') throw new Error(answer.kind);
      // The server puts something where the statement about the victim is missing.
      const statements = lied
        ? [
            ...answer.statements.slice(0, place),
            new Uint8Array(16),
            ...answer.statements.slice(place),
          ]
        : answer.statements;
      expect(round.deliver(client, { ...answer, statements }).kind).toBe('continue');
    }
    round.advance();
    expect(round.step(VICTIM)).toMatchObject({
      kind: 'fault',
      stage: 'unmask',
      code: 'too-few-confirmations',
    });
  });

  test('cannot show a client as a survivor that did not say so itself (chosen graph)', () => {
    const round = StagedRound.of('chosen').to('mask-vectors');
    const silent = round.server.peek().neighbours(VICTIM).dealers[0]!;
    round.answerAll([silent]);
    round.advance();
    // The server has no statement of it, and makes one up.
    const message = round.message(VICTIM, 'survivor-set');
    expect(message.alive.places()).not.toContain(0);
    const forged = {
      ...message,
      alive: Bitmap.of(message.alive.size, [0, ...message.alive.places()]),
      included: [new Uint8Array(16).fill(1), ...message.included],
    };
    const answer = round.answer(VICTIM, forged);
    if (answer.kind !== 'confirmation') throw new Error(answer.kind);
    // It says nothing of it that counts, and gives neither of its shares.
    expect(answer.statements[0]).toEqual(new Uint8Array(16));
    round.deliver(VICTIM, { ...answer, statements: answer.statements.slice(1) });
    round.answerAll();
    round.advance();
    const given = round.answer(VICTIM);
    if (given.kind !== 'revealed-shares') throw new Error(given.kind);
    expect(given.given.has(0)).toBe(false);
  });
});

describe('D18 a wrong share that is well formed', () => {
  test.each(shapes)('is found, its giver named, and the sum exact without it (%s)', (shape) => {
    const round = StagedRound.of(shape).to('unmask');
    lie(round, 'revealed-shares', (message) => ({
      ...message,
      shares: message.shares.map((share, i) => (i === 0 ? flipped(share, 31) : share)),
    }));
    const end = expectKind(round.finish(), 'finish');
    expect(sumsIn(end)).toEqual(sumOf(round.cohort, round.cohort.configs.keys()));
    const active = SHAPES[shape].model === 'active';
    expect(end.report.blamed).toMatchObject([
      { client: 1, code: active ? 'bad-revealed-share' : 'disputed-share' },
    ]);
  });
});

/** What the victim says to survivors of the server's making. */
function told(
  shape: 'complete' | 'believed',
  survivors: readonly number[],
  lostBefore: readonly number[] = [],
): {
  readonly outcome: ClientOutcome;
  readonly round: StagedRound;
  readonly secrets: ReturnType<typeof secretsIn>;
} {
  const round = StagedRound.of(shape).to('share-keys');
  round.answerAll(lostBefore);
  round.advance();
  round.to(shape === 'complete' ? 'confirm-survivors' : 'unmask');
  const secrets = secretsIn(round.states.get(VICTIM)!.peek().content);
  const alive = Bitmap.of(5, survivors);
  const message = { ...round.message(VICTIM, 'survivor-set'), alive };
  return { outcome: round.step(VICTIM, message), round, secrets };
}

/**
 * The server tells one part of the clients that the victim survived and the rest that it did not, and
 * passes to each the confirmations that agree with what it said. How many shares it gets of each kind.
 */
function sharesOfVictim(convinced: Bitmap): { readonly self: number; readonly mask: number } {
  const round = StagedRound.of('complete').to('confirm-survivors');
  const all = [0, 1, 2, 3, 4];
  const got = { self: 0, mask: 0 };
  for (const [kind, survivors] of [
    ['self', all],
    ['mask', all.filter((client) => client !== VICTIM)],
  ] as const) {
    const statements = new Map<number, Uint8Array>();
    for (const client of all.filter((other) => convinced.has(other) === (kind === 'self'))) {
      const alive = Bitmap.of(5, survivors);
      const outcome = round.step(client, { ...round.message(client, 'survivor-set'), alive });
      if (outcome.kind === 'fault' || outcome.message.kind !== 'confirmation') continue;
      statements.set(client, outcome.message.statements[0]!);
    }
    for (const client of statements.keys()) {
      const message = confirmationsOf(round, client, statements);
      const outcome = clientStep(
        round.cohort,
        client,
        round.states.get(client),
        'unmask',
        message,
      )!;
      if (outcome.kind !== 'fault' && client !== VICTIM) got[kind] += 1;
    }
  }
  return got;
}

function confirmationsOf(
  { cohort }: StagedRound,
  client: number,
  statements: ReadonlyMap<number, Uint8Array>,
): Confirmations {
  return {
    kind: 'confirmations',
    session: cohort.agreement.session,
    round: 0,
    client,
    from: Bitmap.of(5, [...statements.keys()]),
    statements: [...statements.values()],
  };
}

function heldBy(round: StagedRound): readonly HeldShares[] {
  const { content } = round.states.get(VICTIM)!.peek();
  if (content.stage !== 'masked') throw new Error(`the victim is at ${content.stage}`);
  return content.dealers;
}

function sharesOf({ maskShare, selfShare }: HeldShares): {
  readonly maskShare: Uint8Array;
  readonly selfShare: Uint8Array;
} {
  return {
    maskShare: maskShare!.reveal().slice(),
    selfShare: selfShare!.reveal().slice(),
  };
}

function revealedBy(outcome: ClientOutcome): RevealedShares['shares'] {
  if (outcome.kind !== 'finish' || outcome.message.kind !== 'revealed-shares') {
    throw new Error(`no shares but ${outcome.kind}`);
  }
  return outcome.message.shares;
}

function withoutPlace(message: SurvivorSet, place: number): SurvivorSet {
  const places = message.alive.places();
  const at = places.indexOf(place);
  return {
    ...message,
    alive: Bitmap.of(
      message.alive.size,
      places.filter((other) => other !== place),
    ),
    included: message.included.filter((_, i) => i !== at),
  };
}
