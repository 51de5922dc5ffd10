import { describe, expect, it } from 'vitest';
import { completeGraph } from '../../../../protocols/secagg/parameters/complete-graph.ts';
import { seeded } from '../../support.ts';

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const has = (set: number, client: number) => ((set >> client) & 1) === 1;
const size = (set: number) => range(0, 10).filter((client) => has(set, client)).length;

const guaranteesOf = (clients: number, corrupt: number, lost = 0) =>
  completeGraph({ model: 'active', clients, candidates: clients, corrupt, lost }, corrupt);

/**
 * One round of a complete graph as an adversary can shape it. Sets are bits; clients from `honest`
 * on are corrupt, sign everything and give every share they hold.
 * @param shared Those who shared, as each honest client is told before it masks, itself included.
 * @param signs The survivor set that each honest client signs, or nothing.
 */
function play(
  clients: number,
  honest: number,
  threshold: number,
  shared: readonly number[],
  signs: readonly (number | undefined)[],
) {
  const everyone = range(0, honest);
  const masks = (client: number) => size(shared[client]!) >= threshold;
  const signed = everyone.map((client) => {
    const set = signs[client];
    const fits =
      set !== undefined &&
      has(set, client) &&
      (set & ~shared[client]!) === 0 &&
      size(set) >= threshold;
    return fits && masks(client) ? set : undefined;
  });
  // Who sees t signatures under its set, those of all corrupt clients among them, gives its shares.
  const corrupt = clients - honest;
  const released = everyone.map((client) => {
    const set = signed[client];
    const alike = signed.filter((other) => other === set).length;
    return set !== undefined && alike + corrupt >= threshold ? set : undefined;
  });
  const given = (client: number, alive: boolean) =>
    corrupt +
    everyone.filter((holder) => {
      const set = released[holder];
      return set !== undefined && has(set, client) === alive && (alive || holder !== client);
    }).length;
  const selfMaskKnown = everyone.map((client) => given(client, true) >= threshold);
  const maskKeyKnown = everyone.map((client) => given(client, false) >= threshold);

  const name = [...everyone];
  const spoilt = new Set<number>();
  for (const a of everyone.filter(masks)) {
    for (const b of everyone) {
      if (a === b || !has(shared[a]!, b) || maskKeyKnown[a] || maskKeyKnown[b]) continue;
      const [from, to] = [name[a]!, name[b]!];
      if (!masks(b) || !has(shared[b]!, a)) spoilt.add(a);
      else for (const other of everyone) if (name[other] === from) name[other] = to;
    }
  }
  const sums = everyone
    .map((root) => everyone.filter((client) => masks(client) && name[client] === root))
    .filter((set) => set.length > 0)
    .filter((set) => set.every((client) => selfMaskKnown[client] && !spoilt.has(client)));
  const exposed = everyone.filter((client) => selfMaskKnown[client] && maskKeyKnown[client]);
  return { exposed, sums };
}

describe('a complete graph against a server that lies', () => {
  const setups = [3, 4, 5, 6, 7].flatMap((clients) =>
    [0, 1, 2]
      .filter((corrupt) => corrupt < clients - 1)
      .map((corrupt) => ({ clients, corrupt, threshold: Math.floor((clients + corrupt) / 2) + 1 })),
  );

  it.each(setups)('gives one sum, of threshold - corrupt honest clients at least: %o', (setup) => {
    const { clients, corrupt, threshold } = setup;
    const honest = clients - corrupt;
    const rng = seeded(`complete ${clients} ${corrupt}`);
    const all = 2 ** clients - 1;
    let seen = 0;
    for (let round = 0; round < 3000; round++) {
      const dice = rng(2 * honest + 8);
      // Most are told of most, and the same in every other round, so that rounds get anywhere.
      const few = (at: number) => dice[at]! & dice[at + 1]! & all;
      const most = (at: number) => all & ~few(at);
      const survivors = [most(0), most(2), undefined];
      const shared = range(0, honest).map(
        (client) => most(round % 2 === 0 ? 4 : 8 + 2 * client) | (1 << client),
      );
      const signs = range(0, honest).map((client) => survivors[dice[6 + client]! % 3]);
      const { exposed, sums } = play(clients, honest, threshold, shared, signs);
      if (exposed.length > 0 || sums.length > 1) throw new Error(`learnt ${exposed} and ${sums}`);
      for (const sum of sums) {
        seen += 1;
        if (sum.length < threshold - corrupt) throw new Error(`a sum of ${sum}`);
      }
    }
    expect(seen).toBeGreaterThan(0);
    const guarantees = guaranteesOf(clients, corrupt);
    expect(guarantees.lnExposure(clients - 1, threshold)).toBe(Number.NEGATIVE_INFINITY);
    expect(guarantees.leastHonestInSum(clients - 1, threshold, -1)).toBe(threshold - corrupt);
  });

  it.each([
    { clients: 4, corrupt: 0 },
    { clients: 5, corrupt: 1 },
    { clients: 6, corrupt: 2 },
    { clients: 6, corrupt: 0 },
    { clients: 7, corrupt: 1 },
  ])('gives a single value where 2t = clients + corrupt: %o', ({ clients, corrupt }) => {
    const threshold = (clients + corrupt) / 2;
    const honest = clients - corrupt;
    const bits = (members: readonly number[]) =>
      members.reduce((set, member) => set | (1 << member), 0);
    const traitors = range(honest, clients);
    // The victim is told of one part of the others, and survives with the rest.
    const part = range(1, threshold - corrupt);
    const rest = range(threshold - corrupt, honest);
    const survivors = bits([0, ...rest, ...traitors]);
    const shared = range(0, honest).map((client) =>
      client === 0 ? bits([0, ...part, ...traitors]) : 2 ** clients - 1,
    );
    const signs = range(0, honest).map((client) => (rest.includes(client) ? survivors : undefined));
    const { exposed, sums } = play(clients, honest, threshold, shared, signs);
    expect({ exposed, sums }).toEqual({ exposed: [], sums: [[0]] });
    expect(guaranteesOf(clients, corrupt).lnExposure(clients - 1, threshold)).toBe(0);
  });

  it('bears as many lost clients as the threshold leaves', () => {
    const guarantees = guaranteesOf(10, 1, 4);
    expect(guarantees.lnFailure(9, 6, -1)).toBe(Number.NEGATIVE_INFINITY);
    expect(guarantees.lnFailure(9, 7, -1)).toBe(0);
  });
});
