/** @file What the server tells each client when a stage begins. */

import { chosenByClients } from '../agreement.ts';
import { Bitmap } from '../bitmap.ts';
import type { MerkleTree } from '../merkle.ts';
import type {
  Commitment,
  Confirmations,
  DealtShares,
  Neighbourhood,
  SurvivorSet,
} from '../messages.ts';
import { type Collection, headingFor, type Neighbours } from './state.ts';

export function commitmentFor(
  collection: Collection,
  present: readonly number[],
  root: Uint8Array,
): (client: number) => Commitment {
  const advertised = Bitmap.of(collection.setup.agreement.clients, present);
  return (client) => ({
    kind: 'commitment',
    ...headingFor(collection, client),
    advertised,
    root,
  });
}

/** @param committed the tree of the commitment, where there is one, and whose keys its leaves are. */
export function neighbourhoodFor(
  collection: Collection,
  committed?: { readonly present: readonly number[]; readonly tree: MerkleTree },
): (client: number) => Neighbourhood {
  const places = new Map(committed?.present.map((client, i) => [client, i]));
  return (client) => {
    const { partners, dealers } = collection.neighbours(client);
    const entries = partners.map((other) => ({ client: other, ...collection.keys.get(other)! }));
    if (committed === undefined) {
      return {
        kind: 'neighbourhood',
        ...headingFor(collection, client),
        entries,
        choosers: new Bitmap(0),
        proof: [],
      };
    }
    const choosers = new Set(dealers);
    const proved = [...partners, client].sort((a, b) => a - b).map((other) => places.get(other)!);
    return {
      kind: 'neighbourhood',
      ...headingFor(collection, client),
      entries,
      choosers: Bitmap.of(
        partners.length,
        partners.flatMap((other, i) => (choosers.has(other) ? [i] : [])),
      ),
      proof: committed.tree.prove(proved),
    };
  };
}

export function dealtSharesFor(collection: Collection): (client: number) => DealtShares {
  const { sharing, shares } = collection;
  return (client) => {
    const { partners } = collection.neighbours(client);
    return {
      kind: 'dealt-shares',
      ...headingFor(collection, client),
      present: Bitmap.of(
        partners.length,
        partners.flatMap((other, i) => (sharing.has(other) ? [i] : [])),
      ),
      shares: presentDealers(collection, client).map((dealer) => {
        const place = placeOf(collection.neighbours(dealer).holders, client);
        return shares.get(dealer)![place]!;
      }),
    };
  };
}

export function survivorSetFor(collection: Collection): (client: number) => SurvivorSet {
  const { setup, survivors, included } = collection;
  const everyone =
    setup.agreement.graph === 'complete'
      ? Bitmap.of(setup.agreement.clients, survivors)
      : undefined;
  return (client) => {
    const dealers = presentDealers(collection, client);
    const alive = dealers.flatMap((dealer, i) => (survivors.has(dealer) ? [i] : []));
    return {
      kind: 'survivor-set',
      ...headingFor(collection, client),
      alive: everyone ?? Bitmap.of(dealers.length, alive),
      included: chosenByClients(setup.agreement)
        ? alive.map((i) => {
            const dealer = dealers[i]!;
            return included.get(dealer)![placeOf(presentHolders(collection, dealer), client)]!;
          })
        : [],
    };
  };
}

export function confirmationsFor(collection: Collection): (client: number) => Confirmations {
  const { setup, survivors, confirmations } = collection;
  if (!chosenByClients(setup.agreement)) {
    const confirming = [...confirmations.keys()].sort((a, b) => a - b);
    const from = Bitmap.of(setup.agreement.clients, confirming);
    const statements = confirming.map((client) => confirmations.get(client)![0]!);
    return (client) => ({
      kind: 'confirmations',
      ...headingFor(collection, client),
      from,
      statements,
    });
  }
  return (client) => {
    const holders = presentHolders(collection, client);
    const places: number[] = [];
    const statements: Uint8Array[] = [];
    for (const [i, holder] of holders.entries()) {
      const acks = confirmations.get(holder);
      if (acks === undefined) continue;
      const place = presentDealers(collection, holder)
        .filter((dealer) => survivors.has(dealer))
        .indexOf(client);
      places.push(i);
      statements.push(acks[place]!);
    }
    return {
      kind: 'confirmations',
      ...headingFor(collection, client),
      from: Bitmap.of(holders.length, places),
      statements,
    };
  };
}

/** Of whom a client holds shares, in the order in which it got them. */
export function presentDealers(collection: Collection, client: number): readonly number[] {
  return present(collection, collection.neighbours(client), 'dealers');
}

/** Who holds shares of a client and shared its own secrets, in the order of the client's statements. */
export function presentHolders(collection: Collection, client: number): readonly number[] {
  return present(collection, collection.neighbours(client), 'holders');
}

function present(
  { sharing }: Collection,
  neighbours: Neighbours,
  which: 'dealers' | 'holders',
): readonly number[] {
  return neighbours[which].filter((other) => sharing.has(other));
}

/** Where `client` is in an ascending list that has it. */
function placeOf(clients: readonly number[], client: number): number {
  let low = 0;
  let high = clients.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (clients[middle]! < client) low = middle + 1;
    else high = middle;
  }
  return low;
}
