/**
 * @file Schemes against a sparse graph that clients choose (Bell et al. 2020): about any dealer, every
 * holder can be told something else.
 */

import { Bitmap, toHex } from '../../../../protocols/index.ts';
import { merkleProof, merkleRoot } from '../../../../protocols/secagg/merkle.ts';
import type {
  Commitment,
  Confirmations,
  DealtShares,
  Neighbourhood,
  SurvivorSet,
} from '../../../../protocols/secagg/messages.ts';
import {
  advertisementStatement,
  TAG_LENGTH,
  transcriptHash,
} from '../../../../protocols/secagg/statements.ts';
import type { Liar, Scheme, Victim } from './liar.ts';

/** What a holder is told of a dealer, and a client of those who hold its shares. */
interface Story {
  readonly name: string;
  /** Who advertised keys. */
  readonly advertised: (client: number) => readonly number[];
  /** Whether a client is told that another, who did or did not choose it, chose it. */
  readonly chose: (chooser: number, client: number, inFact: boolean) => boolean;
  readonly present: (client: number, partner: number) => boolean;
  readonly alive: (holder: number, dealer: number) => boolean;
}

export function schemeForSparseGraph(liar: Liar): Scheme {
  const story = liar.chooser.pick(STORIES)(liar);
  const puppetChoices = new Map(
    liar.puppets.map(({ client }) => [
      client,
      new Set(liar.chooser.some([...liar.victims.keys()], 0.4)),
    ]),
  );
  const choseInFact = (chooser: number, client: number): boolean =>
    puppetChoices.get(chooser)?.has(client) ??
    liar.victims.get(chooser)?.answers['neighbour-choice']?.neighbours.includes(client) ??
    false;
  const trees = new Map<Victim, Tree>();
  const treeOf = (victim: Victim): Tree => {
    const tree = trees.get(victim) ?? treeFor(liar, victim, story.advertised(victim.client));
    trees.set(victim, tree);
    return tree;
  };
  return {
    name: story.name,
    stages: [
      (victim) => commitment(victim, () => treeOf(victim)),
      (victim) =>
        neighbourhood(
          liar,
          victim,
          () => treeOf(victim),
          (chooser) => story.chose(chooser, victim.client, choseInFact(chooser, victim.client)),
        ),
      (victim) => dealtShares(liar, victim, (partner) => story.present(victim.client, partner)),
      (victim) => survivorSet(liar, victim, (dealer) => story.alive(victim.client, dealer)),
      (victim) => confirmations(liar, victim),
    ],
  };
}

/** What a client was told a root of: it stays the same, whoever advertises later. */
interface Tree {
  readonly present: readonly number[];
  readonly leaves: readonly Uint8Array[];
}

function treeFor(liar: Liar, victim: Victim, advertised: readonly number[]): Tree {
  const keys = [...new Set([victim.client, ...advertised])]
    .sort((a, b) => a - b)
    .map((client) => liar.keysOf(client, victim))
    .filter((found) => found !== undefined);
  return {
    present: keys.map(({ client }) => client),
    leaves: keys.map(({ client, channelKey, maskKey }) =>
      advertisementStatement(victim.agreed, client, channelKey, maskKey),
    ),
  };
}

function commitment(victim: Victim, tree: () => Tree): Commitment | undefined {
  if (victim.answers.advertisement === undefined) return undefined;
  const { present, leaves } = tree();
  const root = merkleRoot(leaves);
  victim.transcript = transcriptHash(victim.agreed, root);
  return {
    kind: 'commitment',
    ...headingOf(victim),
    advertised: Bitmap.of(victim.agreement.clients, present),
    root,
  };
}

function neighbourhood(
  liar: Liar,
  victim: Victim,
  tree: () => Tree,
  chose: (chooser: number) => boolean,
): Neighbourhood | undefined {
  const choice = victim.answers['neighbour-choice'];
  if (choice === undefined) return undefined;
  const { present, leaves } = tree();
  // What arrives may be altered on its way.
  victim.holders = choice.neighbours.filter((holder) => present.includes(holder));
  victim.dealers = present.filter((other) => other !== victim.client && chose(other));
  victim.partners = [...new Set([...victim.holders, ...victim.dealers])].sort((a, b) => a - b);
  const entries = victim.partners
    .map((other) => liar.keysOf(other, victim))
    .filter((keys) => keys !== undefined);
  const proved = [...victim.partners, victim.client].sort((a, b) => a - b);
  return {
    kind: 'neighbourhood',
    ...headingOf(victim),
    entries,
    choosers: Bitmap.of(
      victim.partners.length,
      victim.partners.flatMap((other, i) => (victim.dealers.includes(other) ? [i] : [])),
    ),
    proof: merkleProof(
      leaves,
      proved.map((other) => present.indexOf(other)),
    ),
  };
}

function dealtShares(
  liar: Liar,
  victim: Victim,
  isPresent: (partner: number) => boolean,
): DealtShares | undefined {
  if (victim.answers['shared-secrets'] === undefined) return undefined;
  const present = victim.partners.filter(isPresent);
  victim.present = new Set(present);
  return {
    kind: 'dealt-shares',
    ...headingOf(victim),
    present: Bitmap.of(
      victim.partners.length,
      present.map((other) => victim.partners.indexOf(other)),
    ),
    shares: present
      .filter((other) => victim.dealers.includes(other))
      .map((dealer) => liar.shareFor(dealer, victim)),
  };
}

function survivorSet(
  liar: Liar,
  victim: Victim,
  isAlive: (dealer: number) => boolean,
): SurvivorSet | undefined {
  if (victim.answers['masked-vectors'] === undefined) return undefined;
  const dealers = presentDealers(victim);
  victim.alive = dealers.filter(isAlive);
  return {
    kind: 'survivor-set',
    ...headingOf(victim),
    alive: Bitmap.of(
      dealers.length,
      victim.alive.map((dealer) => dealers.indexOf(dealer)),
    ),
    included: victim.alive.map((dealer) => includedBy(liar, dealer, victim)),
  };
}

/** What a dealer stated to a holder when it masked; a puppet states anything. */
function includedBy(liar: Liar, dealer: number, victim: Victim): Uint8Array {
  const puppet = liar.puppetOf(dealer);
  if (puppet !== undefined) {
    const keys = liar.keysOf(victim.client, victim)!;
    return puppet.channelTo(keys, victim.transcript).tag('included');
  }
  const from = liar.victims.get(dealer);
  const place = from === undefined ? -1 : presentHolders(from).indexOf(victim.client);
  return from?.answers['masked-vectors']?.included[place] ?? liar.chooser.bytes(TAG_LENGTH);
}

/** Every `ack` that there is for this client; and now and then something in place of the others. */
function confirmations(liar: Liar, victim: Victim): Confirmations | undefined {
  if (victim.answers.confirmation === undefined) return undefined;
  const holders = presentHolders(victim);
  const padding = liar.chooser.chance(0.2) ? liar.chooser.bytes(TAG_LENGTH) : undefined;
  const acks = holders.map((holder) => {
    const puppet = liar.puppetOf(holder);
    if (puppet !== undefined) {
      const keys = liar.keysOf(victim.client, victim)!;
      return puppet.channelTo(keys, victim.transcript).tag('ack');
    }
    const from = liar.victims.get(holder);
    if (from === undefined || toHex(from.transcript) !== toHex(victim.transcript)) return padding;
    return from.answers.confirmation?.statements[from.alive.indexOf(victim.client)] ?? padding;
  });
  return {
    kind: 'confirmations',
    ...headingOf(victim),
    from: Bitmap.of(
      holders.length,
      acks.flatMap((ack, i) => (ack === undefined ? [] : [i])),
    ),
    statements: acks.filter((ack) => ack !== undefined),
  };
}

function presentDealers({ dealers, present }: Victim): readonly number[] {
  return dealers.filter((dealer) => present.has(dealer));
}

function presentHolders({ holders, present }: Victim): readonly number[] {
  return holders.filter((holder) => present.has(holder));
}

function headingOf({ agreement, client }: Victim): {
  readonly session: Uint8Array;
  readonly round: number;
  readonly client: number;
} {
  return { session: agreement.session, round: agreement.round, client };
}

const always = (): boolean => true;

const STORIES: readonly ((liar: Liar) => Story)[] = [
  /** Half of those who hold a client's shares are told that it is alive, the others that it is not. */
  function halveHolders(liar) {
    const { chooser, victims, world } = liar;
    const everyone = [...victims.keys(), ...world.plan.corrupt];
    const targets = new Set(chooser.sample([...victims.keys()], chooser.between(1, 3)));
    const halves = new Map<number, ReadonlySet<number>>();
    const half = (target: number): ReadonlySet<number> => {
      let believing = halves.get(target);
      if (believing === undefined) {
        const holders = victims.get(target)?.holders.filter((holder) => victims.has(holder)) ?? [];
        const count = chooser.between(Math.floor(holders.length / 2), holders.length);
        believing = new Set(chooser.sample(holders, count));
        halves.set(target, believing);
      }
      return believing;
    };
    const hide = chooser.chance(0.5);
    return {
      name: `halve the holders of [${[...targets].join()}]`,
      advertised: () => everyone,
      chose: (_, __, inFact) => inFact,
      present: (client, partner) =>
        !hide || !targets.has(client) || !victims.has(partner) || half(client).has(partner),
      alive: (holder, dealer) => !targets.has(dealer) || half(dealer).has(holder),
    };
  },

  /** Everybody outside a small group is said to be lost, to those within. */
  function cutOut({ chooser, victims, world }) {
    const everyone = [...victims.keys(), ...world.plan.corrupt];
    const size = chooser.between(1, world.plan.threshold + 1);
    const group = new Set(chooser.sample([...victims.keys()], size));
    const inside = (client: number): boolean => group.has(client) || !victims.has(client);
    const outsideToo = chooser.chance(0.5);
    return {
      name: `cut out [${[...group].join()}]`,
      advertised: () => everyone,
      chose: (_, __, inFact) => inFact,
      present: always,
      alive: (holder, dealer) => inside(dealer) || (!inside(holder) && outsideToo),
    };
  },

  /**
   * A client is shown as few of those who hold its shares as it takes, and those are said to be lost:
   * the others, who have no mask with it, are to give its self mask away.
   */
  function leaveAlone({ chooser, victims, world }) {
    const { corrupt, threshold } = world.plan;
    const everyone = [...victims.keys(), ...corrupt];
    const target = chooser.pick([...victims.keys()]);
    let shown: ReadonlySet<number> | undefined;
    const isShown = (partner: number): boolean => {
      const holders = victims.get(target)!.holders;
      const honest = holders.filter((holder) => victims.has(holder));
      const bad = holders.length - honest.length;
      shown ??= new Set(chooser.sample(honest, Math.max(0, threshold - 1 - bad)));
      return shown.has(partner) || !victims.has(partner);
    };
    return {
      name: `leave client ${target} alone`,
      advertised: () => everyone,
      chose: (_, __, inFact) => inFact,
      present: (client, partner) => client !== target || isShown(partner),
      alive: (_, dealer) => dealer === target || !isShown(dealer) || !victims.has(dealer),
    };
  },

  /** Two roots for two groups of clients. */
  function twoRoots({ chooser, victims, world }) {
    const honest = [...victims.keys()];
    const first = new Set(chooser.some(honest, 0.5));
    const both = new Set(chooser.some(honest, chooser.pick([0.3, 0.9])));
    const sets = [true, false].map((inFirst) => [
      ...honest.filter((client) => first.has(client) === inFirst || both.has(client)),
      ...world.plan.corrupt,
    ]);
    return {
      name: 'two roots',
      advertised: (client) => sets[first.has(client) ? 0 : 1]!,
      chose: (_, __, inFact) => inFact,
      present: always,
      alive: always,
    };
  },

  /** Lies about who chose whom. */
  function falseChoosers({ chooser, victims, world }) {
    const everyone = [...victims.keys(), ...world.plan.corrupt];
    const hidden = chooser.pick([0, 0.2]);
    const added = chooser.pick([0.05, 0.3]);
    return {
      name: 'false choosers',
      advertised: () => everyone,
      chose: (_, __, inFact) => (inFact ? !chooser.chance(hidden) : chooser.chance(added)),
      present: always,
      alive: always,
    };
  },

  /** Everybody is told something else. */
  function chaos({ chooser, victims, world }) {
    const everyone = [...victims.keys(), ...world.plan.corrupt];
    const present = chooser.pick([0.7, 1]);
    const alive = chooser.pick([0.3, 0.7, 0.9]);
    return {
      name: 'chaos',
      advertised: () => everyone,
      chose: (_, __, inFact) => inFact,
      present: () => chooser.chance(present),
      alive: () => chooser.chance(alive),
    };
  },
];
