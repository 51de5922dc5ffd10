/** @file Says in words what is wrong with a choice of neighbours and threshold, and what would do. */

import type { Demands } from './adversity.ts';
import { bitsOfLn } from './guarantees.ts';
import {
  choiceAt,
  type GraphChoice,
  type GraphFamily,
  leastSecureThreshold,
  leavesHonest,
  smallChoice,
} from './search.ts';

/** What an insecure choice lets the server do. */
export function describeWeakness(
  { guarantees, adversity }: GraphFamily,
  { neighbours, threshold }: GraphChoice,
  { lnSecurity, leastHonestInSum }: Demands,
): string {
  const { corrupt, clients } = adversity;
  const server =
    corrupt === 0 ? 'the server alone' : `a server with ${corrupt} of ${clients} clients corrupt`;
  const who = `a threshold of ${threshold} of ${neighbours + 1} shares lets ${server}`;
  const exposure = guarantees.lnExposure(neighbours, threshold);
  if (exposure > lnSecurity) {
    return `${who} put together the secrets that hide a client${describeOdds(exposure, lnSecurity)}`;
  }
  const split = guarantees.lnSplit(neighbours, threshold, leastHonestInSum);
  return `${who} have a sum of fewer than ${leastHonestInSum} honest clients${describeOdds(split, lnSecurity)}`;
}

/** Why a secure choice does not do either: too few shares may be left. */
export function describeFailure(
  { guarantees, adversity }: GraphFamily,
  { neighbours, threshold }: GraphChoice,
  { lnCorrectness }: Demands,
): string {
  const failure = guarantees.lnFailure(neighbours, threshold, lnCorrectness);
  return (
    `with ${adversity.lost} of ${adversity.clients} clients lost, fewer than ${threshold} of ${neighbours + 1} shares ` +
    `of a secret are left${describeOdds(failure, lnCorrectness)}`
  );
}

/**
 * What would be secure and correct instead.
 * @param alternative Another kind of graph that could be taken.
 */
export function describeRemedy(
  family: GraphFamily,
  { neighbours, threshold }: GraphChoice,
  demands: Demands,
  alternative?: GraphFamily,
): string {
  if (!leavesHonest(family, demands)) return describeHopeless(family, demands);
  const here = choiceAt(family, neighbours, demands);
  if (here !== undefined) {
    return `take a threshold of ${threshold < here.threshold ? 'at least ' : ''}${here.threshold}`;
  }
  const other = describeOther(family, demands, alternative);
  if (other !== undefined) return other;
  const secure = leastSecureThreshold(family, neighbours, demands);
  return secure === undefined
    ? describeHopeless(family, demands)
    : `a threshold of ${secure} would be secure but not with ${family.adversity.lost} lost, so lower the dropout rate`;
}

/**
 * Why nothing meets the demands on a kind of graph, with the threshold if one is given, and what
 * else might.
 */
export function describeHopeless(
  family: GraphFamily,
  demands: Demands,
  { threshold, alternative }: { threshold?: number | undefined; alternative?: GraphFamily } = {},
): string {
  const { clients, corrupt, lost } = family.adversity;
  const hidden = `hides a client among ${demands.leastHonestInSum} honest ones`;
  const kind = family.graph === 'sparse' ? 'sparse graph' : 'graph';
  if (!leavesHonest(family, demands)) {
    return `a cohort of ${clients} with ${Math.min(corrupt, clients)} corrupt leaves fewer than ${demands.leastHonestInSum} honest clients to hide among: lower the corrupt rate or take a larger cohort`;
  }
  const advice =
    describeOther(family, demands, alternative) ??
    'lower the corrupt rate, the dropout rate or the bits, or take a larger cohort';
  const at = threshold === undefined ? '' : ` and a threshold of ${threshold}`;
  return `no ${kind} of ${clients} clients ${hidden} with ${corrupt} corrupt, ${lost} lost${at}: ${advice}`;
}

function describeOther(
  family: GraphFamily,
  demands: Demands,
  alternative: GraphFamily | undefined,
): string | undefined {
  const wider = family.graph === 'sparse' ? smallChoice(family, demands) : undefined;
  if (wider !== undefined) {
    return `take at least ${wider.neighbours} neighbours, with a threshold of at least ${wider.threshold}`;
  }
  const other = alternative && smallChoice(alternative, demands);
  return other && `take the complete graph, with a threshold of at least ${other.threshold}`;
}

function describeOdds(ln: number, lnLimit: number): string {
  if (ln === 0) return '';
  const bits = (value: number): string => bitsOfLn(value).toFixed(1);
  return `, with a probability of up to 2^-${bits(ln)} where 2^-${bits(lnLimit)} is allowed`;
}
