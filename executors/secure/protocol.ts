/**
 * @file The interface of secure aggregation protocols: what one has to bring so that a
 * SecureFederatedExecutor can make sums with it. Encryption, masking, secret sharing, enclaves and
 * trusted third parties all fit.
 *
 * A protocol is orchestrated from the server. It reaches the others only by calling operators
 * (unplaced intrinsics) on their executors, so it works the same whether a client is a function
 * call, a thread or another machine. What it brings to them are its `operators`; what those keep
 * between calls stays there as opaque values.
 */

import type { IntegerDType, Type } from '../../computations/types/index.ts';
import type { ExecutorValue, RequestOptions } from '../executor.ts';
import type { Operator } from '../leaf/operator.ts';
import type { Lost } from '../lost-client.ts';

export interface SecureAggregationProtocol {
  /** Names it in messages, e.g. `masking`. */
  readonly name: string;
  /** Placements besides clients and server that need an executor, e.g. `aggregator`. */
  readonly roles: readonly string[];
  /** What its participants must be able to do. Every leaf executor of the stack gets them. */
  readonly operators: readonly Operator[];
  /**
   * How long one of its stages waits for its slowest party, in milliseconds. What the stack has the
   * clients do before the protocol begins waits as long.
   * @default 60,000
   */
  readonly timeoutMs?: number;
  /**
   * Whether its sums go on without clients that are lost. Where all protocols of a stack do, a client
   * that fails in its own work does not end the computation either.
   * @default false
   */
  readonly survivesLosses?: boolean;
  /** Called once for each executor stack, when the first sum is asked for. */
  open(parties: ProtocolParties): ProtocolSession;
}

/** A protocol at work in one executor stack: it may keep keys from one sum to the next. */
export interface ProtocolSession {
  /**
   * Makes one sum. Either everything asked for is returned, or it throws: no partial output.
   * @throws ProtocolAbortError naming stage, reason and offender.
   */
  sum(task: SecureSumTask): Promise<SecureSum>;
  /** Disposes what it keeps at the participants. */
  close(): void;
}

/** Everyone whom a protocol can reach. */
export interface ProtocolParties {
  readonly clients: readonly Participant[];
  readonly server: Participant;
  /** @param placement one of the protocol's `roles`. */
  role(placement: string): Participant;
}

/** One party: a client, the server, an aggregator. */
export interface Participant {
  /** Unique in the stack: `clients/3`, `server/0`, `aggregator/0`. */
  readonly name: string;
  /** The same party, with what comes along with each request to it. */
  within(options: RequestOptions): Participant;
  /**
   * Calls an operator where this party is.
   * @param signature concrete type in compact notation, or as a type; bytes are `uint8[?]`.
   * @param args bytes to send there, or handles on values that are there already.
   * @returns a handle on the result, to be disposed.
   */
  call(
    uri: string,
    args: readonly (Uint8Array | ExecutorValue)[],
    result: Type,
  ): Promise<ExecutorValue>;
  /** The same for an operator that returns bytes, which are brought to the server. */
  request(uri: string, args: readonly (Uint8Array | ExecutorValue)[]): Promise<Uint8Array>;
  /** Splits a handle on a struct into handles on its elements, and disposes it. */
  split(value: ExecutorValue): Promise<readonly ExecutorValue[]>;
  /** Brings bytes from there to the server, and disposes the handle. */
  read(value: ExecutorValue): Promise<Uint8Array>;
}

/** One sum to be made. */
export interface SecureSumTask {
  /** 32 random bytes, never used before. */
  readonly session: Uint8Array;
  /**
   * Clients' values: one handle a client, in the order of the parties. A client can be lost before
   * the protocol begins; one that needs everyone begins with `requireEveryInput`.
   */
  readonly inputs: readonly (ExecutorValue | LostInput)[];
  /** The type of each client's value: a tensor, or a struct of tensors. */
  readonly member: Type;
  /** What is summed: the tensors of the value, in order. */
  readonly terms: readonly SecureTerm[];
  /** What came with the request: a sum whose signal is aborted stops, and returns nothing. */
  readonly options?: RequestOptions;
}

/** In the place of the value of a client that failed, or did not answer, when it was to make it. */
export interface LostInput extends Lost {
  readonly lost: true;
}

/** One tensor of a value, taken as a vector, row-major. */
export interface SecureTerm {
  /** `sum`: exact, of integers from 0 to `bound`. `modular-sum`: modulo `bound`. */
  readonly kind: 'sum' | 'modular-sum';
  readonly dtype: IntegerDType;
  readonly length: number;
  /** The largest value (`sum`), or the modulus (`modular-sum`). */
  readonly bound: bigint;
}

export interface SecureSum {
  /** For each term its sums, not reduced to the dtype yet. */
  readonly sums: readonly (ArrayLike<number> | ArrayLike<bigint>)[];
  /** Names of the clients whose values are in the sum. */
  readonly clients: readonly string[];
  /** Who was lost on the way, if the protocol can go on without some. */
  readonly lost?: readonly Lost[];
  /** Who broke the protocol, where that can be told, and how. */
  readonly blamed?: readonly {
    readonly client: string;
    readonly code: string;
    readonly with?: string;
  }[];
  /** Bytes between the server and all clients. */
  readonly traffic?: { readonly toClients: number; readonly toServer: number };
}
