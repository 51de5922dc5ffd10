/** @file Who takes part in a round, and by which graph and threshold: settled before any message. */

import { ProtocolAbortError, ValueError } from '../../computations/types/index.ts';
import {
  Bitmap,
  type ParameterFindings,
  ProtocolError,
  type SecAggAgreement,
  secAggParameters,
} from '../../protocols/index.ts';
import { type CheckedOptions, isCount } from './options.ts';
import type { SummationPeer } from './peer.ts';
import { withoutCode } from './task.ts';

/** Clients in the order in which a round numbers them: that of the roster, where there is one. */
export interface Cohort {
  readonly peers: readonly SummationPeer[];
  /** Which places of the roster they have; none without a roster. */
  readonly places: Bitmap;
}

/** @throws ValueError `value.out_of_range` */
export function cohortOf(
  clients: readonly SummationPeer[],
  { roster, minimumClients }: CheckedOptions,
): Cohort {
  const names = new Set<string>();
  for (const { name } of clients) {
    if (names.has(name)) throw invalid(`Two clients are called "${name}".`);
    names.add(name);
  }
  if (clients.length < minimumClients || clients.length > 65_535) {
    throw invalid(
      `A round is of ${minimumClients} (minimumClients) to 65535 clients; got ${clients.length}.`,
    );
  }
  if (roster === undefined) return { peers: [...clients], places: new Bitmap(0) };
  const placed = clients.map((peer) => {
    const place = roster.positions.get(peer.name);
    if (place !== undefined) return { peer, place };
    throw invalid(`"${peer.name}" is none of the ${roster.members.length} members of the roster.`);
  });
  placed.sort((a, b) => a.place - b.place);
  return {
    peers: placed.map(({ peer }) => peer),
    places: Bitmap.of(
      roster.members.length,
      placed.map(({ place }) => place),
    ),
  };
}

/**
 * Graph, neighbours and threshold for so many clients.
 * @throws ProtocolAbortError `protocol.bad_parameters` where they are not secure, saying what would be.
 */
export function parametersFor(clients: number, options: CheckedOptions): ParameterFindings {
  const { model, roster, corruptRate, securityBits, correctnessBits } = options;
  const shares = sharesOf(clients, options);
  const complete = shares >= clients;
  const threshold = thresholdOf(shares, options);
  if (threshold !== undefined && threshold > shares) {
    throw badParameters(
      'insecure-parameters',
      `a reconstructionThreshold of ${threshold} cannot be reached with ${shares} shares`,
    );
  }
  // Who names a threshold says by it how many may be lost, where everyone holds shares of everyone.
  const room = complete && threshold !== undefined ? (clients - threshold) / clients : 1;
  const dropoutRate = options.dropoutRate ?? Math.min(DROPOUT_RATE, room);
  try {
    return secAggParameters({
      clients,
      roster: roster?.members.length ?? clients,
      model,
      graph: complete ? 'complete' : 'sparse',
      dropoutRate,
      ...(!complete && { neighbours: shares - 1 }),
      ...(threshold !== undefined && { threshold }),
      ...(corruptRate !== undefined && { corruptRate }),
      ...(securityBits !== undefined && { securityBits }),
      ...(correctnessBits !== undefined && { correctnessBits }),
    });
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw badParameters(error.code, withoutCode(error), error);
  }
}

/** What of the agreement follows from them. */
export function agreedParameters({
  model,
  graph,
  clients,
  neighbours,
  threshold,
  inDegreeLimit,
}: ParameterFindings): Pick<
  SecAggAgreement,
  'model' | 'graph' | 'clients' | 'neighbours' | 'threshold' | 'inDegreeLimit'
> {
  return { model, graph, clients, neighbours, threshold, inDegreeLimit };
}

/** @throws nothing: an error to throw. */
export function badParameters(
  reason: string,
  message: string,
  cause?: unknown,
): ProtocolAbortError {
  return new ProtocolAbortError(
    'protocol.bad_parameters',
    `No round was begun: ${message}. No message was sent.`,
    { stage: 'parameters', reason, cause },
  );
}

function sharesOf(clients: number, { numShares, model }: CheckedOptions): number {
  if (numShares === undefined) return clients;
  const wanted = isCount(numShares) ? numShares : portion(numShares, clients);
  // Around a ring there are as many neighbours on one side as on the other: shares are odd, as in Flower.
  const shares = model === 'active' ? wanted : wanted + ((wanted + 1) % 2);
  return Math.min(Math.max(shares, 3), clients);
}

function thresholdOf(
  shares: number,
  { reconstructionThreshold: given }: CheckedOptions,
): number | undefined {
  if (given === undefined || isCount(given)) return given;
  return Math.max(2, portion(given, shares));
}

/** A proportion of a whole, rounded up; 0.7 of 10 is 7, whatever doubles make of it. */
function portion(share: number, whole: number): number {
  return Math.ceil(share * whole - 1e-9);
}

function invalid(message: string): ValueError {
  return new ValueError('value.out_of_range', message);
}

const DROPOUT_RATE = 0.1;
