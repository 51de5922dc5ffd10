/**
 * @file What a client allows, as plain data: which protocols may take a sum of its values and on which
 * terms, which data and computations a server may name, and how much it may ask for. The client holds
 * it; nothing in it comes from a server. `parseGuardPolicy` reads it from text.
 */

import type { ThreatModel } from '../../../protocols/index.ts';

/** Protocols that can hide a value, as policies name them. */
export const GUARD_PROTOCOLS = [
  'secAgg',
  'secAggPlus',
  'masking',
  'perturbations',
  'paillier',
] as const;

export type GuardProtocol = (typeof GUARD_PROTOCOLS)[number];

/** What a client asks of one protocol beyond what holds for all. */
export interface ProtocolRules {
  /**
   * Whom the protocol must withstand (SecAgg and SecAgg+).
   * @default ['active']
   */
  readonly models?: readonly ThreatModel[];
  /**
   * How many of those who hold a client's shares must reveal them (SecAgg and SecAgg+): a count from
   * 2, or a proportion between 0 and 1. What is secure follows from `securityBits` already.
   * @default no more than that
   */
  readonly leastThreshold?: number;
  /**
   * Who may decrypt a sum (Paillier): a party of its own, or the server that asks for it. With the server
   * an aggregator adds, and must not show it the clients' ciphertexts.
   * @default 'key_holder'
   */
  readonly keyHolder?: 'server' | 'key_holder';
  /** Bits of the modulus, from 2048 (Paillier). @default 3072 */
  readonly modulusBits?: number;
  /** @default that of the policy */
  readonly smallestCohort?: number;
}

/** What a server may ask a client to hold and to work through. */
export interface GuardLimits {
  /** Values that the server has handles on. @default 10,000 */
  readonly values: number;
  /** What values take, by type or content, that the server has and has not disposed of. @default 1 GiB */
  readonly heldBytes: number;
  /** Building blocks in one piece of syntax. @default 10,000 */
  readonly blocks: number;
  /** How deep syntax and types are nested. @default 100 */
  readonly depth: number;
  /** Tensors, functions and sequences in the type of one value. @default 10,000 */
  readonly typeLeaves: number;
  /** Calls that one request makes. @default 10,000 */
  readonly calls: number;
  /** Calls of functions on the elements of sequences, in one operation on them. @default 10^7 */
  readonly elementCalls: number;
  /** Kernels in one graph. @default 10,000 */
  readonly graphNodes: number;
  /** Floating point operations of one graph, estimated. @default 10^12 */
  readonly graphFlops: number;
  /** Elements of all values of one graph together. @default 2^28 */
  readonly graphElements: number;
}

export interface GuardPolicy {
  /** Those that may take a value, and their rules. */
  readonly protocols: { readonly [name in GuardProtocol]?: ProtocolRules };
  /** Of how many clients a sum is at least. @default 3 */
  readonly smallestCohort: number;
  /** An attack on the sum succeeds with 2^-securityBits (SecAgg, SecAgg+). @default 40 */
  readonly securityBits: number;
  /** Of the roster, those that help the server (SecAgg, SecAgg+). @default 0.05 */
  readonly corruptRate: number;
  /** Bits of the largest value that a sum may take. @default 64 */
  readonly largestBitWidth: number;
  /** Numbers in all vectors of one sum together. @default 2^26 */
  readonly largestVector: number;
  /**
   * Functions that may be applied to private data, by content hash; `any` that type-checks and keeps
   * to the limits. A refusal says the hash in the audit log.
   * @default 'any'
   */
  readonly computations: 'any' | readonly string[];
  /**
   * Names of data that may be used, each with its type in compact notation; `any` that the data source
   * has, of a type that it gives.
   * @default 'any'
   */
  readonly data: 'any' | { readonly [name: string]: string };
  /**
   * Sums to which a client gives a value on one day (of UTC, by the client's clock).
   * @default no limit
   */
  readonly roundsPerDay: number;
  /** Whether the server may read what it computed from public values alone. @default true */
  readonly plainCompute: boolean;
  readonly limits: GuardLimits;
}

/** The same, where what is left out has its default. */
export type GuardPolicyOptions = Partial<Omit<GuardPolicy, 'limits'>> & {
  readonly limits?: Partial<GuardLimits>;
};

/** Only secure sums leave, by a protocol that withstands a lying server, of at least three clients. */
export const DEFAULT_GUARD_POLICY: GuardPolicy = {
  protocols: { secAgg: {}, secAggPlus: {} },
  smallestCohort: 3,
  securityBits: 40,
  corruptRate: 0.05,
  largestBitWidth: 64,
  largestVector: 2 ** 26,
  computations: 'any',
  data: 'any',
  roundsPerDay: Number.POSITIVE_INFINITY,
  plainCompute: true,
  limits: {
    values: 10_000,
    heldBytes: 2 ** 30,
    blocks: 10_000,
    depth: 100,
    typeLeaves: 10_000,
    calls: 10_000,
    elementCalls: 1e7,
    graphNodes: 10_000,
    graphFlops: 1e12,
    graphElements: 2 ** 28,
  },
};
