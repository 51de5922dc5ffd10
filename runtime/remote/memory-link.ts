/**
 * @file A pair of links in memory, for tests, examples and clients in the same process. It does what
 * networks do, when told to: breaks, goes silent, is slow.
 */

import { transportError } from '../../executors/remote/status.ts';
import { type Link, type LinkListener, MAX_FRAME_BYTES, type PeerIdentity } from './link.ts';

export interface MemoryLinkOptions {
  /** Who each end is, to the other. @default no names, `memory` */
  readonly left?: PeerIdentity;
  readonly right?: PeerIdentity;
  /** So many bytes may be on their way before a sender has to wait. @default 1 MiB */
  readonly capacityBytes?: number;
  /** How long a frame takes, in milliseconds. @default 0 */
  readonly delayMs?: number;
  /** Sees every frame when it is sent; from then on its memory is the receiver's. */
  readonly record?: (frame: RecordedFrame) => void;
}

export interface RecordedFrame {
  readonly from: 'left' | 'right';
  readonly bytes: Uint8Array;
}

export interface MemoryLinks {
  readonly left: Link;
  readonly right: Link;
  /** Both ends are told at once that the link is gone; what was on its way is lost. */
  break(reason?: Error): void;
  /** From now on frames vanish, and nobody is told: a half-open connection. */
  stall(): void;
  /** From now on nothing is delivered, so that senders come to wait; until `release`. */
  hold(): void;
  release(): void;
  /** How long frames take that are sent from now on. */
  delay(ms: number): void;
  /** Bytes that are on their way, in both directions. */
  readonly inFlight: number;
}

export function memoryLinks(options: MemoryLinkOptions = {}): MemoryLinks {
  const { capacityBytes = 2 ** 20, delayMs = 0, record = () => {} } = options;
  const wire: Wire = { delayMs, isStalled: false, held: null, capacityBytes };
  const left = new MemoryLink(wire, options.right ?? NOBODY, (bytes) =>
    record({ from: 'left', bytes }),
  );
  const right = new MemoryLink(wire, options.left ?? NOBODY, (bytes) =>
    record({ from: 'right', bytes }),
  );
  left.connect(right);
  right.connect(left);
  let release = (): void => {};
  return {
    left,
    right,
    break(reason = transportError('transport.unavailable', 'The link broke.')) {
      left.lose(reason);
      right.lose(reason);
    },
    stall() {
      wire.isStalled = true;
    },
    hold() {
      wire.held ??= new Promise((resolve) => {
        release = resolve;
      });
    },
    release() {
      wire.held = null;
      release();
    },
    delay(ms) {
      wire.delayMs = ms;
    },
    get inFlight() {
      return left.inFlight + right.inFlight;
    },
  };
}

const NOBODY: PeerIdentity = { name: null, address: 'memory' };

/** After so many bytes, and 1024 for every frame, timers and others have their turn. */
const TURN_BYTES = 4 * 2 ** 20;

/** As it is when this file is loaded: links go on where a test stands in for the clock. */
const nextTurn: (then: (_: unknown) => void) => unknown =
  typeof setImmediate === 'function' ? setImmediate : setTimeout;

/** What both directions share. */
interface Wire {
  delayMs: number;
  isStalled: boolean;
  held: Promise<void> | null;
  readonly capacityBytes: number;
}

interface Travelling {
  readonly bytes: Uint8Array;
  readonly dueAt: number;
}

class MemoryLink implements Link {
  readonly peer: PeerIdentity;
  readonly #wire: Wire;
  readonly #record: (bytes: Uint8Array) => void;
  #other: MemoryLink | null = null;
  #listener: LinkListener | null = null;
  #goneBy: Error | null = null;
  /** Frames for the other end. */
  #travelling: Travelling[] = [];
  #inFlight = 0;
  #isDelivering = false;
  #isLeaving = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #endWait: () => void = () => {};
  #waiting: { readonly resolve: () => void; readonly reject: (reason: Error) => void }[] = [];

  constructor(wire: Wire, peer: PeerIdentity, record: (bytes: Uint8Array) => void) {
    this.#wire = wire;
    this.peer = peer;
    this.#record = record;
  }

  /** Bytes on their way to the other end. */
  get inFlight(): number {
    return this.#inFlight;
  }

  connect(other: MemoryLink): void {
    this.#other = other;
  }

  listen(listener: LinkListener): void {
    if (this.#listener !== null) throw new Error('A link is listened to once.');
    this.#listener = listener;
    if (this.#goneBy !== null) listener.closed(this.#goneBy);
    else this.#other?.deliver();
  }

  async send(frame: Uint8Array): Promise<void> {
    if (this.#goneBy !== null) throw this.#goneBy;
    if (frame.length > MAX_FRAME_BYTES) {
      throw transportError(
        'transport.resource_exhausted',
        `A frame of ${frame.length} bytes is too long for a link.`,
      );
    }
    this.#record(frame);
    if (this.#wire.isStalled) return;
    this.#travelling.push({ bytes: frame, dueAt: performance.now() + this.#wire.delayMs });
    this.#inFlight += frame.length;
    this.deliver();
    if (this.#inFlight <= this.#wire.capacityBytes) return;
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  /** What was sent still arrives, and then the other end is told. */
  close(reason = transportError('transport.unavailable', 'The link was closed.')): void {
    if (this.#goneBy !== null) return;
    this.#isLeaving = true;
    this.#end(reason);
    this.deliver();
  }

  lose(reason: Error): void {
    this.#travelling = [];
    this.#inFlight = 0;
    clearTimeout(this.#timer);
    this.#endWait();
    this.#end(reason);
  }

  deliver(): void {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    // Not in the middle of what the sender does.
    await null;
    for (let bytes = 0; ; ) {
      const next = this.#travelling[0];
      const listener = this.#other?.accepting;
      if (next === undefined || listener === undefined) break;
      if (this.#wire.held !== null) {
        await this.#wire.held;
        continue;
      }
      const waitMs = next.dueAt - performance.now();
      if (waitMs > 0) {
        await this.#wait(waitMs);
        continue;
      }
      this.#travelling.shift();
      // Whoever gets the frame may free its memory.
      const { length } = next.bytes;
      if (!this.#wire.isStalled) await listener.frame(next.bytes);
      this.#inFlight = Math.max(0, this.#inFlight - length);
      if (this.#inFlight <= this.#wire.capacityBytes) {
        for (const { resolve } of this.#waiting.splice(0)) resolve();
      }
      bytes += length + 1024;
      if (bytes > TURN_BYTES) {
        bytes = 0;
        await new Promise((resolve) => nextTurn(resolve));
      }
    }
    this.#isDelivering = false;
    if (this.#isLeaving && !this.#wire.isStalled) {
      const reason = transportError('transport.unavailable', 'The other end closed the link.');
      this.#other?.lose(reason);
    }
  }

  /** Who takes frames at this end. */
  get accepting(): LinkListener | undefined {
    return this.#goneBy === null ? (this.#listener ?? undefined) : undefined;
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#endWait = resolve;
      this.#timer = setTimeout(resolve, Math.ceil(ms));
    });
  }

  #end(reason: Error): void {
    if (this.#goneBy !== null) return;
    this.#goneBy = reason;
    for (const { reject } of this.#waiting.splice(0)) reject(reason);
    this.#listener?.closed(reason);
  }
}
