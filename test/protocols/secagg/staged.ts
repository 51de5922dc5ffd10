/**
 * @file A round by hand: it stops where a test wants to look, and every message and state is at
 * hand. Clients answer honestly unless the test answers in their place.
 */

import {
  advanceSecAggServer,
  type ClientMessage,
  isFault,
  receiveAtSecAggServer,
  reconstructMasks,
  removeMasks,
  type SecAggClientFault,
  type SecAggClientState,
  type SecAggServerAdvanced,
  type SecAggServerContinued,
  type SecAggServerFault,
  type SecAggServerFinished,
  type SecAggServerSetup,
  type SecAggServerStage,
  type SecAggServerState,
  type ServerMessage,
  startSecAggServer,
} from 'fedloom/protocols';
import { type Cohort, type CohortOptions, clientStep, cohortOf } from './cohort.ts';

/** Small rounds of every kind. */
export const SHAPES = {
  /** Bonawitz et al. 2017 with signatures. */
  complete: { clients: 5, model: 'active', graph: 'complete' },
  /** Bell et al. 2020 where clients choose their neighbours. */
  chosen: {
    clients: 9,
    model: 'active',
    graph: 'sparse',
    neighbours: 5,
    securityBits: 4,
    correctnessBits: 4,
    corruptRate: 0,
  },
  /** Bonawitz et al. 2017 with a server that is believed. */
  believed: { clients: 5, model: 'semi-honest', graph: 'complete' },
  /** Bell et al. 2020 with a server that is believed. */
  ring: {
    clients: 9,
    model: 'semi-honest',
    graph: 'sparse',
    neighbours: 4,
    securityBits: 4,
    correctnessBits: 4,
  },
} as const satisfies { readonly [name: string]: CohortOptions };

export type Shape = keyof typeof SHAPES;

export type ClientOutcome = NonNullable<ReturnType<typeof clientStep>>;

export class StagedRound {
  readonly cohort: Cohort;
  readonly states = new Map<number, SecAggClientState>();
  readonly clientFaults = new Map<number, SecAggClientFault>();
  server: SecAggServerState;
  stage: SecAggServerStage;
  messages: ReadonlyMap<number, ServerMessage>;

  constructor(cohort: Cohort, setup: Partial<SecAggServerSetup> = {}) {
    const { agreement, roster } = cohort;
    this.cohort = cohort;
    const turn = startSecAggServer({ agreement, ...(roster && { roster }), ...setup });
    this.server = turn.state;
    this.stage = turn.stage;
    this.messages = turn.messages;
  }

  static of(shape: Shape, options: Partial<CohortOptions> = {}): StagedRound {
    return new StagedRound(cohortOf({ ...SHAPES[shape], ...options }));
  }

  /** What the server says to a client in this stage. */
  message<K extends ServerMessage['kind']>(
    client: number,
    kind: K,
  ): Extract<ServerMessage, { readonly kind: K }> {
    const message = this.messages.get(client);
    if (message?.kind !== kind)
      throw new Error(`client ${client} has no ${kind}: ${message?.kind}`);
    return message as Extract<ServerMessage, { readonly kind: K }>;
  }

  /** A client's step; its next state is kept for the next stage. */
  step(client: number, message = this.messages.get(client), context?: Uint8Array): ClientOutcome {
    if (message === undefined) throw new Error(`the server says nothing to client ${client}`);
    const state = this.states.get(client);
    this.states.delete(client);
    const outcome = clientStep(this.cohort, client, state, this.stage, message, context);
    if (outcome === undefined) throw new Error(`client ${client} has no state`);
    if (outcome.kind === 'continue') this.states.set(client, outcome.state);
    if (outcome.kind === 'fault') this.clientFaults.set(client, outcome);
    return outcome;
  }

  /** A client's honest answer; it must have one. */
  answer(client: number, message = this.messages.get(client)): ClientMessage {
    const outcome = this.step(client, message);
    if (outcome.kind !== 'fault') return outcome.message;
    throw new Error(`client ${client} refuses: ${outcome.code}: ${outcome.message}`);
  }

  /** Gives a message to the server. */
  deliver(client: number, message: ClientMessage): SecAggServerContinued | SecAggServerFault {
    const taken = receiveAtSecAggServer(this.server, client, message);
    if (taken.kind === 'continue') this.server = taken.state;
    return taken;
  }

  /** Everyone who has not answered yet, and has a state, answers honestly, but for some. */
  answerAll(silent: Iterable<number> = []): void {
    const left = new Set(silent);
    for (const [client, message] of this.messages) {
      if (left.has(client) || this.server.peek().answered.has(client)) continue;
      if (this.stage !== 'advertise' && !this.states.has(client)) continue;
      const outcome = this.step(client, message);
      if (outcome.kind === 'fault') continue;
      const taken = this.deliver(client, outcome.message);
      if (taken.kind === 'fault') throw new Error(`refused: ${taken.code}: ${taken.message}`);
    }
  }

  /** Closes the stage. */
  advance(): SecAggServerAdvanced | SecAggServerFault {
    const turn = advanceSecAggServer(this.server, { rng: this.cohort.rng });
    if (turn.kind === 'advance') {
      this.server = turn.state;
      this.stage = turn.stage;
      this.messages = turn.messages;
    }
    return turn;
  }

  /** Goes on honestly until a stage is open. */
  to(stage: SecAggServerStage): this {
    while (this.stage !== stage) {
      if (this.stage === 'unmask') throw new Error(`this round has no stage '${stage}'`);
      this.answerAll();
      const turn = this.advance();
      if (isFault(turn)) throw new Error((turn as SecAggServerFault).message);
    }
    return this;
  }

  /** Closes the last stage. */
  end(): SecAggServerFinished | SecAggServerFault {
    const masks = reconstructMasks(this.server);
    return masks.kind === 'fault' ? masks : removeMasks(masks);
  }

  /** Goes on honestly to the end, but for clients that are silent in this stage. */
  finish(silentNow: Iterable<number> = []): SecAggServerFinished | SecAggServerFault {
    let silent = silentNow;
    while (this.stage !== 'unmask') {
      this.answerAll(silent);
      silent = [];
      const turn = this.advance();
      if (turn.kind === 'fault') return turn;
    }
    this.answerAll(silent);
    return this.end();
  }
}
