import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as node from '../../../protocols/crypto/platform.node.ts';
import * as web from '../../../protocols/crypto/platform.web.ts';
import { SecretBytes } from '../../../protocols/index.ts';
import {
  aesGcmImplementations,
  ed25519Implementations,
  hkdfImplementations,
  platforms,
  webCryptographyHas,
  x25519Implementations,
} from './implementations.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const message = fc.uint8Array({ maxLength: 200 });

/** Bytes of any length up to `most`, quickly made and shrunk. */
function patterned(most: number): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(fc.nat(most), fc.nat(255))
    .map(([length, factor]) => Uint8Array.from({ length }, (_, i) => i * factor));
}

/** Every element is the first one. */
function expectAlike(outcomes: readonly unknown[]): void {
  for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0]);
}

describe('implementations agree with each other', () => {
  it('about X25519', async () => {
    const present = await Promise.all(
      x25519Implementations.map(async (implementation) =>
        implementation.name === 'HPKE' ||
        (implementation.name === 'Web Cryptography' && !(await webCryptographyHas('X25519')))
          ? []
          : [implementation],
      ),
    );
    await fc.assert(
      fc.asyncProperty(bytes(32), bytes(32), async (secretKey, publicKey) => {
        expectAlike(
          await Promise.all(present.flat().map(({ agree }) => agree(secretKey, publicKey))),
        );
        expectAlike(platforms.map((platform) => platform.x25519PublicKey(secret(secretKey))));
      }),
      { numRuns: 40 },
    );
  });

  it('about signatures of Ed25519', () => {
    fc.assert(
      fc.property(bytes(32), message, (seed, text) => {
        const publicKey = node.ed25519PublicKey(secret(seed));
        expect(web.ed25519PublicKey(secret(seed))).toEqual(publicKey);
        const signature = node.ed25519Sign(secret(seed), text);
        expect(web.ed25519Sign(secret(seed), text)).toEqual(signature);
        for (const { ed25519Verify } of platforms) {
          expect(ed25519Verify(publicKey, text, signature)).toBe(true);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('about signatures that were changed, or made of anything', async () => {
    const present = ed25519Implementations.filter(({ name }) => name !== 'Web Cryptography');
    // Bytes with which encodings of small order and those around p and L are made.
    const edge = fc.constantFrom(0x00, 0x01, 0x7f, 0x80, 0xec, 0xed, 0xee, 0xff);
    const edges = fc.tuple(edge, edge, edge).map(([first, middle, last]) => {
      const encoding = new Uint8Array(32).fill(middle);
      encoding[0] = first;
      encoding[31] = last;
      return encoding;
    });
    const half = fc.oneof(bytes(32), edges);
    await fc.assert(
      fc.asyncProperty(half, half, half, message, async (key, commitment, response, text) => {
        const signature = new Uint8Array(64);
        signature.set(commitment);
        signature.set(response, 32);
        expectAlike(await Promise.all(present.map(({ verify }) => verify(key, text, signature))));
      }),
      { numRuns: 300 },
    );
  });

  it('about AES-GCM', async () => {
    const key = fc.oneof(bytes(16), bytes(32));
    await fc.assert(
      fc.asyncProperty(key, bytes(12), message, message, async (secretKey, nonce, aad, text) => {
        const sealed = await Promise.all(
          aesGcmImplementations.map(({ seal }) => seal(secretKey, nonce, aad, text)),
        );
        expectAlike(sealed);
        for (const { open } of aesGcmImplementations) {
          expect(await open(secretKey, nonce, aad, sealed[0]!)).toEqual(text);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('about HKDF-SHA256, also for inputs of no length and of many blocks', async () => {
    await fc.assert(
      fc.asyncProperty(
        patterned(300),
        patterned(300),
        patterned(1500),
        fc.nat(300),
        async (ikm, salt, info, length) => {
          // OpenSSL's own HKDF, under Node's Web Cryptography, takes up to 1,024 bytes of info.
          const able = hkdfImplementations.filter(
            ({ name }) => name !== 'Web Cryptography' || info.length <= 1024,
          );
          expect(able.length).toBeGreaterThan(1);
          expectAlike(await Promise.all(able.map(({ derive }) => derive(ikm, salt, info, length))));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('about HMAC and SHA-256', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), message, (key, text) => {
        expectAlike(platforms.map((platform) => platform.hmacSha256(key, text)));
        expectAlike(platforms.map((platform) => platform.sha256(text)));
      }),
      { numRuns: 100 },
    );
  });
});

function secret(seed: Uint8Array): SecretBytes {
  return new SecretBytes(seed.slice());
}
