/** @file A round of a cohort while it runs: what the progress events of its context say, put together. */

import { ContextError, FedloomError, ProtocolAbortError } from '../../computations/types/index.ts';
import type { LostClient } from '../../executors/lost-client.ts';
import type { ClientsStep, ProgressStep, ProtocolStep } from '../../executors/progress.ts';
import type { ProgressEvent } from '../invocation.ts';
import type { RoundFailure, RoundStatus, RoundTraffic, StageStatus } from './round-status.ts';

export interface RoundSetup {
  readonly number: number;
  readonly computation: string;
  readonly clients: number;
  /** The name under which a party is connected that executors call `clients/3`. */
  readonly nameOf: (party: string) => string;
  /** Of all clients of the cohort, since they are connected. */
  readonly traffic: () => RoundTraffic;
}

export class Round {
  readonly number: number;
  readonly computation: string;
  readonly #setup: RoundSetup;
  readonly #began = performance.now();
  readonly #trafficBefore: RoundTraffic;
  readonly #stages: Stage[] = [];
  readonly #lost = new Map<string, LostClient>();
  #counted: number;
  #end: End | null = null;

  constructor(setup: RoundSetup) {
    this.number = setup.number;
    this.computation = setup.computation;
    this.#setup = setup;
    this.#trafficBefore = setup.traffic();
    this.#counted = setup.clients;
  }

  get isOver(): boolean {
    return this.#end !== null;
  }

  /** How it stands now. */
  status(): RoundStatus {
    const { number, computation, clients, nameOf } = this.#setup;
    const traffic = this.#traffic();
    const now = performance.now();
    return {
      round: number,
      computation,
      clients,
      state: this.#end?.state ?? 'running',
      milliseconds: (this.#end?.at ?? now) - this.#began,
      stages: this.#stages.map((stage) => statusOf(stage, { now, traffic, nameOf })),
      lost: [...this.#lost.values()],
      counted: Math.min(this.#counted, clients),
      traffic: this.#end?.traffic ?? traffic,
      ...(this.#end?.failure && { failure: this.#end.failure }),
    };
  }

  /** @internal */
  take(event: ProgressEvent): void {
    switch (event.stage) {
      case 'run':
        this.#step(event.step);
        break;
      case 'retry':
        this.#endStages();
        break;
      case 'done':
        this.#finish('done');
        break;
      case 'failed':
        this.#finish('failed', this.#failure(event.error));
        break;
      default:
    }
  }

  #step(step: ProgressStep): void {
    switch (step.kind) {
      case 'clients':
      case 'protocol':
        this.#progress(step);
        break;
      case 'client-lost':
        this.#lose(step);
        break;
      case 'secure-sum':
      case 'dropped-clients':
        this.#counted = Math.min(this.#counted, step.clients.length);
        for (const lost of step.lost) this.#lose(lost);
        break;
      default:
    }
  }

  #progress(step: ClientsStep | ProtocolStep): void {
    const name = step.kind === 'clients' ? step.work : step.stage;
    const key = step.roll?.run ?? name;
    let stage = this.#stages.find((known) => known.key === key && known.end === null);
    if (stage === undefined) {
      const by = doneBy(step);
      const last = this.#stages.at(-1);
      if (by === 'role' && last?.by === 'role' && last.name === name) {
        // One who plays a role is asked step by step for what is one stage to whoever watches.
        stage = last;
        stage.end = null;
      } else {
        const began = performance.now();
        stage = { name, by, key, step, began, before: this.#traffic(), end: null };
        this.#stages.push(stage);
      }
    }
    stage.key = key;
    stage.step = step;
    if (!(step.roll?.isOver ?? step.done === step.total)) return;
    this.#endStage(stage);
    if (step.kind !== 'protocol' || stage.by !== 'clients') return;
    // Why they did not answer is told when the sum is made.
    for (const client of step.roll?.missing ?? []) {
      if (!this.#isLost(client)) this.#lose({ client, stage: name, reason: 'failed' });
    }
  }

  #isLost(client: string): boolean {
    return this.#lost.has(this.#setup.nameOf(client));
  }

  #lose({ client, stage, reason }: LostClient): void {
    const name = this.#setup.nameOf(client);
    this.#lost.set(name, { client: name, stage, reason });
  }

  #endStage(stage: Stage): void {
    stage.end = { at: performance.now(), traffic: this.#traffic() };
  }

  #endStages(): void {
    for (const stage of this.#stages) if (stage.end === null) this.#endStage(stage);
  }

  #finish(state: 'done' | 'failed', failure?: RoundFailure): void {
    this.#endStages();
    const traffic = this.#traffic();
    this.#end = { state, at: performance.now(), traffic, ...(failure && { failure }) };
  }

  #failure(error: unknown): RoundFailure {
    const message = error instanceof Error ? error.message : String(error);
    const last = this.#stages.findLast(({ end }) => end === null) ?? this.#stages.at(-1);
    if (error instanceof ProtocolAbortError) {
      const { code, stage, reason, offender, missing } = error;
      const known = missing.length > 0 || offender === undefined ? missing : [offender];
      return { code, message, stage, reason, missing: known.map(this.#setup.nameOf) };
    }
    return {
      message,
      ...(error instanceof FedloomError && { code: error.code }),
      ...(last !== undefined && { stage: last.name }),
      // Of a round that was to end, whoever had not answered is not missing.
      missing: error instanceof ContextError ? [] : [...this.#lost.keys()],
    };
  }

  #traffic(): RoundTraffic {
    return between(this.#trafficBefore, this.#setup.traffic());
  }
}

interface Stage {
  readonly name: string;
  readonly by: StageStatus['by'];
  key: number | string;
  readonly began: number;
  readonly before: RoundTraffic;
  step: ClientsStep | ProtocolStep;
  end: { readonly at: number; readonly traffic: RoundTraffic } | null;
}

interface End {
  readonly state: 'done' | 'failed';
  readonly at: number;
  readonly traffic: RoundTraffic;
  readonly failure?: RoundFailure;
}

interface Moment {
  readonly now: number;
  readonly traffic: RoundTraffic;
  readonly nameOf: (party: string) => string;
}

function statusOf(stage: Stage, { now, traffic, nameOf }: Moment): StageStatus {
  const { name, by, step, began, before, end } = stage;
  const { roll, done, total } = step;
  const answered = roll?.answered.map(nameOf) ?? [];
  return {
    stage: name,
    by,
    isOver: end !== null,
    // Of those who are asked some may be done with it by being lost.
    done: by === 'server' ? done : answered.length,
    total,
    answered,
    missing: roll?.missing.map(nameOf) ?? [],
    milliseconds: (end?.at ?? now) - began,
    traffic: between(before, end?.traffic ?? traffic),
  };
}

function doneBy({ kind, roll }: ClientsStep | ProtocolStep): StageStatus['by'] {
  if (kind === 'clients') return 'clients';
  if (roll === undefined) return 'server';
  const [one = ''] = [...roll.answered, ...roll.missing];
  return one.startsWith('clients/') ? 'clients' : 'role';
}

function between(before: RoundTraffic, after: RoundTraffic): RoundTraffic {
  return {
    toClients: after.toClients - before.toClients,
    toServer: after.toServer - before.toServer,
  };
}
