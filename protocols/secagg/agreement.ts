/**
 * @file What the clients of one round agree on: its session, the model of the adversary, the graph
 * of neighbours, the threshold, the cohort and the vectors. Everything that is signed, sealed or
 * masked in the round is bound to its hash, so clients who were told different things make noise.
 */

import { sha256 } from '#crypto';
import { utf8 } from '../crypto/bytes.ts';
import { problemOfSession } from '../masking/identities.ts';
import {
  type MaskedVector,
  problemOfParameters,
  readParameters,
  writeParameters,
} from '../masking/parameters.ts';
import { ROSTER_LIMIT } from '../roster/identity-roster.ts';
import { type ByteReader, malformed } from '../wire/byte-reader.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { type DecodingLimits, IDENTITY_LIMIT } from '../wire/message-codec.ts';
import { Bitmap } from './bitmap.ts';
import type { ThreatModel } from './parameters/index.ts';

export type NeighbourGraph = 'complete' | 'sparse';

export interface SecAggAgreement {
  /** 16 to 64 bytes, never used for two runs. */
  readonly session: Uint8Array;
  /** 0 to 2^32 - 1. */
  readonly round: number;
  /**
   * Whom the round withstands. `active`: a server that lies; clients sign. The others: a server
   * that follows the protocol and looks.
   */
  readonly model: ThreatModel;
  /** Who shares with whom: everyone with everyone, or each client with some. */
  readonly graph: NeighbourGraph;
  /** Clients of the cohort, 1 to 65,535; they are numbered from 0. */
  readonly clients: number;
  /** Clients that hold a share of one's secrets, besides oneself. */
  readonly neighbours: number;
  /** Shares that reconstruct a secret, of `neighbours + 1`. */
  readonly threshold: number;
  /** In a sparse graph that clients choose: how many may choose the same one. */
  readonly inDegreeLimit: number;
  /** Hash of the roster by which signatures are checked; empty where nobody signs. */
  readonly rosterHash: Uint8Array;
  /** Which places of the roster are the cohort, in order; no bits where nobody signs. */
  readonly cohort: Bitmap;
  readonly vectors: readonly MaskedVector[];
}

export interface AgreementProblem {
  readonly code: 'invalid-parameters' | 'modulus-too-small';
  readonly message: string;
}

/** Whether the graph is one that each client chooses its part of (Bell et al. 2020, section 4). */
export function chosenByClients({ model, graph }: SecAggAgreement): boolean {
  return model === 'active' && graph === 'sparse';
}

/** What makes no sense for anybody; whether it is secure is another question. */
export function problemOfAgreement(agreement: SecAggAgreement): AgreementProblem | undefined {
  const { session, round, model, graph, clients, neighbours, threshold, vectors } = agreement;
  const invalid = (message: string): AgreementProblem => ({ code: 'invalid-parameters', message });
  const problem = problemOfSession(session, round) ?? problemOfParameters({ clients, vectors });
  if (problem !== undefined) return problem;
  if (clients > ROSTER_LIMIT) {
    return invalid(`a cohort has at most ${ROSTER_LIMIT} clients, got ${clients}`);
  }
  if (!isWhole(neighbours, clients === 1 ? 0 : 1, clients - 1)) {
    return invalid(
      `of ${clients} clients, one has 1 to ${clients - 1} neighbours, got ${neighbours}`,
    );
  }
  if (graph === 'complete' && neighbours !== clients - 1) {
    return invalid(`in a complete graph of ${clients} everyone has ${clients - 1} neighbours`);
  }
  if (neighbours + 1 > SHARES_LIMIT) {
    return invalid(
      `a secret has at most ${SHARES_LIMIT} shares, got ${neighbours + 1}; choose a sparse graph`,
    );
  }
  if (!isWhole(threshold, 1, neighbours + 1)) {
    return invalid(
      `a threshold is 1 to ${neighbours + 1} of ${neighbours + 1} shares, got ${threshold}`,
    );
  }
  if (model === 'active') {
    if (agreement.rosterHash.length !== 32) return invalid('the roster is named by 32 bytes');
    if (agreement.cohort.count() !== clients) {
      return invalid(
        `the cohort marks ${agreement.cohort.count()} places of the roster for ${clients} clients`,
      );
    }
  } else if (agreement.rosterHash.length !== 0 || agreement.cohort.size !== 0) {
    return invalid('only the active model names a roster');
  }
  if (chosenByClients(agreement) && !isWhole(agreement.inDegreeLimit, 1, clients)) {
    return invalid(`a client is chosen by at most 1 to ${clients}, got ${agreement.inDegreeLimit}`);
  }
  return undefined;
}

/** SHA-256 of everything agreed on. */
export function agreementHash(agreement: SecAggAgreement): Uint8Array {
  const writer = new ByteWriter().raw(DOMAIN);
  writeAgreement(writer, agreement);
  return sha256(writer.finish());
}

export function writeAgreement(writer: ByteWriter, agreement: SecAggAgreement): void {
  writer
    .bytes(agreement.session)
    .uint32(agreement.round)
    .uint8(MODELS.indexOf(agreement.model))
    .uint8(GRAPHS.indexOf(agreement.graph))
    .uint32(agreement.neighbours)
    .uint32(agreement.threshold)
    .uint32(agreement.inDegreeLimit)
    .bytes(agreement.rosterHash)
    .uint32(agreement.cohort.size)
    .raw(agreement.cohort.bytes);
  writeParameters(writer, agreement);
}

export function readAgreement(
  reader: ByteReader,
  limits: Required<DecodingLimits>,
): SecAggAgreement {
  const session = reader.bytes(IDENTITY_LIMIT);
  const round = reader.uint32();
  const model = MODELS[reader.uint8()];
  const graph = GRAPHS[reader.uint8()];
  if (model === undefined || graph === undefined) throw malformed('no known model or graph');
  const neighbours = reader.uint32();
  const threshold = reader.uint32();
  const inDegreeLimit = reader.uint32();
  const rosterHash = reader.bytes(32);
  const places = reader.uint32();
  if (places > ROSTER_LIMIT) throw malformed(`a roster of ${places} members`);
  const cohort = Bitmap.read(reader, places);
  const { clients, vectors } = readParameters(reader, limits);
  return {
    session,
    round,
    model,
    graph,
    clients,
    neighbours,
    threshold,
    inDegreeLimit,
    rosterHash,
    cohort,
    vectors,
  };
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

/** As many as the arithmetic of sharing takes. */
const SHARES_LIMIT = 2 ** 15;
const MODELS = ['semi-honest', 'semi-malicious', 'active'] as const;
const GRAPHS = ['complete', 'sparse'] as const;
const DOMAIN = utf8('fedloom secagg agreement v1');
