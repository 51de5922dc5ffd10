/** @file What a client checks of every message: that it is for this session, round, client and time. */

import type { SecAggClientConfig, SecAggServerStage } from 'fedloom/protocols';
import type { Shape, StagedRound } from '../staged.ts';
import { type ClientRefusal, flipped, VICTIM } from './client-refusal.ts';

/** The stages in which a client has a state already. */
export const STAGES_OF: { readonly [shape in Shape]: readonly SecAggServerStage[] } = {
  complete: ['share-keys', 'mask-vectors', 'confirm-survivors', 'unmask'],
  chosen: ['choose-neighbours', 'share-keys', 'mask-vectors', 'confirm-survivors', 'unmask'],
  believed: ['share-keys', 'mask-vectors', 'unmask'],
  ring: ['share-keys', 'mask-vectors', 'unmask'],
};

const EVERYWHERE = Object.entries(STAGES_OF).flatMap(([shape, stages]) =>
  stages.map((at) => ({ shape: shape as Shape, at })),
);

export const STEP_REFUSALS: readonly ClientRefusal[] = EVERYWHERE.flatMap(
  ({ shape, at }): ClientRefusal[] => [
    {
      check: `in '${at}' the message is of its session`,
      shape,
      at,
      told: (message) => ({ ...message, session: flipped(sessionOf(message)) }),
      code: 'wrong-session',
    },
    {
      check: `in '${at}' the message is of its round`,
      shape,
      at,
      told: (message) => ({ ...message, round: 1 }),
      code: 'wrong-session',
    },
    {
      check: `in '${at}' the message is for itself`,
      shape,
      at,
      told: (message) => ({ ...message, client: 1 }),
      code: 'wrong-session',
    },
    {
      check: `it does '${at}' once in a session, although its state was restored`,
      shape,
      at,
      before: (round) => {
        configure(round, { ledger: { claim: (step) => !step.endsWith(`/${at}`) } });
      },
      code: 'session-used',
    },
  ],
);

/** Gives the victim another configuration. */
export function configure({ cohort }: StagedRound, changes: Partial<SecAggClientConfig>): void {
  const configs = cohort.configs as SecAggClientConfig[];
  configs[VICTIM] = { ...configs[VICTIM]!, ...changes };
}

function sessionOf(message: object): Uint8Array {
  return (message as { readonly session: Uint8Array }).session;
}
