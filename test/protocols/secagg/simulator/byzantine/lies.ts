/**
 * @file Every way in which a server can lie to a small cohort, but for those that are as good as
 * another one.
 *
 * What a client is told is three sets: whose keys there are, who of them shared, who of those is
 * alive. That the sets are told in order makes no difference: a client answers each with what does
 * not depend on the next. A client that is told of survivors and then not shown enough signatures
 * gives nothing more than one that is not told of any. So a lie is groups of clients, all of each
 * group told of the same survivors (with the same keys), as many as make up enough signatures; and
 * all other clients, who are told of no survivors.
 *
 * The shares of a client under other keys than those of every group are given by nobody, and its
 * vector stays under its self mask: it is as good as told nothing.
 */

import type { AnswerBook, Told } from './answers.ts';
import type { Lie } from './attack.ts';
import { type Clients, isWithin, membersOf, setOf, sizeOf, subsetsOf } from './sets.ts';

/** What a client can be told without refusing it; asked of the real client. */
export interface Options {
  /** Keys and who shared. */
  readonly masked: readonly Told[];
  /** The same and survivors. */
  readonly confirmed: readonly Told[];
}

/** @param among what is tried. */
export function optionsOf(
  book: AnswerBook,
  among: (told: Told) => boolean = () => true,
): ReadonlyMap<number, Options> {
  const everyone = setOf(Array(book.case.clients).keys());
  return new Map(
    membersOf(book.honest).map((client) => {
      const masked: Told[] = [];
      const confirmed: Told[] = [];
      for (const keys of subsetsOf(everyone)) {
        if (!isWithin(1 << client, keys)) continue;
        for (const present of subsetsOf(keys)) {
          if (!isWithin(1 << client, present)) continue;
          const told = { keys, present, alive: 0 };
          const dealt = present & book.honest & ~(1 << client);
          if (!among(told) || book.mask(client, told, dealt).kind === 'refused') continue;
          masked.push(told);
          for (const alive of subsetsOf(everyone)) {
            if (alive === 0) continue;
            const whole = { keys, present, alive };
            if (!among(whole) || book.confirm(client, whole, dealt).kind === 'refused') continue;
            confirmed.push(whole);
          }
        }
      }
      return [client, { masked, confirmed }];
    }),
  );
}

/** All lies, up to those that come to the same. */
export function* liesTo(book: AnswerBook, options: ReadonlyMap<number, Options>): Generator<Lie> {
  const { clients, threshold, corrupt } = book.case;
  // What anybody confirms, once each.
  const sets = new Map<string, { readonly keys: Clients; readonly alive: Clients }>();
  for (const { confirmed } of options.values()) {
    for (const { keys, alive } of confirmed) sets.set(`${keys} ${alive}`, { keys, alive });
  }
  const toldOf = (client: number, keys: Clients, alive: Clients): readonly Told[] =>
    options.get(client)!.confirmed.filter((told) => told.keys === keys && told.alive === alive);

  yield* grouped(book.honest, -1, []);

  /** @param after the lowest client of the last group: groups are in the order of theirs. */
  function* grouped(
    left: Clients,
    after: number,
    groups: readonly (readonly [client: number, options: readonly Told[]])[][],
  ): Generator<Lie> {
    if (groups.length > 0) yield* completed(left, groups);
    for (const { keys, alive } of sets.values()) {
      for (const group of subsetsOf(left & alive)) {
        const members = membersOf(group);
        if (members.length === 0 || members[0]! <= after) continue;
        if (sizeOf(group | (corrupt & alive)) < threshold) continue;
        const choices = members.map((client) => [client, toldOf(client, keys, alive)] as const);
        if (choices.some(([, told]) => told.length === 0)) continue;
        yield* grouped(left & ~group, members[0]!, [...groups, choices]);
      }
    }
  }

  function* completed(
    left: Clients,
    groups: readonly (readonly (readonly [number, readonly Told[]])[])[],
  ): Generator<Lie> {
    const keys = new Set(groups.map((group) => group[0]![1][0]!.keys));
    const idle = membersOf(left).map((client): [number, (Told | undefined)[]] => [
      client,
      [undefined, ...options.get(client)!.masked.filter((told) => keys.has(told.keys))],
    ]);
    yield* combined(
      [...groups.flat(), ...idle],
      new Array<Told | undefined>(clients).fill(undefined),
    );
  }
}

/** Every combination of what each client can be told, without leaving any out. */
export function* allLies(book: AnswerBook, options: ReadonlyMap<number, Options>): Generator<Lie> {
  const choices = [...options].map(
    ([client, { masked, confirmed }]): [number, (Told | undefined)[]] => [
      client,
      [undefined, ...masked, ...confirmed],
    ],
  );
  yield* combined(choices, new Array<Told | undefined>(book.case.clients).fill(undefined));
}

/** The list that is given is the same one every time: whoever keeps it makes a copy. */
function* combined(
  choices: readonly (readonly [client: number, options: readonly (Told | undefined)[]])[],
  lie: (Told | undefined)[],
): Generator<Lie> {
  const [first, ...rest] = choices;
  if (first === undefined) {
    yield lie;
    return;
  }
  const [client, options] = first;
  for (const told of options) {
    lie[client] = told;
    yield* combined(rest, lie);
  }
}
