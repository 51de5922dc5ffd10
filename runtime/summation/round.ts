/**
 * @file One round of the service at the server. Each stage is a call, as in Flower's workflow, and
 * `run` makes them all; what happens in them is told to whoever listens.
 */

import { ContextError } from '../../computations/types/index.ts';
import type {
  Lost,
  RequestOptions,
  SecAggRound,
  SecAggRoundResult,
} from '../../executors/index.ts';
import { onAbort } from '../../executors/interruption.ts';
import type { ParameterFindings, SecAggServerStage } from '../../protocols/index.ts';
import {
  type LostParticipant,
  STAGE_OF_STEP,
  type StageEvent,
  type StageListeners,
  type StageReport,
  type StageTraffic,
  SUMMATION_STAGES,
  type SummationEvents,
  type SummationStage,
} from './events.ts';
import { lossMessage } from './peer.ts';

/** What is known of every round that came to its end. */
export interface RoundSummary {
  /** Names the round, in hexadecimal. */
  readonly round: string;
  /** Names of the clients that are in the sum, by which it was made. */
  readonly clients: readonly string[];
  /** Who was lost. Those that were lost in `unmask` are in the sum all the same. */
  readonly lost: readonly LostParticipant[];
  /** Clients that gave others or the server wrong shares. The sum is right without those. */
  readonly blamed: readonly { readonly client: string; readonly code: string }[];
  /** Bytes of all messages of the round. */
  readonly traffic: StageTraffic;
}

export interface RoundPlan<R> {
  /** Names the round. */
  readonly id: string;
  readonly parameters: ParameterFindings;
  readonly listeners: StageListeners;
  readonly signal: AbortSignal | undefined;
  /** Bytes of a client's latest request, by name. */
  trafficOf(client: string): StageTraffic;
  /** Bytes of all requests so far. */
  traffic(): StageTraffic;
  open(options: {
    readonly request: RequestOptions;
    readonly onAnswer: (client: string, step: SecAggServerStage) => void;
  }): SecAggRound;
  finish(result: SecAggRoundResult, summary: RoundSummary): R;
}

export class SummationRound<R extends RoundSummary> implements Disposable {
  readonly #plan: RoundPlan<R>;
  readonly #round: SecAggRound;
  #next = 0;
  #running = false;
  /** The stage that runs, or ran last. */
  #current: SummationStage = 'setup';
  /** Ends the stage that runs, by the signal of the plan or by `close`. */
  readonly #controller = new AbortController();
  #stopListening = (): void => {};
  /** How many were asked in the step that runs, and have answered. */
  #step = { done: 0, total: 0 };

  constructor(plan: RoundPlan<R>) {
    this.#plan = plan;
    const { signal } = plan;
    const { signal: ended } = this.#controller;
    if (signal?.aborted) this.#controller.abort(signal.reason);
    else if (signal !== undefined) {
      this.#stopListening = onAbort(signal, () => this.#controller.abort(signal.reason));
    }
    this.#round = plan.open({
      request: {
        signal: ended,
        onProgress: (step) => {
          if (step.kind !== 'protocol') return;
          const { stage, done, total } = step;
          if (stage === 'expand-masks') this.#tell({ kind: 'progress', done, total });
          // A step begins; of its answers, `onAnswer` tells more.
          else if (done === 0) this.#step = { done: 0, total };
        },
      },
      onAnswer: (client, step) => this.#answered(client, step),
    });
  }

  /** Names the round, in hexadecimal. */
  get id(): string {
    return this.#plan.id;
  }

  /** Graph, threshold and what they are worth; `String(parameters)` explains them. */
  get parameters(): ParameterFindings {
    return this.#plan.parameters;
  }

  /** Names of the clients that are left. */
  get clients(): readonly string[] {
    return this.#round.clients;
  }

  get lost(): readonly LostParticipant[] {
    return this.#round.lost.map(lostParticipant);
  }

  /**
   * Calls `listener` at each event of that stage from now on.
   * @returns ends that.
   * @example round.on('collectMaskedVectors', (event) => console.log(event.kind));
   */
  on<S extends SummationStage>(
    stage: S,
    listener: (event: SummationEvents[S]) => void,
  ): () => void {
    return this.#plan.listeners.on(stage, listener);
  }

  /**
   * Tells the clients what is summed and how, and collects their keys.
   * @throws ProtocolAbortError, as all stages do, with the step, the reason and who was missing, where
   *   too few clients are left; the signal's reason. The round is over then.
   * @throws TypeError out of order, as all stages do; the round goes on.
   */
  async setup(): Promise<StageReport> {
    return (await this.#stage('setup', () => this.#round.setup())).report;
  }

  /** Passes keys on, and collects the shares of the clients' keys, sealed for those who hold them. */
  async shareKeys(): Promise<StageReport> {
    return (await this.#stage('shareKeys', () => this.#round.shareKeys())).report;
  }

  /** Passes shares on, and adds up the clients' masked vectors; here clients do their own work. */
  async collectMaskedVectors(): Promise<StageReport> {
    const stage = await this.#stage('collectMaskedVectors', () =>
      this.#round.collectMaskedVectors(),
    );
    return stage.report;
  }

  /**
   * Lets the clients agree on who is in the sum, collects the shares for it, and takes the masks off.
   * @throws ExecutionError `execution.zero_weight` where the weights of a mean add up to nothing.
   */
  async unmask(): Promise<R> {
    const { outcome } = await this.#stage('unmask', () => this.#round.unmask());
    const { clients, blamed } = outcome;
    return this.#plan.finish(outcome, {
      round: this.id,
      clients,
      lost: this.lost,
      blamed,
      traffic: this.#plan.traffic(),
    });
  }

  /** All stages, from the one that is next. */
  async run(): Promise<R> {
    try {
      if (this.#next === 0) await this.setup();
      if (this.#next === 1) await this.shareKeys();
      if (this.#next === 2) await this.collectMaskedVectors();
      return await this.unmask();
    } finally {
      this.close();
    }
  }

  /**
   * Ends the round, wherever it is; clients are told to forget it. A stage that runs is rejected with
   * ContextError `context.closed`.
   */
  close(): void {
    this.#next = SUMMATION_STAGES.length;
    this.#stopListening();
    if (this.#running) {
      this.#controller.abort(new ContextError('context.closed', 'The round was closed.'));
    }
    this.#round.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #stage<T>(
    stage: SummationStage,
    work: () => Promise<T>,
  ): Promise<{ readonly outcome: T; readonly report: StageReport }> {
    const next = SUMMATION_STAGES[this.#next];
    if (stage !== next || this.#running) {
      const why = this.#running ? `'${next}' is running` : `its next stage is '${next}'`;
      throw new TypeError(
        `The round cannot do '${stage}' now: ${next === undefined ? 'it is over' : why}.`,
      );
    }
    this.#running = true;
    this.#current = stage;
    const before = this.#plan.traffic();
    const lostBefore = this.#round.lost.length;
    this.#tell({ kind: 'begin', clients: this.clients });
    try {
      const outcome = await work();
      const after = this.#plan.traffic();
      const report: StageReport = {
        stage,
        answered: this.clients,
        lost: this.lost.slice(lostBefore),
        traffic: {
          toClients: after.toClients - before.toClients,
          toServer: after.toServer - before.toServer,
        },
      };
      this.#tell({ kind: 'end', ...report });
      if (this.#next < SUMMATION_STAGES.length) this.#next += 1;
      return { outcome, report };
    } catch (failure) {
      const { signal } = this.#controller;
      const error: unknown = signal.aborted ? signal.reason : failure;
      this.#tell({ kind: 'abort', lost: this.lost.slice(lostBefore), error });
      this.#running = false;
      this.close();
      throw error;
    } finally {
      this.#running = false;
    }
  }

  #answered(client: string, step: SecAggServerStage): void {
    this.#step.done += 1;
    this.#tell({
      kind: 'answer',
      step,
      client,
      ...this.#step,
      traffic: this.#plan.trafficOf(client),
    });
  }

  #tell(event: StageEvent extends infer E ? Untold<E> : never): void {
    this.#plan.listeners.tell({ round: this.id, ...event, stage: this.#current } as StageEvent);
  }
}

type Untold<E> = E extends { readonly round: string; readonly stage: SummationStage }
  ? Omit<E, 'round' | 'stage'>
  : never;

function lostParticipant({ client, stage, reason, cause }: Lost): LostParticipant {
  const step = stage as SecAggServerStage;
  const code =
    reason === 'refused' && cause instanceof Error && 'reason' in cause
      ? String(cause.reason)
      : undefined;
  return {
    client,
    stage: STAGE_OF_STEP[step],
    step,
    reason,
    code,
    message: lossMessage(cause),
  };
}
