/**
 * @file A client of the federation, as one end of the envelope: it serves executors to a coordinator,
 * over one link after the other.
 */

import { serveWithinSpan } from '../../../executors/remote/call-spans.ts';
import type { ExecutorCalls } from '../../../executors/remote/calls.ts';
import { transportError } from '../../../executors/remote/status.ts';
import type { Link } from '../link.ts';
import { CallServer, type CallServerOptions } from './call-server.ts';
import {
  type ClientDescription,
  type CoordinatorWelcome,
  checkDescription,
  greetCoordinator,
} from './greeting.ts';
import { type EnvelopeLimits, withDefaultLimits } from './options.ts';
import type { Port } from './port.ts';
import { Session, type SessionEnd, type Traffic } from './session.ts';

/** What is served during one session, e.g. of `ExecutorHost.connect`. */
export interface ServedCalls extends ExecutorCalls {
  /** The session is over: what the coordinator held is released. */
  close(): Promise<void> | void;
}

export interface EnvelopeClientOptions extends ClientDescription {
  /** Called at the beginning of each session. */
  readonly connect: () => ServedCalls;
  readonly limits?: Partial<EnvelopeLimits>;
  /** So long the coordinator may take to welcome, in milliseconds. @default 10,000 */
  readonly helloMs?: number;
  /**
   * The longest time that a session without a link is kept, whatever the coordinator says, in
   * milliseconds. @default 600,000
   */
  readonly maxGraceMs?: number;
  readonly around?: CallServerOptions['around'];
}

/** A link over which a coordinator is served. */
export interface Attached {
  /** Names the session in logs. */
  readonly session: string;
  /** Whether the session is the one before. */
  readonly resumed: boolean;
  /** Resolves when the link is gone; never rejects. */
  readonly lost: Promise<LinkEnd>;
}

export interface LinkEnd {
  readonly reason: Error;
  /** Set if the session ended with the link: it will not be resumed. */
  readonly end: SessionEnd | null;
}

export class EnvelopeClient {
  readonly #options: EnvelopeClientOptions;
  readonly #limits: EnvelopeLimits;
  #current: Current | null = null;
  #isClosed = false;
  readonly #closed = new AbortController();

  /** @throws TransportError `transport.invalid_argument` for a description that is out of bounds. */
  constructor(options: EnvelopeClientOptions) {
    checkDescription(options);
    this.#options = options;
    this.#limits = withDefaultLimits(options.limits);
  }

  /** Bytes of the session each way; `null` without a session. */
  get traffic(): Traffic | null {
    return this.#current?.session.traffic ?? null;
  }

  /** Calls that are worked on. */
  get serving(): number {
    return this.#current?.server.serving ?? 0;
  }

  /**
   * Greets the coordinator over a link, whoever opened it, and serves it: in the session before, if
   * that can go on, otherwise in a new one. One greeting at a time.
   * @returns when the coordinator has welcomed this client.
   * @throws TransportError what the coordinator refuses with (`isFinalRefusal` tells whether to try
   *   again), or what the link fails with.
   */
  async serve(link: Link, { signal }: { readonly signal?: AbortSignal } = {}): Promise<Attached> {
    if (this.#isClosed) {
      link.close();
      throw transportError('transport.unavailable', 'The client is closed.');
    }
    const { name, capabilities, policy, helloMs = 10_000 } = this.#options;
    const before = this.#current;
    const { port, message: welcome } = await greetCoordinator(
      link,
      {
        name,
        capabilities,
        policy,
        resume: before && { token: before.token, received: before.session.received },
        maxMessageBytes: this.#limits.maxMessageBytes,
      },
      {
        helloMs,
        signal: signal ? AbortSignal.any([signal, this.#closed.signal]) : this.#closed.signal,
      },
    );
    return this.#begin(port, welcome);
  }

  /** Lets calls finish, no longer than `drainMs`, says goodbye and releases everything. */
  async close({ drainMs = 0, reason = 'The client leaves.' } = {}): Promise<void> {
    this.#isClosed = true;
    this.#closed.abort(transportError('transport.unavailable', 'The client is closed.'));
    const current = this.#current;
    if (current === null) return;
    await current.session.close(drainMs, reason);
    await current.released;
  }

  #begin(port: Port, welcome: CoordinatorWelcome): Attached {
    const { resumed, received, session: id } = welcome;
    const before = this.#current;
    if (resumed && before?.session.canResume(received)) {
      return attachedOf(before.session, id, true, before.session.attach(port, received));
    }
    if (resumed) {
      const error = transportError(
        'transport.unavailable',
        'The coordinator goes on with a session that ended here.',
      );
      void port.leave(error.status, error.message, 1000);
      before?.session.abort(error, error.status);
      throw error;
    }
    // The coordinator knows nothing of the session before.
    before?.session.abort(
      transportError('transport.unavailable', 'The coordinator began a new session.'),
      0,
    );
    const session = this.#open(welcome);
    return attachedOf(session, id, false, session.attach(port, received));
  }

  #open({ heartbeat, maxMessageBytes, token }: CoordinatorWelcome): Session {
    const calls = this.#options.connect();
    const { around, maxGraceMs = 600_000 } = this.#options;
    const session = new Session({
      limits: this.#limits,
      heartbeat: { ...heartbeat, graceMs: Math.min(heartbeat.graceMs, maxGraceMs) },
      peerMaxMessageBytes: maxMessageBytes,
    });
    const server = new CallServer(session, { calls, around: inSpans(around) });
    const released = session.ended.then(async () => {
      if (this.#current?.session === session) this.#current = null;
      await calls.close();
    });
    // Whoever closes waits for it; otherwise there is nobody to tell.
    released.catch(() => {});
    this.#current = { session, token, released, server };
    return session;
  }
}

/** A span around each call, a part of the caller's; what the program puts around is within it. */
function inSpans(
  around: NonNullable<CallServerOptions['around']> = (_, work) => work(),
): NonNullable<CallServerOptions['around']> {
  return (call, work) => serveWithinSpan({ ...call, system: 'fedloom' }, () => around(call, work));
}

interface Current {
  readonly session: Session;
  readonly server: CallServer;
  readonly token: CoordinatorWelcome['token'];
  /** When all that was served is released. */
  readonly released: Promise<void>;
}

function attachedOf(
  session: Session,
  id: string,
  resumed: boolean,
  lost: Promise<Error>,
): Attached {
  return {
    session: id,
    resumed,
    lost: lost.then((reason) => ({ reason, end: session.end })),
  };
}
