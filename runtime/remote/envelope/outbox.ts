/**
 * @file Messages that wait for their way out, and how they share frames: small ones go together, large
 * ones chunk by chunk in turn, so that none holds up the others.
 */

import { create } from '@bufbuild/protobuf';
import { CancelSchema, type Part } from '../../../computations/wire/gen/fedloom/v1/envelope_pb.ts';
import type { Pieces } from '../../../computations/wire/index.ts';
import { encodeHead, type OutgoingPart } from './frames.ts';
import { MIN_CHUNK_BYTES } from './options.ts';
import { PieceReader } from './piece-reader.ts';

export interface OutgoingMessage {
  readonly call: number;
  /** Asked for when its first part goes, since it says how much time is left. */
  readonly head: () => Part['head'];
  /** They may not change until all have gone. */
  readonly bytes: Pieces;
  /** Called when the message needs its bytes no more: all are in frames, or it was dropped. */
  readonly released?: () => void;
}

export class Outbox {
  /** In the order of their turns. */
  readonly #messages = new Map<number, Sending>();
  #cancelled: number[] = [];

  /** Messages and notes that wait. */
  get size(): number {
    return this.#messages.size + this.#cancelled.length;
  }

  add(message: OutgoingMessage): void {
    const { call, bytes } = message;
    const { pieces, length } = bytes;
    this.#messages.set(call, {
      message,
      length,
      offset: 0,
      begun: false,
      bytes: new PieceReader(pieces),
    });
  }

  /** Takes back what has not gone of a message. @returns whether something of it has gone. */
  drop(call: number): boolean {
    const sending = this.#messages.get(call);
    if (sending === undefined) return true;
    this.#messages.delete(call);
    sending.message.released?.();
    return sending.begun;
  }

  /** Tells the other side that nobody waits for the response. */
  cancel(call: number): void {
    this.#cancelled.push(call);
  }

  clear(): void {
    for (const { message } of this.#messages.values()) message.released?.();
    this.#messages.clear();
    this.#cancelled = [];
  }

  /** The parts of the next frame. @param room how many bytes they may have together, about. */
  fill(room: number): OutgoingPart[] {
    const parts = this.#cancelled.splice(0, MOST_PARTS).map(cancelPart);
    let left = room - parts.length * SMALL;
    while (parts.length < MOST_PARTS) {
      const [next] = this.#messages;
      if (next === undefined) break;
      const [call, sending] = next;
      const { message, length, offset, begun, bytes } = sending;
      const head = encodeHead(call, begun ? { case: undefined } : message.head());
      left -= head.length + SMALL;
      const rest = length - offset;
      // Not into what is left of the frame, if that would make more parts of it than need be.
      if (parts.length > 0 && (left < 0 || (rest > left && left < MIN_CHUNK_BYTES))) break;
      const taken = Math.min(rest, Math.max(left, MIN_CHUNK_BYTES));
      parts.push({ head, offset, pieces: bytes.take(taken), length: taken });
      left -= taken;
      this.#messages.delete(call);
      if (taken === rest) message.released?.();
      else {
        sending.begun = true;
        sending.offset += taken;
        this.#messages.set(call, sending);
      }
    }
    return parts;
  }
}

interface Sending {
  readonly message: OutgoingMessage;
  readonly length: number;
  readonly bytes: PieceReader;
  offset: number;
  begun: boolean;
}

/** Fewer than a receiver refuses. */
const MOST_PARTS = 1024;

const CANCEL = create(CancelSchema);

/** What stands around the head and the chunk of a part, at most. */
const SMALL = 24;

function cancelPart(call: number): OutgoingPart {
  const head = encodeHead(call, { case: 'cancel', value: CANCEL });
  return { head, offset: 0, pieces: [], length: 0 };
}
