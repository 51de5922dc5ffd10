/**
 * @file Data frames that were sent, until the other side says that it has them: what a broken link has
 * lost of them goes again over the next one. What is kept is where their bytes come from, and not the
 * bytes: a message to a thousand clients is in memory once.
 */

import { encodeData, type OutgoingPart, violation } from './frames.ts';

export class SentFrames {
  #frames: SentFrame[] = [];
  /** Frames before it are acknowledged, and empty. */
  #oldest = 0;
  /** The next one to be sent over this link. */
  #next = 0;
  /** Number of the frame that stands first in the list, whether or not it is acknowledged. */
  #base = 1;
  #bytes = 0;

  /** Bytes that are not acknowledged, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether every frame went over this link. */
  get allSent(): boolean {
    return this.#next === this.#frames.length;
  }

  /** Keeps a new frame, which is sent after those before. */
  push(parts: readonly OutgoingPart[]): void {
    let bytes = 0;
    for (const { head, length } of parts) bytes += head.length + length;
    this.#frames.push({ parts, bytes });
    this.#bytes += bytes;
  }

  /** The next frame for this link, in order. @param acknowledged what it tells the other side. */
  next(acknowledged: number): Uint8Array | null {
    const frame = this.#frames[this.#next];
    if (frame === undefined) return null;
    this.#next += 1;
    return encodeData(this.#base + this.#next - 1, acknowledged, frame.parts);
  }

  /**
   * Forgets frames up to a number.
   * @throws TransportError `transport.invalid_argument` for one that was never sent.
   */
  acknowledge(number: number): void {
    const end = number - this.#base + 1;
    if (end > this.#next) throw violation(`it acknowledges frame ${number}, which was not sent`);
    for (; this.#oldest < end; this.#oldest += 1) {
      this.#bytes -= this.#frames[this.#oldest]?.bytes ?? 0;
      this.#frames[this.#oldest] = NOTHING;
    }
    if (this.#oldest > MAX_EMPTY || this.#oldest === this.#frames.length) this.#compact();
  }

  /**
   * Begins with a new link, at whose other end the frames up to a number have arrived.
   * @returns whether that can be so.
   */
  resume(received: number): boolean {
    const end = received - this.#base + 1;
    if (end < this.#oldest || end > this.#frames.length) return false;
    this.#next = end;
    this.acknowledge(received);
    return true;
  }

  clear(): void {
    this.#base += this.#frames.length;
    this.#frames = [];
    this.#oldest = 0;
    this.#next = 0;
    this.#bytes = 0;
  }

  #compact(): void {
    this.#base += this.#oldest;
    this.#next -= this.#oldest;
    this.#frames = this.#frames.slice(this.#oldest);
    this.#oldest = 0;
  }
}

interface SentFrame {
  readonly parts: readonly OutgoingPart[];
  readonly bytes: number;
}

/** In the place of a frame that is acknowledged. */
const NOTHING: SentFrame = { parts: [], bytes: 0 };

const MAX_EMPTY = 256;
