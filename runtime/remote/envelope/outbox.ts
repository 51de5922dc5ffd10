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
  /** Those that share frames, in the order of their turns. */
  readonly #turns = new Map<number, Sending>();
  /** Large ones that wait for others of their kind: what a receiver holds in part is memory. */
  readonly #waiting = new Map<number, Sending>();
  #largeTurns = 0;
  #cancelled: number[] = [];

  /** Messages and notes that wait. */
  get size(): number {
    return this.#turns.size + this.#waiting.size + this.#cancelled.length;
  }

  has(call: number): boolean {
    return this.#turns.has(call) || this.#waiting.has(call);
  }

  add(message: OutgoingMessage): void {
    const { pieces, length } = message.bytes;
    const isLarge = length > LARGE_BYTES;
    const bytes = new PieceReader(pieces);
    const sending = { message, length, isLarge, offset: 0, begun: false, bytes };
    if (isLarge && this.#largeTurns >= MAX_LARGE_TURNS) this.#waiting.set(message.call, sending);
    else this.#takeTurns(sending);
  }

  /** Takes back what has not gone of a message. @returns whether something of it has gone. */
  drop(call: number): boolean {
    const sending = this.#turns.get(call) ?? this.#waiting.get(call);
    if (sending === undefined) return true;
    this.#waiting.delete(call);
    if (this.#turns.has(call)) this.#finish(sending);
    else sending.message.released?.();
    return sending.begun;
  }

  /** Tells the other side that nobody waits for the response. */
  cancel(call: number): void {
    this.#cancelled.push(call);
  }

  clear(): void {
    const all = [...this.#turns.values(), ...this.#waiting.values()];
    this.#turns.clear();
    this.#waiting.clear();
    this.#largeTurns = 0;
    this.#cancelled = [];
    for (const { message } of all) message.released?.();
  }

  /** The parts of the next frame. @param room how many bytes they may have together, about. */
  fill(room: number): OutgoingPart[] {
    const parts = this.#cancelled.splice(0, MOST_PARTS).map(cancelPart);
    let left = room - parts.length * SMALL;
    while (parts.length < MOST_PARTS) {
      const [next] = this.#turns;
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
      if (taken === rest) {
        this.#finish(sending);
      } else {
        sending.begun = true;
        sending.offset += taken;
        // The others first.
        this.#turns.delete(call);
        this.#turns.set(call, sending);
      }
    }
    return parts;
  }

  #takeTurns(sending: Sending): void {
    if (sending.isLarge) this.#largeTurns += 1;
    this.#turns.set(sending.message.call, sending);
  }

  /** A message that had its turns has no more. */
  #finish({ message, isLarge }: Sending): void {
    this.#turns.delete(message.call);
    message.released?.();
    if (!isLarge) return;
    this.#largeTurns -= 1;
    for (const [call, next] of this.#waiting) {
      this.#waiting.delete(call);
      this.#takeTurns(next);
      return;
    }
  }
}

interface Sending {
  readonly message: OutgoingMessage;
  readonly length: number;
  readonly isLarge: boolean;
  readonly bytes: PieceReader;
  offset: number;
  begun: boolean;
}

/** A message that is longer is large. */
const LARGE_BYTES = 256 * 1024;

/** So many large messages share frames at a time. */
const MAX_LARGE_TURNS = 4;

/** Fewer than a receiver refuses. */
const MOST_PARTS = 1024;

const CANCEL = create(CancelSchema);

/** What stands around the head and the chunk of a part, at most. */
const SMALL = 24;

function cancelPart(call: number): OutgoingPart {
  const head = encodeHead(call, { case: 'cancel', value: CANCEL });
  return { head, offset: 0, pieces: [], length: 0 };
}
