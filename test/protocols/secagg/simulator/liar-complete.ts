/**
 * @file Schemes against a complete graph (Bonawitz et al. 2017): different keys, different clients that
 * shared and different survivors for different clients, and every confirmation where it helps.
 */

import { Bitmap, ed25519Sign, toHex } from '../../../../protocols/index.ts';
import { merkleRoot } from '../../../../protocols/secagg/merkle.ts';
import type {
  Confirmations,
  DealtShares,
  Neighbourhood,
  SurvivorSet,
} from '../../../../protocols/secagg/messages.ts';
import {
  advertisementStatement,
  survivorsStatement,
  transcriptHash,
} from '../../../../protocols/secagg/statements.ts';
import type { Liar, Scheme, Victim } from './liar.ts';

/** Sets of clients; whoever is told of one is in it. */
interface Story {
  readonly name: string;
  readonly keys: (client: number) => readonly number[];
  readonly present: (client: number) => readonly number[];
  readonly alive: (client: number) => readonly number[];
  /** Whether a client is shown keys of the liar's as another's. */
  readonly posing?: (client: number, other: number) => boolean;
}

export function schemeForCompleteGraph(liar: Liar): Scheme {
  const story = liar.chooser.pick(STORIES)(liar);
  const within = (wanted: readonly number[], possible: readonly number[]): number[] =>
    possible.filter((client) => wanted.includes(client));
  return {
    name: story.name,
    stages: [
      (victim) => {
        const posing = (other: number): boolean => story.posing?.(victim.client, other) ?? false;
        return neighbourhood(liar, victim, story.keys(victim.client), posing);
      },
      (victim) => dealtShares(liar, victim, within(story.present(victim.client), victim.partners)),
      (victim) => survivorSet(victim, story.alive(victim.client)),
      (victim) => confirmations(liar, victim),
    ],
  };
}

function neighbourhood(
  liar: Liar,
  victim: Victim,
  wanted: readonly number[],
  posing: (other: number) => boolean,
): Neighbourhood | undefined {
  const { client, agreed, answers } = victim;
  if (answers.advertisement === undefined) return undefined;
  const entries = [...wanted]
    .filter((other) => other !== client)
    .sort((a, b) => a - b)
    .map((other) => (posing(other) ? liar.impostorOf(other) : liar.keysOf(other, victim)))
    .filter((keys) => keys !== undefined);
  const leaves = [...entries, { ...answers.advertisement }]
    .sort((a, b) => a.client - b.client)
    .map((keys) => advertisementStatement(agreed, keys.client, keys.channelKey, keys.maskKey));
  victim.partners = entries.map((entry) => entry.client);
  victim.holders = victim.partners;
  victim.dealers = victim.partners;
  victim.transcript = transcriptHash(agreed, merkleRoot(leaves));
  return {
    kind: 'neighbourhood',
    ...headingOf(victim),
    entries,
    choosers: new Bitmap(0),
    proof: [],
  };
}

function dealtShares(
  liar: Liar,
  victim: Victim,
  present: readonly number[],
): DealtShares | undefined {
  if (victim.answers['shared-secrets'] === undefined) return undefined;
  victim.present = new Set(present);
  return {
    kind: 'dealt-shares',
    ...headingOf(victim),
    present: Bitmap.of(
      victim.partners.length,
      present.map((other) => victim.partners.indexOf(other)),
    ),
    shares: present.map((dealer) => liar.shareFor(dealer, victim)),
  };
}

function survivorSet(victim: Victim, alive: readonly number[]): SurvivorSet | undefined {
  if (victim.answers['masked-vectors'] === undefined) return undefined;
  victim.alive = [...alive].sort((a, b) => a - b);
  return {
    kind: 'survivor-set',
    ...headingOf(victim),
    alive: Bitmap.of(victim.agreement.clients, victim.alive),
    included: [],
  };
}

/**
 * All signatures under the set that this client was told of, the puppets' among them; and now and
 * then those under other sets, or of nobody, to make them look like more.
 */
function confirmations(liar: Liar, victim: Victim): Confirmations | undefined {
  const { agreement, alive, transcript } = victim;
  const padded = liar.chooser.chance(0.2);
  if (victim.answers.confirmation === undefined) return undefined;
  const bitmap = Bitmap.of(agreement.clients, alive);
  const statement = survivorsStatement(transcript, bitmap);
  const signatures = new Map<number, Uint8Array>();
  for (const client of alive) {
    const puppet = liar.puppetOf(client);
    const other = liar.victims.get(client);
    if (puppet !== undefined) signatures.set(client, ed25519Sign(puppet.signingKey, statement));
    else if (other !== undefined && (padded || toldTheSame(other, victim))) {
      const nobodys = padded ? new Uint8Array(64) : undefined;
      const signature = other.answers.confirmation?.statements[0] ?? nobodys;
      if (signature !== undefined) signatures.set(client, signature);
    }
  }
  return {
    kind: 'confirmations',
    ...headingOf(victim),
    from: Bitmap.of(agreement.clients, signatures.keys()),
    statements: [...signatures.values()],
  };
}

function toldTheSame(left: Victim, right: Victim): boolean {
  return (
    toHex(left.transcript) === toHex(right.transcript) && left.alive.join() === right.alive.join()
  );
}

function headingOf({ agreement, client }: Victim): {
  readonly session: Uint8Array;
  readonly round: number;
  readonly client: number;
} {
  return { session: agreement.session, round: agreement.round, client };
}

const STORIES: readonly ((liar: Liar) => Story)[] = [
  /** The attack that `complete-graph.ts` ends with: it works from 2t = n + C down. */
  function isolateOne({ chooser, victims, world }) {
    const { corrupt, threshold, minimumClients } = world.plan;
    const honest = [...victims.keys()];
    const target = chooser.pick(honest);
    const others = honest.filter((client) => client !== target);
    const least = Math.max(threshold, minimumClients);
    const hidden = new Set(
      chooser.sample(others, chooser.pick([0, 1]) * Math.max(0, least - 1 - corrupt.length)),
    );
    const rest = others.filter((client) => !hidden.has(client));
    const everyone = [...honest, ...corrupt];
    const alive = [...rest, target, ...corrupt];
    return {
      name: `isolate client ${target} from [${rest.join()}]`,
      keys: () => everyone,
      present: (client) => (client === target ? [target, ...hidden, ...corrupt] : everyone),
      alive: (client) => (hidden.has(client) ? everyone : alive),
    };
  },

  /** Two groups, each told that the other has vanished, in part or altogether. */
  function twoSurvivorSets({ chooser, victims, world }) {
    const honest = [...victims.keys()];
    const { corrupt } = world.plan;
    const first = new Set(chooser.some(honest, 0.5));
    const groups = [honest.filter((c) => first.has(c)), honest.filter((c) => !first.has(c))];
    const sets = groups.map((group, i) => [
      ...group,
      ...chooser.some(groups[1 - i]!, chooser.pick([0, 0.3, 0.7])),
      ...corrupt,
    ]);
    const everyone = [...honest, ...corrupt];
    return {
      name: `two survivor sets, [${sets.join('] and [')}]`,
      keys: () => everyone,
      present: () => everyone,
      alive: (client) => sets[first.has(client) ? 0 : 1]!,
    };
  },

  /**
   * A small group is said to be alive, and to everyone else that it is with them; who is said to be
   * alive besides, to make up the numbers, differs.
   */
  function cutOut({ chooser, victims, world }) {
    const honest = [...victims.keys()];
    const { corrupt, threshold, minimumClients } = world.plan;
    const least = Math.max(threshold, minimumClients);
    const group = chooser.sample(honest, chooser.between(1, Math.max(1, least - 1)));
    const everyone = [...honest, ...corrupt];
    const sets = new Map(
      honest.map((client) => {
        const told = [...new Set([client, ...group, ...corrupt])];
        const others = honest.filter((other) => !told.includes(other));
        return [client, [...told, ...chooser.sample(others, Math.max(0, least - told.length))]];
      }),
    );
    return {
      name: `cut out [${group.join()}]`,
      keys: () => everyone,
      present: () => everyone,
      alive: (client) => sets.get(client)!,
    };
  },

  /** Two groups that do not know each other's keys, but for some who are in both. */
  function twoWorlds({ chooser, victims, world }) {
    const honest = [...victims.keys()];
    const { corrupt } = world.plan;
    const first = new Set(chooser.some(honest, 0.5));
    const both = chooser.some(honest, chooser.pick([0.2, 0.6]));
    const worlds = [true, false].map((inFirst) => [
      ...new Set([
        ...honest.filter((client) => first.has(client) === inFirst),
        ...both,
        ...corrupt,
      ]),
    ]);
    const worldOf = (client: number): readonly number[] => worlds[first.has(client) ? 0 : 1]!;
    return {
      name: `two worlds, [${worlds.join('] and [')}]`,
      keys: worldOf,
      present: worldOf,
      alive: worldOf,
    };
  },

  /** The liar poses as all others to some. */
  function impostor({ chooser, victims, world }) {
    const everyone = [...victims.keys(), ...world.plan.corrupt];
    const fooled = new Set(chooser.some([...victims.keys()], 0.4));
    return {
      name: `pose to [${[...fooled].join()}]`,
      keys: () => everyone,
      present: () => everyone,
      alive: () => everyone,
      posing: (client, other) => fooled.has(client) && victims.has(other),
    };
  },

  /** Everybody agrees on a set that is too small. */
  function tooFew({ chooser, victims, world }) {
    const everyone = [...victims.keys(), ...world.plan.corrupt];
    const { threshold, minimumClients } = world.plan;
    const few = chooser.sample(everyone, Math.max(threshold, minimumClients) - 1);
    const shared = chooser.chance(0.5) ? few : everyone;
    return {
      name: `[${few.join()}]`,
      keys: () => everyone,
      present: () => shared,
      alive: () => few,
    };
  },

  /** Some clients are told of fewer; the others agree. */
  function strays({ chooser, victims, world }) {
    const everyone = [...victims.keys(), ...world.plan.corrupt];
    const stray = new Set(chooser.some([...victims.keys()], 0.3));
    const common = chooser.some(everyone, chooser.pick([0.7, 1]));
    const subset = (client: number): readonly number[] =>
      stray.has(client)
        ? [client, ...chooser.some(everyone, 0.8).filter((c) => c !== client)]
        : everyone;
    return {
      name: 'strays',
      keys: subset,
      present: subset,
      alive: (client) => (stray.has(client) ? subset(client) : common),
    };
  },

  /** Everybody is told something else. */
  function chaos({ chooser, victims, world }) {
    const everyone = [...victims.keys(), ...world.plan.corrupt];
    const likely = chooser.pick([0.6, 0.9]);
    const some = (): readonly number[] => chooser.some(everyone, likely);
    const sets = [some(), some()];
    return {
      name: 'chaos',
      keys: () => everyone,
      present: (client) => [...new Set([client, ...some()])],
      alive: (client) => [...new Set([client, ...chooser.pick(sets)])],
    };
  },
];
