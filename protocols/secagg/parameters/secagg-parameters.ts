/** @file Computes how many share with whom and how many shares it takes, or says why nothing does. */

import { ProtocolError } from '../../errors.ts';
import { type Demands, refuse } from './adversity.ts';
import { findingsOf, type ParameterFindings } from './findings.ts';
import { describeFailure, describeHopeless, describeRemedy, describeWeakness } from './remedy.ts';
import { type ParameterRequest, type ResolvedRequest, resolveRequest } from './request.ts';
import {
  choiceAt,
  completeFamily,
  type GraphChoice,
  type GraphFamily,
  isDegree,
  isSecure,
  leastChoice,
  leastSecureThreshold,
  leavesHonest,
  sparseFamily,
} from './search.ts';

/**
 * The cheapest parameters that reach what is asked for.
 * @throws ProtocolError `invalid-argument`; `insecure-parameters` where the given neighbours or
 * threshold miss the security, with what would reach it; `infeasible-parameters` where nothing
 * reaches both security and correctness.
 */
export function secAggParameters(request: ParameterRequest): ParameterFindings {
  const resolved = resolveRequest(request);
  const complete = completeFamily(resolved.rates, resolved.adversity);
  if (!leavesHonest(complete, resolved.demands)) {
    throw infeasible(describeHopeless(complete, resolved.demands));
  }
  const { family, choice } = chooseGraph(resolved, complete, sparseFamily(resolved.adversity));
  return findingsOf(resolved, family, choice);
}

interface Chosen {
  readonly family: GraphFamily;
  readonly choice: GraphChoice;
}

function chooseGraph(
  { graph, neighbours, threshold, demands, rates }: ResolvedRequest,
  complete: GraphFamily,
  sparse: GraphFamily,
): Chosen {
  const everyone = rates.clients - 1;
  const inComplete = completeChoice(complete, demands, threshold);
  if (graph === 'complete' || (graph === 'auto' && neighbours === everyone)) {
    if (inComplete !== undefined) return { family: complete, choice: inComplete };
    throw refusal(complete, { neighbours, threshold }, demands);
  }
  if (neighbours !== undefined) {
    checkDegree(sparse, neighbours);
    const choice = choiceAt(sparse, neighbours, demands, threshold);
    if (choice !== undefined) return { family: sparse, choice };
    throw refusal(sparse, { neighbours, threshold }, demands, complete);
  }
  if (graph === 'sparse') {
    const choice = leastChoice(sparse, demands, { threshold });
    if (choice !== undefined) return { family: sparse, choice };
    throw refusal(sparse, { neighbours, threshold }, demands, complete);
  }
  // A client masks with those whom it chose and with those who chose it.
  const masks = rates.model === 'active' ? 2 : 1;
  const most = Math.floor(everyone / 2 / masks);
  const worthwhile =
    rates.clients < LEAST_SPARSE ? undefined : leastChoice(sparse, demands, { threshold, most });
  if (worthwhile !== undefined) return { family: sparse, choice: worthwhile };
  if (inComplete !== undefined) return { family: complete, choice: inComplete };
  throw refusal(complete, { neighbours, threshold }, demands);
}

/**
 * The given threshold, or the least; but a majority where that leaves room for the lost, since a
 * higher threshold costs nothing here and has more clients in the sum.
 */
function completeChoice(
  complete: GraphFamily,
  demands: Demands,
  threshold: number | undefined,
): GraphChoice | undefined {
  const { clients, lost } = complete.adversity;
  const least = choiceAt(complete, clients - 1, demands, threshold);
  if (least === undefined || threshold !== undefined) return least;
  const majority = Math.min(Math.floor(clients / 2) + 1, clients - lost);
  return { ...least, threshold: Math.max(least.threshold, majority) };
}

/** What is wrong with what was given; if nothing was, with the demands. */
function refusal(
  family: GraphFamily,
  given: { readonly neighbours: number | undefined; readonly threshold: number | undefined },
  demands: Demands,
  alternative?: GraphFamily,
): ProtocolError {
  const { threshold } = given;
  const neighbours = family.graph === 'complete' ? family.leastNeighbours : given.neighbours;
  if (neighbours === undefined || (given.neighbours ?? threshold) === undefined) {
    return infeasible(
      describeHopeless(family, demands, { threshold, ...(alternative && { alternative }) }),
    );
  }
  const tried = { neighbours, threshold: threshold ?? neighbours + 1 };
  if (!isSecure(family, tried, demands)) {
    return new ProtocolError(
      'insecure-parameters',
      `${describeWeakness(family, tried, demands)}: ${describeRemedy(family, tried, demands, alternative)}`,
    );
  }
  const failing = {
    neighbours,
    threshold: threshold ?? leastSecureThreshold(family, neighbours, demands) ?? neighbours + 1,
  };
  return infeasible(
    `${describeFailure(family, failing, demands)}: ${describeRemedy(family, failing, demands, alternative)}`,
  );
}

function checkDegree(family: GraphFamily, neighbours: number): void {
  if (isDegree(family, neighbours)) return;
  const { leastNeighbours, mostNeighbours, step, adversity } = family;
  refuse(
    `with ${adversity.lost} of ${adversity.clients} clients lost, a sparse graph of the ${adversity.model} model has ` +
      `${step === 2 ? 'an even number of ' : ''}neighbours from ${leastNeighbours} to ${mostNeighbours}, got ${neighbours}`,
  );
}

function infeasible(message: string): ProtocolError {
  return new ProtocolError('infeasible-parameters', message);
}

/** Below, a complete graph costs little, bears more losses and leaves nothing to chance. */
const LEAST_SPARSE = 100;
