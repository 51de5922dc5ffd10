/**
 * @file What the server tells a client about a sum before the client takes part: the session, the
 * client's name, the size of the cohort and the terms. One message for all protocols. What makes no
 * sense for anybody is refused here, where every party reads it; the rest is each party's policy.
 */

import {
  DTYPES,
  type DType,
  integerRange,
  isIntegerDType,
} from '../../computations/types/index.ts';
import { type ByteReader, malformed } from '../../protocols/wire/byte-reader.ts';
import {
  type DecodingLimits,
  IDENTITY_LIMIT,
  type MessageCodec,
  messageCodec,
} from '../../protocols/wire/message-codec.ts';
import { readUnsigned, writeUnsigned } from '../../protocols/wire/unsigned.ts';
import type { ReleaseTerms } from '../leaf/operator.ts';
import type { Participant, ProtocolParties, SecureSumTask, SecureTerm } from './protocol.ts';

export interface RoundSetup {
  /** 16 to 64 bytes (ours has 32), never used for two sums. */
  readonly session: Uint8Array;
  /** Who receives this message. */
  readonly name: string;
  /** How many clients take part. */
  readonly clients: number;
  /**
   * How they are called, for those who are no clients, where that is not `clients/0` and so on: in a
   * cohort of a roster they are called by their places in it.
   */
  readonly cohort?: readonly string[];
  readonly terms: readonly SecureTerm[];
  /**
   * The hash of what all values must come from, 32 bytes, for those who add them up. Clients take no
   * notice of it.
   * @default that of the first value
   */
  readonly contextHash?: Uint8Array;
}

/** The set-up of a task for one party, as bytes. */
export function encodeSetup(
  task: SecureSumTask,
  parties: ProtocolParties,
  name: string,
  contextHash?: Uint8Array,
): Uint8Array {
  const { clients } = parties;
  return roundSetupCodec.encode({
    session: task.session,
    name,
    clients: clients.length,
    ...(!name.startsWith('clients/') && !isNumbered(clients) && { cohort: clients.map(nameOf) }),
    terms: task.terms,
    ...(contextHash !== undefined && { contextHash }),
  });
}

function isNumbered(clients: readonly Participant[]): boolean {
  return clients.every(({ name }, i) => name === `clients/${i}`);
}

const nameOf = ({ name }: Participant): string => name;

/** How the clients are called, to whom a role listens. */
export function cohortOf({ clients, cohort }: RoundSetup): readonly string[] {
  return cohort ?? Array.from({ length: clients }, (_, i) => `clients/${i}`);
}

/** Under which terms a value of a round that was set up so is to leave its client. */
export function releaseTerms(
  protocol: string,
  { clients, terms }: Pick<RoundSetup, 'clients' | 'terms'>,
): ReleaseTerms {
  return {
    protocol,
    clients,
    vectors: terms.map(({ kind, length, bound }) => ({
      length,
      largest: kind === 'sum' ? bound : bound - 1n,
    })),
  };
}

export const roundSetupCodec: MessageCodec<RoundSetup> = messageCodec(
  { name: 'round set-up', protocol: 0, message: 1, version: 3 },
  (writer, { session, name, clients, cohort = [], terms, contextHash = NO_CONTEXT }) => {
    writer.bytes(session).text(name).uint32(clients).uint32(terms.length);
    for (const { kind, dtype, length, bound } of terms) {
      writer.uint8(KINDS.indexOf(kind)).uint8(DTYPES.indexOf(dtype)).uint32(length);
      writeUnsigned(writer, bound);
    }
    writer.bytes(contextHash).uint32(cohort.length);
    for (const client of cohort) writer.text(client);
  },
  (reader, limits) => {
    const session = reader.bytes(LONGEST_SESSION);
    if (session.length < SHORTEST_SESSION) throw malformed(`a session of ${session.length} bytes`);
    const name = reader.text(IDENTITY_LIMIT);
    if (name === '') throw malformed('a party without a name');
    const clients = reader.uint32();
    // A party that lists the cohort must not be made to list billions.
    if (clients < 1 || clients > limits.clients) throw malformed(`a cohort of ${clients} clients`);
    const count = reader.count(limits.vectors, 8);
    const terms = Array.from({ length: count }, () => readTerm(reader, limits));
    const values = terms.reduce((total, { length }) => total + length, 0);
    if (values > limits.values) throw malformed(`terms of ${values} values in all`);
    const contextHash = reader.bytes(CONTEXT_BYTES);
    if (contextHash.length !== 0 && contextHash.length !== CONTEXT_BYTES) {
      throw malformed(`a context of ${contextHash.length} bytes`);
    }
    const named = reader.count(limits.clients, 4);
    if (named !== 0 && named !== clients) {
      throw malformed(`${named} names of a cohort of ${clients} clients`);
    }
    const cohort = Array.from({ length: named }, () => reader.text(IDENTITY_LIMIT));
    return {
      session,
      name,
      clients,
      terms,
      ...(contextHash.length > 0 && { contextHash }),
      ...(named > 0 && { cohort }),
    };
  },
);

function readTerm(reader: ByteReader, limits: Required<DecodingLimits>): SecureTerm {
  const kind = KINDS[reader.uint8()];
  const dtype: DType = DTYPES[reader.uint8()] ?? 'bool';
  if (kind === undefined || !isIntegerDType(dtype)) throw malformed('a term of no known kind');
  const length = reader.uint32();
  const bound = readUnsigned(reader, limits.modulusBits);
  // No value of the dtype exceeds its largest, so a larger bound asks for work and nothing else.
  const { max } = integerRange(dtype);
  const [least, most] = kind === 'sum' ? [0n, max] : [2n, max + 1n];
  if (bound < least || bound > most)
    throw malformed(`a bound of ${bound} for a ${kind} of ${dtype}`);
  return { kind, dtype, length, bound };
}

const KINDS = ['sum', 'modular-sum'] as const;
const NO_CONTEXT = new Uint8Array(0);
const CONTEXT_BYTES = 32;
const SHORTEST_SESSION = 16;
const LONGEST_SESSION = 64;
