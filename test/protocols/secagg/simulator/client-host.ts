/**
 * @file A client with its processes and its disk. A process crashes at any instant: before a message,
 * within a step (where it draws randomness, before or after it notes the step), before or after it
 * saves its state, before or after it sends. It restarts from what is on the disk.
 */

import {
  abandonClient,
  type ClientMessage,
  restoreSecAggClient,
  type SecAggAgreement,
  type SecAggClientConfig,
  type SecAggClientState,
  type SecretBytes,
  type ServerMessage,
  type SessionLedger,
  saveSecAggClient,
  sha256,
  toHex,
  utf8,
} from '../../../../protocols/index.ts';
import { chosenByClients } from '../../../../protocols/secagg/agreement.ts';
import type { ClientContent } from '../../../../protocols/secagg/client/state.ts';
import type { Chooser } from './chooser.ts';
import { drawVices, misbehave, type Vice } from './misconduct.ts';
import { type Network, nameOf } from './network.ts';
import { rateOf } from './plan.ts';
import { NOBODY } from './secret-watch.ts';
import type { ClientSteps, StepOutcome } from './steps.ts';
import { decodeFromServer, encode } from './wire.ts';
import { recordStep } from './witness.ts';
import type { World } from './world.ts';

export interface ClientFlaws {
  readonly steps: ClientSteps;
  /** What a client asks for, instead of what the plan says. */
  readonly policy?: SecAggClientConfig['policy'];
  /** Whether its notes are lost with its process. */
  readonly forgetful?: boolean;
}

export class ClientHost {
  readonly number: number;
  /** Nothing if it is honest. */
  readonly vices: readonly Vice[] | undefined;
  /** The codes of its faults. */
  readonly faults: string[] = [];
  /** Whether it sent what it must not. */
  misbehaved = false;
  readonly #world: World;
  readonly #network: Network;
  readonly #flaws: ClientFlaws;
  readonly #chooser: Chooser;
  readonly #disk: Disk = { noted: new Set(), snapshots: new Map() };
  #processes: Process[] = [];
  #started = 0;

  constructor(number: number, world: World, network: Network, flaws: ClientFlaws) {
    const { plan } = world;
    this.number = number;
    this.#world = world;
    this.#network = network;
    this.#flaws = flaws;
    this.#chooser = world.chooser.fork(`client ${number}`);
    const corrupt = plan.corrupt.includes(number);
    this.vices = corrupt ? (plan.misbehaving ? drawVices(this.#chooser) : []) : undefined;
    this.#start([]);
    network.attach(number, (_, bytes) => this.#receive(bytes));
    if (this.vices?.length) this.#say(() => `is corrupt: ${this.vices?.join(', ')}`);
  }

  /** Ends all processes as an orderly shutdown does. */
  shutDown(): void {
    for (const process of this.#processes) {
      for (const state of process.states.values()) abandonClient(state);
    }
    this.#processes = [];
  }

  #receive(bytes: Uint8Array): void {
    const message = decodeFromServer(bytes);
    if (message === undefined) this.#say(() => 'cannot read that');
    else if (this.#processes.length === 0) this.#say(() => 'is not there');
    else for (const process of [...this.#processes]) this.#handle(process, message, bytes);
  }

  #handle(process: Process, message: ServerMessage, bytes: Uint8Array): void {
    const { plan } = this.#world;
    const { crash } = plan.hosts;
    const instant =
      this.vices === undefined && this.#chooser.chance(crash)
        ? this.#chooser.pick(INSTANTS)
        : undefined;
    process.instant = instant;
    try {
      crashAt(process, 'before the step');
      const reply = this.#world.watch.as(process.name, () => this.#answer(process, message, bytes));
      if (reply === undefined) return;
      crashAt(process, 'before it sends');
      this.#network.send(this.number, 'server', reply);
      crashAt(process, 'after it sent');
    } catch (error) {
      if (error instanceof Crash) this.#crash(process, error, bytes);
      else {
        this.#world.evidence.breach('uncaught-throw', `${nameOf(this.number)}: ${String(error)}`);
      }
    } finally {
      process.instant = undefined;
    }
  }

  /** What it sends to the server, if anything. */
  #answer(process: Process, message: ServerMessage, bytes: Uint8Array): Uint8Array | undefined {
    const place = placeOf(message);
    const state = this.#stateFor(process, place, message);
    if (state === 'none') return this.#repeat(process, place, message);
    const before = state?.peek().content;
    const agreement = message.kind === 'announcement' ? message.agreement : before?.agreement;
    const outcome = this.#step(process, state, message, agreement as SecAggAgreement);
    dropConsumed(process);
    if (outcome.kind === 'fault') {
      this.faults.push(outcome.code);
      this.#say(() => `refuses at '${outcome.stage}': [${outcome.code}] ${outcome.message}`);
      return undefined;
    }
    this.#world.evidence.accepted(this.number, bytes);
    const after = outcome.kind === 'continue' ? outcome.state.peek().content : undefined;
    if (outcome.kind === 'continue') {
      process.states.set(place, outcome.state);
      this.#world.watch.seeAll(after);
      crashAt(process, 'before it saves');
      this.#save(place, outcome.state);
    }
    const reply = this.#send(message, before, after, outcome.message);
    if (reply !== undefined) process.replies.set(`${place} ${message.kind}`, reply);
    return reply;
  }

  /** Notes what an honest client sends; makes something else of what a corrupt one should. */
  #send(
    cause: ServerMessage,
    before: ClientContent | undefined,
    after: ClientContent | undefined,
    message: ClientMessage,
  ): Uint8Array | undefined {
    const { evidence } = this.#world;
    const bytes = encode(message);
    if (this.vices === undefined) {
      recordStep(evidence, { cause, before, after, message });
      evidence.sent(this.number, message, bytes);
      return bytes;
    }
    if (after?.stage === 'advertised') {
      for (const key of [after.channelKey, after.maskKey]) evidence.ownKeys.add(toHex(key));
    }
    const altered = misbehave(this.vices, message, after, this.#chooser);
    if (altered === undefined || toHex(altered) !== toHex(bytes)) this.misbehaved = true;
    return altered;
  }

  #step(
    process: Process,
    state: SecAggClientState | undefined,
    message: ServerMessage,
    agreement: SecAggAgreement,
  ): StepOutcome {
    const { rng, inputs, plan } = this.#world;
    const confused = plan.hosts.careless && this.#chooser.chance(0.1);
    return this.#flaws.steps(state, message, {
      config: this.#configFor(process),
      rng: (length) => {
        crashAt(process, 'within the step');
        return rng(length);
      },
      input: { vectors: inputs.of(this.number, agreement), context: this.#contextFor(agreement) },
      confirms: (agreement.model === 'active') !== confused,
    });
  }

  /** What everybody saw of the model; a corrupt client may have seen another one. */
  #contextFor({ session }: SecAggAgreement): Uint8Array {
    if (this.vices?.length && this.#chooser.chance(0.1)) {
      this.misbehaved = true;
      return utf8('another model');
    }
    return sha256(session);
  }

  #configFor(process: Process): SecAggClientConfig {
    const { plan, identities } = this.#world;
    return {
      name: identities.names[this.number]!,
      signingKey: identities.signingKeys[this.number]!,
      roster: identities.roster,
      ledger: this.#ledgerFor(process),
      policy: this.#flaws.policy ?? {
        models: [plan.model],
        minimumClients: plan.minimumClients,
        securityBits: plan.securityBits,
        corruptRate: rateOf(plan.corruptBound, plan.roster),
        mostRounds: plan.mostRounds,
      },
      ...(plan.seed % 2 === 0 && { vectors: plan.vectors }),
    };
  }

  #ledgerFor(process: Process): SessionLedger {
    const { noted } = this.#flaws.forgetful ? process : this.#disk;
    return {
      claim: (step) => {
        crashAt(process, 'before it notes the step');
        const fresh = !noted.has(step);
        noted.add(step);
        crashAt(process, 'after it noted the step');
        return fresh;
      },
    };
  }

  /** The state that a message is for; `undefined` for a start; `none` where the message is not awaited. */
  #stateFor(
    process: Process,
    place: string,
    message: ServerMessage,
  ): SecAggClientState | undefined | 'none' {
    const { careless } = this.#world.plan.hosts;
    const state = process.states.get(place);
    if (message.kind === 'announcement') {
      const known = state !== undefined || process.replies.has(`${place} announcement`);
      if (known && !(careless && this.#chooser.chance(0.3))) return 'none';
      if (state !== undefined) abandonClient(state);
      process.states.delete(place);
      return undefined;
    }
    if (careless && this.#chooser.chance(0.3)) {
      const [any] = process.states.values();
      return state ?? any ?? 'none';
    }
    return state !== undefined && awaitedBy(state.peek().content) === message.kind ? state : 'none';
  }

  /** Sends again what it sent when it got such a message before. */
  #repeat(process: Process, place: string, message: ServerMessage): Uint8Array | undefined {
    const reply = process.replies.get(`${place} ${message.kind}`);
    this.#say(() => (reply === undefined ? 'does not wait for that' : 'sends its answer again'));
    return reply;
  }

  #save(place: string, state: SecAggClientState): void {
    if (this.#world.plan.hosts.crash === 0) return;
    const saved = this.#world.watch.as(NOBODY, () => saveSecAggClient(state));
    const snapshots = this.#disk.snapshots.get(place);
    if (snapshots === undefined) this.#disk.snapshots.set(place, [saved]);
    else snapshots.push(saved);
  }

  #crash(process: Process, { instant }: Crash, bytes: Uint8Array): void {
    const { clock, plan, watch } = this.#world;
    dropConsumed(process);
    const goesOn = this.#chooser.chance(plan.hosts.twin) && !WITHIN_STEP.includes(instant);
    this.#say(() => `crashes ${instant}${goesOn ? ', it seems' : ''}`);
    if (!goesOn) {
      this.#processes = this.#processes.filter((other) => other !== process);
      watch.forget(process.name);
    }
    const pause = this.#chooser.between(1, plan.stageTimeout);
    clock.after(pause, () => this.#restart());
    // A transport that saw no answer may well ask again.
    if (this.#chooser.chance(0.6)) this.#network.again('server', this.number, bytes, pause + 1);
  }

  #restart(): void {
    const { rollback } = this.#world.plan.hosts;
    const chosen: (readonly [string, SecretBytes])[] = [];
    let old = false;
    for (const [place, snapshots] of this.#disk.snapshots) {
      const back = this.#chooser.chance(rollback) ? this.#chooser.below(snapshots.length) : 0;
      const saved = snapshots[snapshots.length - 1 - back];
      if (back > 0) old = true;
      if (saved !== undefined) chosen.push([place, saved]);
    }
    this.#say(() => `restarts from ${chosen.length} ${old ? 'old snapshots' : 'snapshots'}`);
    this.#start(chosen);
  }

  #start(saved: readonly (readonly [string, SecretBytes])[]): void {
    const process: Process = {
      name: `process ${this.#started} of ${nameOf(this.number)}`,
      states: new Map(),
      replies: new Map(),
      noted: new Set(),
      instant: undefined,
    };
    this.#started += 1;
    this.#processes.push(process);
    const { watch } = this.#world;
    for (const [place, bytes] of saved) {
      const state = watch.as(NOBODY, () => restoreSecAggClient(bytes, this.#configFor(process)));
      process.states.set(place, state);
      watch.as(process.name, () => watch.seeAll(state.peek().content));
    }
  }

  #say(what: () => string): void {
    this.#world.say(nameOf(this.number), what);
  }
}

/** What outlives every process. */
interface Disk {
  readonly noted: Set<string>;
  /** Oldest first, by the round that they are of. */
  readonly snapshots: Map<string, SecretBytes[]>;
}

interface Process {
  readonly name: string;
  /** By the round that they are of. */
  readonly states: Map<string, SecAggClientState>;
  readonly replies: Map<string, Uint8Array>;
  /** Of a client that keeps no notes on its disk. */
  readonly noted: Set<string>;
  /** When it is to crash while it handles the message that it handles now. */
  instant: Instant | undefined;
}

const INSTANTS = [
  'before the step',
  'before it notes the step',
  'after it noted the step',
  'within the step',
  'before it saves',
  'before it sends',
  'after it sent',
] as const;

type Instant = (typeof INSTANTS)[number];

/** What is left of a process then is no state that it could go on with. */
const WITHIN_STEP: readonly Instant[] = [
  'before it notes the step',
  'after it noted the step',
  'within the step',
];

class Crash extends Error {
  readonly instant: Instant;

  constructor(instant: Instant) {
    super(`crashed ${instant}`);
    this.instant = instant;
  }
}

function crashAt(process: Process, instant: Instant): void {
  if (process.instant === instant) throw new Crash(instant);
}

function dropConsumed({ states }: Process): void {
  for (const [place, state] of states) if (state.consumed) states.delete(place);
}

function placeOf(message: ServerMessage): string {
  const { session, round } = message.kind === 'announcement' ? message.agreement : message;
  return `${toHex(session)} ${round}`;
}

function awaitedBy({ stage, agreement }: ClientContent): ServerMessage['kind'] {
  switch (stage) {
    case 'advertised':
      return chosenByClients(agreement) ? 'commitment' : 'neighbourhood';
    case 'chosen':
      return 'neighbourhood';
    case 'shared':
      return 'dealt-shares';
    case 'masked':
      return 'survivor-set';
    case 'confirmed':
      return 'confirmations';
  }
}
