/**
 * @file The roster as a JSON file, which an operator gives to every participant over a way that is
 * trusted: whoever can change it can pass for anybody.
 *
 * `{ "format": "fedloom identity roster", "version": 1, "members": [{ "client", "publicKey" }, ...] }`
 */

import { ProtocolError } from '../errors.ts';
import { createIdentityRoster, type IdentityRoster } from './identity-roster.ts';
import {
  type JsonFormat,
  keyText,
  malformed,
  readFormat,
  readKey,
  readObject,
  readText,
  writeFormat,
} from './strict-json.ts';

/** Keys are written in hexadecimal. */
export function encodeRosterJson({ members }: IdentityRoster): string {
  return writeFormat(FORMAT, {
    members: members.map(({ client, publicKey }) => ({ client, publicKey: keyText(publicKey) })),
  });
}

/**
 * The order of the members counts: it is part of what signatures name the roster by.
 * @throws ProtocolError `malformed-roster`, naming the place.
 */
export function decodeRosterJson(text: string): IdentityRoster {
  const { members } = readFormat(text, FORMAT, ['members']);
  if (!Array.isArray(members)) throw malformed(FORMAT, '"members" is no list');
  const entries = members.map((member: unknown, i) => {
    const where = `members[${i}]`;
    const { client, publicKey } = readObject(member, FORMAT, where, ['client', 'publicKey']);
    return {
      client: readText(client, FORMAT, `${where}.client`),
      publicKey: readKey(publicKey, FORMAT, `${where}.publicKey`),
    };
  });
  try {
    return createIdentityRoster(entries);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw malformed(FORMAT, error.message.replace(/^\[[^\]]*\] /, ''));
  }
}

const FORMAT: JsonFormat = {
  code: 'malformed-roster',
  name: 'fedloom identity roster',
  version: 1,
  secret: false,
};
