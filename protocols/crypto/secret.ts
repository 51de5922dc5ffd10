/** @file Key material that does not print: logs, JSON and the inspector see only its length. */

import { ProtocolError } from '../errors.ts';

const inspect = Symbol.for('nodejs.util.inspect.custom');

/**
 * Owns the bytes it was given. Erasing overwrites them; copies that a JavaScript engine made while
 * moving objects are beyond reach, so this shortens a secret's life and does not promise its end.
 */
export class SecretBytes {
  readonly #bytes: Uint8Array;
  #erased = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get length(): number {
    return this.#bytes.length;
  }

  get erased(): boolean {
    return this.#erased;
  }

  /**
   * The bytes themselves, not a copy.
   * @throws ProtocolError `secret-erased`
   */
  reveal(): Uint8Array {
    if (this.#erased) {
      throw new ProtocolError('secret-erased', 'this secret was erased after its last use');
    }
    return this.#bytes;
  }

  erase(): void {
    this.#bytes.fill(0);
    this.#erased = true;
  }

  toString(): string {
    return `[secret of ${this.length} bytes]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect](): string {
    return this.toString();
  }
}
