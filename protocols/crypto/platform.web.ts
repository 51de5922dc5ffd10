/** @file The cryptographic platform in plain JavaScript, for browsers: noble curves, hashes and ciphers. */

import { ctr, gcm } from '@noble/ciphers/aes.js';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 as nobleSha256, sha512 } from '@noble/hashes/sha2.js';
import { ProtocolError } from '../errors.ts';
import { bigIntFromBytes, concatBytes } from './bytes.ts';
import {
  AES_GCM_TAG_LENGTH,
  checkAesGcmParameters,
  checkAesParameters,
  checkEd25519SecretKey,
  checkHkdfLength,
  checkKeystreamRead,
  checkX25519Key,
  drawBytes,
  ED25519_KEY_LENGTH,
  lowOrderKey,
  reveal,
  X25519_KEY_LENGTH,
} from './checks.ts';
import { isEd25519Encoding } from './ed25519-encoding.ts';
import type { Ed25519KeyPair, HkdfParameters, Keystream, Rng, X25519KeyPair } from './interface.ts';
import { SecretBytes } from './secret.ts';

export const platformName = 'web';

/** Browsers have none. */
export const generatePrime: ((bits: number) => Promise<bigint>) | undefined = undefined;

export function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  // Web Cryptography, section 10.1.1: at most 65,536 bytes a call.
  for (let start = 0; start < length; start += 65_536) {
    globalThis.crypto.getRandomValues(bytes.subarray(start, start + 65_536));
  }
  return bytes;
}

export function generateX25519KeyPair(rng: Rng = randomBytes): X25519KeyPair {
  const secretKey = new SecretBytes(drawBytes(rng, X25519_KEY_LENGTH));
  return { secretKey, publicKey: x25519PublicKey(secretKey) };
}

export function x25519PublicKey(secretKey: SecretBytes): Uint8Array {
  checkX25519Key('secret', secretKey);
  return x25519.getPublicKey(secretKey.reveal());
}

export function x25519SharedSecret(secretKey: SecretBytes, publicKey: Uint8Array): SecretBytes {
  checkX25519Key('secret', secretKey);
  checkX25519Key('public', publicKey);
  const secret = secretKey.reveal();
  try {
    return new SecretBytes(x25519.getSharedSecret(secret, publicKey));
  } catch (cause) {
    // Lengths are checked above, so an all-zero result is all that is left to refuse.
    throw lowOrderKey(cause);
  }
}

export function generateEd25519KeyPair(rng: Rng = randomBytes): Ed25519KeyPair {
  const secretKey = new SecretBytes(drawBytes(rng, ED25519_KEY_LENGTH));
  return { secretKey, publicKey: ed25519PublicKey(secretKey) };
}

export function ed25519PublicKey(secretKey: SecretBytes): Uint8Array {
  checkEd25519SecretKey(secretKey);
  return ed25519.getPublicKey(secretKey.reveal());
}

export function ed25519Sign(secretKey: SecretBytes, message: Uint8Array): Uint8Array {
  checkEd25519SecretKey(secretKey);
  return ed25519.sign(message, secretKey.reveal());
}

/** The library's own `verify` checks the equation with the cofactor, which accepts more than Node. */
export function ed25519Verify(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (!isEd25519Encoding(publicKey, signature)) return false;
  const commitment = signature.subarray(0, ED25519_KEY_LENGTH);
  const response = Point.Fn.fromBytes(signature.subarray(ED25519_KEY_LENGTH));
  const digest = sha512(concatBytes(commitment, publicKey, message));
  const challenge = Point.Fn.create(bigIntFromBytes(digest.reverse()));
  let signer: typeof Point.BASE;
  try {
    signer = Point.fromBytes(publicKey);
  } catch {
    // No point of the curve has this y.
    return false;
  }
  // All of this is public, so multiplications may tell their operands by their time.
  const expected = Point.BASE.multiplyUnsafe(response).subtract(signer.multiplyUnsafe(challenge));
  return equalBytes(expected.toBytes(), commitment);
}

export function sha256(data: Uint8Array): Uint8Array {
  return nobleSha256(data);
}

export function hmacSha256(key: SecretBytes | Uint8Array, data: Uint8Array): Uint8Array {
  return hmac(nobleSha256, reveal(key), data);
}

export function hkdfSha256(
  inputKey: SecretBytes | Uint8Array,
  { salt, info, length }: HkdfParameters,
): SecretBytes {
  checkHkdfLength(length);
  return new SecretBytes(hkdf(nobleSha256, reveal(inputKey), salt, info, length));
}

export function aesGcmSeal(
  key: SecretBytes | Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const keyBytes = reveal(key);
  checkAesGcmParameters(keyBytes, nonce);
  return gcm(keyBytes, nonce, aad).encrypt(plaintext);
}

export function aesGcmOpen(
  key: SecretBytes | Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  const keyBytes = reveal(key);
  checkAesGcmParameters(keyBytes, nonce);
  if (sealed.length < AES_GCM_TAG_LENGTH) return undefined;
  try {
    return gcm(keyBytes, nonce, aad).decrypt(sealed);
  } catch {
    // Lengths are checked above, so a wrong tag is all that is left to refuse.
    return undefined;
  }
}

export function aesCtrKeystream(
  key: SecretBytes | Uint8Array,
  initialCounter: Uint8Array,
): Keystream {
  const keyBytes = reveal(key).slice();
  checkAesParameters(keyBytes, initialCounter);
  return new CtrKeystream(keyBytes, initialCounter.slice());
}

export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let i = 0; i < left.length; i += 1) difference |= left[i]! ^ right[i]!;
  return difference === 0;
}

const { Point } = ed25519;
const BLOCK = 16;

/** Runs the one-shot CTR cipher over zeros chunk by chunk, carrying the counter and part blocks on. */
class CtrKeystream implements Keystream {
  readonly #key: Uint8Array;
  readonly #counter: Uint8Array;
  #rest = new Uint8Array(0);

  constructor(key: Uint8Array, counter: Uint8Array) {
    this.#key = key;
    this.#counter = counter;
  }

  read(byteLength: number): Uint8Array {
    checkKeystreamRead(byteLength);
    const output = new Uint8Array(byteLength);
    const carried = Math.min(this.#rest.length, byteLength);
    output.set(this.#rest.subarray(0, carried));
    this.#rest = this.#rest.subarray(carried);
    if (carried === byteLength) return output;

    const blocks = Math.ceil((byteLength - carried) / BLOCK);
    const fresh = ctr(this.#key, this.#counter).encrypt(new Uint8Array(blocks * BLOCK));
    this.#advance(blocks);
    output.set(fresh.subarray(0, byteLength - carried), carried);
    this.#rest = fresh.slice(byteLength - carried);
    return output;
  }

  #advance(blocks: number): void {
    let carry = blocks;
    for (let i = BLOCK - 1; i >= 0 && carry > 0; i -= 1) {
      const sum = this.#counter[i]! + carry;
      this.#counter[i] = sum & 0xff;
      carry = Math.floor(sum / 256);
    }
    if (carry > 0) throw new ProtocolError('invalid-argument', 'the AES counter wrapped around');
  }
}
