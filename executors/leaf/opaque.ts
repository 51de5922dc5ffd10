/**
 * @file Opaque values: what an operator keeps in its executor and never gives out, such as a secret
 * key or the state of a protocol. In the language their type is `abstract(label)`.
 */

import {
  type AbstractType,
  abstract,
  ExecutionError,
  FederatedTypeError,
} from '../../computations/types/index.ts';

/** A token for content that only its kind can open. It prints its label and nothing else. */
export class OpaqueValue {
  readonly kind = 'opaque';
  readonly label: string;
  /** True if the value can be used by one call only. */
  readonly linear: boolean;
  readonly #onRelease: (() => void) | undefined;
  #spent = false;
  #released = false;

  /** Made by `opaqueKind`; a value made otherwise has no content. */
  constructor(label: string, linear: boolean, onRelease?: () => void) {
    this.label = label;
    this.linear = linear;
    this.#onRelease = onRelease;
  }

  /** True once a call has taken a linear value. */
  get spent(): boolean {
    return this.#spent;
  }

  /**
   * Marks a linear value as used up. From then on its content belongs to the call that took it.
   * @throws ExecutionError `execution.linear_reuse` if it was used up before.
   */
  spend(): void {
    if (this.#spent) throw linearReuse(this.label);
    this.#spent = true;
  }

  /** Called when no handle is left: the content is wiped, unless a call took it. */
  release(): void {
    if (this.#released || this.#spent) return;
    this.#released = true;
    this.#onRelease?.();
  }

  toString(): string {
    return `[opaque ${this.label}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** A linear value was to be used a second time. */
export function linearReuse(label: string): ExecutionError {
  return new ExecutionError(
    'execution.linear_reuse',
    `This ${label} was used by a step already. A protocol state serves one step; start the protocol anew instead of repeating a step.`,
  );
}

/** One kind of opaque value: makes them, and is the only one that can open them. */
export interface OpaqueKind<C> {
  readonly label: string;
  /** Its type in the language. */
  readonly type: AbstractType;
  /**
   * @param onRelease wipes the content; called when the last handle is disposed or the executor
   *   closes. For a linear value it is not called once a call has taken it.
   */
  wrap(content: C, onRelease?: () => void): OpaqueValue;
  /** @throws FederatedTypeError `type.not_assignable` if `value` is no opaque value of this kind. */
  unwrap(value: unknown): C;
}

export interface OpaqueOptions {
  /** A linear value is used up by the call that takes it. By default values can be used repeatedly. */
  readonly linear?: boolean;
}

/**
 * Declares a kind of opaque value.
 * @param label an identifier that names the kind in types and messages, e.g. `masking_session`.
 */
export function opaqueKind<C>(
  label: string,
  { linear = false }: OpaqueOptions = {},
): OpaqueKind<C> {
  // The content lies outside of the value: who holds the value but not its kind cannot reach it.
  const contents = new WeakMap<OpaqueValue, { readonly content: C }>();
  return {
    label,
    type: abstract(label),
    wrap(content, onRelease) {
      const value = new OpaqueValue(label, linear, onRelease);
      contents.set(value, { content });
      return value;
    },
    unwrap(value) {
      const entry = value instanceof OpaqueValue ? contents.get(value) : undefined;
      if (entry !== undefined) return entry.content;
      const given = value instanceof OpaqueValue ? value.label : 'data';
      throw new FederatedTypeError(
        'type.not_assignable',
        `Expected an opaque value of kind ${label}; got ${given}.`,
        { expected: label, given },
      );
    },
  };
}
