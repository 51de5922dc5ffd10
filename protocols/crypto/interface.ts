/**
 * @file What a platform gives the protocols: X25519 (RFC 7748), Ed25519 (RFC 8032), SHA-256, HMAC
 * and HKDF (FIPS 180-4, RFC 2104, RFC 5869), AES-GCM and an AES-CTR keystream (SP 800-38D and 38A),
 * random bytes and a comparison in constant time.
 * `platform.node.ts` and `platform.web.ts` export these names; everything else imports `#crypto`.
 */

import type { SecretBytes } from './secret.ts';

/**
 * Returns `length` fresh bytes that nobody can predict, in an array of their own: where they are a
 * secret, they are overwritten after use.
 */
export type Rng = (length: number) => Uint8Array;

export interface X25519KeyPair {
  readonly secretKey: SecretBytes;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

export interface Ed25519KeyPair {
  /** The seed of RFC 8032, section 5.1.5: 32 bytes. */
  readonly secretKey: SecretBytes;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

export interface HkdfParameters {
  readonly salt?: Uint8Array;
  readonly info?: Uint8Array;
  /** Bytes of output, 0 to 255 * 32. */
  readonly length: number;
}

/** An endless stream of pseudorandom bytes, read in order. */
export interface Keystream {
  /**
   * The next `byteLength` bytes, aligned to 8 bytes. The next read may overwrite or
   * take them away: copy what is to last.
   * @param byteLength 0 to 65,536 (`KEYSTREAM_CHUNK`).
   */
  read(byteLength: number): Uint8Array;
}

/** The longest read of a `Keystream`: it stays in a first-level cache beside what it is added to. */
export const KEYSTREAM_CHUNK = 65_536;

export interface CryptoPlatform {
  readonly platformName: 'node' | 'web';

  /** The default source of randomness, a cryptographically secure one. */
  randomBytes(length: number): Uint8Array;

  /** A fresh key pair from 32 bytes of `rng`. */
  generateX25519KeyPair(rng?: Rng): X25519KeyPair;

  /** @throws ProtocolError `invalid-key-length` unless given 32 bytes. */
  x25519PublicKey(secretKey: SecretBytes): Uint8Array;

  /**
   * @throws ProtocolError `invalid-key-length`, or `low-order-key` where the shared secret would
   * be all zero (RFC 7748, section 6.1): such a key makes it known to everybody.
   */
  x25519SharedSecret(secretKey: SecretBytes, publicKey: Uint8Array): SecretBytes;

  /** A fresh key pair from 32 bytes of `rng`. */
  generateEd25519KeyPair(rng?: Rng): Ed25519KeyPair;

  /** @throws ProtocolError `invalid-key-length` unless given 32 bytes. */
  ed25519PublicKey(secretKey: SecretBytes): Uint8Array;

  /**
   * The signature of RFC 8032, section 5.1.6, which needs no randomness: 64 bytes.
   * @throws ProtocolError `invalid-key-length` unless the key has 32 bytes.
   */
  ed25519Sign(secretKey: SecretBytes, message: Uint8Array): Uint8Array;

  /**
   * Whether the holder of the key signed the message. Bytes of any value and length get a verdict,
   * the same on every platform; `ed25519-encoding.ts` says which signatures are valid.
   */
  ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;

  sha256(data: Uint8Array): Uint8Array;

  /** 32 bytes. */
  hmacSha256(key: SecretBytes | Uint8Array, data: Uint8Array): Uint8Array;

  /** @throws ProtocolError `invalid-length` where more than 255 * 32 bytes are asked for. */
  hkdfSha256(inputKey: SecretBytes | Uint8Array, parameters: HkdfParameters): SecretBytes;

  /**
   * Encrypts and authenticates `plaintext`, and authenticates `aad`.
   * @param key 16 or 32 bytes.
   * @param nonce 12 bytes, never used twice with one key.
   * @returns the ciphertext, as long as the plaintext, and the tag of 16 bytes.
   * @throws ProtocolError `invalid-key-length`, `invalid-length`
   */
  aesGcmSeal(
    key: SecretBytes | Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    plaintext: Uint8Array,
  ): Uint8Array;

  /**
   * The plaintext; nothing where `sealed`, of any length, does not authenticate.
   * @throws ProtocolError `invalid-key-length`, `invalid-length` for a key or nonce of another length.
   */
  aesGcmOpen(
    key: SecretBytes | Uint8Array,
    nonce: Uint8Array,
    aad: Uint8Array,
    sealed: Uint8Array,
  ): Uint8Array | undefined;

  /**
   * @param key 16 or 32 bytes.
   * @param initialCounter 16 bytes.
   * @throws ProtocolError `invalid-key-length`
   */
  aesCtrKeystream(key: SecretBytes | Uint8Array, initialCounter: Uint8Array): Keystream;

  /**
   * Random primes of exactly `bits` bits with the two highest set, where the platform makes them
   * faster than plain JavaScript does; `undefined` elsewhere.
   */
  readonly generatePrime: ((bits: number) => Promise<bigint>) | undefined;

  /** Compares without telling by its time where two arrays of one length differ. */
  equalBytes(left: Uint8Array, right: Uint8Array): boolean;
}
