/** @file What an end of the envelope allows and how long it waits. All of it has defaults. */

/** The version of the envelope that is spoken here. */
export const ENVELOPE_VERSION = 1;

export interface EnvelopeLimits {
  /**
   * A message that is longer is sent in chunks of so many bytes, between which those of others come.
   * From 4096 to 1 MiB. @default 256 KiB
   */
  readonly chunkBytes: number;
  /**
   * Bytes that are on their way, sent but not acknowledged; they are kept, to be sent again. At least
   * 256 KiB more than a chunk. @default 8 MiB
   */
  readonly windowBytes: number;
  /** The longest message that is accepted, in bytes. @default 256 MiB */
  readonly maxMessageBytes: number;
  /**
   * Bytes of messages of the peer that are held at a time: those that have not arrived entirely, and
   * requests that are worked on. Also, by itself, of responses that it has not read.
   * @default 512 MiB
   */
  readonly maxBufferedBytes: number;
  /** Calls at a time. @default 10,000 */
  readonly maxCalls: number;
}

/** What the coordinator says for both ends, in milliseconds. */
export interface Heartbeat {
  /** After so long without a word from the peer it is asked for one. @default 10,000 */
  readonly heartbeatMs: number;
  /**
   * After so long without a word, or without reading what is sent, the link counts as lost.
   * @default 30,000
   */
  readonly silenceMs: number;
  /** So long a session without a link waits for the next one. @default 60,000 */
  readonly graceMs: number;
}

export const DEFAULT_LIMITS: EnvelopeLimits = {
  chunkBytes: 256 * 1024,
  windowBytes: 8 * 2 ** 20,
  maxMessageBytes: 256 * 2 ** 20,
  maxBufferedBytes: 512 * 2 ** 20,
  maxCalls: 10_000,
};

export const DEFAULT_HEARTBEAT: Heartbeat = {
  heartbeatMs: 10_000,
  silenceMs: 30_000,
  graceMs: 60_000,
};

/** A chunk that is not the last of its message has at least so many bytes. */
export const MIN_CHUNK_BYTES = 4096;

/** So many bytes, at the latest, are acknowledged without being asked. */
export const ACKNOWLEDGED_BYTES = 128 * 1024;

/** A tighter heartbeat is refused, also from a coordinator. */
export const MIN_HEARTBEAT_MS = 10;

/** The longest time that a timer counts. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** @throws RangeError for limits that could not work. */
export function withDefaultLimits(given: Partial<EnvelopeLimits> = {}): EnvelopeLimits {
  const limits = { ...DEFAULT_LIMITS, ...given };
  const { chunkBytes, windowBytes, maxMessageBytes, maxBufferedBytes, maxCalls } = limits;
  checkRange('chunkBytes', chunkBytes, MIN_CHUNK_BYTES, 2 ** 20);
  // A window that is full holds more than the peer may leave unacknowledged, so it opens again.
  checkRange('windowBytes', windowBytes, chunkBytes + 2 * ACKNOWLEDGED_BYTES, 2 ** 30);
  checkRange('maxMessageBytes', maxMessageBytes, 1, 2 ** 32 - 1);
  checkRange('maxBufferedBytes', maxBufferedBytes, 1, Number.MAX_SAFE_INTEGER);
  checkRange('maxCalls', maxCalls, 1, 2 ** 24);
  return limits;
}

/** @throws RangeError for times that could not work. */
export function withDefaultHeartbeat(given: Partial<Heartbeat> = {}): Heartbeat {
  const { heartbeatMs, silenceMs, graceMs } = { ...DEFAULT_HEARTBEAT, ...given };
  checkRange('heartbeatMs', heartbeatMs, MIN_HEARTBEAT_MS, MAX_TIMER_MS);
  checkRange('silenceMs', silenceMs, 2 * heartbeatMs, MAX_TIMER_MS);
  checkRange('graceMs', graceMs, 0, MAX_TIMER_MS);
  return { heartbeatMs, silenceMs, graceMs };
}

/** @throws RangeError unless it is an integer in the range. */
export function checkRange(name: string, value: number, from: number, to: number): void {
  if (Number.isInteger(value) && value >= from && value <= to) return;
  throw new RangeError(`${name} is ${value}; expected an integer from ${from} to ${to}.`);
}
