import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { describe, expect, it } from 'vitest';
import type { CryptoPlatform } from '../../../protocols/crypto/interface.ts';
import * as node from '../../../protocols/crypto/platform.node.ts';
import * as web from '../../../protocols/crypto/platform.web.ts';
import { concatBytes, fromHex, SecretBytes, toHex, utf8 } from '../../../protocols/index.ts';
import { seeded } from '../support.ts';

const platforms: readonly CryptoPlatform[] = [node, web];
const { Point } = ed25519;
const { Fn } = Point;
type CurvePoint = typeof Point.BASE;

const IDENTITY = `01${'00'.repeat(31)}`;
const OF_ORDER_8 = Point.fromBytes(
  fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'),
);
const SIGNER = 123456789n;
const NONCE = 987654321n;

/** A signature by the equation alone, with a key and an R that need not be honest. */
function forge(key: Uint8Array, commitment: Uint8Array, message: Uint8Array, signer = SIGNER) {
  const k = challengeOf(key, commitment, message);
  return concatBytes(commitment, Fn.toBytes(Fn.create(NONCE + k * signer)));
}

function challengeOf(key: Uint8Array, commitment: Uint8Array, message: Uint8Array): bigint {
  const digest = sha512(concatBytes(commitment, key, message)).reverse();
  return Fn.create(BigInt(`0x${toHex(digest)}`));
}

/** The first of some messages whose challenge under this key has the rest `rest` modulo 8. */
function messageWithChallenge(
  key: Uint8Array,
  commitment: Uint8Array,
  isWanted: (challenge: bigint) => boolean,
): Uint8Array {
  for (let i = 0; ; i += 1) {
    const message = utf8(`message ${i}`);
    if (isWanted(challengeOf(key, commitment, message))) return message;
  }
}

const multiple = (scalar: bigint): CurvePoint => Point.BASE.multiply(scalar);

describe.each(platforms)('Ed25519 on the platform "$platformName"', (platform) => {
  it.each([
    [
      '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ],
    [
      'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
      'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      'af82',
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    ],
  ])('signs as RFC 8032, section 7.1, does with %s', (secret, key, message, signature) => {
    const secretKey = new SecretBytes(fromHex(secret));
    expect(toHex(platform.ed25519PublicKey(secretKey))).toBe(key);
    expect(toHex(platform.ed25519Sign(secretKey, fromHex(message)))).toBe(signature);
    expect(platform.ed25519Verify(fromHex(key), fromHex(message), fromHex(signature))).toBe(true);
  });

  it('makes key pairs from a seeded source', () => {
    const pair = platform.generateEd25519KeyPair(seeded('ed25519'));
    expect(platform.generateEd25519KeyPair(seeded('ed25519')).publicKey).toEqual(pair.publicKey);
    expect(platform.ed25519PublicKey(pair.secretKey)).toEqual(pair.publicKey);
    expect(() => platform.generateEd25519KeyPair(() => new Uint8Array(31))).toThrow(
      /invalid-argument/,
    );
  });

  it('refuses secret keys of the wrong length', () => {
    for (const length of [0, 31, 33, 64]) {
      const secretKey = new SecretBytes(new Uint8Array(length));
      expect(() => platform.ed25519PublicKey(secretKey)).toThrow(/invalid-key-length/);
      expect(() => platform.ed25519Sign(secretKey, utf8('x'))).toThrow(/invalid-key-length/);
    }
  });

  it('takes a signature for one message and one key', () => {
    const { secretKey, publicKey } = platform.generateEd25519KeyPair(seeded(1));
    const other = platform.generateEd25519KeyPair(seeded(2));
    const signature = platform.ed25519Sign(secretKey, utf8('message'));
    const verify = platform.ed25519Verify;
    expect(verify(publicKey, utf8('message'), signature)).toBe(true);
    expect(verify(publicKey, utf8('messagf'), signature)).toBe(false);
    expect(verify(other.publicKey, utf8('message'), signature)).toBe(false);
    for (let bit = 0; bit < 512; bit += 1) {
      const changed = signature.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(verify(publicKey, utf8('message'), changed), `bit ${bit}`).toBe(false);
    }
  });

  it('gives a verdict about keys and signatures of every length', () => {
    const { secretKey, publicKey } = platform.generateEd25519KeyPair(seeded(1));
    const signature = platform.ed25519Sign(secretKey, utf8('x'));
    const verify = platform.ed25519Verify;
    for (let length = 0; length <= 66; length += 1) {
      const key = new Uint8Array(length);
      key.set(publicKey.subarray(0, length));
      expect(verify(key, utf8('x'), signature)).toBe(length === 32);
      const cut = new Uint8Array(length);
      cut.set(signature.subarray(0, length));
      expect(verify(publicKey, utf8('x'), cut)).toBe(length === 64);
    }
  });

  it('accepts what the equation alone makes of honest points', () => {
    const key = multiple(SIGNER).toBytes();
    const message = utf8('message');
    const signature = forge(key, multiple(NONCE).toBytes(), message);
    expect(platform.ed25519Verify(key, message, signature)).toBe(true);
  });

  it('refuses S + L, which solves the equation too (RFC 8032, section 8.4)', () => {
    const key = multiple(SIGNER).toBytes();
    const message = utf8('message');
    const signature = forge(key, multiple(NONCE).toBytes(), message);
    const s = BigInt(`0x${toHex(signature.slice(32).reverse())}`) + Fn.ORDER;
    const malleated = concatBytes(
      signature.slice(0, 32),
      fromHex(s.toString(16).padStart(64, '0')).reverse(),
    );
    expect(platform.ed25519Verify(key, message, malleated)).toBe(false);
  });

  it.each([
    ['1', IDENTITY],
    ['1 with a sign', `01${'00'.repeat(30)}80`],
    ['p + 1', `ee${'ff'.repeat(30)}7f`],
    ['p + 1 with a sign', `ee${'ff'.repeat(31)}`],
    ['p - 1', `ec${'ff'.repeat(30)}7f`],
    ['p - 1 with a sign', `ec${'ff'.repeat(31)}`],
    ['0', '00'.repeat(32)],
    ['0 with a sign', `${'00'.repeat(31)}80`],
    ['p', `ed${'ff'.repeat(30)}7f`],
    ['that of a point of order 8', toHex(OF_ORDER_8.toBytes())],
    ['that of another', toHex(OF_ORDER_8.negate().toBytes())],
    ['that of a third', toHex(OF_ORDER_8.multiplyUnsafe(3n).toBytes())],
    ['that of a fourth', toHex(OF_ORDER_8.multiplyUnsafe(5n).toBytes())],
  ])('refuses a key of small order, whose y is %s', (_, digits) => {
    const key = fromHex(digits);
    const commitment = multiple(NONCE).toBytes();
    // Such a key vanishes in the equation: no secret is needed to solve it.
    const message = messageWithChallenge(key, commitment, (challenge) => challenge % 8n === 0n);
    const signature = forge(key, commitment, message, 0n);
    expect(platform.ed25519Verify(key, message, signature)).toBe(false);
  });

  it('refuses an R of small order', () => {
    const key = multiple(SIGNER).toBytes();
    const message = utf8('message');
    const commitment = fromHex(IDENTITY);
    const s = Fn.create(challengeOf(key, commitment, message) * SIGNER);
    const signature = concatBytes(commitment, Fn.toBytes(s));
    expect(platform.ed25519Verify(key, message, signature)).toBe(false);
  });

  it('checks the equation without the cofactor: an R off the prime-order group is refused', () => {
    const key = multiple(SIGNER).toBytes();
    const message = utf8('message');
    const signature = forge(key, multiple(NONCE).add(OF_ORDER_8).toBytes(), message);
    expect(ed25519.verify(signature, message, key, { zip215: false })).toBe(true);
    expect(platform.ed25519Verify(key, message, signature)).toBe(false);
  });

  it('checks the equation without the cofactor: a mixed key signs where its torsion vanishes', () => {
    const key = multiple(SIGNER).add(OF_ORDER_8).toBytes();
    const commitment = multiple(NONCE).toBytes();
    for (const vanishes of [true, false]) {
      const message = messageWithChallenge(
        key,
        commitment,
        (challenge) => (challenge % 8n === 0n) === vanishes,
      );
      const signature = forge(key, commitment, message);
      expect(ed25519.verify(signature, message, key, { zip215: false })).toBe(true);
      expect(platform.ed25519Verify(key, message, signature)).toBe(vanishes);
    }
  });

  it('refuses a y that belongs to no point', () => {
    const signature = forge(multiple(SIGNER).toBytes(), multiple(NONCE).toBytes(), utf8('x'));
    const notOnCurve = [2, 7, 8].map((y) => Uint8Array.from([y, ...new Uint8Array(31)]));
    for (const key of notOnCurve) {
      expect(() => Point.fromBytes(key)).toThrow();
      expect(platform.ed25519Verify(key, utf8('x'), signature)).toBe(false);
    }
  });
});
