/** @file A client of the service as the round sees it: its steps in envelopes, over any transport. */

import { ProtocolAbortError } from '../../computations/types/index.ts';
import type { RequestOptions, SecAggPeer } from '../../executors/index.ts';
import { onAbort } from '../../executors/interruption.ts';
import { equalBytes, isFault, type SecAggServerStage } from '../../protocols/index.ts';
import type { StageTraffic } from './events.ts';
import { replyCodec, requestCodec, type SummationRefusal } from './messages.ts';
import { withoutCode } from './task.ts';

/** How the server reaches a client, whatever carries the bytes. */
export interface SummationPeer {
  /** Its name; in the active model that in the roster. */
  readonly name: string;
  /**
   * Brings a message to the client's `handle`, and its answer back.
   * @param options.signal is aborted when nobody waits for the answer any more.
   */
  request(message: Uint8Array, options: { readonly signal: AbortSignal }): Promise<Uint8Array>;
}

export interface PeerSession {
  readonly session: Uint8Array;
  /** The encoded task. */
  readonly task: Uint8Array;
  /** How long to wait for a client that is told to leave, in milliseconds. */
  readonly leaveTimeoutMs: number;
  /** The longest answer of a step, in bytes. */
  mostBytes(step: SecAggServerStage): number;
  /** Counts what travels, whoever answers. */
  count(traffic: StageTraffic): void;
}

/** What lasts from step to step; one record, however often the peer is wrapped. */
interface Standing {
  /** Whether the client can know of the round, and still keeps something of it. */
  involved: boolean;
  left: boolean;
  /** Of the latest request. */
  traffic: StageTraffic;
  waiting: AbortController | undefined;
}

export class EnvelopePeer implements SecAggPeer {
  readonly #peer: SummationPeer;
  readonly #session: PeerSession;
  readonly #standing: Standing;
  readonly #signal: AbortSignal | undefined;

  constructor(
    peer: SummationPeer,
    session: PeerSession,
    standing: Standing = {
      involved: false,
      left: false,
      traffic: { toClients: 0, toServer: 0 },
      waiting: undefined,
    },
    signal?: AbortSignal,
  ) {
    this.#peer = peer;
    this.#session = session;
    this.#standing = standing;
    this.#signal = signal;
  }

  get name(): string {
    return this.#peer.name;
  }

  /** Of the latest request. */
  get traffic(): StageTraffic {
    return this.#standing.traffic;
  }

  within({ signal }: RequestOptions): SecAggPeer {
    return new EnvelopePeer(this.#peer, this.#session, this.#standing, signal);
  }

  /** @throws ProtocolAbortError where the client refuses, or what came is no answer to this. */
  async answer(step: SecAggServerStage, body: Uint8Array): Promise<Uint8Array> {
    const standing = this.#standing;
    const { session, task, mostBytes } = this.#session;
    const message = requestCodec.encode({
      kind: 'request',
      step,
      session,
      task: step === 'advertise' ? task : NOTHING,
      body,
    });
    standing.involved = true;
    standing.traffic = { toClients: message.length, toServer: 0 };
    this.#session.count(standing.traffic);
    const bytes = await this.#request(message);
    standing.traffic = { toClients: message.length, toServer: bytes.length };
    this.#session.count({ toClients: 0, toServer: bytes.length });
    if (bytes.length > mostBytes(step)) {
      throw this.#unusable(
        step,
        'message-too-large',
        `${bytes.length} bytes instead of at most ${mostBytes(step)}`,
      );
    }
    const reply = replyCodec.decode(bytes, { messageBytes: mostBytes(step) });
    if (isFault(reply)) throw this.#unusable(step, reply.code, reply.message);
    if (reply.kind === 'refusal') throw this.#refused(step, reply);
    if (reply.step !== step || !equalBytes(reply.session, session)) {
      throw this.#unusable(step, 'wrong-session', 'the answer is one to another request');
    }
    if (step === 'unmask') standing.involved = false;
    return reply.body;
  }

  leave(): void {
    const standing = this.#standing;
    if (standing.left) return;
    standing.left = true;
    standing.waiting?.abort(new Error('The round goes on without this client, or is over.'));
    if (!standing.involved) return;
    const { session, leaveTimeoutMs } = this.#session;
    const message = requestCodec.encode({
      kind: 'request',
      step: 'leave',
      session,
      task: NOTHING,
      body: NOTHING,
    });
    // It is for the client's sake only; one that cannot be reached forgets by itself.
    const signal = AbortSignal.timeout(leaveTimeoutMs);
    Promise.resolve()
      .then(() => this.#peer.request(message, { signal }))
      .catch(() => {});
  }

  async #request(message: Uint8Array): Promise<Uint8Array> {
    const standing = this.#standing;
    const waiting = new AbortController();
    standing.waiting = waiting;
    const signal = this.#signal;
    signal?.throwIfAborted();
    const stop =
      signal === undefined ? () => {} : onAbort(signal, () => waiting.abort(signal.reason));
    try {
      const bytes: unknown = await this.#peer.request(message, { signal: waiting.signal });
      if (bytes instanceof Uint8Array) return bytes;
      throw new TypeError(`request of "${this.name}" gave no Uint8Array.`);
    } finally {
      stop();
      if (standing.waiting === waiting) standing.waiting = undefined;
    }
  }

  #refused(step: string, { code, message }: SummationRefusal): ProtocolAbortError {
    return new ProtocolAbortError(
      'protocol.aborted',
      `${this.name} refused: ${printable(message)}`,
      {
        stage: step,
        reason: code,
        offender: this.name,
      },
    );
  }

  #unusable(step: string, reason: string, problem: string): ProtocolAbortError {
    return new ProtocolAbortError(
      'protocol.aborted',
      `${this.name} gave no usable answer: ${printable(problem)}`,
      { stage: step, reason, offender: this.name },
    );
  }
}

/** Why a client was lost, in words for a report. */
export function lossMessage(cause: unknown): string {
  return cause instanceof Error ? printable(withoutCode(cause)) : 'it failed';
}

/** A text from elsewhere, such that it cannot pass for lines or colours of a log. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{FFFD}').slice(0, 500);
}

const NOTHING = new Uint8Array(0);
