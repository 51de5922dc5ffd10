/** @file Work on one thing happens one after the other, however many ask for it at once. */

export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `work` when all work of that name that was there before is done. */
  async take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.#last.set(name, turn);
    try {
      return await turn;
    } finally {
      if (this.#last.get(name) === turn) this.#last.delete(name);
    }
  }
}
