/**
 * @file What the server tells a client about a sum before the client takes part: the session, the
 * client's name, the size of the cohort and the terms. One message for all protocols.
 */

import { DTYPES, type DType, isIntegerDType } from '../../computations/types/index.ts';
import { malformed } from '../../protocols/wire/byte-reader.ts';
import { type MessageCodec, messageCodec } from '../../protocols/wire/message-codec.ts';
import { readUnsigned, writeUnsigned } from '../../protocols/wire/unsigned.ts';
import type { ProtocolParties, SecureSumTask, SecureTerm } from './protocol.ts';

export interface RoundSetup {
  /** 32 bytes, never used for two sums. */
  readonly session: Uint8Array;
  /** Who receives this message. */
  readonly name: string;
  /** How many clients take part. */
  readonly clients: number;
  readonly terms: readonly SecureTerm[];
}

/** The set-up of a task for one party, as bytes. */
export function encodeSetup(
  task: SecureSumTask,
  parties: ProtocolParties,
  name: string,
): Uint8Array {
  return roundSetupCodec.encode({
    session: task.session,
    name,
    clients: parties.clients.length,
    terms: task.terms,
  });
}

export const roundSetupCodec: MessageCodec<RoundSetup> = messageCodec(
  { name: 'round set-up', protocol: 0, message: 1, version: 1 },
  (writer, { session, name, clients, terms }) => {
    writer.bytes(session).text(name).uint32(clients).uint32(terms.length);
    for (const { kind, dtype, length, bound } of terms) {
      writer
        .uint8(kind === 'sum' ? 0 : 1)
        .uint8(DTYPES.indexOf(dtype))
        .uint32(length);
      writeUnsigned(writer, bound);
    }
  },
  (reader, limits) => {
    const session = reader.bytes(64);
    const name = reader.text(256);
    const clients = reader.uint32();
    const count = reader.count(limits.vectors, 8);
    const terms = Array.from({ length: count }, (): SecureTerm => {
      const kind = reader.uint8() === 0 ? 'sum' : 'modular-sum';
      const dtype: DType = DTYPES[reader.uint8()] ?? 'bool';
      if (!isIntegerDType(dtype)) throw malformed('a term that is no integer');
      const length = reader.uint32();
      if (length > limits.values) throw malformed(`a term of ${length} values`);
      return { kind, dtype, length, bound: readUnsigned(reader, limits.modulusBits) };
    });
    return { session, name, clients, terms };
  },
);
