/**
 * @file The messages of the middle stage, and their bytes: sealed perturbations on their way to the
 * server, and from there to whom they are for. The stages before and after it have the messages of
 * pairwise masking: an advertised key, a roster, a masked input.
 */

import { type ByteReader, malformed } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import {
  type DecodingLimits,
  IDENTITY_LIMIT,
  type MessageCodec,
  messageCodec,
} from '../wire/message-codec.ts';
import { SEAL_OVERHEAD } from './sealing.ts';

/** A perturbation that only `peer` and whoever exchanged it with `peer` can open. */
export interface SealedPerturbation {
  /** The recipient on the way to the server, the sender on the way from there. */
  readonly peer: string;
  readonly sealed: Uint8Array;
}

/** Client to server: a perturbation for each other client. */
export interface SentPerturbations {
  readonly kind: 'sent-perturbations';
  readonly session: Uint8Array;
  readonly round: number;
  readonly client: string;
  /** SHA-256 of parameters and roster as this client saw them. */
  readonly transcript: Uint8Array;
  readonly perturbations: readonly SealedPerturbation[];
}

/** Server to client: the perturbations of each other client for this one. */
export interface DeliveredPerturbations {
  readonly kind: 'delivered-perturbations';
  readonly session: Uint8Array;
  readonly round: number;
  /** Whom they are for. */
  readonly client: string;
  readonly perturbations: readonly SealedPerturbation[];
}

export const sentPerturbationsCodec: MessageCodec<SentPerturbations> = messageCodec(
  { name: 'sent perturbations', protocol: 4, message: 1, version: 1 },
  (writer, { session, round, client, transcript, perturbations }) => {
    writer.bytes(session).uint32(round).text(client).raw(transcript);
    writePerturbations(writer, perturbations);
  },
  (reader, limits) => ({
    kind: 'sent-perturbations',
    session: reader.bytes(IDENTITY_LIMIT),
    round: reader.uint32(),
    client: reader.text(IDENTITY_LIMIT),
    transcript: reader.raw(32),
    perturbations: readPerturbations(reader, limits),
  }),
);

export const deliveredPerturbationsCodec: MessageCodec<DeliveredPerturbations> = messageCodec(
  { name: 'delivered perturbations', protocol: 4, message: 2, version: 1 },
  (writer, { session, round, client, perturbations }) => {
    writer.bytes(session).uint32(round).text(client);
    writePerturbations(writer, perturbations);
  },
  (reader, limits) => ({
    kind: 'delivered-perturbations',
    session: reader.bytes(IDENTITY_LIMIT),
    round: reader.uint32(),
    client: reader.text(IDENTITY_LIMIT),
    perturbations: readPerturbations(reader, limits),
  }),
);

function writePerturbations(
  writer: ByteWriter,
  perturbations: readonly SealedPerturbation[],
): void {
  writer.uint32(perturbations.length);
  for (const { peer, sealed } of perturbations) writer.text(peer).bytes(sealed);
}

function readPerturbations(
  reader: ByteReader,
  limits: Required<DecodingLimits>,
): SealedPerturbation[] {
  const count = reader.count(limits.clients, LEAST_BYTES);
  return Array.from({ length: count }, () => {
    const peer = reader.text(IDENTITY_LIMIT);
    const sealed = reader.bytes(limits.messageBytes);
    if (sealed.length < SEAL_OVERHEAD) {
      throw malformed(`${sealed.length} bytes cannot have been sealed`);
    }
    return { peer, sealed };
  });
}

/** Two lengths and the tag of an empty perturbation. */
const LEAST_BYTES = 8 + SEAL_OVERHEAD;
