/**
 * @file What the adversary can have learnt at the end, against what the parameters promise
 * (`protocols/secagg/parameters/complete-graph.ts` and `chosen-graph.ts`, and `ring-graph.ts`).
 */

import type { Dealing, Evidence } from './evidence.ts';
import { learnableSums } from './knowledge.ts';
import type { Plan } from './plan.ts';

export interface Judgement {
  /** The honest clients in each sum that the adversary can have. */
  readonly sums: readonly (readonly number[])[];
  /** The clients' own random choices were among the few that the parameters leave to chance. */
  readonly unlucky: boolean;
}

/** Notes every breach of secrecy. */
export function judge(evidence: Evidence, plan: Plan): Judgement {
  const rounds = evidence
    .views()
    .map((views) => learnableSums(views).map((clients) => [...new Set(clients)]));
  const sums = rounds.flat();
  if (hasUnluckyChoice(evidence, plan)) return { sums, unlucky: true };
  for (const dealing of evidence.dealings) {
    if (evidence.knows(dealing, 'mask key') && evidence.knows(dealing, 'self mask')) {
      evidence.breach('exposure', `both secrets of client ${dealing.client} are known`);
    }
  }
  let unlucky = false;
  for (const sum of sums) {
    const dealings = evidence.dealings.filter(({ client }) => sum.includes(client));
    const hidden = leastOf(dealings, plan);
    const promised = plan.graph === 'complete' ? hidden : 2;
    const closed = plan.graph === 'complete' || isClosed(sum, dealings, plan);
    const small = plan.graph === 'sparse' && sum.length < hidden;
    if (sum.length < promised || !closed || (small && plan.securityBits >= CERTAIN_BITS)) {
      evidence.breach('small-sum', `the sum of the honest clients [${sum.join()}] can be had`);
    }
    if (small) unlucky = true;
  }
  for (const ofRound of rounds) {
    if (plan.graph === 'complete' && ofRound.length > 1) {
      evidence.breach('two-sums', `several sums can be had: [${ofRound.join('], [')}]`);
    }
  }
  return { sums, unlucky };
}

/**
 * `t - C` honest clients, with those who are corrupt in fact, and the threshold that they were told
 * of, which need not be that of the plan. In a sparse graph of the active model the clients ask for
 * `minimumClients`; in a complete one those are counted with the corrupt ones among them.
 */
function leastOf(dealings: readonly Dealing[], plan: Plan): number {
  const { corrupt, minimumClients, leastSurvivors, model, graph } = plan;
  const threshold = Math.min(...dealings.map((dealing) => dealing.threshold));
  const asked = graph === 'sparse' && model === 'active' ? minimumClients : 2;
  // A ring that has lost fewer than a client has neighbours is in one piece.
  const ring = graph === 'sparse' && model === 'semi-honest' ? leastSurvivors : 0;
  return Math.max(asked, Math.max(threshold, ring) - corrupt.length);
}

/**
 * Everybody in the sum chose at least t - 1 clients that are in it as well or corrupt: condition (2)
 * of `chosen-graph.ts`, which holds for a ring for the same reasons.
 */
function isClosed(
  sum: readonly number[],
  dealings: readonly Dealing[],
  { corrupt }: Plan,
): boolean {
  const within = new Set([...sum, ...corrupt]);
  return sum.every((client) =>
    dealings.some(
      (dealing) =>
        dealing.client === client &&
        dealing.holders.filter((holder) => within.has(holder)).length >= dealing.threshold - 1,
    ),
  );
}

/** Condition (1) of `chosen-graph.ts` is false for somebody: 2t <= (k + 1) + c. */
function hasUnluckyChoice({ dealings }: Evidence, plan: Plan): boolean {
  if (plan.graph === 'complete' || plan.model !== 'active') return false;
  if (plan.securityBits >= CERTAIN_BITS) return false;
  const corrupt = new Set(plan.corrupt);
  return dealings.some(({ holders, threshold }) => {
    const among = holders.filter((holder) => corrupt.has(holder)).length;
    return 2 * threshold <= holders.length + 1 + among;
  });
}

/** Plans with this many bits leave nothing to chance. */
const CERTAIN_BITS = 40;
