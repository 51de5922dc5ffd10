/**
 * @file The implementations of each primitive that Fedloom runs on, behind one asynchronous face: both
 * platforms, Web Cryptography (under HPKE and in browsers) and HPKE's own X25519.
 */

import { DhkemX25519HkdfSha256 } from '@hpke/dhkem-x25519';
import type { CryptoPlatform } from '../../../protocols/crypto/interface.ts';
import * as node from '../../../protocols/crypto/platform.node.ts';
import * as web from '../../../protocols/crypto/platform.web.ts';
import { concatBytes, ProtocolError, SecretBytes, utf8 } from '../../../protocols/index.ts';

export const platforms: readonly CryptoPlatform[] = [node, web];

/** Something that gives bytes, or nothing where it refuses its arguments. */
type Attempt = Promise<Uint8Array | undefined>;

export interface X25519Implementation {
  readonly name: string;
  agree(secretKey: Uint8Array, publicKey: Uint8Array): Attempt;
  /** What `agree` gives where the shared secret of RFC 7748 is `shared`. */
  expected(secretKey: Uint8Array, publicKey: Uint8Array, shared: Uint8Array): Uint8Array;
}

export interface Ed25519Implementation {
  readonly name: string;
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

export interface AesGcmImplementation {
  readonly name: string;
  seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Attempt;
  open(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Attempt;
}

export interface HkdfImplementation {
  readonly name: string;
  derive(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Attempt;
}

export const x25519Implementations: readonly X25519Implementation[] = [
  ...platforms.map((platform) => ({
    name: platform.platformName,
    agree: (secretKey: Uint8Array, publicKey: Uint8Array) =>
      refusing(() =>
        platform.x25519SharedSecret(new SecretBytes(secretKey.slice()), publicKey).reveal(),
      ),
    expected: sharedItself,
  })),
  {
    name: 'Web Cryptography',
    agree: (secretKey, publicKey) =>
      refusing(async () => {
        const { subtle } = globalThis.crypto;
        const privateKey = await subtle.importKey(
          'pkcs8',
          owned(concatBytes(X25519_PKCS8, secretKey)),
          'X25519',
          false,
          ['deriveBits'],
        );
        const peerKey = await subtle.importKey('raw', owned(publicKey), 'X25519', false, []);
        const algorithm = { name: 'X25519', public: peerKey };
        return new Uint8Array(await subtle.deriveBits(algorithm, privateKey, 256));
      }, isWebRefusal),
    expected: sharedItself,
  },
  {
    name: 'HPKE',
    agree: (secretKey, publicKey) =>
      refusing(async () => {
        const kem = new DhkemX25519HkdfSha256();
        const recipientKey = {
          privateKey: await kem.deserializePrivateKey(owned(secretKey)),
          publicKey: await kem.deserializePublicKey(owned(publicKeyOf(secretKey))),
        };
        return new Uint8Array(await kem.decap({ recipientKey, enc: owned(publicKey) }));
      }, isWebRefusal),
    // RFC 9180, section 4.1: ExtractAndExpand(dh, enc || pkRm).
    expected(secretKey, publicKey, shared) {
      const suite = concatBytes(utf8('KEM'), Uint8Array.of(0, 0x20));
      const version = utf8('HPKE-v1');
      const ikm = concatBytes(version, suite, utf8('eae_prk'), shared);
      const info = concatBytes(
        Uint8Array.of(0, 32),
        version,
        suite,
        utf8('shared_secret'),
        publicKey,
        publicKeyOf(secretKey),
      );
      return node.hkdfSha256(ikm, { info, length: 32 }).reveal();
    },
  },
];

export const ed25519Implementations: readonly Ed25519Implementation[] = [
  ...platforms.map((platform) => ({
    name: platform.platformName,
    verify: async (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
      platform.ed25519Verify(publicKey, message, signature),
  })),
  {
    name: 'Web Cryptography',
    async verify(publicKey, message, signature) {
      const { subtle } = globalThis.crypto;
      const key = await subtle.importKey('raw', owned(publicKey), 'Ed25519', false, ['verify']);
      return subtle.verify('Ed25519', key, owned(signature), owned(message));
    },
  },
];

export const aesGcmImplementations: readonly AesGcmImplementation[] = [
  ...platforms.map((platform) => ({
    name: platform.platformName,
    seal: (...args: Parameters<CryptoPlatform['aesGcmSeal']>) =>
      refusing(() => platform.aesGcmSeal(...args)),
    open: (...args: Parameters<CryptoPlatform['aesGcmOpen']>) =>
      refusing(() => platform.aesGcmOpen(...args)),
  })),
  {
    name: 'Web Cryptography',
    seal: (key, iv, aad, plaintext) =>
      refusing(async () => {
        const algorithm = { name: 'AES-GCM', iv: owned(iv), additionalData: owned(aad) };
        const { subtle } = globalThis.crypto;
        const imported = await subtle.importKey('raw', owned(key), 'AES-GCM', false, ['encrypt']);
        return new Uint8Array(await subtle.encrypt(algorithm, imported, owned(plaintext)));
      }, isWebRefusal),
    open: (key, iv, aad, sealed) =>
      refusing(async () => {
        const algorithm = { name: 'AES-GCM', iv: owned(iv), additionalData: owned(aad) };
        const { subtle } = globalThis.crypto;
        const imported = await subtle.importKey('raw', owned(key), 'AES-GCM', false, ['decrypt']);
        return new Uint8Array(await subtle.decrypt(algorithm, imported, owned(sealed)));
      }, isWebRefusal),
  },
];

export const hkdfImplementations: readonly HkdfImplementation[] = [
  ...platforms.map((platform) => ({
    name: platform.platformName,
    derive: (ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number) =>
      refusing(() => platform.hkdfSha256(ikm, { salt, info, length }).reveal()),
  })),
  {
    name: 'Web Cryptography',
    derive: (ikm, salt, info, length) =>
      refusing(async () => {
        const { subtle } = globalThis.crypto;
        const key = await subtle.importKey('raw', owned(ikm), 'HKDF', false, ['deriveBits']);
        const algorithm = { name: 'HKDF', hash: 'SHA-256', salt: owned(salt), info: owned(info) };
        return new Uint8Array(await subtle.deriveBits(algorithm, key, 8 * length));
      }, isWebRefusal),
  },
];

/** Whether this runtime's Web Cryptography knows a curve; browsers learnt them in 2023 to 2025. */
export async function webCryptographyHas(curve: 'X25519' | 'Ed25519'): Promise<boolean> {
  try {
    const bytes = owned(new Uint8Array(32).fill(9));
    const uses: KeyUsage[] = curve === 'Ed25519' ? ['verify'] : [];
    await globalThis.crypto.subtle.importKey('raw', bytes, curve, false, uses);
    return true;
  } catch {
    return false;
  }
}

/** Turns a refusal that `isRefusal` knows into nothing; anything else that is thrown fails the test. */
async function refusing<Result>(
  attempt: () => Result | Promise<Result>,
  isRefusal: (error: unknown) => boolean = (error) => error instanceof ProtocolError,
): Promise<Result | undefined> {
  try {
    return await attempt();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return undefined;
  }
}

function isWebRefusal(error: unknown): boolean {
  return error instanceof Error;
}

function sharedItself(_secret: Uint8Array, _public: Uint8Array, shared: Uint8Array): Uint8Array {
  return shared;
}

function publicKeyOf(secretKey: Uint8Array): Uint8Array {
  return node.x25519PublicKey(new SecretBytes(secretKey.slice()));
}

/** Web Cryptography's types ask for bytes that are not shared between threads. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/** RFC 8410, section 7. */
const X25519_PKCS8 = Uint8Array.from([
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20,
]);
