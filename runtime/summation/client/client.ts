/**
 * @file A client of the summation service: one method that takes what the server sent and gives what
 * to send back, whatever carries both. It takes part under its own policy, once in each step of a
 * round, and forgets a round that is over or was left alone.
 */

import { interruptible } from '../../../executors/interruption.ts';
import { abandonClient, isFault, sha256, toHex } from '../../../protocols/index.ts';
import {
  replyCodec,
  requestCodec,
  type SummationRequest,
  type SummationStep,
} from '../messages.ts';
import { type ContributionRequest, vectorsOfContribution } from './contribution.ts';
import {
  type CheckedClientOptions,
  checkedClientOptions,
  type FailedStep,
  type SummationClientOptions,
} from './options.ts';
import { RefusedStep, toldOf } from './refused-step.ts';
import {
  type ClientSession,
  endSession,
  isRepeated,
  restoreSession,
  saveSession,
} from './session.ts';
import { laterStep, maskContext, maskStep, type StepDone, startStep } from './steps.ts';
import { Turns } from './turns.ts';

/**
 * @throws ValueError `value.out_of_range` for options without sense.
 * @throws ProtocolError `invalid-argument` where an identity, a roster or a ledger is missing, or the
 *   identity is not that of the roster.
 */
export function summationClient(options: SummationClientOptions): SummationClient {
  return new SummationClient(options);
}

export class SummationClient implements Disposable {
  readonly #options: CheckedClientOptions;
  readonly #sessions = new Map<string, ClientSession>();
  /** Last answers of rounds that this client has finished, in case they are lost on the way. */
  readonly #finished = new Map<string, Pick<ClientSession, 'last' | 'touched'>>();
  readonly #turns = new Turns();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: SummationClientOptions) {
    this.#options = checkedClientOptions(options);
  }

  /** In how many rounds it takes part at the moment. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /**
   * What to send back to the server. The same request again gets the same answer; a step that was done
   * already and is asked for otherwise gets a refusal, like anything else that is out of order.
   * @param message of the server that this client trusts to speak to, as far as its policy goes.
   * @returns an answer or a refusal. It never rejects.
   */
  async handle(message: Uint8Array): Promise<Uint8Array> {
    const bytes = message instanceof Uint8Array ? message : new Uint8Array(0);
    const request = requestCodec.decode(bytes, this.#options.environment.limits);
    if (isFault(request)) {
      const { code, message: text } = request;
      return refusal(undefined, new Uint8Array(0), code, text);
    }
    const { session, step } = request;
    const name = toHex(session);
    if (step === 'leave')
      this.#sessions.get(name)?.controller.abort(new Error('The round is over.'));
    try {
      return await this.#turns.take(name, () => this.#handle(name, request, sha256(message)));
    } catch (error) {
      const { code, message: text, own } = toldOf(error);
      if (own) this.#report(error, { round: name, step });
      return refusal(step, session, code, text);
    }
  }

  /** Leaves all rounds and erases what it keeps of them here; what a store keeps stays. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const session of this.#sessions.values()) endSession(session, 'The client was closed.');
    this.#sessions.clear();
    this.#finished.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #handle(name: string, request: SummationRequest, digest: Uint8Array): Promise<Uint8Array> {
    if (this.#closed) throw new RefusedStep('client-closed', 'this client takes part in nothing');
    const { step, session: id } = request;
    const finished = this.#finished.get(name);
    if (finished !== undefined && isRepeated(finished, digest)) return finished.last.reply;
    if (step === 'leave') {
      await this.#forget(name, 'The round is over.');
      this.#finished.delete(name);
      return answer(step, id, new Uint8Array(0));
    }
    const session = this.#sessions.get(name) ?? (await this.#restore(name));
    if (session !== undefined && isRepeated(session, digest)) return session.last.reply;
    if (step === 'advertise') {
      if (session !== undefined || finished !== undefined) {
        throw new RefusedStep('session-used', 'this client takes part in this session already');
      }
      return this.#start(name, request, digest);
    }
    if (session === undefined) {
      throw new RefusedStep(
        'unknown-session',
        'this client is in no such session, or not any more',
      );
    }
    return this.#continue(session, { ...request, step }, digest);
  }

  async #start(name: string, request: SummationRequest, digest: Uint8Array): Promise<Uint8Array> {
    if (this.#sessions.size >= this.#options.mostSessions) {
      throw new RefusedStep(
        'too-many-sessions',
        `this client takes part in ${this.#options.mostSessions} rounds at a time`,
      );
    }
    const { state, task, clients, body } = startStep(request, this.#options.environment);
    const reply = answer(request.step, request.session, body);
    const session: ClientSession = {
      name,
      task,
      clients,
      controller: new AbortController(),
      touched: Date.now(),
      state,
      last: { digest, reply },
    };
    this.#sessions.set(name, session);
    this.#watch();
    await this.#keep(session);
    return reply;
  }

  async #continue(
    session: ClientSession,
    request: SummationRequest & { readonly step: Exclude<SummationStep, 'advertise' | 'leave'> },
    digest: Uint8Array,
  ): Promise<Uint8Array> {
    const { state, name } = session;
    session.touched = Date.now();
    let done: StepDone;
    try {
      done =
        request.step === 'mask-vectors'
          ? await this.#mask(session, request.body)
          : laterStep(request.step, state, request.body, this.#options.environment);
    } catch (error) {
      await this.#forget(name, 'The client left the round.');
      throw error;
    } finally {
      // Used up if the step was done; if not, it is not to be used any more.
      abandonClient(state);
    }
    const reply = answer(request.step, request.session, done.body);
    if (done.state === undefined) {
      await this.#forget(name, 'The round is over.');
      this.#remember(name, { digest, reply });
      return reply;
    }
    session.state = done.state;
    session.last = { digest, reply };
    await this.#keep(session);
    return reply;
  }

  async #mask(session: ClientSession, body: Uint8Array): Promise<StepDone> {
    const { task, name, clients, state, controller } = session;
    const { contribute, onClip = 'clip', rng } = this.#options;
    const { signal } = controller;
    const round: ContributionRequest = { ...task, round: name, clients, signal };
    const contributing = Promise.resolve().then(() => contribute(round));
    const contribution = await interruptible(contributing, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
      throw new RefusedStep('session-over', 'the round was over before the contribution was there');
    });
    const { vectors, erase } = vectorsOfContribution(task, contribution, {
      onClip,
      ...(rng !== undefined && { rng }),
    });
    try {
      const context = maskContext(task, contribution.context ?? task.context);
      return maskStep(state, body, { vectors, context }, this.#options.environment);
    } finally {
      erase();
    }
  }

  /** Before anything of a step is told: a process that goes on must not be behind what was told. */
  async #keep(session: ClientSession): Promise<void> {
    const { store } = this.#options;
    try {
      // It may have been left or closed while it worked.
      if (this.#sessions.get(session.name) !== session || session.controller.signal.aborted) {
        throw new RefusedStep('session-over', 'the round was over before the step was done');
      }
      if (store === undefined) return;
      const saved = saveSession(session);
      try {
        await store.save(session.name, saved);
      } finally {
        saved.erase();
      }
    } catch (error) {
      await this.#forget(session.name, 'The client left the round.');
      abandonClient(session.state);
      throw error;
    }
  }

  async #restore(name: string): Promise<ClientSession | undefined> {
    const { store } = this.#options;
    const saved = await store?.load(name);
    if (saved === undefined) return undefined;
    try {
      const session = restoreSession(name, saved, this.#options.environment.config);
      if (Date.now() - session.touched > this.#options.sessionTimeoutMs) {
        abandonClient(session.state);
        await store?.remove(name);
        return undefined;
      }
      if (this.#sessions.size >= this.#options.mostSessions) {
        abandonClient(session.state);
        throw new RefusedStep(
          'too-many-sessions',
          `this client takes part in ${this.#options.mostSessions} rounds at a time`,
        );
      }
      this.#sessions.set(name, session);
      this.#watch();
      return session;
    } finally {
      saved.erase();
    }
  }

  async #forget(name: string, reason: string): Promise<void> {
    const session = this.#sessions.get(name);
    this.#sessions.delete(name);
    if (session !== undefined) endSession(session, reason);
    await this.#options.store?.remove(name);
  }

  #remember(name: string, last: ClientSession['last']): void {
    this.#finished.set(name, { last, touched: Date.now() });
    this.#watch();
    const [oldest] = this.#finished.keys();
    if (this.#finished.size > this.#options.mostSessions && oldest !== undefined) {
      this.#finished.delete(oldest);
    }
  }

  /** Erases sessions that were left alone, when the first of them has been for long enough. */
  #watch(): void {
    const all = [...this.#sessions.values(), ...this.#finished.values()];
    if (this.#timer !== undefined || all.length === 0 || this.#closed) return;
    const oldest = Math.min(...all.map(({ touched }) => touched));
    const wait = Math.max(1, oldest + this.#options.sessionTimeoutMs - Date.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#eraseAbandoned();
      this.#watch();
    }, wait);
    // Waiting for nothing must not keep a process alive.
    const timer: unknown = this.#timer;
    if (typeof timer === 'object' && timer !== null && 'unref' in timer) {
      (timer as { unref(): void }).unref();
    }
  }

  #eraseAbandoned(): void {
    const limit = Date.now() - this.#options.sessionTimeoutMs;
    for (const [name, { touched }] of this.#finished) {
      if (touched <= limit) this.#finished.delete(name);
    }
    for (const [name, { touched }] of this.#sessions) {
      if (touched > limit) continue;
      this.#forget(name, 'The round was left alone.').catch((error) =>
        this.#report(error, { round: name, step: 'leave' }),
      );
    }
  }

  #report(error: unknown, where: FailedStep): void {
    try {
      this.#options.onError?.(error, where);
    } catch (failure) {
      // A listener must not break what it listens to; its error surfaces as its own.
      queueMicrotask(() => {
        throw failure;
      });
    }
  }
}

function answer(step: SummationStep, session: Uint8Array, body: Uint8Array): Uint8Array {
  return replyCodec.encode({ kind: 'answer', step, session, body });
}

function refusal(
  step: SummationStep | undefined,
  session: Uint8Array,
  code: string,
  message: string,
): Uint8Array {
  return replyCodec.encode({ kind: 'refusal', step, session, code, message });
}
