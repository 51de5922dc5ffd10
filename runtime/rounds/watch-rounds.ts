/** @file The rounds of a context, told to whoever watches them. */

import type { ExecutionContext } from '../execution-context.ts';
import { Round, type RoundSetup } from './round.ts';

export interface WatchOptions extends Omit<RoundSetup, 'number' | 'computation'> {
  /** The number of the next round. */
  readonly next: () => number;
  readonly onRound: RoundListener;
}

/**
 * Called at every change of a round, often: whoever shows it asks for its status now and then. For the last
 * time when it is over.
 */
export type RoundListener = (round: Round) => void;

/** @returns ends that. */
export function watchRounds(
  context: ExecutionContext,
  { next, onRound, ...setup }: WatchOptions,
): () => void {
  const running = new Map<number, Round>();
  return context.on('progress', (event) => {
    const { invocation, computation } = event;
    let round = running.get(invocation);
    if (round === undefined) {
      round = new Round({ ...setup, number: next(), computation });
      running.set(invocation, round);
    }
    round.take(event);
    if (round.isOver) running.delete(invocation);
    onRound(round);
  });
}
