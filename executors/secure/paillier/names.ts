/** @file Whose masks the server asks for: those whose inputs the key holder took. */

import { type MessageCodec, messageCodec } from '../../../protocols/index.ts';
import { IDENTITY_LIMIT } from '../../../protocols/wire/message-codec.ts';

export interface ClientNames {
  readonly kind: 'names';
  readonly clients: readonly string[];
}

export const namesCodec: MessageCodec<ClientNames> = messageCodec(
  { name: 'names of clients', protocol: 2, message: 9, version: 1 },
  (writer, { clients }) => {
    writer.uint32(clients.length);
    for (const client of clients) writer.text(client);
  },
  (reader, limits) => ({
    kind: 'names',
    clients: Array.from({ length: reader.count(limits.clients, 4) }, () =>
      reader.text(IDENTITY_LIMIT),
    ),
  }),
);
