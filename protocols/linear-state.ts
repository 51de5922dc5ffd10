/**
 * @file A protocol state that can be used once.
 *
 * Were a state an ordinary immutable value, a step could be run twice on it: one mask over two
 * inputs (a two-time pad), or two survivor sets unmasked. So a step consumes its state.
 */

import { ProtocolError } from './errors.ts';

const inspect = Symbol.for('nodejs.util.inspect.custom');

export class LinearState<T extends object> {
  readonly #label: string;
  #content: T | undefined;

  /** @param label Names the state in errors, for example `masking client "a"`. */
  constructor(label: string, content: T) {
    this.#label = label;
    this.#content = content;
  }

  get consumed(): boolean {
    return this.#content === undefined;
  }

  /**
   * Looks at the content without using the state up, to check a message that may yet be refused.
   * @throws ProtocolError `state-consumed`
   */
  peek(): T {
    if (this.#content === undefined) {
      throw new ProtocolError(
        'state-consumed',
        `the state of ${this.#label} was used already; a state serves one step, start a new session`,
      );
    }
    return this.#content;
  }

  /**
   * Takes the content out; every later use throws.
   * @throws ProtocolError `state-consumed`
   */
  consume(): T {
    const content = this.peek();
    this.#content = undefined;
    return content;
  }

  toString(): string {
    return `[state of ${this.#label}${this.consumed ? ', consumed' : ''}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect](): string {
    return this.toString();
  }
}
