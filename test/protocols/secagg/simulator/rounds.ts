/** @file What a round is of, and how it ended. */

import {
  Bitmap,
  type IntegerVector,
  type SecAggAgreement,
  type SecAggServerFinished,
  toBigInts,
} from '../../../../protocols/index.ts';
import type { World } from './world.ts';

export type RoundEnd =
  | { readonly kind: 'finish'; readonly finished: SecAggServerFinished }
  | { readonly kind: 'fault'; readonly code: string; readonly message: string }
  | { readonly kind: 'crash' };

export function agreementFor(
  { plan, identities }: World,
  session: Uint8Array,
  round: number,
): SecAggAgreement {
  const { model, graph, clients, neighbours, threshold, inDegreeLimit, vectors } = plan;
  const active = model === 'active';
  return {
    session,
    round,
    model,
    graph,
    clients,
    neighbours,
    threshold,
    inDegreeLimit,
    rosterHash: active ? identities.roster.hash : new Uint8Array(0),
    cohort: active ? Bitmap.of(plan.roster, identities.places) : new Bitmap(0),
    vectors,
  };
}

/** Where the sums are not those of the inputs of the clients that are said to be in them. */
export function errorIn(
  { sums, report }: SecAggServerFinished,
  agreement: SecAggAgreement,
  inputOf: (client: number) => readonly IntegerVector[],
): string | undefined {
  const inputs = report.clients.map(inputOf);
  for (const [v, { id, modulus, length }] of agreement.vectors.entries()) {
    const found = toBigInts(sums[v]!);
    for (let k = 0; k < length; k += 1) {
      let expected = 0n;
      for (const input of inputs) expected += BigInt(input[v]![k]!);
      if (found[k] !== expected % modulus) {
        return `the sum of [${report.clients.join()}] is ${found[k]} instead of ${expected % modulus} at ${k} of "${id}"`;
      }
    }
  }
  return undefined;
}
