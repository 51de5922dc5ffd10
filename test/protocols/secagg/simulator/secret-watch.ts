/**
 * @file Sees every secret that is used, and on whose behalf, to tell at the end which ones were not
 * erased.
 */

import { SecretBytes } from '../../../../protocols/index.ts';

export class SecretWatch {
  /** Who owns the secrets that are used for the first time. */
  owner = NOBODY;
  readonly #owners = new Map<SecretBytes, string>();

  /** Ends the watch before, if any. */
  static begin(): SecretWatch {
    install();
    current = new SecretWatch();
    return current;
  }

  end(): void {
    if (current === this) current = undefined;
  }

  /** Does something on somebody's behalf. */
  as<T>(owner: string, action: () => T): T {
    const before = this.owner;
    this.owner = owner;
    try {
      return action();
    } finally {
      this.owner = before;
    }
  }

  see(secret: SecretBytes): void {
    if (!this.#owners.has(secret)) this.#owners.set(secret, this.owner);
  }

  /** Sees all secrets in plain objects and lists, at any depth. */
  seeAll(content: unknown): void {
    if (content instanceof SecretBytes) this.see(content);
    else if (Array.isArray(content)) for (const item of content) this.seeAll(item);
    else if (
      typeof content === 'object' &&
      content !== null &&
      Object.getPrototypeOf(content) === Object.prototype
    ) {
      for (const item of Object.values(content)) this.seeAll(item);
    }
  }

  /** A process has ended, and its memory with it. */
  forget(owner: string): void {
    for (const [secret, of] of this.#owners) if (of === owner) this.#owners.delete(secret);
  }

  /** The owners of secrets that are not erased. */
  left(): string[] {
    return [...this.#owners].flatMap(([secret, owner]) =>
      secret.erased || owner === NOBODY || isConstant(secret) ? [] : [owner],
    );
  }
}

/** Owns what is not to be erased: identities, what is on a disk, what the simulation itself uses. */
export const NOBODY = 'nobody';

/** What the package itself probes with, the same byte over and over, is no secret. */
function isConstant(secret: SecretBytes): boolean {
  const bytes = secret.reveal();
  return bytes.every((byte) => byte === bytes[0]);
}

let current: SecretWatch | undefined;
let installed = false;

function install(): void {
  if (installed) return;
  installed = true;
  const { reveal } = SecretBytes.prototype;
  SecretBytes.prototype.reveal = function (this: SecretBytes): Uint8Array {
    current?.see(this);
    return reveal.call(this);
  };
}
