/** @file Checks at the boundary of the cryptographic platform, the same on Node and on the web. */

import { ProtocolError } from '../errors.ts';
import { KEYSTREAM_CHUNK } from './interface.ts';
import { SecretBytes } from './secret.ts';

export const X25519_KEY_LENGTH = 32;
export const ED25519_KEY_LENGTH = 32;
export const AES_GCM_TAG_LENGTH = 16;
const AES_GCM_NONCE_LENGTH = 12;
const HKDF_SHA256_LIMIT = 255 * 32;

export function reveal(bytes: SecretBytes | Uint8Array): Uint8Array {
  return bytes instanceof SecretBytes ? bytes.reveal() : bytes;
}

export function checkX25519Key(what: 'public' | 'secret', key: { readonly length: number }): void {
  if (key.length !== X25519_KEY_LENGTH) {
    throw new ProtocolError(
      'invalid-key-length',
      `an X25519 ${what} key has ${X25519_KEY_LENGTH} bytes, got ${key.length}`,
    );
  }
}

export function checkEd25519SecretKey(key: { readonly length: number }): void {
  if (key.length !== ED25519_KEY_LENGTH) {
    throw new ProtocolError(
      'invalid-key-length',
      `an Ed25519 secret key has ${ED25519_KEY_LENGTH} bytes, got ${key.length}`,
    );
  }
}

export function lowOrderKey(cause?: unknown): ProtocolError {
  return new ProtocolError(
    'low-order-key',
    'the X25519 public key has low order: the shared secret would be zero',
    cause === undefined ? undefined : { cause },
  );
}

export function checkHkdfLength(length: number): void {
  if (!Number.isInteger(length) || length < 0 || length > HKDF_SHA256_LIMIT) {
    throw new ProtocolError(
      'invalid-length',
      `HKDF-SHA256 gives 0 to ${HKDF_SHA256_LIMIT} bytes, asked for ${length}`,
    );
  }
}

export function checkAesGcmParameters(key: Uint8Array, nonce: Uint8Array): void {
  checkAesKey(key);
  if (nonce.length !== AES_GCM_NONCE_LENGTH) {
    throw new ProtocolError(
      'invalid-length',
      `an AES-GCM nonce has ${AES_GCM_NONCE_LENGTH} bytes here, got ${nonce.length}`,
    );
  }
}

export function checkAesParameters(key: Uint8Array, initialCounter: Uint8Array): void {
  checkAesKey(key);
  if (initialCounter.length !== 16) {
    throw new ProtocolError(
      'invalid-length',
      `an AES counter block has 16 bytes, got ${initialCounter.length}`,
    );
  }
}

function checkAesKey(key: Uint8Array): void {
  if (key.length !== 16 && key.length !== 32) {
    throw new ProtocolError(
      'invalid-key-length',
      `an AES key has 16 or 32 bytes here, got ${key.length}`,
    );
  }
}

export function checkKeystreamRead(byteLength: number): void {
  if (!Number.isInteger(byteLength) || byteLength < 0 || byteLength > KEYSTREAM_CHUNK) {
    throw new ProtocolError(
      'invalid-length',
      `a keystream is read 0 to ${KEYSTREAM_CHUNK} bytes at a time, got ${byteLength}`,
    );
  }
}

/** Takes `length` bytes from a caller's source and refuses a source that returns anything else. */
export function drawBytes(rng: (length: number) => Uint8Array, length: number): Uint8Array {
  const bytes = rng(length);
  if (!(bytes instanceof Uint8Array) || bytes.length !== length) {
    throw new ProtocolError(
      'invalid-argument',
      `rng(${length}) must return a Uint8Array of ${length} bytes`,
    );
  }
  return bytes;
}
