/** @file The rounds of a coordinator on standard error: alive on a terminal, line by line elsewhere. */

import type { RoundStatus } from '../../rounds/round-status.ts';
import type { Screen } from '../command.ts';
import { type Paint, plainText } from '../paint.ts';
import { LiveLines } from './live-lines.ts';
import { roundReport, runningLines, stageReport } from './round-lines.ts';
import { type Line, lineText, MOST_COLUMNS } from './text-width.ts';

export interface RoundsView extends Disposable {
  /** How rounds stand now, of which something has changed. */
  show(statuses: readonly RoundStatus[]): void;
  /** Lets something else be written to the terminal, with a line break at its end. */
  around(write: () => void): void;
}

/** A few lines for each round that runs, redrawn; one stays of a round that is over. */
export class LiveRounds implements RoundsView {
  readonly #lines: LiveLines;
  readonly #running = new Map<number, RoundStatus>();

  constructor(screen: Screen, paint: Paint) {
    this.#lines = new LiveLines(screen, paint);
  }

  show(statuses: readonly RoundStatus[]): void {
    const over: Line[] = [];
    for (const status of statuses) {
      if (status.state === 'running') {
        this.#running.set(status.round, status);
      } else {
        this.#running.delete(status.round);
        over.push(roundReport(status));
      }
    }
    const { columns } = this.#lines;
    const rounds = [...this.#running.values()];
    this.#lines.show(
      rounds.flatMap((status) => runningLines(status, columns)),
      over,
    );
  }

  around(write: () => void): void {
    this.#lines.around(write);
  }

  [Symbol.dispose](): void {
    this.#lines.clear();
  }
}

/** A line for each stage that is over, and one for the round. */
export class PlainRounds implements RoundsView {
  readonly #write: (line: string) => void;
  /** Places of the stages that have been told, by round. */
  readonly #told = new Map<number, Set<number>>();

  /** @param write gets lines without their breaks. */
  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  show(statuses: readonly RoundStatus[]): void {
    for (const status of statuses) {
      const told = this.#told.get(status.round) ?? new Set();
      this.#told.set(status.round, told);
      for (const [i, stage] of status.stages.entries()) {
        if (!stage.isOver || told.has(i)) continue;
        told.add(i);
        this.#print(stageReport(status, stage));
      }
      if (status.state === 'running') continue;
      this.#told.delete(status.round);
      this.#print(roundReport(status));
    }
  }

  around(write: () => void): void {
    write();
  }

  [Symbol.dispose](): void {}

  #print(line: Line): void {
    this.#write(lineText(line, MOST_COLUMNS, plainText));
  }
}
