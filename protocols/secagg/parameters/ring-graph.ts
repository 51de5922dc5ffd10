/**
 * @file A ring in which everyone shares with the k/2 nearest on each side, randomly permuted by a
 * server that follows the protocol (Bell et al. 2020, eprint 2020/704, section 3).
 *
 * The bounds are those of federated-compute (fcp/secagg/server/graph_parameter_finder.cc), so that
 * parameters agree with what runs there. Of n clients C are corrupt and D are lost.
 *
 * Exposure, semi-honest: a client's neighbours include t corrupt ones, of Hypergeom(n, C, k).
 * Exposure, semi-malicious: 2t <= k + (corrupt neighbours). That formula leaves out that a client
 * holds a share of its own self mask and gives it: where 2t = k + 1 + (corrupt neighbours), the two
 * kinds of shares can be had from disjoint halves. `chosen-graph.ts` counts it; the semi-malicious
 * model is here for comparison.
 * Split: the ring falls apart where k/2 clients in a row are corrupt or lost, at two places.
 * Failure: fewer than t of a client's k neighbours are left. It might itself be left too, which this
 * leaves out, on the safe side.
 */

import { lnAtLeast, lnAtMost, lnTerm } from './distributions.ts';
import type { Adversity, Guarantees } from './guarantees.ts';

export function ringGraph({ model, clients, corrupt, lost }: Adversity): Guarantees {
  const lnClients = Math.log(clients);
  const survivors = clients - lost;
  const leastHonest = survivors - corrupt;
  return {
    lnExposure(neighbours, threshold) {
      const enough = model === 'semi-honest' ? threshold : 2 * threshold - neighbours;
      const draw = { total: clients, marked: Math.min(corrupt, clients), sampled: neighbours };
      return Math.min(0, lnClients + lnAtLeast(draw, enough));
    },
    lnSplit: (neighbours, _, demanded) =>
      demanded > leastHonest ? 0 : lnDisconnection(clients, neighbours, corrupt + lost),
    leastHonestInSum: (neighbours, _, lnLimit) =>
      lnDisconnection(clients, neighbours, corrupt + lost) <= lnLimit ? leastHonest : 0,
    lnFailure(neighbours, threshold) {
      const draw = { total: clients, marked: survivors, sampled: neighbours };
      return Math.min(0, lnClients + lnAtMost(draw, threshold - 1));
    },
    inDegreeLimit: (neighbours) => neighbours,
  };
}

/**
 * ln of a bound on the probability that `gone` clients, placed at random, cut the ring in two: a
 * pair of gaps with k/2 clients each, of which there are n (n - k - 1) / 2, times the probability
 * that the k clients in them are all gone.
 */
function lnDisconnection(clients: number, neighbours: number, gone: number): number {
  const pairs = (clients * (clients - neighbours - 1)) / 2;
  if (pairs <= 0) return Number.NEGATIVE_INFINITY;
  const draw = { total: clients, marked: Math.min(gone, clients), sampled: neighbours };
  return Math.min(0, Math.log(pairs) + lnTerm(draw, neighbours));
}
