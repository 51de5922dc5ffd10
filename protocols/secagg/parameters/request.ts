/** @file What may be asked of the parameters of a round, and what is meant where nothing is said. */

import {
  adversityOf,
  checkBits,
  checkCount,
  checkRate,
  DEFAULT_CORRECTNESS_BITS,
  DEFAULT_DROPOUT_RATE,
  type Demands,
  demandsOf,
  LARGEST_ROSTER,
  MOST_CLIENTS,
  type Rates,
  refuse,
} from './adversity.ts';
import type { Adversity, ThreatModel } from './guarantees.ts';

export interface ParameterRequest {
  /** Clients of the cohort, 1 to 1,000,000. */
  readonly clients: number;
  /**
   * Clients that a cohort can be picked from. The server picks it, so all the corrupt ones of the
   * roster may be in it.
   * @default clients
   */
  readonly roster?: number;
  /**
   * Of the cohort, clients that are lost on the way, rounded down.
   * @default 0.1
   */
  readonly dropoutRate?: number;
  /**
   * Of the roster, clients that work with the server, rounded down: none of fewer than 20 by
   * default. Raise it for a few who do not trust each other.
   * @default 0.05, with which Bell et al. evaluate theirs
   */
  readonly corruptRate?: number;
  /**
   * An attack succeeds with a probability of at most 2^-securityBits; 1 to 256.
   * @default 40
   */
  readonly securityBits?: number;
  /**
   * A round fails with a probability of at most 2^-correctnessBits; 1 to 256.
   * @default 20
   */
  readonly correctnessBits?: number;
  /** @default 'active' */
  readonly model?: ThreatModel;
  /**
   * `auto` is sparse where that at least halves the masks of each of 100 clients or more, and
   * complete otherwise.
   * @default 'auto'
   */
  readonly graph?: 'auto' | 'complete' | 'sparse';
  /**
   * Others that hold a share of a client's secrets.
   * @default the fewest that will do
   */
  readonly neighbours?: number;
  /**
   * Shares that give a secret back.
   * @default the fewest that are secure, but a majority in a complete graph
   */
  readonly threshold?: number;
  /**
   * Honest clients in anything that the server can learn, at least.
   * @default a quarter of the honest in the active model, but at least 2
   */
  readonly leastHonestInSum?: number;
}

/** A request with nothing left open. */
export interface ResolvedRequest {
  readonly rates: Rates;
  readonly adversity: Adversity;
  readonly securityBits: number;
  readonly correctnessBits: number;
  readonly demands: Demands;
  readonly graph: 'auto' | 'complete' | 'sparse';
  readonly neighbours: number | undefined;
  readonly threshold: number | undefined;
}

/** @throws ProtocolError `invalid-argument` */
export function resolveRequest(request: ParameterRequest): ResolvedRequest {
  const {
    clients,
    roster = clients,
    dropoutRate = DEFAULT_DROPOUT_RATE,
    corruptRate = DEFAULT_CORRUPT_RATE,
    securityBits = DEFAULT_SECURITY_BITS,
    correctnessBits = DEFAULT_CORRECTNESS_BITS,
    model = 'active',
    graph = 'auto',
    neighbours,
    threshold,
  } = request;
  checkCount('clients', clients, 1, MOST_CLIENTS);
  checkCount('roster', roster, clients, LARGEST_ROSTER);
  checkRate('dropoutRate', dropoutRate);
  checkRate('corruptRate', corruptRate);
  checkBits('securityBits', securityBits);
  checkBits('correctnessBits', correctnessBits);
  checkOneOf('model', model, ['active', 'semi-honest', 'semi-malicious']);
  checkOneOf('graph', graph, ['auto', 'complete', 'sparse']);
  if (neighbours !== undefined) checkCount('neighbours', neighbours, 0, clients - 1);
  if (graph === 'complete' && (neighbours ?? clients - 1) !== clients - 1) {
    refuse(
      `in a complete graph of ${clients} everyone has ${clients - 1} neighbours, not ${neighbours}`,
    );
  }
  if (threshold !== undefined) {
    checkCount('threshold', threshold, 1, (neighbours ?? clients - 1) + 1);
  }
  const rates = { model, clients, roster, corruptRate, dropoutRate };
  const adversity = adversityOf(rates);
  const quarter = Math.ceil((clients - adversity.corrupt) / 4);
  const leastHonestInSum =
    request.leastHonestInSum ?? (model === 'active' ? Math.max(2, quarter) : 2);
  checkCount('leastHonestInSum', leastHonestInSum, 1, MOST_CLIENTS);
  const demands = demandsOf(securityBits, correctnessBits, leastHonestInSum);
  return { rates, adversity, securityBits, correctnessBits, demands, graph, neighbours, threshold };
}

function checkOneOf<T>(name: string, value: T, allowed: readonly T[]): void {
  if (!allowed.includes(value)) refuse(`${name} is ${allowed.join(' or ')}, got ${value}`);
}

const DEFAULT_CORRUPT_RATE = 0.05;
const DEFAULT_SECURITY_BITS = 40;
