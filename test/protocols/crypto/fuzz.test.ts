import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  generateRecipientKeys,
  open,
  ProtocolError,
  receivingChannel,
  SecretBytes,
  seal,
} from '../../../protocols/index.ts';
import { SESSION, seeded } from '../support.ts';
import { platforms } from './implementations.ts';

/** Bytes of all lengths, more often of those that something expects. */
const foreign = fc.oneof(
  fc.uint8Array({ maxLength: 80 }),
  ...[12, 16, 31, 32, 33, 64].map((length) =>
    fc.uint8Array({ minLength: length, maxLength: length }),
  ),
  fc.constantFrom(
    ...[0, 1, 127, 128, 236, 237, 238, 255].map((byte) => new Uint8Array(32).fill(byte)),
  ),
);

async function expectProtocolErrorsOnly(attempt: () => unknown): Promise<void> {
  try {
    await attempt();
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
  }
}

describe.each(platforms)('foreign bytes on the platform "$platformName"', (platform) => {
  const { secretKey } = platform.generateX25519KeyPair(seeded('fuzz'));

  it('are agreed upon or refused by X25519', async () => {
    await fc.assert(
      fc.asyncProperty(foreign, (publicKey) =>
        expectProtocolErrorsOnly(() => platform.x25519SharedSecret(secretKey, publicKey)),
      ),
      { numRuns: 150 },
    );
  });

  it('are judged by Ed25519, without any throw', () => {
    fc.assert(
      fc.property(foreign, foreign, foreign, (publicKey, message, signature) => {
        expect(platform.ed25519Verify(publicKey, message, signature)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('do not open under AES-GCM, without any throw', () => {
    const key = new SecretBytes(new Uint8Array(16));
    fc.assert(
      fc.property(foreign, foreign, (aad, sealed) => {
        expect(platform.aesGcmOpen(key, new Uint8Array(12), aad, sealed)).toBeUndefined();
      }),
    );
  });

  it('are keys, salts and nonces, or refused with a code', async () => {
    await fc.assert(
      fc.asyncProperty(foreign, foreign, async (left, right) => {
        await expectProtocolErrorsOnly(() => platform.hkdfSha256(left, { salt: right, length: 9 }));
        await expectProtocolErrorsOnly(() => platform.hmacSha256(left, right));
        await expectProtocolErrorsOnly(() => platform.aesGcmSeal(left, right, left, right));
        await expectProtocolErrorsOnly(() => platform.aesCtrKeystream(left, right));
        await expectProtocolErrorsOnly(() => platform.ed25519Sign(new SecretBytes(left), right));
      }),
    );
  });
});

describe('foreign bytes', () => {
  it('do not open under HPKE, and are sealed for or refused', async () => {
    const recipient = await generateRecipientKeys(seeded('fuzz'));
    await fc.assert(
      fc.asyncProperty(foreign, foreign, foreign, async (encapsulatedKey, ciphertext, info) => {
        const binding = { info, aad: info };
        await expectProtocolErrorsOnly(() =>
          seal(encapsulatedKey, { ...binding, plaintext: info }),
        );
        const sealed = { encapsulatedKey, ciphertext };
        await expect(open(recipient, { ...binding, sealed })).rejects.toThrow(ProtocolError);
        await expect(
          open(recipient, { ...binding, sealed, senderPublicKey: encapsulatedKey }),
        ).rejects.toThrow(ProtocolError);
      }),
      { numRuns: 60 },
    );
  });

  it('do not come through a sealed channel', async () => {
    const recipientKeys = await generateRecipientKeys(seeded('fuzz'));
    const channel = { session: SESSION, from: 'clients/0', to: 'aggregator/0' };
    await fc.assert(
      fc.asyncProperty(foreign, foreign, fc.double(), async (encapsulatedKey, ciphertext, n) => {
        const { from, to } = channel;
        const sequence = Math.floor(n);
        const receiver = receivingChannel(channel, { recipientKeys });
        const envelope = { kind: 'sealed-envelope' as const, from, to, sequence };
        await expect(receiver.open({ ...envelope, encapsulatedKey, ciphertext })).rejects.toThrow(
          ProtocolError,
        );
      }),
      { numRuns: 60 },
    );
  });
});
