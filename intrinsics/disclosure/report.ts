/** @file The disclosure report: plain data, and a table that needs no knowledge of the language to read. */

import type { SourceLocation } from '../../computations/call-site.ts';
import { printReport } from './table.ts';

/**
 * How something leaves the clients:
 * - `plain`: the server sees each client's value;
 * - `secure`: the server sees a sum over the clients, and no client's value;
 * - `keys`: the server sees which slices each client asks for;
 * - `returned`: each client's value is handed to the caller, as a result;
 * - `broadcast`: nothing leaves; the server sends to all clients what it computed from earlier
 *   disclosures.
 */
export type DisclosureVia = 'plain' | 'secure' | 'keys' | 'returned' | 'broadcast';

/** What bounds the clients' values in a secure sum. */
export interface SecureBound {
  readonly kind: 'max' | 'bitwidth' | 'modulus';
  /** One for all tensors, or a structure of them, like the value. */
  readonly value: BoundValue;
}

/**
 * A bound: a number, decimal digits where a number is not exact, or `null` if it is computed while
 * the computation runs.
 */
export type BoundValue =
  | number
  | string
  | null
  | readonly BoundValue[]
  | { readonly [name: string]: BoundValue };

/** The call of an intrinsic, as the user wrote it. */
export interface Producer {
  /** URI; of the composite intrinsic, if a reduction of it was analysed. */
  readonly intrinsic: string;
  /** Where the user's code called it, if it was traced in this process. */
  readonly source?: SourceLocation;
}

export interface DisclosureEntry extends Partial<Producer> {
  /** `information` is a consequence of earlier entries; by itself it discloses nothing. */
  readonly kind: 'disclosure' | 'information';
  readonly via: DisclosureVia;
  /**
   * The clients' data that it was computed from: paths from the parameters (`examples[*].label`),
   * `length of examples` for the number of elements of a sequence, `data(uri)` for data that the
   * clients find by name, `operator(uri)` for what an operator at the client makes of its own.
   */
  readonly from: readonly string[];
  readonly to: 'server' | 'driver' | 'clients';
  /** Compact notation of what leaves: each client's value, or the sum if it is secure. */
  readonly type: string;
  /** For a secure sum. */
  readonly bound?: SecureBound;
  /** For what is returned: the path in the result; empty if it is the result. */
  readonly at?: string;
  /** For a broadcast: positions, in `entries`, of what the server computed it from. */
  readonly through?: readonly number[];
}

/** What leaves the clients when a computation runs; serialises as JSON. */
export interface DisclosureReport {
  /** Name of the computation, if it has one. */
  readonly name: string | null;
  /** Compact notation of its type. */
  readonly type: string;
  /** In the order in which it happens. Empty if nothing derived from clients' data leaves them. */
  readonly entries: readonly DisclosureEntry[];
  /** An aligned table in plain words. */
  toString(): string;
}

export function makeReport(
  name: string | null,
  type: string,
  entries: readonly DisclosureEntry[],
): DisclosureReport {
  const report = { name, type, entries: Object.freeze([...entries]) };
  const text = (): string => printReport(report);
  // Not enumerable, so that the report stays plain data for JSON, copies and comparisons.
  Object.defineProperties(report, {
    toString: { value: text },
    [Symbol.for('nodejs.util.inspect.custom')]: { value: text },
  });
  return Object.freeze(report);
}
