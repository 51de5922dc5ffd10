/** @file What a client checks of a survivor set, before it says anything about it. */

import { type Fault, fault } from '../../errors.ts';
import { chosenByClients } from '../agreement.ts';
import type { SurvivorSet } from '../messages.ts';
import { pairChannel } from '../statements.ts';
import { policyOf, type SecAggClientConfig } from './config.ts';
import type { MaskedState, SecAggClientFault } from './state.ts';

export interface CheckedSurvivors {
  readonly kind: 'survivors';
  /** Dealers that are alive, by number. */
  readonly alive: ReadonlySet<number>;
  /** Dealers said to be alive that did not show that they included this client. */
  readonly unproven: readonly number[];
}

/**
 * U3 of Bonawitz et al. 2017, figure 4, round 3: a subset of those who shared, with this client in
 * it, and at least as many as the threshold. In a graph that clients chose, the set is over the
 * dealers of this client, and each that is alive says so itself (Bell et al. 2020, section 4).
 */
export function checkSurvivors(
  stage: 'confirm-survivors' | 'unmask',
  content: MaskedState,
  { alive, included }: SurvivorSet,
  config: SecAggClientConfig,
): CheckedSurvivors | SecAggClientFault {
  const { agreement, client, dealers, holders } = content;
  const refuse = (
    code:
      | 'wrong-set'
      | 'unknown-survivor'
      | 'self-missing'
      | 'too-few-survivors'
      | 'wrong-statement-count',
    text: string,
  ): Fault<typeof stage, typeof code> => fault(stage, code, text);
  const complete = agreement.graph === 'complete';
  const places = complete ? agreement.clients : dealers.length;
  if (alive.size !== places) {
    return refuse('wrong-set', `the set is over ${alive.size} clients, not ${places}`);
  }
  const survivors = complete
    ? new Set(alive.places())
    : new Set(alive.places().map((place) => dealers[place]!.client));
  if (complete) {
    const problem = problemOfCompleteSet(content, survivors, policyOf(config).minimumClients);
    if (problem !== undefined) return refuse(problem.code, problem.message);
  } else if (agreement.model !== 'active') {
    // Nothing proves it here: a server that follows the protocol tells the truth.
    const left = holders.filter((holder) => survivors.has(holder.client)).length + 1;
    if (left < agreement.threshold) {
      return refuse(
        'too-few-survivors',
        `${left} neighbours are left, below the threshold of ${agreement.threshold}`,
      );
    }
  }
  if (!chosenByClients(agreement)) {
    if (included.length > 0) return refuse('wrong-statement-count', 'nobody states anything here');
    return { kind: 'survivors', alive: survivors, unproven: [] };
  }
  if (included.length !== survivors.size) {
    return refuse(
      'wrong-statement-count',
      `${included.length} statements of ${survivors.size} clients that are said to be alive`,
    );
  }
  const unproven = alive.places().flatMap((place, i) => {
    const { client: dealer, keys } = dealers[place]!;
    const holds = pairChannel(keys, client, dealer).tagHolds('included', included[i]!);
    return holds ? [] : [dealer];
  });
  return { kind: 'survivors', alive: survivors, unproven };
}

function problemOfCompleteSet(
  { agreement, client, dealers }: MaskedState,
  survivors: ReadonlySet<number>,
  minimumClients: number,
):
  | { code: 'unknown-survivor' | 'self-missing' | 'too-few-survivors'; message: string }
  | undefined {
  if (!survivors.has(client)) {
    return {
      code: 'self-missing',
      message: 'this client sent its vectors and is not among the survivors',
    };
  }
  const known = new Set(dealers.map((dealer) => dealer.client));
  for (const survivor of survivors) {
    if (survivor === client || known.has(survivor)) continue;
    return {
      code: 'unknown-survivor',
      message: `client ${survivor} is said to have survived and never shared its secrets`,
    };
  }
  const least = Math.max(agreement.threshold, minimumClients);
  if (survivors.size < least) {
    return {
      code: 'too-few-survivors',
      message: `${survivors.size} clients survived, below ${least}`,
    };
  }
  return undefined;
}
