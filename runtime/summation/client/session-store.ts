/** @file Where a client keeps its sessions between two steps, if it is to survive its process. */

import { SecretBytes } from '../../../protocols/index.ts';

/**
 * It keeps bytes by the name of a session. They are secret. What `save` was given must last before it
 * returns, or before its promise resolves.
 */
export interface SessionStore {
  /** Keeps the bytes in place of those of before; they are erased after this. */
  save(session: string, state: SecretBytes): void | Promise<void>;
  load(session: string): SecretBytes | undefined | Promise<SecretBytes | undefined>;
  remove(session: string): void | Promise<void>;
}

/** Keeps sessions as long as it lives; for tests. */
export function memorySessionStore(): SessionStore {
  const sessions = new Map<string, Uint8Array>();
  return {
    save(session, state) {
      sessions.get(session)?.fill(0);
      sessions.set(session, state.reveal().slice());
    },
    load(session) {
      const bytes = sessions.get(session);
      return bytes === undefined ? undefined : new SecretBytes(bytes.slice());
    },
    remove(session) {
      sessions.get(session)?.fill(0);
      sessions.delete(session);
    },
  };
}
