/** @file Finds the least neighbours and the least threshold that meet the demands on a graph. */

import { type Demands, exactCorrupt, type Rates } from './adversity.ts';
import { chosenGraph, hopelessNeighbours } from './chosen-graph.ts';
import { completeGraph } from './complete-graph.ts';
import { type Adversity, type Guarantees, leastWhere } from './guarantees.ts';
import { ringGraph } from './ring-graph.ts';

/** A kind of graph under an adversity, with the numbers of neighbours that make sense in it. */
export interface GraphFamily {
  readonly graph: 'complete' | 'sparse';
  readonly adversity: Adversity;
  readonly guarantees: Guarantees;
  readonly leastNeighbours: number;
  readonly mostNeighbours: number;
  /** From here on there is no use in looking for a choice. */
  readonly hopelessNeighbours: number;
  /** Between one number of neighbours and the next. */
  readonly step: number;
}

export interface GraphChoice {
  /** Others that hold a share. */
  readonly neighbours: number;
  /** Shares that give a secret back, of `neighbours + 1`. */
  readonly threshold: number;
}

export function completeFamily(rates: Rates, adversity: Adversity): GraphFamily {
  return {
    graph: 'complete',
    adversity,
    guarantees: completeGraph(adversity, exactCorrupt(rates)),
    leastNeighbours: adversity.clients - 1,
    mostNeighbours: adversity.clients - 1,
    hopelessNeighbours: adversity.clients,
    step: 1,
  };
}

export function sparseFamily(adversity: Adversity): GraphFamily {
  const { model, clients, candidates } = adversity;
  return model === 'active'
    ? {
        graph: 'sparse',
        adversity,
        guarantees: chosenGraph(adversity),
        leastNeighbours: 1,
        mostNeighbours: candidates - 1,
        hopelessNeighbours: hopelessNeighbours(adversity),
        step: 1,
      }
    : {
        graph: 'sparse',
        adversity,
        guarantees: ringGraph(adversity),
        leastNeighbours: 2,
        mostNeighbours: clients - 2,
        hopelessNeighbours: clients - 1,
        step: 2,
      };
}

/** Whether honest clients are left to be hidden among one another; nothing else helps if not. */
export function leavesHonest({ adversity }: GraphFamily, demands: Demands): boolean {
  return adversity.corrupt + demands.leastHonestInSum <= adversity.clients;
}

/** Whether this is a number of neighbours that the graph can have. */
export function isDegree(family: GraphFamily, neighbours: number): boolean {
  const { leastNeighbours, mostNeighbours, step } = family;
  return (
    neighbours >= leastNeighbours &&
    neighbours <= mostNeighbours &&
    (neighbours - leastNeighbours) % step === 0
  );
}

export function isSecure(
  { guarantees }: GraphFamily,
  { neighbours, threshold }: GraphChoice,
  { lnSecurity, leastHonestInSum }: Demands,
): boolean {
  return (
    guarantees.lnExposure(neighbours, threshold) <= lnSecurity &&
    guarantees.lnSplit(neighbours, threshold, leastHonestInSum) <= lnSecurity
  );
}

export function isCorrect(
  { guarantees }: GraphFamily,
  { neighbours, threshold }: GraphChoice,
  { lnCorrectness }: Demands,
): boolean {
  return guarantees.lnFailure(neighbours, threshold, lnCorrectness) <= lnCorrectness;
}

/** The least threshold that is secure, `undefined` where not even all the shares are enough. */
export function leastSecureThreshold(
  family: GraphFamily,
  neighbours: number,
  demands: Demands,
): number | undefined {
  const all = neighbours + 1;
  const secure = (threshold: number): boolean =>
    isSecure(family, { neighbours, threshold }, demands);
  return secure(all) ? leastWhere(leastThreshold(neighbours), all, secure) : undefined;
}

/**
 * The choice with the fewest neighbours that is secure and correct, and of those the one with the
 * least threshold, or the given one.
 */
export function leastChoice(
  family: GraphFamily,
  demands: Demands,
  {
    threshold,
    most = family.mostNeighbours,
  }: { threshold?: number | undefined; most?: number } = {},
): GraphChoice | undefined {
  const end = Math.min(most, family.hopelessNeighbours - 1);
  for (let neighbours = family.leastNeighbours; neighbours <= end; neighbours += family.step) {
    const choice = choiceAt(family, neighbours, demands, threshold);
    if (choice !== undefined) return choice;
  }
  return undefined;
}

/**
 * A secure and correct choice with about as few neighbours as there can be, 2% more at most. It is
 * found fast even where nothing is there to find: strangers can make a client search.
 */
export function smallChoice(family: GraphFamily, demands: Demands): GraphChoice | undefined {
  const { leastNeighbours, step } = family;
  const end = Math.min(family.mostNeighbours, family.hopelessNeighbours - 1);
  let neighbours = leastNeighbours;
  while (neighbours <= end) {
    const choice = choiceAt(family, neighbours, demands);
    if (choice !== undefined) return choice;
    neighbours += step * Math.max(1, Math.floor(neighbours / (50 * step)));
  }
  return undefined;
}

/** The least (or the given) threshold with that many neighbours, if it is secure and correct. */
export function choiceAt(
  family: GraphFamily,
  neighbours: number,
  demands: Demands,
  given?: number,
): GraphChoice | undefined {
  const { guarantees } = family;
  const unexposed = (threshold: number): boolean =>
    guarantees.lnExposure(neighbours, threshold) <= demands.lnSecurity;
  const all = neighbours + 1;
  if (!unexposed(all)) return undefined;
  // Splits cost the most to rule out, and a threshold that is too high already needs no such look.
  const floor = leastWhere(leastThreshold(neighbours), all, unexposed);
  const start = { neighbours, threshold: given ?? floor };
  if (start.threshold > all) return undefined;
  if (!isCorrect(family, start, demands)) return undefined;
  if (isSecure(family, start, demands)) return start;
  if (given !== undefined) return undefined;
  const threshold = leastSecureThreshold(family, neighbours, demands);
  if (threshold === undefined) return undefined;
  const higher = { neighbours, threshold };
  return isCorrect(family, higher, demands) ? higher : undefined;
}

/** One share is no sharing, unless there is nobody to share with. */
function leastThreshold(neighbours: number): number {
  return Math.min(2, neighbours + 1);
}
