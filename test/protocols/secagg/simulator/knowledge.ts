/**
 * @file What can be learnt from masked vectors when some of their masks are known. Masks that are not
 * known are independent and uniform, so a combination of vectors says something exactly where they all
 * cancel: with equal weights over vectors that are connected by them, none of which has another.
 */

/** One vector as its client sent it. */
export interface MaskedView {
  readonly client: number;
  /** Whether the adversary can take off the self mask. */
  readonly selfMaskKnown: boolean;
  /** The masks with others, those left out that the adversary can take off. */
  readonly unknownPairs: readonly string[];
}

/**
 * The finest sums that can be had, as the clients in each. Everything else that can be computed from
 * the vectors is a combination of these sums and of noise.
 */
export function learnableSums(views: readonly MaskedView[]): number[][] {
  const parents = views.map((_, i) => i);
  const rootOf = (place: number): number => {
    let root = place;
    while (parents[root] !== root) root = parents[root]!;
    parents[place] = root;
    return root;
  };
  const holders = new Map<string, number[]>();
  for (const [i, { unknownPairs }] of views.entries()) {
    for (const pair of unknownPairs) {
      const known = holders.get(pair);
      if (known === undefined) holders.set(pair, [i]);
      else known.push(i);
    }
  }
  const covered = new Set<number>();
  for (const [i, { selfMaskKnown }] of views.entries()) if (!selfMaskKnown) covered.add(i);
  for (const places of holders.values()) {
    // A mask that is in one vector only covers it.
    if (places.length === 1) covered.add(places[0]!);
    for (const place of places.slice(1)) parents[rootOf(place)] = rootOf(places[0]!);
  }
  const coveredRoots = new Set([...covered].map(rootOf));
  const sums = new Map<number, number[]>();
  for (const [i, { client }] of views.entries()) {
    const root = rootOf(i);
    if (coveredRoots.has(root)) continue;
    const sum = sums.get(root);
    if (sum === undefined) sums.set(root, [client]);
    else sum.push(client);
  }
  return [...sums.values()];
}
