/** @file The cohorts that a server is let loose on, and what it must not get from them. */

import { AnswerBook, type ByzantineCase, type Told } from './answers.ts';
import { Attacker, describeLie, type Lie } from './attack.ts';
import { allLies, liesTo, optionsOf } from './lies.ts';
import { type Clients, membersOf, setOf, sizeOf, subsetsOf } from './sets.ts';

/** Every threshold that is secure with that many corrupt clients, and every choice of those. */
export function securedCases(clients: number): ByzantineCase[] {
  const everyone = setOf(Array(clients).keys());
  const cases: ByzantineCase[] = [];
  for (let threshold = 2; threshold <= clients; threshold += 1) {
    for (const corrupt of subsetsOf(everyone)) {
      const count = sizeOf(corrupt);
      // A sum of two honest clients at least, and 2t > n + C.
      if (threshold - count >= 2 && 2 * threshold > clients + count) {
        cases.push({ clients, threshold, corrupt });
      }
    }
  }
  return cases;
}

/** Of the cases that differ in who is corrupt only, one. */
export function representatives(clients: number): ByzantineCase[] {
  return securedCases(clients).filter(
    ({ corrupt }) => corrupt === setOf(Array(sizeOf(corrupt)).keys()),
  );
}

export function describeCase({ clients, threshold, corrupt }: ByzantineCase): string {
  return `${clients} clients, threshold ${threshold}, corrupt [${membersOf(corrupt).join()}]`;
}

export interface Findings {
  readonly lies: number;
  /** All sums of honest clients that could be had. */
  readonly sums: ReadonlySet<Clients>;
  /** Lies that gave both secrets of somebody. */
  readonly exposing: number;
  /** The sums that were had at once, by one lie. */
  readonly together: ReadonlySet<string>;
  /** For each sum, a lie by which it can be had. */
  readonly examples: ReadonlyMap<Clients, Lie>;
}

export interface Campaign {
  readonly book: AnswerBook;
  readonly attacker: Attacker;
  readonly findings: Findings;
}

export interface CampaignOptions {
  /** Whether clients skip the consistency check. */
  readonly unchecked?: boolean;
  /** Whether to tell those lies too that come to the same as others. */
  readonly every?: boolean;
  /** What clients can be told at all. @default anything */
  readonly among?: (told: Told) => boolean;
}

/** Tells every lie and keeps what it gave. */
export function campaign(
  given: ByzantineCase,
  { unchecked = false, every = unchecked, among = () => true }: CampaignOptions = {},
): Campaign {
  const book = new AnswerBook(given);
  const attacker = new Attacker(book, { unchecked });
  const options = optionsOf(book, among);
  const examples = new Map<Clients, Lie>();
  const together = new Set<string>();
  let [lies, exposing] = [0, 0];
  for (const lie of every ? allLies(book, options) : liesTo(book, options)) {
    lies += 1;
    const { sums, exposed } = attacker.loot(lie);
    if (exposed !== 0) exposing += 1;
    if (sums.length > 0) together.add([...sums].sort((a, b) => a - b).join());
    for (const sum of sums) if (!examples.has(sum)) examples.set(sum, [...lie]);
  }
  const sums = new Set(examples.keys());
  return { book, attacker, findings: { lies, sums, exposing, together, examples } };
}

/** What is wrong with what a campaign found, or nothing. */
export function breachOf({ book, findings }: Campaign): string | undefined {
  const { threshold, corrupt } = book.case;
  for (const [sum, lie] of findings.examples) {
    if (sizeOf(sum) < threshold - sizeOf(corrupt)) {
      return `the sum of [${membersOf(sum).join()}] can be had: ${describeLie(lie)}`;
    }
  }
  if (findings.exposing > 0) return `${findings.exposing} lies give both secrets of a client`;
  for (const sums of findings.together) {
    if (sums.includes(',')) return `several sums can be had at once: ${sums}`;
  }
  return undefined;
}

/** Whether the attacker, with the shares and vectors that it has, really gets the sums. */
export function getsAllSums({ book, attacker, findings }: Campaign): boolean {
  return [...findings.examples].every(([sum, lie]) => {
    const expected = [0, 1].map((k) =>
      membersOf(sum).reduce((total, client) => total + book.inputs[client]![k]!, 0),
    );
    return attacker.unmask(lie, sum).join() === expected.join();
  });
}
