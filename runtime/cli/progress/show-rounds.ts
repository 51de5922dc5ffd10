/** @file What `--progress` of a command does, as its surroundings allow. */

import type { RoundStatus } from '../../rounds/round-status.ts';
import type { RoundListener } from '../../rounds/watch-rounds.ts';
import type { Surroundings } from '../command.ts';
import { paintFor } from '../paint.ts';
import { RoundReporter } from './round-reporter.ts';
import { LiveRounds, PlainRounds, type RoundsView } from './rounds-view.ts';

/** The rounds on standard error. */
export function roundsView({ screen, error, env }: Surroundings): RoundsView {
  if (screen === undefined) return new PlainRounds(error);
  return new LiveRounds(screen, paintFor({ env, isTerminal: true }));
}

/** Surroundings in which whatever is printed goes past the view, and not into it. */
export function beside(view: RoundsView, surroundings: Surroundings): Surroundings {
  return {
    ...surroundings,
    out: (text) => view.around(() => surroundings.out(text)),
    error: (text) => view.around(() => surroundings.error(text)),
  };
}

export interface ShownRounds extends Disposable {
  /** For the coordinator; without it nobody asks how rounds stand. */
  readonly onRound?: RoundListener;
  /** For the program, and for what is said of it. */
  readonly surroundings: Surroundings;
  /** For a log that shares the terminal with the view. */
  readonly logStream?: { readonly isTTY: boolean; write(text: string): void };
}

/** How a coordinator shows its rounds: by itself, to the process that started it, or not at all. */
export function showRounds(
  surroundings: Surroundings,
  to: { readonly progress: boolean; readonly parent: boolean },
): ShownRounds {
  const { screen, tellParent } = surroundings;
  if (to.parent) {
    const reporter = new RoundReporter((rounds) => tellParent?.({ rounds }));
    return disposing(reporter, { onRound: reporter.onRound, surroundings });
  }
  if (!to.progress) return disposing(null, { surroundings });
  const view = roundsView(surroundings);
  const reporter = new RoundReporter((rounds) => view.show(rounds));
  return {
    onRound: reporter.onRound,
    surroundings: beside(view, surroundings),
    ...(screen !== undefined && {
      logStream: {
        isTTY: true,
        write: (text: string) => view.around(() => screen.write(text)),
      },
    }),
    [Symbol.dispose]() {
      reporter[Symbol.dispose]();
      view[Symbol.dispose]();
    },
  };
}

/** What a coordinator tells the process that started it, which is this program; `null` for other messages. */
export function roundsFrom(message: unknown): readonly RoundStatus[] | null {
  if (typeof message !== 'object' || message === null || !('rounds' in message)) return null;
  return Array.isArray(message.rounds) ? message.rounds : null;
}

function disposing(
  owned: Disposable | null,
  shown: Omit<ShownRounds, typeof Symbol.dispose>,
): ShownRounds {
  return { ...shown, [Symbol.dispose]: () => owned?.[Symbol.dispose]() };
}
