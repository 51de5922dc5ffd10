/** @file What a client checks before it takes part in a round that somebody else set up. */

import {
  adversityOf,
  checkBits,
  checkCount,
  checkRate,
  DEFAULT_CORRECTNESS_BITS,
  DEFAULT_DROPOUT_RATE,
  demandsOf,
  LARGEST_ROSTER,
  MOST_CLIENTS,
} from './adversity.ts';
import type { ThreatModel } from './guarantees.ts';
import { describeRemedy, describeWeakness } from './remedy.ts';
import { completeFamily, isSecure, leavesHonest, sparseFamily } from './search.ts';

/** What the round has; none of it needs to be true or to make sense. */
export interface GivenParameters {
  /**
   * Clients of the cohort; where clients choose their neighbours, those they choose among. What
   * `secAggParameters` found for a cohort is secure for all from its `leastSurvivors` up.
   */
  readonly clients: number;
  /** Members of the roster that the cohort was picked from. */
  readonly roster: number;
  readonly model: ThreatModel;
  readonly graph: 'complete' | 'sparse';
  /** Others that hold a share of a client's secrets. */
  readonly neighbours: number;
  readonly threshold: number;
}

/** What the client asks of it. */
export interface WantedSecurity {
  /** 1 to 256. */
  readonly securityBits: number;
  /** Of the roster, clients that may work with the server. */
  readonly corruptRate: number;
  /**
   * Of the cohort, clients that may be lost: what a remedy leaves room for, and in the models where
   * the server follows the protocol what may tear the graph apart.
   * @default 0.1
   */
  readonly dropoutRate?: number;
  /**
   * Honest clients in anything that the server can learn, at least, 1 to 1,000,000.
   * @default 2
   */
  readonly leastHonestInSum?: number;
}

export interface SecurityProblem {
  readonly code: 'insecure-parameters';
  readonly message: string;
}

/**
 * What is insecure about the parameters of a round and what would be secure, or nothing. Answers
 * are remembered, since all clients of a cohort ask the same.
 * @throws ProtocolError `invalid-argument` for what is wanted only.
 */
export function problemOfSecurity(
  given: GivenParameters,
  wanted: WantedSecurity,
): SecurityProblem | undefined {
  const { securityBits, corruptRate } = wanted;
  const { dropoutRate = DEFAULT_DROPOUT_RATE, leastHonestInSum = 2 } = wanted;
  checkBits('securityBits', securityBits);
  checkRate('corruptRate', corruptRate);
  checkRate('dropoutRate', dropoutRate);
  checkCount('leastHonestInSum', leastHonestInSum, 1, MOST_CLIENTS);
  const nonsense = nonsenseOf(given);
  if (nonsense !== undefined) return { code: 'insecure-parameters', message: nonsense };

  const { clients, roster, model, graph, neighbours, threshold } = given;
  const asked = [clients, roster, model, graph, neighbours, threshold];
  const question = [...asked, securityBits, corruptRate, dropoutRate, leastHonestInSum].join();
  const known = answers.get(question);
  if (known !== undefined) return known.problem;
  const message = weaknessOf(given, { securityBits, corruptRate, dropoutRate, leastHonestInSum });
  const problem: SecurityProblem | undefined =
    message === undefined ? undefined : { code: 'insecure-parameters', message };
  if (answers.size >= MOST_ANSWERS) {
    const [oldest] = answers.keys();
    if (oldest !== undefined) answers.delete(oldest);
  }
  answers.set(question, { problem });
  return problem;
}

function weaknessOf(
  given: GivenParameters,
  { securityBits, corruptRate, dropoutRate, leastHonestInSum }: Required<WantedSecurity>,
): string | undefined {
  const { clients, roster, model, graph, neighbours, threshold } = given;
  const rates = { model, clients, roster, corruptRate, dropoutRate };
  const planned = adversityOf(rates);
  // A remedy is for a round to come, in which some may not advertise; here it is known who did.
  const present = model === 'active' ? { ...planned, candidates: clients } : planned;
  const familyOf = (adversity: typeof planned) =>
    graph === 'complete' ? completeFamily(rates, adversity) : sparseFamily(adversity);
  const demands = demandsOf(securityBits, DEFAULT_CORRECTNESS_BITS, leastHonestInSum);
  const family = familyOf(present);
  const choice = { neighbours, threshold };
  if (leavesHonest(family, demands) && isSecure(family, choice, demands)) return undefined;
  const alternative = graph === 'sparse' ? completeFamily(rates, planned) : undefined;
  const remedy = describeRemedy(familyOf(planned), choice, demands, alternative);
  return leavesHonest(family, demands)
    ? `${describeWeakness(family, choice, demands)}: ${remedy}`
    : remedy;
}

/** What no round has, whatever is wanted of it. */
function nonsenseOf(given: GivenParameters): string | undefined {
  const { clients, roster, model, graph, neighbours, threshold } = given;
  if (!isWhole(clients, 1, MOST_CLIENTS)) return `${clients} is no number of clients`;
  if (!isWhole(roster, clients, LARGEST_ROSTER)) {
    return `a roster of ${roster} does not have the ${clients} clients of a cohort`;
  }
  if (model !== 'active' && model !== 'semi-honest' && model !== 'semi-malicious') {
    return `there is no model "${String(model)}"`;
  }
  if (graph !== 'complete' && graph !== 'sparse') return `there is no graph "${String(graph)}"`;
  const ring = graph === 'sparse' && model !== 'active';
  const least = graph === 'complete' ? clients - 1 : ring ? 2 : 1;
  if (!isWhole(neighbours, least, clients - 1) || (ring && neighbours % 2 !== 0)) {
    return (
      `in a ${graph} graph of ${clients} clients everyone has ${ring ? 'an even number of ' : ''}` +
      `neighbours from ${least} to ${clients - 1}, not ${neighbours}`
    );
  }
  if (!isWhole(threshold, Math.min(2, clients), neighbours + 1)) {
    return `a threshold of ${threshold} of ${neighbours + 1} shares shares nothing, or can never be met`;
  }
  return undefined;
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

const MOST_ANSWERS = 256;
const answers = new Map<string, { readonly problem: SecurityProblem | undefined }>();
