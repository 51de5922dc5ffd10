/**
 * @file Where a value comes from, as far as clients' privacy is concerned: the labels that the
 * analysis carries along with the data. A set without labels is public.
 */

import type { DisclosureEntry } from './report.ts';

/** What a value was computed from. Two origins are the same only if they are the same object. */
export type Origin =
  /** Data of a client that has not left it. */
  | { readonly kind: 'client'; readonly what: string }
  /** Named data or an operator in unplaced code: whose it is, the place of use decides. */
  | { readonly kind: 'unplaced'; readonly what: string }
  /** What the server learned by an entry of the report. */
  | { readonly kind: 'disclosed'; readonly entry: DisclosureEntry };

export type Origins = ReadonlySet<Origin>;

export const PUBLIC: Origins = new Set();

export function union(...sets: readonly Origins[]): Origins {
  const filled = sets.filter((set) => set.size > 0);
  const [first] = filled;
  if (first === undefined) return PUBLIC;
  if (filled.every((set) => set === first)) return first;
  return new Set(filled.flatMap((set) => [...set]));
}

export function includesAll(set: Origins, subset: Origins): boolean {
  return set === subset || [...subset].every((origin) => set.has(origin));
}

/** Makes origins, so that equal ones are the same object. One for each analysis. */
export class OriginTable {
  readonly #known = new Map<string, Origin>();

  client(what: string): Origins {
    return new Set([this.#intern({ kind: 'client', what })]);
  }

  unplaced(what: string): Origins {
    return new Set([this.#intern({ kind: 'unplaced', what })]);
  }

  /** What code that runs at the clients took from its place is the clients'. */
  readonly atClients = (origins: Origins): Origins =>
    [...origins].some(({ kind }) => kind === 'unplaced')
      ? new Set(
          [...origins].map((origin) =>
            origin.kind === 'unplaced'
              ? this.#intern({ kind: 'client', what: origin.what })
              : origin,
          ),
        )
      : origins;

  #intern(origin: Extract<Origin, { what: string }>): Origin {
    const key = `${origin.kind}:${origin.what}`;
    const known = this.#known.get(key) ?? origin;
    this.#known.set(key, known);
    return known;
  }
}

/** Names of the client data among the origins, in the order in which they were met. */
export function clientData(origins: Origins): string[] {
  return [...origins].flatMap((origin) => (origin.kind === 'client' ? [origin.what] : []));
}

/** The entries by which the server has learned what a value was computed from. */
export function disclosedBy(origins: Origins): DisclosureEntry[] {
  return [...origins].flatMap((origin) => (origin.kind === 'disclosed' ? [origin.entry] : []));
}
