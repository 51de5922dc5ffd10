/**
 * @file Hybrid public-key encryption (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
 * AES-128-GCM, one message a call, with or without authentication of the sender (mode_auth).
 * Asynchronous because the library runs AES on Web Cryptography.
 */

import { Aes128Gcm, CipherSuite, HkdfSha256 } from '@hpke/core';
import { DhkemX25519HkdfSha256 } from '@hpke/dhkem-x25519';
import { randomBytes } from '#crypto';
import { ProtocolError } from '../errors.ts';
import { checkX25519Key, drawBytes } from './checks.ts';
import type { Rng, X25519KeyPair } from './interface.ts';
import { SecretBytes } from './secret.ts';

/** What a message is bound to; opening needs the same bytes. */
export interface HpkeBinding {
  readonly info: Uint8Array;
  readonly aad: Uint8Array;
}

export interface SealOptions extends HpkeBinding {
  readonly plaintext: Uint8Array;
  /** Authenticates the sender to the recipient (RFC 9180, section 5.1.3). */
  readonly senderKeys?: X25519KeyPair;
  /** @default the platform's `randomBytes` */
  readonly rng?: Rng;
}

export interface OpenOptions extends HpkeBinding {
  readonly sealed: SealedMessage;
  /** The key that the sender must hold; leave out where the sender did not authenticate. */
  readonly senderPublicKey?: Uint8Array;
}

export interface SealedMessage {
  /** The encapsulated key, 32 bytes. */
  readonly encapsulatedKey: Uint8Array;
  /** The plaintext's length and 16 bytes. */
  readonly ciphertext: Uint8Array;
}

/** RFC 9180, section 7.1.3: DeriveKeyPair over 32 bytes of `rng`. */
export async function generateRecipientKeys(rng: Rng = randomBytes): Promise<X25519KeyPair> {
  const pair = await suite.kem.deriveKeyPair(drawBytes(rng, 32));
  return {
    secretKey: new SecretBytes(
      new Uint8Array(await suite.kem.serializePrivateKey(pair.privateKey)),
    ),
    publicKey: new Uint8Array(await suite.kem.serializePublicKey(pair.publicKey)),
  };
}

/** @throws ProtocolError `invalid-key-length`, `low-order-key` */
export async function seal(
  recipientPublicKey: Uint8Array,
  { info, aad, plaintext, senderKeys, rng = randomBytes }: SealOptions,
): Promise<SealedMessage> {
  const recipient = await importPublicKey(recipientPublicKey);
  const senderKey = senderKeys === undefined ? undefined : await importKeyPair(senderKeys);
  // The library marks `ekm` as a means of testing because a constant there breaks the scheme; with
  // fresh bytes it is RFC 9180's GenerateKeyPair, and it lets the caller choose the randomness.
  const ekm = drawBytes(rng, 32);
  try {
    const { enc, ct } = await suite.seal(
      {
        recipientPublicKey: recipient,
        info,
        ekm,
        ...(senderKey === undefined ? {} : { senderKey }),
      },
      plaintext,
      aad,
    );
    return { encapsulatedKey: new Uint8Array(enc), ciphertext: new Uint8Array(ct) };
  } catch (cause) {
    throw new ProtocolError('low-order-key', 'no shared secret with this recipient key', { cause });
  }
}

/**
 * @throws ProtocolError `open-failed`: another recipient, another sender, other bound bytes or a
 * changed ciphertext; which of them is not told.
 */
export async function open(
  recipientKeys: X25519KeyPair,
  { info, aad, sealed, senderPublicKey }: OpenOptions,
): Promise<Uint8Array> {
  const recipientKey = await importKeyPair(recipientKeys);
  const sender = senderPublicKey === undefined ? undefined : await importPublicKey(senderPublicKey);
  try {
    const plaintext = await suite.open(
      {
        recipientKey,
        info,
        enc: sealed.encapsulatedKey,
        ...(sender === undefined ? {} : { senderPublicKey: sender }),
      },
      sealed.ciphertext,
      aad,
    );
    return new Uint8Array(plaintext);
  } catch (cause) {
    throw new ProtocolError('open-failed', 'the sealed message does not open', { cause });
  }
}

async function importKeyPair({ secretKey, publicKey }: X25519KeyPair): Promise<CryptoKeyPair> {
  checkX25519Key('secret', secretKey);
  return {
    privateKey: await suite.kem.deserializePrivateKey(secretKey.reveal()),
    publicKey: await importPublicKey(publicKey),
  };
}

function importPublicKey(publicKey: Uint8Array): Promise<CryptoKey> {
  checkX25519Key('public', publicKey);
  return suite.kem.deserializePublicKey(publicKey);
}

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes128Gcm(),
});
