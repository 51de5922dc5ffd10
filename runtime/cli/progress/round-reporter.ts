/** @file Asks rounds how they stand, not more often than somebody can look. */

import type { RoundStatus } from '../../rounds/round-status.ts';

/** A round, as far as it matters here. */
export interface ReportedRound {
  readonly isOver: boolean;
  status(): RoundStatus;
}

/** Made for `CoordinatorOptions.onRound`. */
export class RoundReporter implements Disposable {
  readonly #report: (statuses: readonly RoundStatus[]) => void;
  readonly #running = new Set<ReportedRound>();
  #changed = new Set<ReportedRound>();
  #last = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(report: (statuses: readonly RoundStatus[]) => void) {
    this.#report = report;
  }

  /** Something has changed. The end of a round is told at once. */
  readonly onRound = (round: ReportedRound): void => {
    this.#changed.add(round);
    if (round.isOver) {
      this.#running.delete(round);
      this.#flush();
      return;
    }
    this.#running.add(round);
    const waited = performance.now() - this.#last;
    if (waited >= SHORTEST_MS) this.#flush();
    else this.#wake(SHORTEST_MS - waited);
  };

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#last = performance.now();
    const changed = this.#changed;
    this.#changed = new Set();
    if (changed.size > 0) this.#report([...changed].map((round) => round.status()));
    // The time goes on, and bytes do, also while nobody answers.
    if (this.#running.size > 0) this.#wake(LONGEST_MS);
  }

  #wake(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      for (const round of this.#running) this.#changed.add(round);
      this.#flush();
    }, ms);
    // To be watched is no reason to go on.
    this.#timer.unref();
  }
}

/** Ten times a second is enough for the eye. */
const SHORTEST_MS = 100;
const LONGEST_MS = 1_000;
