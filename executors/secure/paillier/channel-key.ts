/**
 * @file The key with which a party opens what is sealed for it, signed by that party: a server that
 * carries it cannot put its own in its place and read along.
 */

import {
  ed25519Sign,
  ed25519Verify,
  type MessageCodec,
  messageCodec,
  type SecretBytes,
  utf8,
} from '../../../protocols/index.ts';
import { ByteWriter } from '../../../protocols/wire/byte-writer.ts';
import { requirePinnedKey } from '../channel-operators.ts';
import { decoded, faultError } from '../faults.ts';
import type { IdentityProvider } from '../identities.ts';
import { identityOf } from './policy.ts';

export interface SignedChannelKey {
  readonly kind: 'signed-channel-key';
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Ed25519, 64 bytes, of the key and the party's name. */
  readonly signature: Uint8Array;
}

export function signChannelKey(
  party: string,
  publicKey: Uint8Array,
  signingKey: SecretBytes,
): Uint8Array {
  const signature = ed25519Sign(signingKey, signedBytes(party, publicKey));
  return signedChannelKeyCodec.encode({ kind: 'signed-channel-key', publicKey, signature });
}

/**
 * The key of `party` in the bytes that a server passed on.
 * @param pinned The one key to accept, if it is known beforehand.
 * @throws ProtocolAbortError `wrong-key`, `wrong-signature`, `unknown-identity`
 */
export function openChannelKey(
  bytes: Uint8Array,
  party: string,
  identities: IdentityProvider,
  pinned?: Uint8Array,
): Uint8Array {
  const { publicKey, signature } = decoded(signedChannelKeyCodec.decode(bytes), party);
  requirePinnedKey(publicKey, pinned, party);
  const { publicKey: identity } = identityOf(identities, party);
  if (ed25519Verify(identity, signedBytes(party, publicKey), signature)) {
    return publicKey;
  }
  throw faultError({
    kind: 'fault',
    stage: 'keys',
    code: 'wrong-signature',
    offender: party,
    message: `the key to seal for "${party}" is not signed by it`,
  });
}

export const signedChannelKeyCodec: MessageCodec<SignedChannelKey> = messageCodec(
  { name: 'signed channel key', protocol: 2, message: 7, version: 1 },
  (writer, { publicKey, signature }) => {
    writer.raw(publicKey).raw(signature);
  },
  (reader) => ({
    kind: 'signed-channel-key',
    publicKey: reader.raw(32),
    signature: reader.raw(64),
  }),
);

function signedBytes(party: string, publicKey: Uint8Array): Uint8Array {
  const domain = utf8('fedloom paillier channel key v1');
  return new ByteWriter().raw(domain).text(party).raw(publicKey).finish();
}
