/**
 * @file What a guard tells its owner: each release, each refusal with its rule, each failure in private
 * data. Entries have no values and no secrets. A server decides how often it is refused, so only so
 * many entries of a kind are recorded a day, in all guards that write to one sink: a server that begins
 * anew gets no new ones, and none by which it could push out what it did before.
 */

import {
  ExecutionError,
  FederatedTypeError,
  FedloomError,
  GraphError,
  PolicyError,
  ProtocolAbortError,
  ValueError,
} from '../../computations/types/index.ts';

/** One thing that happened. */
export interface AuditEntry {
  /** Milliseconds since 1970, by the client's clock. */
  readonly time: number;
  /**
   * - `refused`: the server asked for what the policy does not allow.
   * - `failed`: work on private data failed, or a protocol stopped; the server was told no reason.
   * - `released`: a value left, hidden by a protocol.
   * - `suppressed`: more happened on this day than is recorded.
   */
  readonly kind: 'refused' | 'failed' | 'released' | 'suppressed';
  /** The rule that refused, as the policy names it, or the protocol that hid the value. */
  readonly rule: string;
  /** Code and class of an error. */
  readonly code?: string;
  /** What was asked for: names, types, hashes, counts. */
  readonly detail?: string;
}

export interface AuditSink {
  /** Must not throw and must not wait. */
  record(entry: AuditEntry): void;
  /**
   * What failed in private data, in full. Errors may quote data: keep them as you keep the data.
   * @default they are dropped
   */
  failure?(error: unknown): void;
}

export interface AuditOptions {
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
  /** Entries of a kind recorded a day. @default 10,000 */
  readonly entriesPerDay?: number;
}

/** Writes to a sink, as much as its owner can keep. */
export class AuditLog {
  readonly #sink: AuditSink | undefined;
  readonly #now: () => number;
  readonly #most: number;
  readonly #told = new WeakSet<Error>();

  constructor(sink: AuditSink | undefined, { now = Date.now, entriesPerDay }: AuditOptions = {}) {
    this.#sink = sink;
    this.#now = now;
    this.#most = entriesPerDay ?? ENTRIES_PER_DAY;
  }

  record(entry: Omit<AuditEntry, 'time'>): void {
    const sink = this.#sink;
    if (sink === undefined || !this.#hasRoom(sink, entry.kind)) return;
    quietly(() => sink.record({ ...shortened(entry), time: this.#now() }));
  }

  /** A failure in private data: who it was is recorded, and what it said is for the owner alone. */
  failure(error: unknown, rule: string): void {
    const sink = this.#sink;
    if (sink === undefined || !this.#hasRoom(sink, 'failed')) return;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    const name = error instanceof Error ? error.name : typeof error;
    quietly(() =>
      sink.record({ kind: 'failed', rule, code: `${name} ${code}`, time: this.#now() }),
    );
    quietly(() => sink.failure?.(error));
  }

  /** A request that failed by what it asked for; nothing for errors that were recorded already. */
  refusal(error: unknown): void {
    if (!(error instanceof FedloomError) || this.#told.has(error)) return;
    const rule = ruleOf(error);
    if (rule !== undefined)
      this.record({ kind: 'refused', rule, code: error.code, detail: error.message });
  }

  /** Says that an error is in the log. */
  told<E extends Error>(error: E): E {
    this.#told.add(error);
    return error;
  }

  #hasRoom(sink: AuditSink, kind: AuditEntry['kind']): boolean {
    const time = this.#now();
    const recorded = entriesOfDay(sink, time);
    const count = (recorded.get(kind) ?? 0) + 1;
    recorded.set(kind, count);
    if (count <= this.#most) return true;
    if (count === this.#most + 1) {
      const detail = `more than ${this.#most} entries '${kind}' on this day; the rest is not recorded`;
      quietly(() => sink.record({ kind: 'suppressed', rule: 'entriesPerDay', detail, time }));
    }
    return false;
  }
}

/** How many entries of each kind a sink got on one day. */
interface DayOfEntries {
  readonly day: number;
  readonly recorded: Map<AuditEntry['kind'], number>;
}

const daysOfEntries = new WeakMap<AuditSink, DayOfEntries>();

/** A clock that goes back gives no new room. */
function entriesOfDay(sink: AuditSink, time: number): DayOfEntries['recorded'] {
  const day = dayOf(time);
  const known = daysOfEntries.get(sink);
  if (known !== undefined && day <= known.day) return known.recorded;
  const recorded: DayOfEntries['recorded'] = new Map();
  daysOfEntries.set(sink, { day, recorded });
  return recorded;
}

/** By which rule of executors and protocols, beside those of a policy, a request was refused. */
function ruleOf(error: FedloomError): string | undefined {
  if (error instanceof PolicyError) return error.rule;
  if (error instanceof ProtocolAbortError) return `protocol.${error.stage}`;
  if (
    error instanceof GraphError ||
    error instanceof FederatedTypeError ||
    error instanceof ValueError
  ) {
    return 'wellFormed';
  }
  return error instanceof ExecutionError ? REFUSALS[error.code] : undefined;
}

const REFUSALS: { readonly [code: string]: string | undefined } = {
  'execution.linear_reuse': 'linearStates',
  'execution.opaque_value': 'privateValues',
  'execution.unsupported_intrinsic': 'protocols',
  'execution.unsupported_value': 'wellFormed',
  'execution.wrong_value': 'wellFormed',
};

/** The number of a day of UTC. */
export function dayOf(time: number): number {
  return Math.floor(time / 86_400_000);
}

/** Names and types are the server's, who can make them as long as it likes. */
function shortened(entry: Omit<AuditEntry, 'time'>): Omit<AuditEntry, 'time'> {
  const { detail } = entry;
  if (detail === undefined || detail.length <= LONGEST_DETAIL) return entry;
  return { ...entry, detail: `${detail.slice(0, LONGEST_DETAIL)}…` };
}

/** A log that cannot be written is no reason to answer, and none to crash. */
function quietly(write: () => void): void {
  try {
    write();
  } catch {
    // The owner's sink is to blame, and the server is not to be told.
  }
}

const ENTRIES_PER_DAY = 10_000;
const LONGEST_DETAIL = 500;
