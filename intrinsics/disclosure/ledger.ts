/** @file What the analysis has found to leave the clients, in order, and what is public after that. */

import { type Fact, mapOrigins, originsOf } from './facts.ts';
import {
  clientData,
  disclosedBy,
  type Origin,
  type Origins,
  OriginTable,
  PUBLIC,
  union,
} from './origins.ts';
import type { DisclosureEntry, Producer } from './report.ts';

/** What the caller knows of an entry; the rest follows from the value. */
export type EntryDetails = Pick<DisclosureEntry, 'via' | 'type' | 'bound' | 'at'>;

export class Ledger {
  readonly origins: OriginTable = new OriginTable();
  readonly #entries: DisclosureEntry[] = [];
  readonly #known = new Map<string, DisclosureEntry>();
  readonly #calls = new Map<object, number>();
  readonly #path: number[] = [];

  get entries(): readonly DisclosureEntry[] {
    return this.#entries;
  }

  /** Runs `work` as part of a call: what it discloses is told apart from what other calls do. */
  within<T>(call: object, work: () => T): T {
    const id = this.#calls.get(call) ?? this.#calls.size;
    this.#calls.set(call, id);
    this.#path.push(id);
    try {
      return work();
    } finally {
      this.#path.pop();
    }
  }

  /**
   * A value of the clients becomes known to the server, or to the caller.
   * @returns the value as the server has it: what was client data is from now on what this entry
   *   disclosed. A value without client data is no disclosure, and makes no entry.
   */
  leave(value: Fact, producer: Producer | null, details: EntryDetails): Fact {
    const from = clientData(originsOf(value));
    if (from.length === 0) return mapOrigins(value, withoutPlace);
    const { via, ...more } = details;
    const entry = this.#enter({
      kind: 'disclosure',
      via,
      ...producer,
      from: from.toSorted(inOrder),
      to: via === 'returned' ? 'driver' : 'server',
      ...more,
    });
    const known = new Set<Origin>([this.#disclosed(entry)]);
    return mapOrigins(value, (origins) =>
      clientData(origins).length === 0
        ? withoutPlace(origins)
        : union(known, new Set([...origins].filter(({ kind }) => kind === 'disclosed'))),
    );
  }

  /** The server sends a value to the clients; worth an entry if clients' data decided it. */
  send(value: Fact, producer: Producer, type: string): void {
    const causes = disclosedBy(originsOf(value));
    if (causes.length === 0) return;
    this.#enter({
      kind: 'information',
      via: 'broadcast',
      ...producer,
      from: [...new Set(causes.flatMap(({ from }) => from))].toSorted(inOrder),
      to: 'clients',
      type,
      through: causes.map((cause) => this.#entries.indexOf(cause)).toSorted((a, b) => a - b),
    });
  }

  /** One entry for each call in each place from which it is reached, however often it is analysed. */
  #enter(entry: DisclosureEntry): DisclosureEntry {
    const key = JSON.stringify([this.#path, entry]);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const frozen = Object.freeze(entry);
    this.#known.set(key, frozen);
    this.#entries.push(frozen);
    return frozen;
  }

  readonly #disclosedOrigins = new Map<DisclosureEntry, Origin>();

  #disclosed(entry: DisclosureEntry): Origin {
    const origin = this.#disclosedOrigins.get(entry) ?? { kind: 'disclosed', entry };
    this.#disclosedOrigins.set(entry, origin);
    return origin;
  }
}

/** Named data that unplaced code used at the server is the server's. */
function withoutPlace(origins: Origins): Origins {
  const placed = [...origins].filter(({ kind }) => kind !== 'unplaced');
  return placed.length === origins.size ? origins : placed.length === 0 ? PUBLIC : new Set(placed);
}

function inOrder(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
