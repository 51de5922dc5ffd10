/** @file How a round of a cohort stands, as plain data: for a terminal, a log, another process. */

import type { LostClient } from '../../executors/lost-client.ts';

export interface RoundStatus {
  /** Counts the rounds of a coordinator, from 1: the invocations of the contexts of its cohorts. */
  readonly round: number;
  /** Name of the computation. */
  readonly computation: string;
  /** How many clients the cohort has. */
  readonly clients: number;
  readonly state: 'running' | 'done' | 'failed';
  /** Since it began, until now or its end. */
  readonly milliseconds: number;
  /** Those that have begun, in that order; some may go on at the same time. */
  readonly stages: readonly StageStatus[];
  /** Clients that it goes on without, by the names under which they are connected. */
  readonly lost: readonly LostClient[];
  /** Clients whose values are in its sums, in all of them if there are several. */
  readonly counted: number;
  readonly traffic: RoundTraffic;
  /** Set if it failed. */
  readonly failure?: RoundFailure;
}

/** A stage of a protocol, or another piece of work of all clients. */
export interface StageStatus {
  /** Its name in the protocol, or what the clients do: the URI of an intrinsic, a few words. */
  readonly stage: string;
  /** Who does it: clients, somebody who plays a role, such as `aggregator`, or the server by itself. */
  readonly by: 'clients' | 'role' | 'server';
  /** Nobody is waited for any more. */
  readonly isOver: boolean;
  /** Of those who are asked; of parts of work, where the server does it. */
  readonly done: number;
  readonly total: number;
  /** Names of those who are asked: none where the server does it. */
  readonly answered: readonly string[];
  readonly missing: readonly string[];
  readonly milliseconds: number;
  /** While it went on. */
  readonly traffic: RoundTraffic;
}

/**
 * Bytes of frames between the coordinator and the clients of the cohort; those of other rounds that go on
 * with the same clients at the same time count, too. Roles such as an aggregator's have connections of
 * their own, which do not.
 */
export interface RoundTraffic {
  readonly toClients: number;
  readonly toServer: number;
}

export interface RoundFailure {
  /** Of the error, if it is one of ours. */
  readonly code?: string;
  /** A part of it may come from clients. */
  readonly message: string;
  /** Where it stopped: in this stage, or after it. */
  readonly stage?: string;
  /** The code of the fault that ended a protocol. */
  readonly reason?: string;
  /** Names of those who were missing then. */
  readonly missing: readonly string[];
}
