/** @file What the server checks of every message: who it is from, of what round, and when it comes. */

import type { ClientMessage, SecAggServerStage } from 'fedloom/protocols';
import { SHAPES, type Shape } from '../staged.ts';
import { flipped } from './client-refusal.ts';
import type { ServerRefusal } from './server-refusal.ts';
import { STAGES_OF } from './steps.ts';

type Refusing = Omit<ServerRefusal, 'shape' | 'at'>;

const EVERYWHERE: readonly { readonly shape: Shape; readonly at: SecAggServerStage }[] = (
  ['complete', 'chosen'] as const
).flatMap((shape) => (['advertise', ...STAGES_OF[shape]] as const).map((at) => ({ shape, at })));

/** @param beyond the first number that is none of the cohort. */
const refusingIn = (at: SecAggServerStage, beyond: number): readonly Refusing[] => [
  {
    check: `in '${at}' a message is of this session`,
    sent: (message) => ({ ...message, session: flipped(message.session) }),
    code: 'wrong-session',
  },
  {
    check: `in '${at}' a message is of this round`,
    sent: (message) => ({ ...message, round: 1 }),
    code: 'wrong-session',
  },
  {
    check: `in '${at}' a message is of the client that it came from`,
    sent: (message) => ({ ...message, client: 2 }),
    code: 'wrong-sender',
  },
  {
    check: `in '${at}' a message comes from the client that it is of`,
    sent: (message) => message,
    from: 2,
    code: 'wrong-sender',
    offender: 'client-2',
  },
  {
    check: `in '${at}' a message is of a client of the cohort`,
    sent: (message) => ({ ...message, client: beyond }),
    from: beyond,
    code: 'unknown-client',
    offender: null,
  },
];

/** A message of another stage, with nothing in it. */
const MESSAGES: { readonly [stage in SecAggServerStage]: ClientMessage['kind'] } = {
  advertise: 'advertisement',
  'choose-neighbours': 'neighbour-choice',
  'share-keys': 'shared-secrets',
  'mask-vectors': 'masked-vectors',
  'confirm-survivors': 'confirmation',
  unmask: 'revealed-shares',
};

const ORDER = Object.keys(MESSAGES) as SecAggServerStage[];

export const TURN_REFUSALS: readonly ServerRefusal[] = EVERYWHERE.flatMap(
  ({ shape, at }): ServerRefusal[] => [
    ...refusingIn(at, SHAPES[shape].clients).map((refusing) => ({ shape, at, ...refusing })),
    ...ORDER.filter((other) => other !== at).map((other): ServerRefusal => {
      const late = ORDER.indexOf(other) < ORDER.indexOf(at);
      return {
        check: late
          ? `'${other}' is over in '${at}': what comes late is not counted`
          : `'${other}' has not begun in '${at}': what comes early is not counted`,
        shape,
        at,
        sent: (message) => ({ ...message, kind: MESSAGES[other] }) as ClientMessage,
        code: late ? 'stage-closed' : 'unexpected-message',
        unencodable: true,
      };
    }),
    ...(at === 'advertise' ? [] : [comingBack(shape, at)]),
  ],
);

function comingBack(shape: Shape, at: SecAggServerStage): ServerRefusal {
  return {
    check: `in '${at}' a client that was lost before does not come back`,
    shape,
    at,
    before: (round) => {
      while (stageAfter(shape, round.stage) !== at) {
        round.answerAll();
        round.advance();
      }
      round.answerAll([3]);
      round.advance();
    },
    sent: (message) => ({ ...message, client: 3 }),
    from: 3,
    code: 'unexpected-message',
    offender: 'client-3',
  };
}

function stageAfter(shape: Shape, stage: SecAggServerStage): SecAggServerStage | undefined {
  const stages: readonly SecAggServerStage[] = ['advertise', ...STAGES_OF[shape]];
  return stages[stages.indexOf(stage) + 1];
}
