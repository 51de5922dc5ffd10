/**
 * @file Everyone shares with everyone (Bonawitz et al. 2017, eprint 2017/281). Nothing is left to
 * chance: a threshold is safe or it is not.
 *
 * The active model. Of n clients at most C are corrupt, the n - C others honest, and 2t > n + C.
 *
 * One survivor set. A client releases shares once it has seen t signatures under the survivor set
 * that it signed itself. Were there two such sets, t of the signatures under each would take at
 * least t - C honest clients for each, and an honest client signs once: 2(t - C) <= n - C, which is
 * 2t <= n + C. So whoever releases releases for one set U, and of nobody both kinds of shares can
 * be put together: the self mask's are released for members of U only, the mask key's for others.
 *
 * One sum. Let u be an honest client whose self mask is put together, so that u is in U. Before it
 * masked, u counted at least t clients (itself too) that had shared with it and masked with all of
 * them, t - C of whom are honest at least. At least t - C honest clients signed U. As 2(t - C) is more
 * than n - C, one client w is in both groups (it may be u). Having signed U, w is in U, and it had
 * checked that U is a part of those with whom it masked. The mask key of w is never put together,
 * so w is in every sum that u is in, and with w every honest member of U. So there is one sum, over
 * all honest members of U, and t - C of them signed.
 *
 * With 2t = n + C this fails: the server tells u that of the other honest clients only the half V has
 * shared, and has the other half W sign the set of W, u and the corrupt. W then gives away the mask
 * keys of V, as lost, and the self mask of u: together all that hid u's value.
 *
 * The two other models follow federated-compute (fcp/secagg/server/graph_parameter_finder.cc), which
 * rounds up. There a sum has all who survived, t at least.
 */

import type { Adversity, Guarantees } from './guarantees.ts';

/** @param corruptShare C before it is rounded, which the models of the reference round up. */
export function completeGraph(
  { model, clients, corrupt, lost }: Adversity,
  corruptShare: number,
): Guarantees {
  const safe = (threshold: number): boolean => {
    if (model === 'active') return 2 * threshold > clients + corrupt;
    if (model === 'semi-honest') return threshold > Math.ceil(corruptShare);
    return threshold > Math.ceil((clients + corruptShare) / 2);
  };
  return {
    lnExposure: (_, threshold) => (safe(threshold) ? IMPOSSIBLE : UNPREVENTED),
    lnSplit: (_, threshold, leastHonest) =>
      leastHonest <= threshold - corrupt ? IMPOSSIBLE : UNPREVENTED,
    leastHonestInSum: (_, threshold) => threshold - corrupt,
    lnFailure: (_, threshold) => (threshold <= clients - lost ? IMPOSSIBLE : UNPREVENTED),
    inDegreeLimit: (neighbours) => neighbours,
  };
}

const IMPOSSIBLE = Number.NEGATIVE_INFINITY;
const UNPREVENTED = 0;
