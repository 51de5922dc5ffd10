/**
 * @file Whether a value may leave under the terms that a protocol was agreed on. Rounds are counted in
 * the client's ledger, so that a restart gives no new ones.
 */

import type { PolicyError } from '../../../computations/types/index.ts';
import type { SessionLedger } from '../../../protocols/index.ts';
import type { ReleaseTerms } from '../../leaf/operator.ts';
import { type AuditLog, dayOf } from '../audit.ts';
import { type Refusal, refused } from '../refusals.ts';
import type { GuardPolicy, GuardProtocol, ProtocolRules } from './policy.ts';

export interface ReleaseRulesOptions {
  readonly policy: GuardPolicy;
  readonly ledger: SessionLedger;
  readonly audit: AuditLog;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class ReleaseRules {
  readonly #options: ReleaseRulesOptions;

  constructor(options: ReleaseRulesOptions) {
    this.#options = options;
  }

  /**
   * Uses up a round, so it is asked once for each release, and only if that is certain to follow.
   * @throws PolicyError `policy.release_refused` or `policy.too_many_rounds`
   */
  check(terms: ReleaseTerms): void {
    this.spend(terms);
    const values = terms.vectors.reduce((sum, { length }) => sum + length, 0);
    this.#options.audit.record({
      kind: 'released',
      rule: `protocols.${terms.protocol}`,
      detail: `${values} values in ${terms.vectors.length} vectors, in a cohort of ${terms.clients}`,
    });
  }

  /** What `check` asks and costs, where there is nothing to release. */
  spend(terms: ReleaseTerms): void {
    const problem = this.#problemOf(terms);
    if (problem !== undefined) throw this.#refuse(problem);
    if (this.#takeRound()) return;
    const { roundsPerDay } = this.#options.policy;
    throw this.#refuse({
      code: 'policy.too_many_rounds',
      rule: 'roundsPerDay',
      message: `This client gives its values to ${roundsPerDay} sums a day.`,
    });
  }

  #problemOf({ protocol, clients, model, threshold, vectors }: ReleaseTerms): Refusal | undefined {
    const { policy } = this.#options;
    const rules: ProtocolRules | undefined = Object.hasOwn(policy.protocols, protocol)
      ? policy.protocols[protocol as GuardProtocol]
      : undefined;
    if (rules === undefined) {
      return release('protocols', `This client gives no value to the protocol ${protocol}.`);
    }
    const ownCohort = rules.smallestCohort !== undefined;
    const smallest = rules.smallestCohort ?? policy.smallestCohort;
    // `<` would let NaN through.
    if (!(clients >= smallest)) {
      return release(
        ownCohort ? `protocols.${protocol}.smallestCohort` : 'smallestCohort',
        `A cohort of ${clients} is below this client's minimum of ${smallest}.`,
      );
    }
    const { models = ['active'], leastThreshold = 0 } = rules;
    if (model !== undefined && !models.includes(model)) {
      return release(
        `protocols.${protocol}.models`,
        `This client takes part where the model is ${models.join(' or ')}; this one is ${model}.`,
      );
    }
    if (threshold !== undefined) {
      const least = leastThreshold < 1 ? leastThreshold * threshold.of : leastThreshold;
      if (!(threshold.shares >= least)) {
        return release(
          `protocols.${protocol}.leastThreshold`,
          `A threshold of ${threshold.shares} of ${threshold.of} shares is below ${least}.`,
        );
      }
    }
    return this.#problemOfVectors(vectors);
  }

  #problemOfVectors(vectors: ReleaseTerms['vectors']): Refusal | undefined {
    const { largestBitWidth, largestVector } = this.#options.policy;
    const wide = vectors.find(({ largest }) => largest >> BigInt(largestBitWidth) !== 0n);
    if (wide !== undefined) {
      return release(
        'largestBitWidth',
        `This client sums values of at most ${largestBitWidth} bits; asked for up to ${bits(wide.largest)}.`,
      );
    }
    const values = vectors.reduce((sum, { length }) => sum + length, 0);
    if (values <= largestVector) return undefined;
    return release(
      'largestVector',
      `This client sums at most ${largestVector} values at a time; asked for ${values}.`,
    );
  }

  #takeRound(): boolean {
    const { policy, ledger, now } = this.#options;
    const { roundsPerDay } = policy;
    if (roundsPerDay === Number.POSITIVE_INFINITY) return true;
    const day = dayOf(now());
    for (let round = 1; round <= roundsPerDay; round += 1) {
      if (ledger.claim(`guarded round ${round} of day ${day}`)) return true;
    }
    return false;
  }

  #refuse(refusal: Refusal): PolicyError {
    return refused(this.#options.audit, refusal);
  }
}

function release(rule: string, message: string): Refusal {
  return { code: 'policy.release_refused', rule, message };
}

function bits(value: bigint): number {
  return value.toString(2).length;
}
