/** @file What executors tell about their progress, to whoever listens to an invocation. */

import type { Lost, LostClient } from './lost-client.ts';
import type { RollCall } from './roll.ts';

export type ProgressStep =
  | IntrinsicStep
  | ClientsStep
  | ClientLostStep
  | DroppedClientsStep
  | ProtocolStep
  | SecureSumStep;

/** An intrinsic on placed values began. */
export interface IntrinsicStep {
  readonly kind: 'intrinsic';
  readonly uri: string;
}

/** Work that is done once for each client; told at its beginning, and whenever one is done. */
export interface ClientsStep {
  readonly kind: 'clients';
  /** What the clients do: the URI of an intrinsic, or a few words. */
  readonly work: string;
  /** Clients that are done, or lost. */
  readonly done: number;
  readonly total: number;
  /** Which of the clients, by their names (`clients/3`). */
  readonly roll: RollCall;
}

/** A client failed in work of its own, and the computation goes on without it. Told once. */
export interface ClientLostStep extends Lost {
  readonly kind: 'client-lost';
}

/** A plain aggregation is made without some clients, in a stack that was built to drop those lost. */
export interface DroppedClientsStep {
  readonly kind: 'dropped-clients';
  /** The aggregation. */
  readonly uri: string;
  /** Names of the clients whose values are in it. */
  readonly clients: readonly string[];
  readonly lost: readonly LostClient[];
}

/**
 * A stage of a secure protocol; told at its beginning, whenever one party is done, and when those that are
 * not are waited for no longer.
 */
export interface ProtocolStep {
  readonly kind: 'protocol';
  readonly stage: string;
  /** Parties that are done, or parts of long work that nobody is asked for. */
  readonly done: number;
  readonly total: number;
  /** Which of the parties, by their names (`clients/3`, `aggregator/0`), where any are asked. */
  readonly roll?: RollCall;
}

/** A secure sum is made: whose values are in it, and who was lost on the way. */
export interface SecureSumStep {
  readonly kind: 'secure-sum';
  /** Name of the protocol. */
  readonly protocol: string;
  /** Names of the clients whose values are in the sum. */
  readonly clients: readonly string[];
  readonly lost: readonly LostClient[];
  /** Clients that broke the protocol in a way that can be proven, and how. */
  readonly blamed: readonly {
    readonly client: string;
    readonly code: string;
    /** The other of two, where it was between them. */
    readonly with?: string;
  }[];
  /** Bytes between the server and all clients, where the protocol counts them. */
  readonly traffic?: { readonly toClients: number; readonly toServer: number };
}

export type ProgressListener = (step: ProgressStep) => void;
