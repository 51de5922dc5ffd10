import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseNeighbours } from '../../../../protocols/secagg/graph.ts';
import {
  chosenGraph,
  hopelessNeighbours,
} from '../../../../protocols/secagg/parameters/chosen-graph.ts';
import { lnBinomialAtLeast } from '../../../../protocols/secagg/parameters/distributions.ts';
import { seeded } from '../../support.ts';

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

const adversity = (clients: number, corrupt: number, lost = 0, candidates = clients) =>
  ({ model: 'active', clients, candidates, corrupt, lost }) as const;

/** All ways to choose `count` of `from`. */
function subsets(from: readonly number[], count: number): number[][] {
  if (count === 0) return [[]];
  return from.flatMap((first, at) =>
    subsets(from.slice(at + 1), count - 1).map((rest) => [first, ...rest]),
  );
}

const probability = (ln: number) => Math.exp(ln);

describe('the bounds on a graph of chosen neighbours', () => {
  // Clients from `honest` on are corrupt. One client's choices are as likely as another's.
  const [clients, corrupt, neighbours] = [9, 2, 4];
  const honest = clients - corrupt;
  const choices = (client: number) =>
    subsets(
      range(0, clients).filter((other) => other !== client),
      neighbours,
    );
  const share = (holds: (choice: readonly number[]) => boolean) =>
    choices(0).filter(holds).length / choices(0).length;
  const guarantees = chosenGraph(adversity(clients, corrupt));

  it.each([2, 3, 4, 5])(
    'count the corrupt who were chosen, with a threshold of %d',
    (threshold) => {
      const exposed = share(
        (choice) =>
          2 * threshold <= neighbours + 1 + choice.filter((other) => other >= honest).length,
      );
      const bound = probability(guarantees.lnExposure(neighbours, threshold));
      expect(bound).toBeCloseTo(Math.min(1, honest * exposed), 12);
    },
  );

  it.each([3, 4, 5])(
    'count the sets that might be split off, with a threshold of %d',
    (threshold) => {
      let expected = 0;
      for (let leastHonest = 2; leastHonest <= honest; leastHonest++) {
        const size = leastHonest - 1;
        for (const set of subsets(range(0, honest), size)) {
          // Every member of the set, in its place of client 0, which is a member of its own.
          const others = set.length - 1;
          const inside = (choice: readonly number[]) =>
            choice.filter((other) => other <= others || other >= honest).length;
          expected += share((choice) => inside(choice) >= threshold - 1) ** size;
        }
        const bound = probability(guarantees.lnSplit(neighbours, threshold, leastHonest));
        expect(bound).toBeCloseTo(Math.min(1, expected), 10);
      }
      expect(guarantees.lnSplit(neighbours, threshold, honest + 1)).toBe(0);
    },
  );

  it.each([2, 3, 4])(
    'count the clients with too few shares left, with a threshold of %d',
    (threshold) => {
      const lost = 3;
      const failing = chosenGraph(adversity(clients, corrupt, lost));
      // Clients from `left` on are lost.
      const left = clients - lost;
      const survivor = share(
        (choice) => choice.filter((other) => other < left).length + 1 < threshold,
      );
      // The last client, in its place of client 0: the others that are lost are `left` to clients - 2.
      const victim =
        subsets(range(0, clients - 1), neighbours).filter(
          (choice) => choice.filter((other) => other < left).length < threshold,
        ).length / subsets(range(0, clients - 1), neighbours).length;
      const shares = left * survivor + lost * victim;
      const lnLimit = -20 * Math.LN2;
      const limit = failing.inDegreeLimit(neighbours, lnLimit);
      expect(limit).toBe(clients - 1); // nobody is chosen by more
      const bound = probability(failing.lnFailure(neighbours, threshold, lnLimit));
      expect(bound).toBeCloseTo(Math.min(1, shares), 12);
    },
  );

  it('hold for all numbers of candidates at once', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 20, max: 200 }),
        fc.nat(30),
        fc.nat(40),
        fc.integer({ min: 2, max: 12 }),
        fc.nat(12),
        fc.nat(40),
        (most, corruptPercent, missingPercent, k, thresholdOver, missing) => {
          const candidates = most - Math.floor((most * missingPercent) / 100);
          const corruptClients = Math.floor((candidates * corruptPercent) / 100);
          const threshold = Math.min(k + 1, 2 + thresholdOver);
          const all = chosenGraph(adversity(most, corruptClients, 0, candidates));
          const present = Math.max(candidates, most - missing);
          const some = chosenGraph(adversity(present, corruptClients));
          const atMost = (left: number, right: number) =>
            expect(left).toBeLessThanOrEqual(right === 0 ? 0 : right + 1e-9);
          atMost(some.lnExposure(k, threshold), all.lnExposure(k, threshold));
          for (const least of [2, 3, 6]) {
            atMost(some.lnSplit(k, threshold, least), all.lnSplit(k, threshold, least));
          }
        },
      ),
    );
  });

  it('let a client be chosen by as many as chance has it, but for half of the failures', () => {
    for (const [n, k] of [
      [100, 25],
      [1000, 77],
      [10_000, 97],
    ] as const) {
      const lnLimit = -20 * Math.LN2;
      const limit = chosenGraph(adversity(n, 0)).inDegreeLimit(k, lnLimit);
      const lnMore = (most: number) =>
        Math.log(n) + lnBinomialAtLeast(n - 1, k / (n - 1), most + 1);
      expect(lnMore(limit)).toBeLessThanOrEqual(lnLimit - Math.LN2);
      expect(lnMore(limit - 1)).toBeGreaterThan(lnLimit - Math.LN2);
    }
  });

  it('leave no threshold from where they say that there is no hope', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 10, max: 120 }),
        fc.double({ min: 0, max: 0.6, noNaN: true }),
        fc.double({ min: 0, max: 0.5, noNaN: true }),
        (n, corruptRate, dropoutRate) => {
          const lost = Math.floor(n * dropoutRate);
          const corruptClients = Math.floor((n - lost - 2) * corruptRate);
          const setting = adversity(n, corruptClients, lost, n - lost);
          const graph = chosenGraph(setting);
          const lnHalf = -Math.LN2;
          for (let k = hopelessNeighbours(setting); k < n - lost; k++) {
            for (let t = 1; t <= k + 1; t++) {
              const secure = graph.lnExposure(k, t) <= lnHalf;
              if (secure) expect(graph.lnFailure(k, t, lnHalf)).toBeGreaterThan(lnHalf);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('name the most honest clients in the least sum', () => {
    for (const [n, k, t] of [
      [100, 25, 16],
      [300, 50, 33],
      [1000, 77, 52],
    ] as const) {
      const graph = chosenGraph(adversity(n, Math.floor(n / 20)));
      const limit = -41 * Math.LN2;
      const least = graph.leastHonestInSum(k, t, limit);
      expect(graph.lnSplit(k, t, least)).toBeLessThanOrEqual(limit);
      expect(graph.lnSplit(k, t, least + 1)).toBeGreaterThan(limit);
    }
  });
});

/** What the server tells an honest holder of a client that chose it, and the client of the holder. */
type Tale = 'alive' | 'dead' | 'absent';

interface Play {
  readonly honest: number;
  /** Whom each client chose; those from `honest` on are corrupt. */
  readonly chosen: readonly (readonly number[])[];
  readonly threshold: number;
  /** `absent`: the client does not mask with the holder, though the holder has its shares. */
  readonly tale: (holder: number, client: number) => Tale;
}

/**
 * One round as an adversary can shape it. Corrupt holders ack and release whatever is asked for.
 * @returns Whose both secrets come out, and the least sums that do.
 */
function play({ honest, chosen, threshold, tale }: Play) {
  const clients = range(0, honest);
  const isHonest = (client: number) => client < honest;
  const countHolders = (client: number, holds: (holder: number) => boolean) =>
    chosen[client]!.reduce((count, holder) => count + Number(holds(holder)), 0);
  const releases = clients.map(
    (client) =>
      1 + countHolders(client, (holder) => !isHonest(holder) || tale(holder, client) === 'alive') >=
      threshold,
  );
  const selfMaskKnown = clients.map((client) => {
    const gives = (holder: number) => releases[holder]! && tale(holder, client) === 'alive';
    const given = countHolders(client, (holder) => !isHonest(holder) || gives(holder));
    return given + Number(releases[client]) >= threshold;
  });
  const maskKeyKnown = clients.map((client) => {
    // It may be given for whoever is not taken for alive.
    const gives = (holder: number) => releases[holder]! && tale(holder, client) !== 'alive';
    return countHolders(client, (holder) => !isHonest(holder) || gives(holder)) >= threshold;
  });

  // Values that nobody can have apart, since a mask that nobody knows is in both of them, and those
  // that nobody can have, since such a mask is only in one of them.
  const name = [...clients];
  const spoilt = new Set<number>();
  for (const client of clients) {
    for (const holder of chosen[client]!) {
      if (!isHonest(holder) || maskKeyKnown[client] || maskKeyKnown[holder]) continue;
      const [from, to] = [name[holder]!, name[client]!];
      if (tale(holder, client) === 'absent' && !chosen[holder]!.includes(client))
        spoilt.add(holder);
      else for (const other of clients) if (name[other] === from) name[other] = to;
    }
  }
  const sums = clients
    .map((root) => clients.filter((client) => name[client] === root))
    .filter((set) => set.length > 0)
    .filter((set) => set.every((client) => selfMaskKnown[client] && !spoilt.has(client)));
  const exposed = clients.filter((client) => selfMaskKnown[client] && maskKeyKnown[client]);
  return { exposed, sums };
}

describe('whatever a server says about who is alive', () => {
  const setups = [
    { honest: 4, corrupt: 0, k: 2, t: 2 },
    { honest: 4, corrupt: 0, k: 3, t: 3 },
    { honest: 4, corrupt: 1, k: 2, t: 2 },
    { honest: 4, corrupt: 1, k: 2, t: 3 },
    { honest: 4, corrupt: 1, k: 3, t: 3 },
    { honest: 6, corrupt: 0, k: 2, t: 2 },
    { honest: 6, corrupt: 2, k: 3, t: 3 },
    { honest: 7, corrupt: 1, k: 4, t: 3 },
  ];

  it.each(setups)('it learns no more than the bounds say: %o', ({ honest, corrupt, k, t }) => {
    const rng = seeded(`tales ${honest} ${corrupt} ${k} ${t}`);
    const everyone = range(0, honest + corrupt);
    let seen = 0;
    for (let graph = 0; graph < 40; graph++) {
      const chosen = everyone.map((client) => chooseNeighbours(client, everyone, k, rng));
      const isSafe = (client: number) =>
        2 * t > k + 1 + chosen[client]!.filter((holder) => holder >= honest).length;
      const allSafe = range(0, honest).every(isSafe);
      for (let strategy = 0; strategy < 250; strategy++) {
        const dice = rng(honest * honest);
        const [dead, absent] = [dice[0]!, 40 * (strategy % 2)];
        const tale = (holder: number, client: number): Tale => {
          const die = dice[holder * honest + client]!;
          if (die < absent) return 'absent';
          return die < dead ? 'dead' : 'alive';
        };
        const { exposed, sums } = play({ honest, chosen, threshold: t, tale });
        seen += exposed.length;
        if (exposed.some(isSafe)) throw new Error(`both secrets of one of ${exposed}`);
        for (const set of allSafe ? sums : []) {
          seen += 1;
          for (const client of set) {
            const within = chosen[client]!.filter((c) => c >= honest || set.includes(c)).length;
            if (within < t - 1) throw new Error(`a sum of ${set} although ${client} has ${within}`);
          }
        }
      }
    }
    expect(seen).toBeGreaterThan(0);
  });

  it('it gets both secrets where 2t is above k + corrupt, and no more', () => {
    // Client 0 chose three honest holders, t = 2: 2t = k + 1.
    const chosen = [
      [1, 2, 3],
      [0, 2, 3],
      [0, 1, 3],
      [0, 1, 2],
    ];
    const tale = (holder: number, client: number): Tale =>
      client !== 0 || holder === 1 ? 'alive' : 'dead';
    expect(play({ honest: 4, chosen, threshold: 2, tale }).exposed).toContain(0);
    const guarantees = chosenGraph(adversity(4, 0));
    expect(guarantees.lnExposure(3, 2)).toBe(0);
    expect(guarantees.lnExposure(3, 3)).toBe(Number.NEGATIVE_INFINITY);
  });

  it('it gets the sum of a set in which everyone chose t - 1 others', () => {
    const chosen = [
      [1, 2],
      [0, 2],
      [0, 1],
      [4, 5],
      [3, 5],
      [3, 4],
    ];
    const { sums } = play({ honest: 6, chosen, threshold: 2, tale: () => 'alive' });
    expect(sums).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
  });
});
