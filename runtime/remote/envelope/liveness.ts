/**
 * @file Notices that the other end of a link is gone though nothing says so: a half-open connection, a
 * peer that reads nothing. One timer a link, no tighter than the heartbeat.
 */

import { transportError } from '../../../executors/remote/status.ts';
import { type Heartbeat, MAX_TIMER_MS } from './options.ts';

export interface LivenessEvents {
  /** Nothing was heard for a while: ask. */
  quiet(): void;
  /** Nothing was heard, or read, for too long. */
  gone(reason: Error): void;
}

export class Liveness {
  readonly #heartbeat: Heartbeat;
  readonly #events: LivenessEvents;
  #heardAt = performance.now();
  #sendingSince: number | null = null;
  #dueAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(heartbeat: Heartbeat, events: LivenessEvents) {
    this.#heartbeat = heartbeat;
    this.#events = events;
    this.#wait();
  }

  /** A frame came. */
  heard(): void {
    this.#heardAt = performance.now();
  }

  /** A frame is handed to the link, which takes no other until `sent`. */
  sending(): void {
    this.#sendingSince = performance.now();
  }

  sent(): void {
    this.#sendingSince = null;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(): void {
    const { heartbeatMs, silenceMs } = this.#heartbeat;
    const now = performance.now();
    const last = Math.min(this.#heardAt, this.#sendingSince ?? this.#heardAt);
    const ms = Math.max(1, Math.min(heartbeatMs, Math.ceil(last + silenceMs - now), MAX_TIMER_MS));
    this.#dueAt = now + ms;
    this.#timer = setTimeout(() => this.#look(), ms);
  }

  #look(): void {
    const { heartbeatMs, silenceMs } = this.#heartbeat;
    const now = performance.now();
    // A timer that comes late means that this process was busy: what the peer has sent meanwhile may
    // lie there unread.
    const late = now - this.#dueAt;
    if (late > heartbeatMs / 2) {
      this.#heardAt = Math.min(now, this.#heardAt + late);
      if (this.#sendingSince !== null)
        this.#sendingSince = Math.min(now, this.#sendingSince + late);
    }
    const silent = now - this.#heardAt;
    const stuck = this.#sendingSince === null ? 0 : now - this.#sendingSince;
    if (silent >= silenceMs) {
      this.#events.gone(gone(`has not been heard of for ${Math.round(silent)} ms`));
    } else if (stuck >= silenceMs) {
      this.#events.gone(gone(`has read nothing for ${Math.round(stuck)} ms`));
    } else {
      if (silent >= heartbeatMs) this.#events.quiet();
      this.#wait();
    }
  }
}

function gone(what: string): Error {
  return transportError('transport.unavailable', `The peer ${what}.`);
}
