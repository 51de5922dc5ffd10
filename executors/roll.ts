/** @file Who has answered, of those that were asked for the same at the same time. */

/** How it stands at one moment. The lists are made when they are read. */
export interface RollCall {
  /** Tells one piece of work from others that go on at the same time. */
  readonly run: number;
  /** Nobody is waited for any more. */
  readonly isOver: boolean;
  /** Names, in the order of the answers. */
  readonly answered: readonly string[];
  /** Names of those without an answer yet, or ever, in the order in which they were asked. */
  readonly missing: readonly string[];
}

export class Roll {
  readonly #run: number;
  readonly #total: number;
  readonly #nameOf: (index: number) => string;
  readonly #answered: number[] = [];

  /** @param nameOf by their numbers, from 0, those who are asked. */
  constructor(total: number, nameOf: (index: number) => string) {
    runs += 1;
    this.#run = runs;
    this.#total = total;
    this.#nameOf = nameOf;
  }

  get answers(): number {
    return this.#answered.length;
  }

  answer(index: number): void {
    this.#answered.push(index);
  }

  now(isOver: boolean): RollCall {
    const count = this.#answered.length;
    const answered = (): readonly number[] => this.#answered.slice(0, count);
    const missing = (): readonly number[] => {
      const there = new Set(answered());
      return Array.from({ length: this.#total }, (_, i) => i).filter((i) => !there.has(i));
    };
    const nameOf = this.#nameOf;
    return {
      run: this.#run,
      isOver,
      get answered() {
        return answered().map(nameOf);
      },
      get missing() {
        return missing().map(nameOf);
      },
    };
  }
}

let runs = 0;
