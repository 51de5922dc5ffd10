import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CryptoPlatform } from '../../../protocols/crypto/interface.ts';
import * as node from '../../../protocols/crypto/platform.node.ts';
import * as web from '../../../protocols/crypto/platform.web.ts';
import { fromHex, SecretBytes, toHex, utf8 } from '../../../protocols/index.ts';
import { seeded } from '../support.ts';

const platforms: readonly CryptoPlatform[] = [node, web];

it('gives both platforms the same names', () => {
  expect(Object.keys(node).sort()).toEqual(Object.keys(web).sort());
});

describe.each(platforms)('the platform "$platformName"', (platform) => {
  it('agrees on a secret by X25519 from a seeded source', () => {
    const rng = seeded('x25519');
    const alice = platform.generateX25519KeyPair(rng);
    const bob = platform.generateX25519KeyPair(rng);
    const secret = platform.x25519SharedSecret(alice.secretKey, bob.publicKey);
    expect(platform.x25519SharedSecret(bob.secretKey, alice.publicKey).reveal()).toEqual(
      secret.reveal(),
    );
    expect(platform.generateX25519KeyPair(seeded('x25519')).publicKey).toEqual(alice.publicKey);
  });

  it('refuses keys of the wrong length', () => {
    const { secretKey } = platform.generateX25519KeyPair();
    for (const length of [0, 31, 33, 64]) {
      expect(() => platform.x25519SharedSecret(secretKey, new Uint8Array(length).fill(9))).toThrow(
        /invalid-key-length/,
      );
      expect(() => platform.x25519PublicKey(new SecretBytes(new Uint8Array(length)))).toThrow(
        /invalid-key-length/,
      );
    }
  });

  it.each([
    ['0', '00'.repeat(32)],
    ['1', `01${'00'.repeat(31)}`],
    ['p - 1', `ec${'ff'.repeat(30)}7f`],
    ['p', `ed${'ff'.repeat(30)}7f`],
    ['of order 8', 'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'],
    ['of order 8 as well', '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157'],
  ])('refuses the low-order key %s', (_, key) => {
    const { secretKey } = platform.generateX25519KeyPair(seeded(1));
    expect(() => platform.x25519SharedSecret(secretKey, fromHex(key))).toThrow(/low-order-key/);
  });

  it('refuses a source of randomness that gives too little', () => {
    expect(() => platform.generateX25519KeyPair(() => new Uint8Array(16))).toThrow(
      /invalid-argument/,
    );
  });

  it('hashes (FIPS 180-4, "abc")', () => {
    expect(toHex(platform.sha256(utf8('abc')))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
  });

  it('authenticates (RFC 4231, test case 2)', () => {
    const code = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843';
    const key = utf8('Jefe');
    const data = utf8('what do ya want for nothing?');
    expect(toHex(platform.hmacSha256(key, data))).toBe(code);
    expect(toHex(platform.hmacSha256(new SecretBytes(key), data))).toBe(code);
  });

  it('seals and opens with AES-GCM (NIST, GCM test cases 4 and 16)', () => {
    const plaintext = fromHex(
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
        '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
    );
    const aad = fromHex('feedfacedeadbeeffeedfacedeadbeefabaddad2');
    const nonce = fromHex('cafebabefacedbaddecaf888');
    const tags = new Map([
      ['feffe9928665731c6d6a8f9467308308', '5bc94fbc3221a5db94fae95ae7121a47'],
      [
        'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308',
        '76fc6ece0f4e1768cddf8853bb2d551b',
      ],
    ]);
    for (const [keyDigits, tag] of tags) {
      const key = new SecretBytes(fromHex(keyDigits));
      const sealed = platform.aesGcmSeal(key, nonce, aad, plaintext);
      expect(toHex(sealed.slice(-16))).toBe(tag);
      expect(platform.aesGcmOpen(key, nonce, aad, sealed)).toEqual(plaintext);
    }
  });

  it('opens only with the key, the nonce and the bytes it sealed with', () => {
    const key = new Uint8Array(16).fill(1);
    const nonce = new Uint8Array(12).fill(2);
    const aad = utf8('from 1 to 2');
    const sealed = platform.aesGcmSeal(key, nonce, aad, utf8('share'));
    const { aesGcmOpen } = platform;
    expect(aesGcmOpen(key, nonce, aad, sealed)).toEqual(utf8('share'));
    expect(aesGcmOpen(new Uint8Array(16), nonce, aad, sealed)).toBeUndefined();
    expect(aesGcmOpen(key, new Uint8Array(12), aad, sealed)).toBeUndefined();
    expect(aesGcmOpen(key, nonce, utf8('from 2 to 1'), sealed)).toBeUndefined();
    for (let length = 0; length < sealed.length; length += 1) {
      expect(aesGcmOpen(key, nonce, aad, sealed.subarray(0, length))).toBeUndefined();
    }
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = sealed.slice();
      changed[index]! ^= 0x80;
      expect(aesGcmOpen(key, nonce, aad, changed)).toBeUndefined();
    }
  });

  it('seals an empty message, and leaves its arguments as they were', () => {
    const key = new Uint8Array(32).fill(1);
    const nonce = new Uint8Array(12);
    const sealed = platform.aesGcmSeal(key, nonce, new Uint8Array(0), new Uint8Array(0));
    expect(sealed.length).toBe(16);
    const copy = sealed.slice();
    expect(platform.aesGcmOpen(key, nonce, new Uint8Array(0), sealed)).toEqual(new Uint8Array(0));
    expect(sealed).toEqual(copy);
    expect(key).toEqual(new Uint8Array(32).fill(1));
  });

  it('refuses keys and nonces that its AES-GCM does not have', () => {
    const zeros = (length: number) => new Uint8Array(length);
    for (const use of [platform.aesGcmSeal, platform.aesGcmOpen]) {
      for (const length of [0, 15, 17, 24, 33]) {
        expect(() => use(zeros(length), zeros(12), zeros(0), zeros(32))).toThrow(
          /invalid-key-length/,
        );
      }
      for (const length of [0, 8, 11, 13, 16]) {
        expect(() => use(zeros(16), zeros(length), zeros(0), zeros(32))).toThrow(/invalid-length/);
      }
    }
  });

  it('expands AES-128-CTR (NIST SP 800-38A, F.5.1)', () => {
    const stream = platform.aesCtrKeystream(
      fromHex('2b7e151628aed2a6abf7158809cf4f3c'),
      fromHex('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff'),
    );
    expect(toHex(stream.read(64))).toBe(
      'ec8cdf7398607cb0f2d21675ea9ea1e4362b7c3c6773516318a077d7fc5073ae' +
        '6a2cc3787889374fbeb4c81b17ba6c44e89c399ff0f198c6d40a31db156cabfe',
    );
  });

  it('expands AES-256-CTR (NIST SP 800-38A, F.5.5)', () => {
    const stream = platform.aesCtrKeystream(
      fromHex('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4'),
      fromHex('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff'),
    );
    expect(toHex(stream.read(16))).toBe('0bdf7df1591716335e9a8b15c860c502');
  });

  it('gives one stream however it is cut, across a carry of the counter', () => {
    const key = new Uint8Array(16).fill(3);
    const counter = fromHex('000000000000000000000000fffffffe');
    const whole = platform.aesCtrKeystream(key, counter).read(65_536).slice();
    fc.assert(
      fc.property(fc.array(fc.nat(5000), { maxLength: 12 }), (cuts) => {
        const stream = platform.aesCtrKeystream(key, counter);
        let offset = 0;
        for (const length of cuts) {
          const part = stream.read(length);
          expect(part.byteOffset % 8).toBe(0);
          expect(toHex(part)).toBe(toHex(whole.subarray(offset, offset + length)));
          offset += length;
        }
      }),
      { numRuns: 30 },
    );
  });

  it('refuses keys, counters and reads that AES-CTR does not have', () => {
    const zeros = (length: number) => new Uint8Array(length);
    expect(() => platform.aesCtrKeystream(zeros(24), zeros(16))).toThrow(/invalid-key-length/);
    expect(() => platform.aesCtrKeystream(zeros(16), zeros(12))).toThrow(/invalid-length/);
    expect(() => platform.aesCtrKeystream(zeros(16), zeros(16)).read(65_537)).toThrow(
      /invalid-length/,
    );
  });

  it('compares bytes', () => {
    expect(platform.equalBytes(utf8('same'), utf8('same'))).toBe(true);
    expect(platform.equalBytes(utf8('same'), utf8('sane'))).toBe(false);
    expect(platform.equalBytes(utf8('same'), utf8('sam'))).toBe(false);
  });

  it('draws random bytes beyond the limit of one call', () => {
    const bytes = platform.randomBytes(70_000);
    expect(bytes.length).toBe(70_000);
    expect(bytes.subarray(65_536).some((byte) => byte !== 0)).toBe(true);
  });
});

describe('secrets', () => {
  it('do not print', () => {
    const secret = new SecretBytes(fromHex('deadbeef'.repeat(4)));
    const shown = [
      inspect(secret),
      inspect({ nested: [secret] }),
      JSON.stringify({ secret }),
      `${secret}`,
    ];
    for (const text of shown) {
      expect(text).toContain('secret of 16 bytes');
      expect(text).not.toMatch(/de.?ad|222, ?173/);
    }
  });

  it('are gone once erased', () => {
    const bytes = new Uint8Array(8).fill(5);
    const secret = new SecretBytes(bytes);
    secret.erase();
    expect(bytes).toEqual(new Uint8Array(8));
    expect(() => secret.reveal()).toThrow(/secret-erased/);
  });

  it('are erased for key agreement and signing too, also where a parsed key is kept', () => {
    const { secretKey, publicKey } = node.generateX25519KeyPair();
    const signer = node.generateEd25519KeyPair();
    secretKey.erase();
    signer.secretKey.erase();
    expect(() => node.x25519SharedSecret(secretKey, publicKey)).toThrow(/secret-erased/);
    expect(() => node.ed25519Sign(signer.secretKey, utf8('x'))).toThrow(/secret-erased/);
  });

  it('are a key of one curve and of the other, whichever is used first', () => {
    const secretKey = new SecretBytes(new Uint8Array(32).fill(3));
    const agreement = node.x25519PublicKey(secretKey);
    const signing = node.ed25519PublicKey(secretKey);
    expect(agreement).toEqual(web.x25519PublicKey(secretKey));
    expect(signing).toEqual(web.ed25519PublicKey(secretKey));
    expect(agreement).not.toEqual(signing);
  });
});
