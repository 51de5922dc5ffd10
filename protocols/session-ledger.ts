/** @file What a party did in which session, so that no step is done twice. */

/**
 * What a client did already, so that no step is done twice, after a restart neither.
 */
export interface SessionLedger {
  /**
   * Notes a step; it must last (on disk, if the client's state does) before this returns.
   * @returns false if the step was noted before.
   */
  claim(step: string): boolean;
}

/** Remembers steps as long as it lives. */
export function memoryLedger(): SessionLedger {
  const claimed = new Set<string>();
  return {
    claim(step) {
      if (claimed.has(step)) return false;
      claimed.add(step);
      return true;
    },
  };
}
