/** @file The parameters of a round, with what they reach. */

import { lnSum } from './distributions.ts';
import { explainParameters } from './explanation.ts';
import { bitsOfLn, type ThreatModel } from './guarantees.ts';
import type { ResolvedRequest } from './request.ts';
import type { GraphChoice, GraphFamily } from './search.ts';

export interface ParameterFindings {
  readonly clients: number;
  readonly roster: number;
  readonly model: ThreatModel;
  readonly graph: 'complete' | 'sparse';
  /** Others that hold a share of a client's secrets; `clients - 1` in a complete graph. */
  readonly neighbours: number;
  /** Shares that give a secret back, of `neighbours + 1`: a client holds one of its own. */
  readonly threshold: number;
  /**
   * How many may choose the same client, where clients choose (a sparse graph of the active model);
   * elsewhere the neighbours.
   */
  readonly inDegreeLimit: number;
  readonly corruptRate: number;
  readonly dropoutRate: number;
  /** As asked for. */
  readonly securityBits: number;
  /** As asked for. */
  readonly correctnessBits: number;
  /** Infinite where nothing is left to chance. */
  readonly reachedSecurityBits: number;
  /** Infinite where nothing is left to chance. */
  readonly reachedCorrectnessBits: number;
  /** How many corrupt clients the figures count with. */
  readonly corrupt: number;
  /** Honest clients in anything that the server can learn, at least. */
  readonly leastHonestInSum: number;
  /**
   * Clients that must be left at the end for the correctness that is stated: the threshold in a
   * complete graph, in a sparse one all but those that the dropout rate allows for. Where clients
   * choose their neighbours, the security stated is that among as many who advertise keys, too.
   */
  readonly leastSurvivors: number;
  /** Explains the parameters in a few lines. */
  toString(): string;
}

export function findingsOf(
  { rates, adversity, demands, securityBits, correctnessBits }: ResolvedRequest,
  { graph, guarantees }: GraphFamily,
  { neighbours, threshold }: GraphChoice,
): ParameterFindings {
  const { lnSecurity, lnCorrectness } = demands;
  const leastHonestInSum = guarantees.leastHonestInSum(neighbours, threshold, lnSecurity);
  const exposure = guarantees.lnExposure(neighbours, threshold);
  const split = guarantees.lnSplit(neighbours, threshold, leastHonestInSum);
  const failure = guarantees.lnFailure(neighbours, threshold, lnCorrectness);
  return {
    ...rates,
    graph,
    neighbours,
    threshold,
    inDegreeLimit: guarantees.inDegreeLimit(neighbours, lnCorrectness),
    securityBits,
    correctnessBits,
    reachedSecurityBits: bitsOfLn(lnSum(exposure, split)),
    reachedCorrectnessBits: bitsOfLn(failure),
    corrupt: adversity.corrupt,
    leastHonestInSum,
    leastSurvivors: graph === 'complete' ? threshold : rates.clients - adversity.lost,
    toString() {
      return explainParameters(this);
    },
  };
}
