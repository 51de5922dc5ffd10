/** @file Lexical scopes: a name, its value, and the scope around it. Shared by closures, so counted. */

import type { ValueNode } from './value-tree.ts';

export class Scope {
  readonly #name: string;
  readonly #value: ValueNode;
  readonly #outer: Scope | null;
  #holders = 1;

  /** Takes over the caller's hold on `value`, and retains `outer`. */
  constructor(name: string, value: ValueNode, outer: Scope | null) {
    this.#name = name;
    this.#value = value;
    this.#outer = outer?.retain() ?? null;
  }

  /** The value of the innermost binding of `name`; the scope goes on holding it. */
  find(name: string): ValueNode | null {
    for (let scope: Scope | null = this; scope !== null; scope = scope.#outer) {
      if (scope.#name === name) return scope.#value;
    }
    return null;
  }

  retain(): this {
    this.#holders++;
    return this;
  }

  release(): void {
    this.#holders--;
    if (this.#holders > 0) return;
    this.#value.release();
    this.#outer?.release();
  }
}
