/**
 * @file A server that follows the protocol, with a clock: a stage is over when everybody has answered
 * or its time is up. If it crashes, everything it had is lost, and it begins a new session.
 */

import {
  advanceSecAggServer,
  applyCorrections,
  type ClientMessage,
  expandMaskPart,
  type MasksToRemove,
  maskParts,
  missingAtSecAggServer,
  receiveAtSecAggServer,
  reconstructMasks,
  removeMasks,
  type SecAggAgreement,
  type SecAggServerAdvanced,
  type SecAggServerFault,
  type SecAggServerFinished,
  type SecAggServerState,
  type ServerMessage,
  startSecAggServer,
} from '../../../../protocols/index.ts';
import type { Chooser } from './chooser.ts';
import type { Address, Network } from './network.ts';
import { agreementFor, type RoundEnd } from './rounds.ts';
import { decodeFromClient, encode } from './wire.ts';
import type { World } from './world.ts';

/** What a server that meddles makes of a message to a client: another one, or none. */
export type Meddling = (client: number, message: ServerMessage) => ServerMessage | undefined;

export class ServerHost {
  /** The codes of what it refused. */
  readonly refusals: string[] = [];
  readonly #world: World;
  readonly #network: Network;
  readonly #chooser: Chooser;
  readonly #meddle: Meddling;
  readonly #ended: (agreement: SecAggAgreement, end: RoundEnd) => void;
  #current: OpenStage | undefined;
  #attempts = 0;
  #roundsLeft: number;

  constructor(
    world: World,
    network: Network,
    ended: (agreement: SecAggAgreement, end: RoundEnd) => void,
    meddle: Meddling = (_, message) => message,
  ) {
    this.#world = world;
    this.#network = network;
    this.#chooser = world.chooser.fork('server');
    this.#ended = ended;
    this.#meddle = meddle;
    this.#roundsLeft = world.plan.rounds;
    network.attach('server', (from, bytes) => this.#receive(from, bytes));
  }

  start(): void {
    this.#begin(this.#world.rng(32), 0);
  }

  #begin(session: Uint8Array, round: number): void {
    this.#attempts += 1;
    const { identities, plan } = this.#world;
    const agreement = agreementFor(this.#world, session, round);
    const { leastSurvivors } = plan;
    const signed = plan.model === 'active' ? { roster: identities.roster } : {};
    this.#open(agreement, startSecAggServer({ agreement, leastSurvivors, ...signed }));
  }

  #open(agreement: SecAggAgreement, { state, stage, messages }: SecAggServerAdvanced): void {
    this.#say(() => `opens '${stage}'`);
    const opened: OpenStage = { agreement, stage, state };
    this.#current = opened;
    for (const [client, message] of messages) {
      const sent = this.#meddle(client, message);
      if (sent === undefined) continue;
      const bytes = encode(sent);
      this.#world.evidence.served(client, bytes);
      this.#network.send('server', client, bytes);
    }
    this.#world.clock.after(this.#world.plan.stageTimeout, () => this.#close(opened));
  }

  #receive(from: Address, bytes: Uint8Array): void {
    const opened = this.#current;
    if (from === 'server' || opened === undefined) return;
    const message = decodeFromClient(bytes);
    if (this.#chooser.chance(this.#world.plan.serverCrash)) this.#crash(opened);
    else if (message === undefined) this.#say(() => 'cannot read that');
    else this.#take(opened, from, message, bytes);
  }

  #take(opened: OpenStage, from: number, message: ClientMessage, bytes: Uint8Array): void {
    const taken = this.#guarded(() => receiveAtSecAggServer(opened.state, from, message));
    if (taken === undefined) return;
    if (taken.kind === 'fault') {
      this.refusals.push(taken.code);
      this.#say(() => `refuses it: [${taken.code}] ${taken.message}`);
      return;
    }
    const { evidence, plan } = this.#world;
    if (!plan.corrupt.includes(from) && !evidence.wasSent(from, message, bytes)) {
      evidence.tampered = true;
    }
    opened.state = taken.state;
    if (missingAtSecAggServer(taken.state).length === 0) {
      this.#world.clock.after(1, () => this.#close(opened));
    }
  }

  #close(opened: OpenStage): void {
    if (this.#current !== opened) return;
    this.#current = undefined;
    const { agreement, state, stage } = opened;
    const { rng } = this.#world;
    const outcome = this.#guarded(() =>
      stage === 'unmask' ? this.#unmask(state) : advanceSecAggServer(state, { rng }),
    );
    if (outcome === undefined) this.#end(agreement, { kind: 'crash' });
    else if (outcome.kind === 'advance') this.#open(agreement, outcome);
    else if (outcome.kind === 'fault') this.#end(agreement, outcome);
    else this.#end(agreement, { kind: 'finish', finished: outcome });
  }

  #unmask(state: SecAggServerState): SecAggServerFinished | SecAggServerFault {
    const masks = reconstructMasks(state);
    if (masks.kind === 'fault') return masks;
    return this.#chooser.chance(0.5) ? removeMasks(masks) : removeInParts(masks);
  }

  #end(agreement: SecAggAgreement, end: RoundEnd): void {
    this.#say(() => (end.kind === 'fault' ? `gives up: [${end.code}] ${end.message}` : 'is done'));
    this.#ended(agreement, end);
    this.#roundsLeft -= 1;
    if (this.#roundsLeft <= 0) return;
    const { session, round } = agreement;
    const same = this.#chooser.chance(0.5);
    this.#world.clock.after(this.#chooser.between(0, 500), () =>
      same ? this.#begin(session, round + 1) : this.#begin(this.#world.rng(32), 0),
    );
  }

  #crash({ agreement }: OpenStage): void {
    this.#current = undefined;
    this.#say(() => 'crashes');
    this.#ended(agreement, { kind: 'crash' });
    if (this.#attempts >= MOST_ATTEMPTS) return;
    this.#world.clock.after(this.#chooser.between(1, 2000), () =>
      this.#begin(this.#world.rng(32), 0),
    );
  }

  /** Runs a part of the server, which must not throw whatever clients send. */
  #guarded<T>(action: () => T): T | undefined {
    try {
      return this.#world.watch.as('server', action);
    } catch (error) {
      this.#world.evidence.breach('uncaught-throw', `server: ${String(error)}`);
      return undefined;
    }
  }

  #say(what: () => string): void {
    this.#world.say('server', what);
  }
}

interface OpenStage {
  readonly agreement: SecAggAgreement;
  readonly stage: SecAggServerAdvanced['stage'];
  state: SecAggServerState;
}

function removeInParts(masks: MasksToRemove): SecAggServerFinished | SecAggServerFault {
  const corrections = maskParts(masks, 3)
    .flat()
    .map((part) => ({ vector: part.vector, correction: expandMaskPart(part) }));
  return applyCorrections(masks, corrections);
}

const MOST_ATTEMPTS = 4;
