/**
 * @file What becomes of clients that fail in work of their own: in a stack that survives them, what
 * such a client was to make is a lost value. Work on it gives a lost value again, without asking the
 * client; reading it fails; aggregations that can do without the client leave it out.
 */

import {
  ExecutionError,
  type MaterializedValue,
  PolicyError,
  type Type,
} from '../../computations/types/index.ts';
import type { ExecutorValue, RequestOptions } from '../executor.ts';
import { describeLost, type Lost, withoutCauses } from '../lost-client.ts';
import { ClientTimeout } from './time-limit.ts';

/**
 * - `fail`: a client that fails ends the computation.
 * - `survive`: the computation goes on. Secure sums leave the client out where their protocol can;
 *   whatever else reads what the client was to make fails, plain aggregations included.
 * - `drop`: plain aggregations leave it out too.
 */
export type LostClients = 'fail' | 'survive' | 'drop';

/** What becomes of clients that fail, and when they have. */
export interface LossOptions {
  /** @default 'fail' */
  readonly lostClients?: LostClients;
  /**
   * How many clients must be left in a plain aggregation that others were dropped from.
   * @default 1
   */
  readonly minimumSurvivors?: number;
  /**
   * How long each piece of the clients' work may take, in milliseconds, from when all begin with it;
   * those that take longer have failed. @default as long as they like
   */
  readonly clientTimeoutMs?: number;
}

/** A value that a client was to make, and did not. */
export class LostMember implements ExecutorValue {
  readonly type: Type;
  readonly loss: Lost;
  /** What reading it fails with. */
  readonly error: Error;

  constructor(type: Type, loss: Lost, error: Error) {
    this.type = type;
    this.loss = loss;
    this.error = error;
  }

  get missing(): readonly Lost[] {
    return [this.loss];
  }

  /** What comes of it where another value is made of it. */
  as(type: Type): LostMember {
    return new LostMember(type, this.loss, this.error);
  }

  async compute(): Promise<MaterializedValue> {
    throw this.error;
  }

  [Symbol.dispose](): void {}
}

/** The value, if it is lost. */
export function lostOf(value: ExecutorValue | undefined): LostMember | undefined {
  return value instanceof LostMember ? value : undefined;
}

/** The first of these values that is lost. */
export function firstLost(values: readonly ExecutorValue[]): LostMember | undefined {
  return values.find((value): value is LostMember => value instanceof LostMember);
}

/** A client that failed, and in what. */
export interface ClientFailure {
  /** Its number among all clients. */
  readonly client: number;
  readonly work: string;
  readonly error: unknown;
}

function lossReason(error: unknown): Lost['reason'] {
  if (error instanceof ClientTimeout) return 'timeout';
  return error instanceof PolicyError ? 'refused' : 'failed';
}

/** The value of a client that has just failed; progress tells of it. */
export function loseClient(
  { client, work, error }: ClientFailure,
  type: Type,
  { onProgress }: RequestOptions,
): LostMember {
  const loss: Lost = {
    client: `clients/${client}`,
    stage: work,
    reason: lossReason(error),
    cause: error,
  };
  onProgress?.({ kind: 'client-lost', ...loss });
  return new LostMember(type, loss, clientFailed({ client, work, error }));
}

/** The error that names which client failed, with what it said as the cause. */
export function clientFailed({ client, work, error }: ClientFailure): ExecutionError {
  const reason = error instanceof Error ? error.message : String(error);
  return new ExecutionError(
    'execution.client_failed',
    `Client ${client} failed in ${work}: ${reason}`,
    { cause: error },
  );
}

/** A plain aggregation from which clients were dropped. */
export interface Dropped {
  /** Its URI. */
  readonly uri: string;
  /** By which number a client is called. */
  readonly numberOf: (index: number) => number;
  /** How many clients there are. */
  readonly count: number;
  readonly missing: readonly Lost[];
}

/**
 * Tells who was dropped, if enough are left.
 * @throws ExecutionError `execution.too_few_clients` with the cause of the first loss.
 */
export function settleDropped(
  { uri, numberOf, count, missing }: Dropped,
  { minimumSurvivors = 1 }: LossOptions,
  { onProgress }: RequestOptions,
): void {
  if (missing.length === 0) return;
  const left = count - missing.length;
  if (left < minimumSurvivors) {
    throw new ExecutionError(
      'execution.too_few_clients',
      `${uri} is left with ${left} of ${count} clients, and this stack asks for at least ${minimumSurvivors} (minimumSurvivors). Lost: ${describeLost(missing)}.`,
      { cause: missing[0]?.cause },
    );
  }
  if (onProgress === undefined) return;
  const lost = new Set(missing.map(({ client }) => client));
  const names = Array.from({ length: count }, (_, i) => `clients/${numberOf(i)}`);
  onProgress({
    kind: 'dropped-clients',
    uri,
    clients: names.filter((name) => !lost.has(name)),
    lost: withoutCauses(missing),
  });
}
