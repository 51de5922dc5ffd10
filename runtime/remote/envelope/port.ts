/** @file A link that carries frames of the envelope: whoever reads it can change, as after a greeting. */

import { transportError } from '../../../executors/remote/status.ts';
import type { Link, PeerIdentity } from '../link.ts';
import { decodeFrame, encodeControl, type IncomingFrame } from './frames.ts';

export interface PortReader {
  frame(frame: IncomingFrame): void;
  /** The link is gone. */
  closed(reason: Error): void;
  /** What came is no frame; the port is still open, to say so. */
  violated(reason: Error): void;
}

export class Port {
  readonly #link: Link;
  #reader: PortReader | null = null;
  #closedBy: Error | null = null;
  /** Set if it was not this end that closed the link. */
  #goneBy: Error | null = null;
  #paused: Promise<void> | null = null;
  #resolvePaused: () => void = () => {};
  #sending: Promise<void> = Promise.resolve();
  #received = 0;
  #sent = 0;

  constructor(link: Link) {
    this.#link = link;
  }

  get peer(): PeerIdentity {
    return this.#link.peer;
  }

  get isOpen(): boolean {
    return this.#closedBy === null;
  }

  /** Bytes each way. */
  get traffic(): { readonly received: number; readonly sent: number } {
    return { received: this.#received, sent: this.#sent };
  }

  /** Hands what comes from now on to the reader. The first call opens the port. */
  read(reader: PortReader): void {
    const isFirst = this.#reader === null;
    this.#reader = reader;
    if (isFirst) {
      this.#link.listen({ frame: (bytes) => this.#frame(bytes), closed: (why) => this.#gone(why) });
      return;
    }
    this.#goOn();
    if (this.#goneBy !== null) reader.closed(this.#goneBy);
  }

  /** Lets the peer wait until another reader is there. */
  pause(): void {
    this.#paused ??= new Promise((resolve) => {
      this.#resolvePaused = resolve;
    });
  }

  /** @throws TransportError `transport.unavailable` if the link is gone. */
  async send(frame: Uint8Array): Promise<void> {
    if (this.#closedBy !== null) throw this.#closedBy;
    this.#sent += frame.length;
    this.#sending = this.#link.send(frame);
    await this.#sending;
  }

  /** Ends the link; the reader is told nothing more. */
  close(reason?: Error): void {
    this.#closedBy ??= reason ?? transportError('transport.unavailable', 'The link was closed.');
    this.#goOn();
    this.#link.close(reason);
  }

  /** Says why, for no longer than the link takes it, and ends the link. */
  async leave(code: number, reason: string, waitMs: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, waitMs);
    });
    const frame = encodeControl({ case: 'bye', code, reason: reason.slice(0, MAX_REASON) });
    // A link takes one frame after the other.
    const said = this.#sending.then(() => this.send(frame));
    await Promise.race([said, enough]).catch(() => {});
    clearTimeout(timer);
    this.close();
  }

  #frame(bytes: Uint8Array): void | Promise<void> {
    if (this.#closedBy !== null) return;
    // A link that reads on all the same has its frames kept in order.
    if (this.#paused !== null) return this.#paused.then(() => this.#frame(bytes));
    this.#received += bytes.length;
    let frame: IncomingFrame;
    try {
      frame = decodeFrame(bytes);
    } catch (error) {
      this.#reader?.violated(error as Error);
      return;
    }
    this.#reader?.frame(frame);
    return this.#paused ?? undefined;
  }

  #gone(reason: Error): void {
    if (this.#closedBy !== null) return;
    this.#closedBy = reason;
    this.#goneBy = reason;
    if (this.#paused === null) this.#reader?.closed(reason);
  }

  #goOn(): void {
    this.#paused = null;
    this.#resolvePaused();
  }
}

/** Characters of what a goodbye says. */
const MAX_REASON = 1000;
