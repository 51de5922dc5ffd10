/**
 * @file A program that is killed: trains for many rounds and says after each that it is done.
 * Run as `tsx resumed-run.ts <directory>`.
 */

import { runProcess } from 'fedloom';
import { fileProgramStateManager } from '../../../runtime/node.ts';
import { training } from './processes.ts';

export const ROUNDS = 40;

/** The data of a round depends on its number alone. */
export function targetsOf(round: number): number[][] {
  return [0, 1, 2].map((client) => [round * 0.1, client - round / 7, 1 / (round + client)]);
}

const [, program, directory] = process.argv;
if (program?.endsWith('resumed-run.ts') && directory !== undefined) {
  await runProcess(training, {
    rounds: ROUNDS,
    data: (round) => [targetsOf(round)],
    stateManager: fileProgramStateManager(directory, { keep: 3 }),
    onRound: async ({ round }) => {
      console.log(`round ${round}`);
      // So that there is a middle in which to be killed.
      await new Promise((resolve) => setTimeout(resolve, 20));
    },
  });
}
