/** @file What a graph of neighbours and a threshold are worth, in terms that all graphs share. */

/**
 * `semi-honest`: the server follows the protocol and looks at everything it gets, together with the
 * corrupt clients. `semi-malicious`: it follows it but for asking different clients for different
 * shares of one client; this is the class of Google's federated-compute, by its formula. `active`:
 * it does whatever helps it, and so do the corrupt clients.
 */
export type ThreatModel = 'semi-honest' | 'semi-malicious' | 'active';

/** What a round has to withstand. */
export interface Adversity {
  readonly model: ThreatModel;
  /** Clients of the cohort, at most. */
  readonly clients: number;
  /** Clients that are there when neighbours are chosen, at least. */
  readonly candidates: number;
  /** Clients that work with the server, all of them in the cohort: the server picks it. */
  readonly corrupt: number;
  /** Clients that are lost on the way, at random. */
  readonly lost: number;
}

/**
 * Bounds on the probabilities, over the random choices of a graph, of what must not happen. They
 * are natural logarithms: `Number.NEGATIVE_INFINITY` for what cannot happen, 0 for what is not
 * prevented. They fall as the threshold rises, but for `lnFailure`, which rises.
 */
export interface Guarantees {
  /** The server puts secrets of an honest client together that it should not be able to. */
  lnExposure(neighbours: number, threshold: number): number;

  /** It can have a sum in which there are fewer than `leastHonest` honest clients. */
  lnSplit(neighbours: number, threshold: number, leastHonest: number): number;

  /** The largest `leastHonest` of which `lnSplit` is at most `lnLimit`. */
  leastHonestInSum(neighbours: number, threshold: number, lnLimit: number): number;

  /** The round cannot be finished although no more clients are lost than was said. */
  lnFailure(neighbours: number, threshold: number, lnLimit: number): number;

  /**
   * How many may choose the same client. A client is chosen by more with a probability of at most
   * half of e^lnLimit, which `lnFailure` counts in.
   */
  inDegreeLimit(neighbours: number, lnLimit: number): number;
}

/** ln of 2^-bits */
export function lnOfBits(bits: number): number {
  return -bits * Math.LN2;
}

/** The bits of a probability e^ln; `Number.POSITIVE_INFINITY` for none. */
export function bitsOfLn(ln: number): number {
  return Math.max(0, -ln / Math.LN2);
}

/**
 * The least integer in [low, high] of which `holds` is true, where it is true of all above one of
 * which it is. `high` is taken to hold.
 */
export function leastWhere(low: number, high: number, holds: (value: number) => boolean): number {
  let [from, to] = [low, high];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (holds(middle)) to = middle;
    else from = middle + 1;
  }
  return to;
}
