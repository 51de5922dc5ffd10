/**
 * @file Drives one round of secure aggregation: asks every client that is left, stage by stage, waits
 * as long as it may, and goes on without those that did not answer. It knows clients only as
 * something that answers bytes with bytes, so any transport carries it.
 */

import { equalBytes } from '#crypto';
import { ProtocolAbortError } from '../../../computations/types/index.ts';
import {
  advanceSecAggServer,
  advertisementCodec,
  announcementCodec,
  type ClientMessage,
  commitmentCodec,
  confirmationCodec,
  confirmationsCodec,
  dealtSharesCodec,
  type MasksToRemove,
  type MessageCodec,
  maskedVectorsCodec,
  neighbourChoiceCodec,
  neighbourhoodCodec,
  type Residues,
  type Rng,
  receiveAtSecAggServer,
  reconstructMasks,
  revealedSharesCodec,
  type SecAggReport,
  type SecAggServerAdvanced,
  type SecAggServerFault,
  type SecAggServerFinished,
  type SecAggServerSetup,
  type SecAggServerStage,
  type SecAggServerState,
  type ServerMessage,
  sharedSecretsCodec,
  startSecAggServer,
  survivorSetCodec,
} from '../../../protocols/index.ts';
import type { RequestOptions } from '../../executor.ts';
import { atSurvivors, type Lost, type Reachable } from '../cohort.ts';
import { decoded, faultError, requireNoFault } from '../faults.ts';
import { StatedContexts } from '../stated-contexts.ts';
import { removeMasksHere, type UnmaskingPool } from './unmasking.ts';

/** A client as the round sees it. */
export interface SecAggPeer extends Reachable<SecAggPeer> {
  /** Its answer to a message of the server. */
  answer(stage: SecAggServerStage, message: Uint8Array): Promise<Uint8Array>;
  /**
   * The SHA-256 of the context that it is going to bind its masks to, if it says so beforehand. Asked
   * where the set-up of the round does not say what it must be.
   */
  statedContext?(): Promise<Uint8Array>;
  /** The round goes on without it, or is over: what it keeps for the round can go. */
  leave(): void;
}

export interface SecAggRoundOptions {
  /** How long each stage waits for its slowest client. */
  readonly timeoutMs: number;
  readonly request?: RequestOptions;
  /** Expands masks elsewhere than here. */
  readonly unmasking?: UnmaskingPool;
  readonly rng?: Rng;
  /** Clients known to be lost before the round begins, by number. */
  readonly lostBefore?: ReadonlyMap<number, Lost>;
  /** Told of each answer that was taken, by the name of its client. */
  readonly onAnswer?: (client: string, stage: SecAggServerStage) => void;
}

export interface SecAggRoundResult {
  /** In the order of the agreement. */
  readonly sums: readonly Residues[];
  /** Names of the clients whose vectors are in the sums. */
  readonly clients: readonly string[];
  readonly lost: readonly Lost[];
  readonly blamed: readonly Blamed[];
  readonly traffic: Traffic;
}

/** A client that dealt or gave a wrong share, or one of two of which one did. */
export interface Blamed {
  readonly client: string;
  readonly code: SecAggReport['blamed'][number]['code'];
  /** The other end of the share. */
  readonly with: string;
}

/** Bytes between the server and all clients. */
export interface Traffic {
  readonly toClients: number;
  readonly toServer: number;
}

/**
 * One round. Each method is one of the stages that users of Flower's workflow know; they are to be
 * called in order, once, or `run` calls them all.
 */
export class SecAggRound {
  readonly #peers: readonly SecAggPeer[];
  readonly #options: SecAggRoundOptions;
  readonly #lost = new Map<number, Lost>();
  /** `undefined` where the set-up says what everyone's context must be. */
  readonly #contexts: StatedContexts | undefined;
  #context: Uint8Array | undefined;
  #turn: SecAggServerAdvanced | undefined;
  #state: SecAggServerState;
  #toClients = 0;
  #toServer = 0;
  #over = false;

  /**
   * @param peers in the order of the cohort.
   * @throws ProtocolError `invalid-argument`
   */
  constructor(peers: readonly SecAggPeer[], setup: SecAggServerSetup, options: SecAggRoundOptions) {
    const { clients } = setup.agreement;
    if (peers.length !== clients) {
      throw new TypeError(`A round of ${clients} clients has as many peers; got ${peers.length}.`);
    }
    this.#peers = peers;
    this.#options = options;
    this.#contexts = setup.contextHash === undefined ? new StatedContexts() : undefined;
    this.#turn = startSecAggServer(setup);
    this.#state = this.#turn.state;
    for (const [client, loss] of options.lostBefore ?? []) this.#lost.set(client, loss);
  }

  /** Names of the clients that are left. */
  get clients(): readonly string[] {
    return this.#peers.flatMap(({ name }, i) => (this.#lost.has(i) ? [] : [name]));
  }

  get lost(): readonly Lost[] {
    return [...this.#lost.values()];
  }

  /** Announces the round and collects keys. */
  async setup(): Promise<void> {
    await this.#ask('advertise');
    if (this.#turn?.stage === 'choose-neighbours') await this.#ask('choose-neighbours');
  }

  /** Passes keys on and collects the clients' sealed shares. */
  async shareKeys(): Promise<void> {
    await this.#ask('share-keys');
  }

  /** Passes shares on and collects masked vectors, which are added as they come. */
  async collectMaskedVectors(): Promise<void> {
    this.#decideContext();
    await this.#ask('mask-vectors');
  }

  /** Lets the clients confirm who survived, collects shares, and takes the masks off. */
  async unmask(): Promise<SecAggRoundResult> {
    if (this.#turn?.stage === 'confirm-survivors') await this.#ask('confirm-survivors');
    await this.#ask('unmask');
    const masks = this.#step(() => reconstructMasks(this.#state));
    const finished = this.#required(await this.#withoutMasks(masks));
    this.#end();
    return {
      sums: finished.sums,
      clients: finished.report.clients.map((client) => this.#name(client)),
      lost: this.lost,
      blamed: finished.report.blamed.map(({ client, code, with: other }) => ({
        client: this.#name(client),
        code,
        with: this.#name(other),
      })),
      traffic: { toClients: this.#toClients, toServer: this.#toServer },
    };
  }

  async run(): Promise<SecAggRoundResult> {
    try {
      await this.setup();
      await this.shareKeys();
      await this.collectMaskedVectors();
      return await this.unmask();
    } finally {
      this.#end();
    }
  }

  /** Ends the round, wherever it is; every client forgets it. */
  close(): void {
    this.#end();
  }

  async #withoutMasks(masks: MasksToRemove): Promise<SecAggServerFinished | SecAggServerFault> {
    const { unmasking, request } = this.#options;
    try {
      return await (unmasking === undefined
        ? removeMasksHere(masks, request)
        : unmasking.removeMasks(masks, request));
    } finally {
      // Of a sum that was interrupted some are left.
      for (const { seed } of masks.masks.flat()) seed.erase();
    }
  }

  async #ask(stage: SecAggServerStage): Promise<void> {
    const turn = this.#turn;
    if (turn?.stage !== stage || this.#over) {
      throw new TypeError(
        `The round is ${this.#over ? 'over' : `at '${turn?.stage}'`}; '${stage}' is not its next stage.`,
      );
    }
    // Taken, so that a second call meanwhile finds no stage to begin.
    this.#turn = undefined;
    const { timeoutMs, request } = this.#options;
    const asked = [...turn.messages.keys()].filter((client) => !this.#lost.has(client));
    const peers = asked.map((client) => this.#peers[client] as SecAggPeer);
    try {
      const { lost, lostAt } = await atSurvivors(
        peers,
        { stage, timeoutMs, request },
        async (peer, i) => {
          const client = asked[i] as number;
          const message = encodeForClient(turn.messages.get(client) as ServerMessage);
          this.#toClients += message.length;
          const [answer] = await Promise.all([
            peer.answer(stage, message),
            stage === 'advertise' ? this.#askContext(client, peer) : undefined,
          ]);
          this.#take(client, stage, answer);
        },
      );
      for (const [i, loss] of lost.entries()) {
        const place = lostAt[i] as number;
        this.#lost.set(asked[place] as number, loss);
        peers[place]?.leave();
      }
      this.#turn =
        stage === 'unmask'
          ? undefined
          : this.#step(() => advanceSecAggServer(this.#state, rngOf(this.#options)));
      if (this.#turn !== undefined) this.#state = this.#turn.state;
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  #take(client: number, stage: SecAggServerStage, bytes: Uint8Array): void {
    this.#toServer += bytes.length;
    const message = decoded<ClientMessage>(CODECS[stage].decode(bytes), this.#name(client));
    this.#requireContext(client, message);
    const taken = requireNoFault(receiveAtSecAggServer(this.#state, client, message));
    this.#state = taken.state;
    this.#options.onAnswer?.(this.#name(client), stage);
  }

  async #askContext(client: number, peer: SecAggPeer): Promise<void> {
    await this.#contexts?.ask(client, async () => peer.statedContext?.() ?? NOTHING_SAID);
  }

  #decideContext(): void {
    try {
      this.#context = this.#contexts?.decided('mask-vectors', (client) => !this.#lost.has(client));
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  /** @throws ProtocolAbortError `context-mismatch` before the vectors are added to the others'. */
  #requireContext(client: number, message: ClientMessage): void {
    if (this.#context === undefined || message.kind !== 'masked-vectors') return;
    if (equalBytes(message.contextHash, this.#context)) return;
    throw faultError({
      kind: 'fault',
      stage: 'mask-vectors',
      code: 'context-mismatch',
      offender: this.#name(client),
      message: 'the vectors come from another computation or model than those of the others',
    });
  }

  #step<T extends { readonly kind: string }>(
    step: () => T | SecAggServerFault,
  ): Exclude<T, { readonly kind: 'fault' }> {
    return this.#required(step());
  }

  #required<T extends { readonly kind: string }>(
    outcome: T,
  ): Exclude<T, { readonly kind: 'fault' }> {
    if (outcome.kind !== 'fault') return outcome as Exclude<T, { readonly kind: 'fault' }>;
    this.#end();
    throw this.#abort(outcome as unknown as SecAggServerFault);
  }

  /** Says stage, reason, and who was missing. */
  #abort(fault: SecAggServerFault): ProtocolAbortError {
    const { code, message, stage, reason, offender } = faultError(fault);
    const missing = this.lost;
    const named = missing
      .slice(0, NAMED_AT_MOST)
      .map((loss) => `${loss.client} in '${loss.stage}' (${describe(loss)})`);
    const rest =
      missing.length > NAMED_AT_MOST ? ` and ${missing.length - NAMED_AT_MOST} more` : '';
    const who = missing.length === 0 ? '' : ` Missing: ${named.join(', ')}${rest}.`;
    return new ProtocolAbortError(code, `${message.replace(/^\[[^\]]*\] /, '')}${who}`, {
      stage,
      reason,
      offender,
      missing: missing.map(({ client }) => client),
      cause: missing[0]?.cause,
    });
  }

  #name(client: number): string {
    return this.#peers[client]?.name ?? `client ${client}`;
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    for (const peer of this.#peers) peer.leave();
    if (!this.#state.consumed) this.#state.consume();
  }
}

function describe({ reason, cause }: Lost): string {
  if (reason === 'timeout') return 'no answer in time';
  if (!(cause instanceof Error)) return reason;
  // The client wrote it, as long as it liked.
  const { message } = cause;
  return message.length > SAID_AT_MOST ? `${message.slice(0, SAID_AT_MOST)}…` : message;
}

function rngOf({ rng }: SecAggRoundOptions): { readonly rng?: Rng } {
  return rng === undefined ? {} : { rng };
}

function encodeForClient(message: ServerMessage): Uint8Array {
  switch (message.kind) {
    case 'announcement':
      return announcementCodec.encode(message);
    case 'commitment':
      return commitmentCodec.encode(message);
    case 'neighbourhood':
      return neighbourhoodCodec.encode(message);
    case 'dealt-shares':
      return dealtSharesCodec.encode(message);
    case 'survivor-set':
      return survivorSetCodec.encode(message);
    case 'confirmations':
      return confirmationsCodec.encode(message);
  }
}

const CODECS: { readonly [stage in SecAggServerStage]: MessageCodec<ClientMessage> } = {
  advertise: advertisementCodec as MessageCodec<ClientMessage>,
  'choose-neighbours': neighbourChoiceCodec as MessageCodec<ClientMessage>,
  'share-keys': sharedSecretsCodec as MessageCodec<ClientMessage>,
  'mask-vectors': maskedVectorsCodec as MessageCodec<ClientMessage>,
  'confirm-survivors': confirmationCodec as MessageCodec<ClientMessage>,
  unmask: revealedSharesCodec as MessageCodec<ClientMessage>,
};

const NOTHING_SAID = new Uint8Array(0);
const NAMED_AT_MOST = 5;
const SAID_AT_MOST = 300;
