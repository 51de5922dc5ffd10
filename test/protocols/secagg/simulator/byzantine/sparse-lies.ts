/** @file All lies to the clients of a small sparse graph, and what they give. */

import { sumsOf } from './attack.ts';
import { type Clients, has, membersOf, setOf, sizeOf, subsetsOf } from './sets.ts';
import type { Given, SparseBook } from './sparse.ts';

/** What one client is told. */
interface SparseTold {
  readonly present: Clients;
  readonly alive: Clients;
}

export interface SparseFindings {
  readonly lies: number;
  readonly exposing: number;
  /** Sums that can be had. */
  readonly sums: ReadonlySet<Clients>;
}

export function lieToSparseGraph(book: SparseBook): SparseFindings {
  const { honest } = book;
  const clients = membersOf(honest);
  const options = clients.map((client) => optionsOf(book, client));
  const told = new Array<SparseTold>(book.case.clients).fill({ present: 0, alive: 0 });
  const answers = new Map<string, Given | undefined>();
  const sums = new Set<Clients>();
  let [lies, exposing] = [0, 0];
  const tell = (next: number): void => {
    if (next < clients.length) {
      for (const option of options[next]!) {
        told[clients[next]!] = option;
        tell(next + 1);
      }
      return;
    }
    lies += 1;
    const { maskKeys, selfMasks } = secretsFrom(book, told, (client, proven, acks) => {
      const { present, alive } = told[client]!;
      const question = `${client} ${present} ${alive} ${proven} ${acks}`;
      if (!answers.has(question)) {
        answers.set(question, book.gives(client, { present, alive, proven }, acks));
      }
      return answers.get(question);
    });
    if ((maskKeys & selfMasks & honest) !== 0) exposing += 1;
    const lie = told.map(({ present }, client) =>
      has(honest, client) ? { keys: honest, present, alive: 0 } : undefined,
    );
    for (const sum of sumsOf(lie, honest, maskKeys | book.case.corrupt, selfMasks)) sums.add(sum);
  };
  tell(0);
  return { lies, exposing, sums };
}

/** Whether everybody in the sum chose t - 1 clients that are in it or corrupt. */
export function isClosedIn({ clients, case: given }: SparseBook, sum: Clients): boolean {
  return membersOf(sum).every(
    (client) => sizeOf(clients.get(client)!.holders & (sum | given.corrupt)) >= given.threshold - 1,
  );
}

function optionsOf(book: SparseBook, client: number): SparseTold[] {
  const { holders, dealers } = book.clients.get(client)!;
  return [...subsetsOf(holders | dealers)]
    .filter((present) => book.accepts(client, present))
    .flatMap((present) => [...subsetsOf(dealers & present)].map((alive) => ({ present, alive })));
}

/** Of whom `threshold` shares come together. */
function secretsFrom(
  { clients, honest, case: given }: SparseBook,
  told: readonly SparseTold[],
  ask: (client: number, proven: Clients, acks: Clients) => Given | undefined,
): { readonly maskKeys: Clients; readonly selfMasks: Clients } {
  const selfPoints = new Array<Clients>(given.clients).fill(0);
  const maskPoints = new Array<Clients>(given.clients).fill(0);
  const all = membersOf(honest);
  for (const client of all) {
    const bad = clients.get(client)!.holders & given.corrupt;
    selfPoints[client]! |= bad;
    maskPoints[client]! |= bad;
  }
  // A dealer that masked with a holder stated so; a holder that is told of that states so in turn.
  const provenTo = all.map((holder) => {
    const { alive } = told[holder]!;
    return setOf(membersOf(alive).filter((dealer) => has(told[dealer]!.present, holder)));
  });
  for (const [i, client] of all.entries()) {
    const { holders } = clients.get(client)!;
    const acks = setOf(
      membersOf(holders & told[client]!.present).filter(
        (holder) => has(given.corrupt, holder) || has(provenTo[all.indexOf(holder)]!, client),
      ),
    );
    const answer = ask(client, provenTo[i]!, acks);
    if (answer === undefined) continue;
    for (const owner of membersOf(answer.selfMasks)) selfPoints[owner]! |= 1 << client;
    for (const owner of membersOf(answer.maskKeys)) maskPoints[owner]! |= 1 << client;
  }
  const enough = (points: readonly Clients[]): Clients =>
    setOf(all.filter((client) => sizeOf(points[client]!) >= given.threshold));
  return { maskKeys: enough(maskPoints), selfMasks: enough(selfPoints) };
}
