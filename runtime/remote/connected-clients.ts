/**
 * @file The clients that are connected to a coordinator, by name, whoever opened the links, and the
 * cohorts that are chosen from them.
 *
 * There is one session for a name. A link that shows the token of the session takes it over, also from
 * a link that seems to be alive. Without the token it begins a new session if the one before has no
 * link (its client has most likely begun anew). If it has one and the newcomer proves its name, the old
 * link is asked whether it is alive: one that does not answer was left half-open by the client's last
 * process. Otherwise the newcomer is refused as `transport.unavailable`, so that it tries again: either
 * the old link turns out to be dead, or there are two clients of that name.
 */

import { randomBytes } from '#crypto';
import { interruptible } from '../../executors/interruption.ts';
import { transportError } from '../../executors/remote/status.ts';
import { toHex } from '../../protocols/crypto/bytes.ts';
import type { Rng } from '../../protocols/crypto/interface.ts';
import { SecretBytes } from '../../protocols/crypto/secret.ts';
import { ConnectedClient } from './connected-client.ts';
import type { CallerOptions } from './envelope/caller.ts';
import {
  awaitHello,
  type ClientHello,
  encodeWelcome,
  type Greeted,
  isToken,
  refuse,
  TOKEN_BYTES,
} from './envelope/greeting.ts';
import {
  checkRange,
  type EnvelopeLimits,
  type Heartbeat,
  MAX_TIMER_MS,
  withDefaultHeartbeat,
  withDefaultLimits,
} from './envelope/options.ts';
import type { Port } from './envelope/port.ts';
import type { SessionEnd } from './envelope/session.ts';
import type { Link, PeerIdentity } from './link.ts';
import { checkSelection, choose, isEligible, type Selection } from './selection.ts';

export interface ConnectedClientsOptions extends CallerOptions {
  /**
   * Refuses a client by throwing, e.g. a TransportError `transport.permission_denied`; before a session
   * is given or resumed. That a proven name equals the claimed one is asked in any case.
   */
  readonly admit?: (hello: ClientHello, peer: PeerIdentity) => void | Promise<void>;
  /**
   * Whether clients may come over links that prove no name, and are who they say. @default true
   */
  readonly allowUnproven?: boolean;
  readonly limits?: Partial<EnvelopeLimits>;
  readonly heartbeat?: Partial<Heartbeat>;
  /** Sessions at a time. @default 10,000 */
  readonly maxClients?: number;
  /**
   * Links at a time on which no hello has come. When there are more, the one that has been silent
   * longest is dropped. @default 2000
   */
  readonly maxGreeting?: number;
  /** So long a hello may take, and then `admit`, in milliseconds. @default 10,000 */
  readonly helloMs?: number;
  /**
   * So long the link of a client may take to answer when somebody else comes and proves the same name,
   * in milliseconds; less than `helloMs` of clients. @default 2000
   */
  readonly takeoverMs?: number;
  /** Draws cohorts. @default cryptographically secure */
  readonly random?: Rng;
  readonly onEvent?: (event: ClientEvent) => void;
}

export type ClientEvent =
  | { readonly kind: 'joined'; readonly client: ConnectedClient }
  /** Its link is gone; it may come back. */
  | { readonly kind: 'interrupted'; readonly client: ConnectedClient; readonly reason: Error }
  | { readonly kind: 'resumed'; readonly client: ConnectedClient }
  /** It said goodbye, or was dismissed. */
  | { readonly kind: 'left'; readonly client: ConnectedClient; readonly reason: Error }
  | { readonly kind: 'lost'; readonly client: ConnectedClient; readonly reason: Error }
  | { readonly kind: 'refused'; readonly peer: PeerIdentity; readonly reason: Error };

export class ConnectedClients {
  readonly #options: ConnectedClientsOptions;
  readonly #limits: EnvelopeLimits;
  readonly #heartbeat: Heartbeat;
  readonly #random: Rng;
  readonly #members = new Map<string, Member>();
  /** Links without a hello, the oldest first. */
  readonly #greeting = new Set<AbortController>();
  readonly #listeners = new Set<(event: ClientEvent) => void>();
  readonly #whenClosed = new Set<() => void>();
  #admitting = 0;
  #closing: Promise<void> | null = null;

  constructor(options: ConnectedClientsOptions = {}) {
    this.#options = options;
    this.#limits = withDefaultLimits(options.limits);
    this.#heartbeat = withDefaultHeartbeat(options.heartbeat);
    this.#random = options.random ?? randomBytes;
    checkRange('maxClients', options.maxClients ?? 1, 1, 2 ** 24);
    checkRange('maxGreeting', options.maxGreeting ?? 1, 1, 2 ** 24);
    checkRange('takeoverMs', options.takeoverMs ?? 1, 1, MAX_TIMER_MS);
    if (options.onEvent !== undefined) this.#listeners.add(options.onEvent);
  }

  /** Clients in a session, also those whose link is interrupted, in the order in which they joined. */
  get clients(): readonly ConnectedClient[] {
    return [...this.#members.values()].map(({ client }) => client);
  }

  /** Links on which no hello has come yet. */
  get greeting(): number {
    return this.#greeting.size;
  }

  get(name: string): ConnectedClient | undefined {
    return this.#members.get(name)?.client;
  }

  /** Tells of every event from now on. @returns what ends that. */
  listen(listener: (event: ClientEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Greets whoever is at the other end of a link.
   * @returns the client, or `null` if it was refused; the event `refused` tells why. Never rejects.
   */
  async accept(link: Link): Promise<ConnectedClient | null> {
    try {
      const greeted = await this.#hello(link);
      return await this.#decide(greeted);
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error));
      this.#tell({ kind: 'refused', peer: link.peer, reason });
      return null;
    }
  }

  /**
   * Chooses a cohort of those connected, uniformly at random; as soon as there are `atLeast`. It stays
   * the same, whoever comes or goes.
   * @throws TransportError `transport.unavailable` if there are too few in time; the reason of the
   *   signal.
   */
  async select(selection: Selection): Promise<readonly ConnectedClient[]> {
    checkSelection(selection);
    const { atLeast, atMost = Number.MAX_SAFE_INTEGER, within, signal } = selection;
    signal?.throwIfAborted();
    const eligible = (): ConnectedClient[] =>
      this.clients.filter((client) => isEligible(client, selection));
    let found = eligible();
    if (found.length < atLeast && within > 0 && this.#closing === null) {
      await this.#changes(within, signal, () => {
        found = eligible();
        return found.length >= atLeast;
      });
    }
    if (found.length >= atLeast) return choose(found, Math.min(atMost, found.length), this.#random);
    const connected = this.clients.filter(({ isConnected }) => isConnected).length;
    throw transportError(
      'transport.unavailable',
      `${atLeast} clients were asked for within ${within} ms; there are ${found.length} that may be ` +
        `chosen, of ${connected} connected.`,
    );
  }

  /** Lets calls finish, no longer than `drainMs`, and dismisses all clients. */
  close({ drainMs = 0, reason = 'The coordinator is closed.' } = {}): Promise<void> {
    this.#closing ??= this.#shutDown(drainMs, reason);
    return this.#closing;
  }

  async #hello(link: Link): Promise<Greeted<ClientHello>> {
    const { helloMs = 10_000, maxGreeting = 2000 } = this.#options;
    const waiting = new AbortController();
    const [oldest] = this.#greeting;
    if (oldest !== undefined && this.#greeting.size >= maxGreeting) {
      this.#greeting.delete(oldest);
      const text = 'Others wait to be greeted, and this link has said nothing for longest.';
      oldest.abort(transportError('transport.unavailable', text));
    }
    this.#greeting.add(waiting);
    if (this.#closing !== null) waiting.abort(closed());
    try {
      return await awaitHello(link, { helloMs, signal: waiting.signal });
    } finally {
      this.#greeting.delete(waiting);
    }
  }

  async #decide({ port, message: hello }: Greeted<ClientHello>): Promise<ConnectedClient> {
    this.#admitting += 1;
    try {
      await this.#admit(hello, port.peer);
      await this.#dropSilent(hello, port.peer);
      if (this.#closing !== null) throw closed();
      if (!port.isOpen) {
        throw transportError('transport.unavailable', 'The link was lost before the welcome.');
      }
      return this.#welcome(hello, port);
    } catch (error) {
      // It reports nothing, and closes the port.
      void refuse(port, error);
      throw error;
    } finally {
      this.#admitting -= 1;
    }
  }

  async #admit(hello: ClientHello, peer: PeerIdentity): Promise<void> {
    const { admit, allowUnproven = true, helloMs = 10_000, maxGreeting = 2000 } = this.#options;
    if (peer.name === null && !allowUnproven) {
      throw transportError('transport.unauthenticated', 'The link does not prove who connects.');
    }
    if (peer.name !== null && peer.name !== hello.name) {
      throw transportError(
        'transport.permission_denied',
        `${JSON.stringify(peer.name)} claims to be ${JSON.stringify(hello.name)}.`,
      );
    }
    if (this.#admitting > maxGreeting) {
      throw transportError('transport.unavailable', 'Too many clients come at once; try again.');
    }
    const admitted = admit?.(hello, peer);
    if (admitted === undefined) return;
    const limit = new AbortController();
    const timer = setTimeout(() => {
      const text = `It was not decided within ${helloMs} ms whether to admit the client.`;
      limit.abort(transportError('transport.unavailable', text));
    }, helloMs);
    try {
      await interruptible(admitted, limit.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Ends the link of a client that began anew, where that is still open but nobody is at its other end.
   * Whoever only says a name gets nobody asked; and one that proves it, one question at a time.
   */
  async #dropSilent({ name, resume }: ClientHello, peer: PeerIdentity): Promise<void> {
    const { takeoverMs = 2_000 } = this.#options;
    const before = this.#members.get(name);
    if (before === undefined || before.isAsked || peer.name === null) return;
    const { client, token } = before;
    if (!client.isConnected || (resume !== null && isToken(resume.token, token))) return;
    before.isAsked = true;
    const isAlive = await client.isHeard(takeoverMs);
    before.isAsked = false;
    if (isAlive || !client.isConnected) return;
    const text = `The client came again from ${peer.address}, and did not answer here for ${takeoverMs} ms.`;
    const reason = transportError('transport.unavailable', text);
    client.abort(reason, 0);
    this.#gone(before, { by: 'loss', reason });
  }

  /** The session that the client goes on with, or a new one. */
  #welcome(hello: ClientHello, port: Port): ConnectedClient {
    const { name, resume } = hello;
    const before = this.#members.get(name);
    if (before !== undefined) {
      const { client, token } = before;
      const hasToken = resume !== null && isToken(resume.token, token);
      if (hasToken && client.canResume(resume.received)) {
        this.#attach(before, port, resume.received, true);
        this.#tell({ kind: 'resumed', client });
        return client;
      }
      if (!hasToken && client.isConnected) {
        throw transportError(
          'transport.unavailable',
          `${JSON.stringify(name)} is connected already, from ${client.peer.address}.`,
        );
      }
      const reason = transportError('transport.unavailable', 'The client began a new session.');
      client.abort(reason, 0);
      this.#gone(before, { by: 'loss', reason });
    }
    const { maxClients = 10_000 } = this.#options;
    if (this.#members.size >= maxClients) {
      throw transportError(
        'transport.resource_exhausted',
        `${this.#members.size} clients are connected, as many as may be.`,
      );
    }
    const member = this.#open(hello, port.peer);
    this.#attach(member, port, 0, false);
    this.#tell({ kind: 'joined', client: member.client });
    return member.client;
  }

  #open(hello: ClientHello, peer: PeerIdentity): Member {
    const { traceparent } = this.#options;
    const settings = {
      limits: this.#limits,
      heartbeat: this.#heartbeat,
      peerMaxMessageBytes: hello.maxMessageBytes,
    };
    const session = toHex(randomBytes(8));
    const client = new ConnectedClient(session, hello, peer, settings, {
      ...(traceparent && { traceparent }),
    });
    const member = {
      client,
      token: new SecretBytes(randomBytes(TOKEN_BYTES)),
      isGone: false,
      isAsked: false,
    };
    this.#members.set(client.name, member);
    void client.ended.then((end) => this.#gone(member, end));
    return member;
  }

  #attach(member: Member, port: Port, received: number, resumed: boolean): void {
    const { client, token } = member;
    const welcome = encodeWelcome({
      session: client.session,
      token,
      resumed,
      received: client.received,
      maxMessageBytes: this.#limits.maxMessageBytes,
      heartbeat: this.#heartbeat,
    });
    void client.attach(port, received, welcome).then((reason) => {
      // Unless the session ended with it, or another link took over.
      if (client.isConnected || client.isEnded) return;
      this.#tell({ kind: 'interrupted', client, reason });
    });
  }

  #gone(member: Member, { by, reason }: SessionEnd): void {
    if (member.isGone) return;
    member.isGone = true;
    member.token.erase();
    const { client } = member;
    if (this.#members.get(client.name) === member) this.#members.delete(client.name);
    this.#tell({ kind: by === 'loss' ? 'lost' : 'left', client, reason });
  }

  /** Waits for an event after which it is enough, but not for long. */
  async #changes(
    ms: number,
    signal: AbortSignal | undefined,
    isEnough: () => boolean,
  ): Promise<void> {
    let done = (): void => {};
    let fail = (_: unknown): void => {};
    const changed = new Promise<void>((resolve, reject) => {
      done = resolve;
      fail = reject;
    });
    const timer = setTimeout(done, Math.min(ms, MAX_TIMER_MS));
    const ignore = this.listen(({ kind }) => {
      try {
        if (kind !== 'refused' && isEnough()) done();
      } catch (error) {
        fail(error);
      }
    });
    this.#whenClosed.add(done);
    try {
      await interruptible(changed, signal);
    } finally {
      clearTimeout(timer);
      ignore();
      this.#whenClosed.delete(done);
    }
  }

  async #shutDown(drainMs: number, reason: string): Promise<void> {
    for (const waiting of this.#greeting) waiting.abort(closed());
    for (const resolve of this.#whenClosed) resolve();
    await Promise.all(this.clients.map((client) => client.close(drainMs, reason)));
  }

  #tell(event: ClientEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        // A fault of the listener, and not of the client that the event is about.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

interface Member {
  readonly client: ConnectedClient;
  readonly token: SecretBytes;
  isGone: boolean;
  /** Whether it is being asked if it is alive, for one who claims to be the same. */
  isAsked: boolean;
}

function closed(): Error {
  return transportError('transport.unavailable', 'The coordinator is closed.');
}
