/** @file What a round of the service tells of its stages, to whoever listens. */

import type { SecAggServerStage } from '../../protocols/index.ts';

/** The stages of Flower's workflow. */
export type SummationStage = 'setup' | 'shareKeys' | 'collectMaskedVectors' | 'unmask';

/** A client that is out of a round, and why. */
export interface LostParticipant {
  readonly client: string;
  readonly stage: SummationStage;
  /** The step of the protocol within the stage. */
  readonly step: SecAggServerStage;
  /** `refused`: it said so itself, or its answer was not what the protocol allows. */
  readonly reason: 'timeout' | 'refused' | 'failed';
  /** The code of a refusal, for example `quantization-refused`. */
  readonly code: string | undefined;
  /** For people. A part of it may come from the client. */
  readonly message: string;
}

/** Bytes between the server and clients. */
export interface StageTraffic {
  readonly toClients: number;
  readonly toServer: number;
}

/** How a stage ended. Clients that were lost in `unmask` are in the sum, if there is one. */
export interface StageReport {
  readonly stage: SummationStage;
  /** Names of the clients that are left. */
  readonly answered: readonly string[];
  /** Who was lost in this stage. */
  readonly lost: readonly LostParticipant[];
  readonly traffic: StageTraffic;
}

export type StageEvent = {
  /** Names the round. */
  readonly round: string;
  readonly stage: SummationStage;
} & (
  | { readonly kind: 'begin'; readonly clients: readonly string[] }
  | {
      /** An answer of a client was taken. A stage may ask in two steps. */
      readonly kind: 'answer';
      readonly step: SecAggServerStage;
      readonly client: string;
      /** Clients that answered this step. */
      readonly done: number;
      /** Clients that were asked. */
      readonly total: number;
      /** Bytes of the request and of the answer. */
      readonly traffic: StageTraffic;
    }
  | {
      /** Masks are being taken off the sums. */
      readonly kind: 'progress';
      readonly done: number;
      readonly total: number;
    }
  | ({ readonly kind: 'end' } & StageReport)
  | {
      /** The round is over without a result. */
      readonly kind: 'abort';
      readonly lost: readonly LostParticipant[];
      readonly error: unknown;
    }
);

/** What a round tells of, by name. */
export type SummationEvents = { readonly [stage in SummationStage]: StageEvent };

export const SUMMATION_STAGES: readonly SummationStage[] = [
  'setup',
  'shareKeys',
  'collectMaskedVectors',
  'unmask',
];

export const STAGE_OF_STEP: { readonly [step in SecAggServerStage]: SummationStage } = {
  advertise: 'setup',
  'choose-neighbours': 'setup',
  'share-keys': 'shareKeys',
  'mask-vectors': 'collectMaskedVectors',
  'confirm-survivors': 'unmask',
  unmask: 'unmask',
};

export class StageListeners {
  readonly #listeners = new Map<SummationStage, Set<(event: StageEvent) => void>>();
  readonly #parent: StageListeners | undefined;

  /** @param parent is told of everything, too. */
  constructor(parent?: StageListeners) {
    this.#parent = parent;
  }

  /** @returns ends that. */
  on(stage: SummationStage, listener: (event: StageEvent) => void): () => void {
    if (!SUMMATION_STAGES.includes(stage)) {
      throw new TypeError(`There is no stage '${stage}': ${SUMMATION_STAGES.join(', ')}.`);
    }
    let listeners = this.#listeners.get(stage);
    if (listeners === undefined) {
      listeners = new Set();
      this.#listeners.set(stage, listeners);
    }
    // Its own function, so that a listener that is added twice is called twice and removed once.
    const entry = (event: StageEvent): void => listener(event);
    const added = listeners.add(entry);
    return () => void added.delete(entry);
  }

  tell(event: StageEvent): void {
    for (const listener of this.#listeners.get(event.stage) ?? []) {
      try {
        listener(event);
      } catch (error) {
        // A listener must not break what it listens to; its error surfaces as its own.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    this.#parent?.tell(event);
  }
}
