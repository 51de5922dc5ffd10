/**
 * @file Every client chooses k others to hold its shares, uniformly among all who advertised keys
 * and after the server is bound to those keys (Bell et al. 2020, eprint 2020/704, section 4), against
 * a server that lies. The bounds are our own; this is their derivation.
 *
 * Setting. Of m clients at most C are corrupt, settled before the honest choose. The k + 1 holders
 * of a client's shares are the k it chose and itself; t of them give a secret back. A client says
 * `included` to those with whom it masked, once, when it sends its masked input. A holder releases
 * at most one kind of share of a client. It may release one of the self mask only if the client
 * included the holder, and it then told the client so with an `ack`, after which it never releases
 * one of the mask key. And it releases anything at all only after it has itself got acks from t of
 * its own holders (itself counted).
 *
 * Exposure. Let c be the number of corrupt clients among the k that an honest client u chose, and
 *     2t > (k + 1) + c.                                                                    (1)
 * (a) Not both secrets of u: the k + 1 - c honest holders give one kind each, the c corrupt both, so
 * both kinds add up to k + 1 + c shares at most, less than 2t. (b) If u releases anything, u's mask
 * key stays secret: t - c of the acks are from honest holders, and the k + 1 - (t - c) others are
 * fewer than t. Both are tight. With 2t = k + 1 + c, t - c honest holders give one kind and the t - c
 * others the other, each with the c corrupt; u itself is one of the former, by its own share of its
 * self mask. (2t > k + c, which federated-compute asks for, allows that.) c is Hypergeom(m - 1, C, k),
 * and a union bound over the honest gives
 *     Pr[(1) is false for some honest client] <= (m - C) Pr[c >= 2t - k - 1].
 *
 * Split. Let (1) hold for all. What the server can learn of the inputs are sums over sets S of honest
 * clients such that the self masks of all of S are known, and each pairwise mask between a member of
 * S and an honest client is either within S or known from the mask key of the other one (not from that
 * of the member, by (a)). Take u in S. Its self mask took t shares, at most one from u itself, so t - 1
 * of the k that u chose released one. Each honest one of them, h, was included by u, so that there is
 * a mask between u and h; and h released, so that its mask key stays secret, by (b). Hence h is in S:
 *     every u in S chose at least t - 1 clients that are in S or corrupt.                    (2)
 * It does not matter how the server came to S, so that it may choose it after everybody chose. Honest
 * clients choose independently: for a fixed S of s honest clients (2) has the probability p(s)^s with
 * p(s) = Pr[Hypergeom(m - 1, s - 1 + C, k) >= t - 1], and
 *     Pr[a sum with fewer than L honest clients] <= sum over 1 <= s < L of C(m - C, s) p(s)^s.
 *
 * How many advertise. Clients that are lost before they advertise were possibly all honest, so m may
 * be anything from `candidates` to `clients`. The probabilities fall with m and the number of honest
 * clients rises, so the former are taken at the least m and the latter at the largest: what holds
 * here holds for all m between.
 *
 * Failure. Of n clients D are lost at random. A client that is left needs t - 1 of its k to be left,
 * to get its acks and to give its self mask back; one that is lost after it masked needs t, and:
 *     Pr[fail] <= (n - D) Pr[Hypergeom(n - 1, n - D - 1, k) < t - 1]
 *                 + D Pr[Hypergeom(n - 1, n - D, k) < t] + Pr[somebody is chosen by too many].
 * The number of those who choose a client is Binomial(n - 1, k / (n - 1)) where all choose at random;
 * the C corrupt ones may all choose the same. The limit on it bounds a client's work and no secret
 * hangs on it. Corrupt clients can make a round fail; that is no news.
 *
 * Each client's choice is independent of all that the server did before, so the union bounds hold
 * too where it shows different sets of keys to different clients (who then cannot talk to each
 * other). A server that has clients take part in many rounds has as many tries.
 */

import { lnAtLeast, lnAtMost, lnBinomialAtLeast, lnSum } from './distributions.ts';
import { type Adversity, type Guarantees, leastWhere } from './guarantees.ts';

/** For 1 to `candidates - 1` neighbours, and fewer corrupt clients than candidates. */
export function chosenGraph({ clients, candidates, corrupt, lost }: Adversity): Guarantees {
  const honest = clients - corrupt;
  const others = candidates - 1;

  /** ln Pr[at least `enough` of the k that a client chooses are among `some` of the others] */
  const lnChosen = (neighbours: number, some: number, enough: number): number =>
    lnAtLeast({ total: others, marked: Math.min(some, others), sampled: neighbours }, enough);

  /** The terms of the bound on a split, for s = 1, 2, ... */
  function* lnSplits(neighbours: number, threshold: number): Generator<number> {
    let lnSets = 0;
    for (let size = 1; size <= honest; size++) {
      lnSets += Math.log((honest - size + 1) / size);
      yield lnSets + size * lnChosen(neighbours, size - 1 + corrupt, threshold - 1);
    }
  }

  const chosenAtRandomBy = (neighbours: number, lnLimit: number): number => {
    const most = clients - 1;
    const lnEach = lnLimit - Math.LN2 - Math.log(clients);
    return leastWhere(
      neighbours,
      most,
      (limit) => limit === most || lnBinomialAtLeast(most, neighbours / most, limit + 1) <= lnEach,
    );
  };

  return {
    lnExposure: (neighbours, threshold) =>
      Math.min(0, Math.log(honest) + lnChosen(neighbours, corrupt, 2 * threshold - neighbours - 1)),

    lnSplit(neighbours, threshold, leastHonest) {
      if (leastHonest > honest) return 0;
      let total = Number.NEGATIVE_INFINITY;
      let size = 0;
      for (const term of lnSplits(neighbours, threshold)) {
        size += 1;
        if (size >= leastHonest || total >= 0) break;
        total = lnSum(total, term);
      }
      return Math.min(0, total);
    },

    leastHonestInSum(neighbours, threshold, lnLimit) {
      let total = Number.NEGATIVE_INFINITY;
      let size = 0;
      for (const term of lnSplits(neighbours, threshold)) {
        total = lnSum(total, term);
        size += 1;
        if (total > lnLimit) return size;
      }
      return honest;
    },

    lnFailure(neighbours, threshold, lnLimit) {
      const left = clients - lost;
      const draw = { total: clients - 1, sampled: neighbours };
      const lnLeft = Math.log(left) + lnAtMost({ ...draw, marked: left - 1 }, threshold - 2);
      const lnLost =
        lost === 0
          ? Number.NEGATIVE_INFINITY
          : Math.log(lost) + lnAtMost({ ...draw, marked: left }, threshold - 1);
      const lnShort = lnSum(lnLeft, lnLost);
      if (lnShort > lnLimit) return Math.min(0, lnShort);
      const limit = chosenAtRandomBy(neighbours, lnLimit);
      const lnCrowded =
        Math.log(clients) + lnBinomialAtLeast(clients - 1, neighbours / (clients - 1), limit + 1);
      return lnSum(lnShort, lnCrowded);
    },

    inDegreeLimit: (neighbours, lnLimit) =>
      Math.min(clients - 1, chosenAtRandomBy(neighbours, lnLimit) + corrupt),
  };
}

/**
 * A number of neighbours from which on no threshold is both secure and correct; infinite where
 * there is none.
 *
 * The median of a hypergeometric distribution is its mean rounded up or down. So (1) takes 2t to be
 * above k + 1 + kC / (m - 1), and half of the rounds fail unless t is below k (n - D - 1) / (n - 1) + 2.
 */
export function hopelessNeighbours({ clients, candidates, corrupt, lost }: Adversity): number {
  const needed = 1 + corrupt / (candidates - 1);
  const left = (2 * (clients - lost - 1)) / (clients - 1);
  return needed > left ? Math.ceil(3 / (needed - left)) : Number.POSITIVE_INFINITY;
}
