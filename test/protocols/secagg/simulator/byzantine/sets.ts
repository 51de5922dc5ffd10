/** @file Sets of a few clients as bits of a number. */

export type Clients = number;

export function setOf(clients: Iterable<number>): Clients {
  let set = 0;
  for (const client of clients) set |= 1 << client;
  return set;
}

export function membersOf(set: Clients): number[] {
  const members: number[] = [];
  for (let client = 0; set >> client !== 0; client += 1) if (has(set, client)) members.push(client);
  return members;
}

export function has(set: Clients, client: number): boolean {
  return ((set >> client) & 1) === 1;
}

export function isWithin(part: Clients, whole: Clients): boolean {
  return (part & ~whole) === 0;
}

export function sizeOf(set: Clients): number {
  let count = 0;
  for (let rest = set; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

/** All of them, the empty one first. */
export function* subsetsOf(set: Clients): Generator<Clients> {
  let subset = 0;
  do {
    yield subset;
    subset = (subset - set) & set;
  } while (subset !== 0);
}
