/**
 * @file What a client checks of the survivors: Bonawitz et al. 2017, figure 4, rounds 3 and 4, and
 * Bell et al. 2020, section 4, rounds 4 and 5.
 */

import { Bitmap, ed25519Sign, type SecretBytes, type SurvivorSet } from 'fedloom/protocols';
import { survivorsStatement } from '../../../../protocols/secagg/statements.ts';
import type { Shape, StagedRound } from '../staged.ts';
import { type ClientRefusal, flipped, instead, VICTIM } from './client-refusal.ts';

/** In the active model the set is confirmed first; in the others it is unmasked by at once. */
const SETS: readonly { readonly shape: Shape; readonly at: 'confirm-survivors' | 'unmask' }[] = [
  { shape: 'complete', at: 'confirm-survivors' },
  { shape: 'believed', at: 'unmask' },
];

export const COMPLETE_SET_REFUSALS: readonly ClientRefusal[] = SETS.flatMap(
  ({ shape, at }): ClientRefusal[] => [
    ...[-1, 1].map(
      (more): ClientRefusal => ({
        check: `the survivors are told over the cohort (${more} places more)`,
        shape,
        at,
        told: alive((places, size) => [places.slice(0, 4), size + more]),
        code: 'wrong-set',
      }),
    ),
    {
      check: 'the survivors shared their secrets (U3 within U2)',
      shape,
      at,
      before: (round) => {
        round.to('share-keys');
        round.answerAll([3]);
        round.advance();
      },
      told: alive((places) => [...places, 3].sort()),
      code: 'unknown-survivor',
    },
    {
      check: 'it is among the survivors (u in U3)',
      shape,
      at,
      told: alive((places) => places.slice(1)),
      code: 'self-missing',
    },
    {
      check: 'at least as many as the threshold survived (|U3| >= t)',
      shape,
      options: { minimumClients: 1 },
      at,
      told: alive((places, _size, { cohort }) => places.slice(0, cohort.agreement.threshold - 1)),
      code: 'too-few-survivors',
    },
    {
      check: 'at least as many as its own minimum survived',
      shape,
      options: { minimumClients: 5 },
      at,
      told: alive((places) => places.slice(0, 4)),
      code: 'too-few-survivors',
    },
    {
      check: 'nobody states anything about being included in a complete graph',
      shape,
      at,
      told: instead('survivor-set', (message) => ({ ...message, included: [new Uint8Array(16)] })),
      code: 'wrong-statement-count',
    },
  ],
);

export const NEIGHBOUR_SET_REFUSALS: readonly ClientRefusal[] = [
  ...(['chosen', 'ring'] as const).flatMap((shape) =>
    [-1, 1].map(
      (more): ClientRefusal => ({
        check: `the survivors are told over those whose shares it holds (${shape}, ${more} places more)`,
        shape,
        at: shape === 'chosen' ? 'confirm-survivors' : 'unmask',
        told: instead('survivor-set', (message) => ({
          ...message,
          alive: new Bitmap(message.alive.size + more),
          included: [],
        })),
        code: 'wrong-set',
      }),
    ),
  ),
  ...(
    [
      ['one less', -1],
      ['one more', 1],
    ] as const
  ).map(
    ([what, more]): ClientRefusal => ({
      check: `each survivor states that it included this client (${what})`,
      shape: 'chosen',
      at: 'confirm-survivors',
      told: instead('survivor-set', ({ included, ...message }) => ({
        ...message,
        included: more < 0 ? included.slice(1) : [...included, included[0]!],
      })),
      code: 'wrong-statement-count',
    }),
  ),
  {
    check: 'as many as the threshold, with itself, are left of its neighbours (a ring)',
    shape: 'ring',
    options: { threshold: 3 },
    at: 'unmask',
    told: alive((places) => places.slice(0, 1)),
    code: 'too-few-survivors',
  },
  {
    check: 'nobody states anything about being included in a ring',
    shape: 'ring',
    at: 'unmask',
    told: instead('survivor-set', (message) => ({ ...message, included: [new Uint8Array(16)] })),
    code: 'wrong-statement-count',
  },
];

export const MODEL_REFUSALS: readonly ClientRefusal[] = [
  {
    check: 'where nobody confirms, it does not either',
    shape: 'believed',
    at: 'confirm-survivors',
    // As a server would that wants a statement about a set of its own.
    before: (round) => {
      round.to('unmask');
      round.stage = 'confirm-survivors';
    },
    code: 'wrong-step',
  },
  ...(['complete', 'chosen'] as const).map(
    (shape): ClientRefusal => ({
      check: `in the active model it gives nothing before others confirmed (${shape})`,
      shape,
      at: 'unmask',
      before: (round) => {
        round.to('confirm-survivors');
        round.stage = 'unmask';
      },
      code: 'wrong-step',
    }),
  ),
];

export const SIGNATURE_REFUSALS: readonly ClientRefusal[] = [
  ...[-1, 1].map(
    (more): ClientRefusal => ({
      check: `who confirmed is told over the cohort (${more} places more)`,
      shape: 'complete',
      at: 'unmask',
      told: instead('confirmations', (message) => ({
        ...message,
        from: Bitmap.of(message.from.size + more, message.from.places().slice(0, 4)),
        statements: message.statements.slice(0, 4),
      })),
      code: 'wrong-set',
    }),
  ),
  {
    check: 'each that confirmed has its signature there',
    shape: 'complete',
    at: 'unmask',
    told: instead('confirmations', (message) => ({
      ...message,
      statements: message.statements.slice(1),
    })),
    code: 'wrong-statement-count',
  },
  {
    check: 'only survivors confirm (U4 within U3)',
    shape: 'complete',
    at: 'unmask',
    before: (round) => {
      round.to('mask-vectors');
      round.answerAll([3]);
      round.advance();
    },
    told: instead('confirmations', (message, round) => ({
      ...message,
      from: Bitmap.of(5, [0, 1, 2, 3, 4]),
      statements: [
        ...message.statements.slice(0, 3),
        signedSet(round, 3, confirmedBy(round)),
        message.statements[3]!,
      ],
    })),
    code: 'unknown-survivor',
  },
  {
    check: 'at least as many as the threshold confirmed (|U4| >= t)',
    shape: 'complete',
    options: { minimumClients: 1 },
    at: 'unmask',
    told: firstConfirming(({ cohort }) => cohort.agreement.threshold - 1),
    code: 'too-few-confirmations',
  },
  {
    check: 'at least as many as the threshold confirmed: its own signature counts once',
    shape: 'complete',
    options: { minimumClients: 1 },
    at: 'unmask',
    told: instead('confirmations', (message) => ({
      ...message,
      from: new Bitmap(5),
      statements: [],
    })),
    code: 'too-few-confirmations',
  },
  {
    check: 'at least as many as its own minimum confirmed',
    shape: 'complete',
    options: { minimumClients: 5 },
    at: 'unmask',
    told: firstConfirming(() => 4),
    code: 'too-few-confirmations',
  },
  {
    check: 'every signature holds',
    shape: 'complete',
    at: 'unmask',
    told: instead('confirmations', (message) => ({
      ...message,
      statements: message.statements.map((statement, i) =>
        i === 2 ? flipped(statement) : statement,
      ),
    })),
    code: 'bad-signature',
    offender: 'client-2',
  },
  {
    check: 'every signature is of the client that it is said to be of',
    shape: 'complete',
    at: 'unmask',
    told: instead('confirmations', (message) => ({
      ...message,
      statements: message.statements.map((statement, i) =>
        i === 2 ? message.statements[1]! : statement,
      ),
    })),
    code: 'bad-signature',
    offender: 'client-2',
  },
  {
    check: 'everyone signed the very set that it signed',
    shape: 'complete',
    at: 'unmask',
    told: instead('confirmations', (message, round) => ({
      ...message,
      statements: message.statements.map((statement, i) =>
        i === 4 ? signedSet(round, 4, [0, 1, 2, 4]) : statement,
      ),
    })),
    code: 'bad-signature',
    offender: 'client-4',
  },
  {
    check: 'everyone signed the set of this session',
    shape: 'complete',
    at: 'unmask',
    told: instead('confirmations', (message, round) => ({
      ...message,
      statements: message.statements.map((statement, i) =>
        i === 4 ? signedSet(round, 4, confirmedBy(round), new Uint8Array(32)) : statement,
      ),
    })),
    code: 'bad-signature',
    offender: 'client-4',
  },
];

export const ACK_REFUSALS: readonly ClientRefusal[] = [
  ...[-1, 1].map(
    (more): ClientRefusal => ({
      check: `who takes it for a survivor is told over the holders of its shares (${more} places more)`,
      shape: 'chosen',
      at: 'unmask',
      told: instead('confirmations', (message) => ({
        ...message,
        from: new Bitmap(message.from.size + more),
        statements: [],
      })),
      code: 'wrong-set',
    }),
  ),
  {
    check: 'each that takes it for a survivor has its statement there',
    shape: 'chosen',
    at: 'unmask',
    told: instead('confirmations', (message) => ({
      ...message,
      statements: message.statements.slice(1),
    })),
    code: 'wrong-statement-count',
  },
  {
    check: 'at least as many holders of its shares as the threshold take it for a survivor',
    shape: 'chosen',
    at: 'unmask',
    told: firstConfirming(({ cohort }) => cohort.agreement.threshold - 2),
    code: 'too-few-confirmations',
  },
  {
    check: 'statements that do not hold are not counted',
    shape: 'chosen',
    at: 'unmask',
    told: instead('confirmations', (message, { cohort }) => ({
      ...message,
      statements: message.statements.map((statement, i) =>
        i < cohort.agreement.threshold - 2 ? statement : flipped(statement),
      ),
    })),
    code: 'too-few-confirmations',
  },
  {
    check: 'one statement does not pass for several',
    shape: 'chosen',
    at: 'unmask',
    told: instead('confirmations', (message) => ({
      ...message,
      statements: message.statements.map(() => message.statements[0]!),
    })),
    code: 'too-few-confirmations',
  },
  {
    check: 'statements of a shorter kind (no tag at all) are not counted',
    shape: 'chosen',
    at: 'unmask',
    told: instead('confirmations', (message) => ({
      ...message,
      statements: message.statements.map(() => new Uint8Array(16)),
    })),
    code: 'too-few-confirmations',
  },
];

/** Other survivors, as places. */
function alive(
  change: (
    places: readonly number[],
    size: number,
    round: StagedRound,
  ) => readonly number[] | readonly [readonly number[], number],
): NonNullable<ClientRefusal['told']> {
  return instead('survivor-set', (message, round): SurvivorSet => {
    const { size } = message.alive;
    const changed = change(message.alive.places(), size, round);
    const [places, over] = Array.isArray(changed[0])
      ? (changed as readonly [readonly number[], number])
      : [changed as readonly number[], size];
    return { ...message, alive: Bitmap.of(over, places) };
  });
}

/** Only the first of those who confirmed. */
function firstConfirming(
  count: (round: StagedRound) => number,
): NonNullable<ClientRefusal['told']> {
  return instead('confirmations', (message, round) => ({
    ...message,
    from: Bitmap.of(message.from.size, message.from.places().slice(0, count(round))),
    statements: message.statements.slice(0, count(round)),
  }));
}

function confirmedBy(round: StagedRound): readonly number[] {
  const { content } = round.states.get(VICTIM)!.peek();
  if (content.stage !== 'confirmed') throw new Error(`the victim is at ${content.stage}`);
  return content.alive;
}

/** What a client that helps the server signs about the survivors. */
function signedSet(
  { cohort, server }: StagedRound,
  client: number,
  survivors: readonly number[],
  transcript = server.peek().transcript,
): Uint8Array {
  return ed25519Sign(
    cohort.configs[client]!.signingKey as SecretBytes,
    survivorsStatement(transcript, Bitmap.of(cohort.agreement.clients, survivors)),
  );
}
