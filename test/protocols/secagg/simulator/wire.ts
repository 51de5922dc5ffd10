/** @file All messages of a round as bytes, and back without knowing which one it is. */

import {
  advertisementCodec,
  announcementCodec,
  type ClientMessage,
  commitmentCodec,
  confirmationCodec,
  confirmationsCodec,
  dealtSharesCodec,
  isFault,
  type MessageCodec,
  maskedVectorsCodec,
  neighbourChoiceCodec,
  neighbourhoodCodec,
  revealedSharesCodec,
  type ServerMessage,
  sharedSecretsCodec,
  survivorSetCodec,
} from '../../../../protocols/index.ts';

export type AnyMessage = ClientMessage | ServerMessage;

export function encode(message: AnyMessage): Uint8Array {
  return codecOf(message.kind).encode(message);
}

/** @returns nothing for bytes that are no message of a client */
export function decodeFromClient(bytes: Uint8Array): ClientMessage | undefined {
  const message = decode(bytes);
  return message !== undefined && FROM_CLIENT.has(message.kind)
    ? (message as ClientMessage)
    : undefined;
}

/** @returns nothing for bytes that are no message of a server */
export function decodeFromServer(bytes: Uint8Array): ServerMessage | undefined {
  const message = decode(bytes);
  return message !== undefined && !FROM_CLIENT.has(message.kind)
    ? (message as ServerMessage)
    : undefined;
}

function decode(bytes: Uint8Array): AnyMessage | undefined {
  // "FL", the protocol, the message, the version.
  const kind = KINDS[(bytes[3] ?? 0) - 1];
  if (kind === undefined) return undefined;
  const message = codecOf(kind).decode(bytes);
  return isFault(message) ? undefined : (message as AnyMessage);
}

function codecOf(kind: AnyMessage['kind']): MessageCodec<AnyMessage> {
  return CODECS[kind] as MessageCodec<AnyMessage>;
}

const CODECS: { readonly [kind in AnyMessage['kind']]: unknown } = {
  announcement: announcementCodec,
  advertisement: advertisementCodec,
  commitment: commitmentCodec,
  'neighbour-choice': neighbourChoiceCodec,
  neighbourhood: neighbourhoodCodec,
  'shared-secrets': sharedSecretsCodec,
  'dealt-shares': dealtSharesCodec,
  'masked-vectors': maskedVectorsCodec,
  'survivor-set': survivorSetCodec,
  confirmation: confirmationCodec,
  confirmations: confirmationsCodec,
  'revealed-shares': revealedSharesCodec,
};

/** In the order of their numbers on the wire. */
const KINDS = Object.keys(CODECS) as AnyMessage['kind'][];

const FROM_CLIENT: ReadonlySet<AnyMessage['kind']> = new Set([
  'advertisement',
  'neighbour-choice',
  'shared-secrets',
  'masked-vectors',
  'confirmation',
  'revealed-shares',
]);
