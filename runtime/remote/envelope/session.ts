/**
 * @file A session: what two ends tell each other in numbered frames, each of which is handled once and
 * in order, however often the link between them breaks. Numbers, cumulative acknowledgement and sending
 * again are those of TCP (RFC 9293) and of the stream management of XMPP (XEP-0198), one layer up.
 */

import { errorOf, transportError } from '../../../executors/remote/status.ts';
import {
  type DataFrame,
  encodeControl,
  type IncomingFrame,
  type IncomingPart,
  violation,
} from './frames.ts';
import { Liveness } from './liveness.ts';
import {
  ACKNOWLEDGED_BYTES,
  type EnvelopeLimits,
  type Heartbeat,
  MAX_TIMER_MS,
} from './options.ts';
import { Outbox } from './outbox.ts';
import type { Port } from './port.ts';
import { SentFrames } from './sent-frames.ts';

/** Who makes calls over a session, or serves them. */
export interface SessionUser {
  /** @throws TransportError for a part that no peer sends that keeps to the envelope. */
  part(part: IncomingPart): void;
  /** Begins nothing new. @returns when all that had begun is done. */
  drain(): Promise<void>;
  /** The session is over. */
  ended(reason: Error): void;
}

export interface SessionSettings {
  readonly limits: EnvelopeLimits;
  readonly heartbeat: Heartbeat;
  /** The longest message that the peer accepts. */
  readonly peerMaxMessageBytes: number;
}

export interface Traffic {
  /** Bytes of frames over all links of the session. */
  readonly received: number;
  readonly sent: number;
}

/** Why a session ended. */
export interface SessionEnd {
  /** The peer said goodbye, this end did, or the peer was lost or did what it may not. */
  readonly by: 'peer' | 'us' | 'loss';
  readonly reason: Error;
}

export class Session {
  readonly settings: SessionSettings;
  readonly outbox = new Outbox();
  /** Never rejects. */
  readonly ended: Promise<SessionEnd>;
  #user: SessionUser = NOBODY;
  readonly #sent = new SentFrames();
  #received = 0;
  /** Of what was received since the last acknowledgement. */
  #unacknowledgedBytes = 0;
  #unacknowledgedFrames = 0;
  #attached: Attachment | null = null;
  #grace: ReturnType<typeof setTimeout> | undefined;
  #end: SessionEnd | null = null;
  #resolveEnded: (end: SessionEnd) => void = () => {};
  #closing: Promise<void> | null = null;
  #whenFlushed: (() => void) | null = null;
  #pastTraffic: Traffic = { received: 0, sent: 0 };
  /** Told whether the peer was heard, by the next frame or the end of the link. */
  readonly #listening = new Set<(heard: boolean) => void>();

  constructor(settings: SessionSettings) {
    this.settings = settings;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  /** Says who uses the session, before its first link is attached. */
  use(user: SessionUser): void {
    this.#user = user;
  }

  /** Number of the last data frame that was handled. */
  get received(): number {
    return this.#received;
  }

  get isAttached(): boolean {
    return this.#attached !== null;
  }

  get end(): SessionEnd | null {
    return this.#end;
  }

  get traffic(): Traffic {
    return added(this.#pastTraffic, this.#attached?.port.traffic);
  }

  /** Whether a peer that says to have received so much can go on with this session. */
  canResume(received: number): boolean {
    return this.#end === null && this.#sent.resume(received);
  }

  /**
   * Goes on over a link that was greeted, and leaves the one before.
   * @param received Number of the last data frame that arrived at the other end.
   * @param first Frame that goes before all others.
   * @returns what resolves when the link is gone, with the reason. Never rejects.
   */
  attach(port: Port, received: number, first: Uint8Array | null = null): Promise<Error> {
    const before = this.#attached;
    if (before !== null) {
      this.#leave(before, transportError('transport.unavailable', 'Another link took over.'));
      before.port.close();
    }
    clearTimeout(this.#grace);
    if (this.#end !== null) {
      port.close();
      return Promise.resolve(this.#end.reason);
    }
    return new Promise((resolve) => {
      const attachment: Attachment = {
        port,
        liveness: new Liveness(this.settings.heartbeat, {
          quiet: () => this.#ask('ping'),
          gone: (reason) => this.#lose(attachment, reason),
        }),
        resolveLost: resolve,
        first,
        due: { ping: false, pong: false, ack: false },
        state: 'idle',
      };
      this.#attached = attachment;
      if (!this.#sent.resume(received)) {
        this.#violated(violation(`it has received ${received} frames, which cannot be`));
        return;
      }
      port.read({
        frame: (frame) => {
          // After a goodbye, what was on its way may still come.
          if (this.#attached === attachment) this.#frame(frame);
        },
        closed: (reason) => this.#lose(attachment, reason),
        violated: (reason) => this.#violated(reason),
      });
      this.flush();
    });
  }

  /**
   * Asks the peer for a word, over the link that there is now.
   * @returns whether one came within so many milliseconds.
   */
  isHeard(withinMs: number): Promise<boolean> {
    if (this.#attached === null) return Promise.resolve(false);
    return new Promise((resolve) => {
      const answer = (heard: boolean): void => {
        clearTimeout(timer);
        this.#listening.delete(answer);
        resolve(heard);
      };
      let timer = setTimeout(() => {
        // This process may have been busy: what has come meanwhile is read first.
        timer = setTimeout(() => answer(false), 0);
      }, withinMs);
      this.#listening.add(answer);
      this.#ask('ping');
    });
  }

  /** There is something in the outbox. What comes in the same microtask goes in the same frame. */
  flush(): void {
    const attached = this.#attached;
    if (attached === null || attached.state !== 'idle') return;
    attached.state = 'scheduled';
    queueMicrotask(() => {
      // It reports its failures itself.
      void this.#pump(attached);
    });
  }

  /**
   * Lets what has begun finish, no longer than `drainMs`, and says goodbye.
   * @param code that the other side is told, as in google/rpc/code.proto.
   */
  close(drainMs: number, reason = 'The session is closed.', code = 0): Promise<void> {
    this.#closing ??= this.#shutDown(drainMs, reason, code);
    return this.#closing;
  }

  /** Ends the session at once; the other side is told, where that is possible. */
  abort(error: Error, code: number): void {
    this.#finish({ by: 'us', reason: error }, { code, reason: error.message });
  }

  async #shutDown(drainMs: number, reason: string, code: number): Promise<void> {
    if (this.#end !== null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.min(drainMs, MAX_TIMER_MS));
    });
    const drained = this.#user.drain().then(() => this.#flushed());
    await Promise.race([drained, enough, this.ended]);
    clearTimeout(timer);
    const error = transportError('transport.unavailable', reason);
    const left = this.#finish({ by: 'us', reason: error }, { code, reason });
    await left;
  }

  /** Until all is with the link. */
  #flushed(): Promise<void> {
    if (this.#isFlushed()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenFlushed = resolve;
      this.flush();
    });
  }

  #isFlushed(): boolean {
    return this.outbox.size === 0 && this.#sent.allSent && this.#attached?.state !== 'sending';
  }

  async #pump(attached: Attachment): Promise<void> {
    const { port, liveness } = attached;
    attached.state = 'sending';
    try {
      for (;;) {
        if (this.#attached !== attached) return;
        const frame = this.#nextFrame(attached);
        if (frame === null) break;
        liveness.sending();
        await port.send(frame);
        liveness.sent();
      }
      attached.state = 'idle';
      if (this.#whenFlushed !== null && this.#isFlushed()) this.#whenFlushed();
    } catch (error) {
      this.#lose(attached, error as Error);
    }
  }

  #nextFrame(attached: Attachment): Uint8Array | null {
    const { due, first } = attached;
    if (first !== null) {
      attached.first = null;
      return first;
    }
    for (const kind of ['pong', 'ping'] as const) {
      if (due[kind]) {
        due[kind] = false;
        return encodeControl({ case: kind, acknowledged: this.#acknowledge() });
      }
    }
    const { chunkBytes, windowBytes } = this.settings.limits;
    const isOpen = this.#sent.bytes + chunkBytes <= windowBytes;
    if (this.#sent.allSent && this.outbox.size > 0 && isOpen) {
      this.#sent.push(this.outbox.fill(chunkBytes));
    }
    if (!this.#sent.allSent) {
      due.ack = false;
      return this.#sent.next(this.#acknowledge());
    }
    if (!due.ack) return null;
    due.ack = false;
    return encodeControl({ case: 'ack', acknowledged: this.#acknowledge() });
  }

  /** What is told to have been received. */
  #acknowledge(): number {
    this.#unacknowledgedBytes = 0;
    this.#unacknowledgedFrames = 0;
    return this.#received;
  }

  #ask(kind: keyof Attachment['due']): void {
    if (this.#attached === null) return;
    this.#attached.due[kind] = true;
    this.flush();
  }

  #frame(frame: IncomingFrame): void {
    this.#attached?.liveness.heard();
    for (const tell of this.#listening) tell(true);
    try {
      switch (frame.kind) {
        case 'data':
          this.#sent.acknowledge(frame.acknowledged);
          this.#data(frame);
          break;
        case 'ack':
        case 'ping':
        case 'pong':
          this.#sent.acknowledge(frame.acknowledged);
          if (frame.kind === 'ping') this.#ask('pong');
          break;
        case 'bye': {
          const reason = farewell(frame.code, frame.reason);
          this.#finish({ by: 'peer', reason }, null);
          return;
        }
        default:
          throw violation(`a ${frame.kind} came in the middle of a session`);
      }
      // The window may be open again.
      if (this.outbox.size > 0) this.flush();
    } catch (error) {
      this.#violated(error as Error);
    }
  }

  #data({ number, parts, bytes }: DataFrame): void {
    if (number <= this.#received) {
      // It came before, and its acknowledgement was lost.
      if (number < 1) throw violation('a data frame has no number');
      this.#ask('ack');
      return;
    }
    if (number !== this.#received + 1) {
      throw violation(`frame ${number} came after frame ${this.#received}`);
    }
    for (const part of parts) {
      this.#user.part(part);
      if (this.#end !== null) return;
    }
    this.#received = number;
    this.#unacknowledgedBytes += bytes;
    this.#unacknowledgedFrames += 1;
    if (
      this.#unacknowledgedBytes >= ACKNOWLEDGED_BYTES ||
      this.#unacknowledgedFrames >= ACKNOWLEDGED_FRAMES
    ) {
      this.#ask('ack');
    }
  }

  /** The link is gone; the session waits for the next one. */
  #lose(attached: Attachment, reason: Error): void {
    if (this.#attached !== attached) return;
    this.#leave(attached, reason);
    attached.port.close(reason);
    if (this.#closing !== null && this.outbox.size === 0 && this.#sent.allSent) {
      // Nobody is left to say goodbye to.
      this.#whenFlushed?.();
    }
    const { graceMs } = this.settings.heartbeat;
    this.#grace = setTimeout(() => {
      const text = `The peer was lost, and did not come back within ${graceMs} ms.`;
      const error = transportError('transport.unavailable', text, reason);
      this.#finish({ by: 'loss', reason: error }, null);
    }, graceMs);
  }

  #leave(attached: Attachment, reason: Error): void {
    this.#attached = null;
    this.#pastTraffic = added(this.#pastTraffic, attached.port.traffic);
    attached.liveness.stop();
    for (const tell of this.#listening) tell(false);
    attached.resolveLost(reason);
  }

  #violated(error: Error): void {
    const text = 'The session was ended, because the peer did what it may not.';
    const reason = transportError('transport.unavailable', text, error);
    this.#finish({ by: 'loss', reason }, { code: INVALID_ARGUMENT, reason: error.message });
  }

  /** @param bye what the other side is told, if anything. @returns when that is done. */
  async #finish(end: SessionEnd, bye: { code: number; reason: string } | null): Promise<void> {
    if (this.#end !== null) return;
    this.#end = end;
    clearTimeout(this.#grace);
    const attached = this.#attached;
    if (attached !== null) this.#leave(attached, end.reason);
    this.outbox.clear();
    this.#sent.clear();
    this.#user.ended(end.reason);
    this.#resolveEnded(end);
    if (bye === null) attached?.port.close(end.reason);
    else await attached?.port.leave(bye.code, bye.reason, BYE_MS);
  }
}

const NOBODY: SessionUser = {
  part() {
    throw violation('nobody makes or serves calls here');
  },
  drain: () => Promise.resolve(),
  ended() {},
};

interface Attachment {
  readonly port: Port;
  readonly liveness: Liveness;
  readonly resolveLost: (reason: Error) => void;
  /** What is to be said as soon as the link takes it; once, however often it was asked for. */
  readonly due: { ping: boolean; pong: boolean; ack: boolean };
  first: Uint8Array | null;
  state: 'idle' | 'scheduled' | 'sending';
}

/** So many frames, at the latest, are acknowledged without being asked. */
const ACKNOWLEDGED_FRAMES = 128;

/** So long a goodbye may wait until the link takes it. */
const BYE_MS = 1000;

const INVALID_ARGUMENT = 3;

/** What a goodbye means for those who still wait; its cause is what the code stands for. */
function farewell(code: number, said: string): Error {
  const reason = said.slice(0, 1000);
  const cause = code === 0 ? undefined : errorOf({ code, message: reason });
  const text = `The peer said goodbye${reason === '' ? '' : `: ${reason}`}`;
  return transportError('transport.unavailable', text, cause);
}

function added(traffic: Traffic, more: Traffic | undefined): Traffic {
  const { received, sent } = traffic;
  return { received: received + (more?.received ?? 0), sent: sent + (more?.sent ?? 0) };
}
