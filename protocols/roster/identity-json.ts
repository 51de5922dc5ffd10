/**
 * @file A client's identity as a JSON file, for that client alone: it has the secret key in it.
 *
 * `{ "format": "fedloom identity", "version": 1, "client", "publicKey", "secretKey" }`
 */

import { ed25519PublicKey, equalBytes } from '#crypto';
import { utf8 } from '../crypto/bytes.ts';
import { SecretBytes } from '../crypto/secret.ts';
import { problemOfIdentity } from '../masking/identities.ts';
import type { Identity } from './identity.ts';
import {
  type JsonFormat,
  keyText,
  malformed,
  readFormat,
  readKey,
  readText,
  writeFormat,
} from './strict-json.ts';

/** UTF-8, to be written where only the client reads it, and erased. */
export function encodeIdentityJson({ client, publicKey, secretKey }: Identity): SecretBytes {
  return new SecretBytes(
    utf8(
      writeFormat(FORMAT, {
        client,
        publicKey: keyText(publicKey),
        secretKey: keyText(secretKey.reveal()),
      }),
    ),
  );
}

/**
 * @throws ProtocolError `malformed-identity`, which quotes nothing of the text; also where the two keys
 *   are no pair.
 */
export function decodeIdentityJson(text: string): Identity {
  const read = readFormat(text, FORMAT, ['client', 'publicKey', 'secretKey']);
  const client = readText(read.client, FORMAT, '"client"');
  if (problemOfIdentity(client) !== undefined) {
    throw malformed(FORMAT, '"client" is not 1 to 256 bytes of UTF-8');
  }
  const publicKey = readKey(read.publicKey, FORMAT, '"publicKey"');
  const secretKey = new SecretBytes(readKey(read.secretKey, FORMAT, '"secretKey"'));
  if (!equalBytes(ed25519PublicKey(secretKey), publicKey)) {
    secretKey.erase();
    throw malformed(FORMAT, '"publicKey" is not the one of "secretKey"');
  }
  return { client, publicKey, secretKey };
}

const FORMAT: JsonFormat = {
  code: 'malformed-identity',
  name: 'fedloom identity',
  version: 1,
  secret: true,
};
