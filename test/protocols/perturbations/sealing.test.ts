import { describe, expect, it } from 'vitest';
import { SecretBytes } from '../../../protocols/index.ts';
import {
  openPerturbation,
  SEAL_OVERHEAD,
  type SealBinding,
  sealPerturbation,
} from '../../../protocols/perturbations/sealing.ts';
import { SESSION } from '../support.ts';

const secret = (byte = 5) => new SecretBytes(new Uint8Array(32).fill(byte));
const plaintext = Uint8Array.of(1, 2, 3);
const binding: SealBinding = {
  session: SESSION,
  round: 3,
  sender: 'a',
  recipient: 'b',
  transcript: new Uint8Array(32).fill(1),
  context: Uint8Array.of(9),
};

describe('a sealed perturbation', () => {
  const sealed = sealPerturbation(secret(), binding, plaintext);

  it('opens for its binding and is longer by the tag', () => {
    expect(sealed.length).toBe(plaintext.length + SEAL_OVERHEAD);
    expect(openPerturbation(secret(), binding, sealed)).toEqual(plaintext);
  });

  it.each<[string, Partial<SealBinding>]>([
    ['another session', { session: new Uint8Array(32) }],
    ['another round', { round: 4 }],
    ['another sender', { sender: 'c' }],
    ['another recipient', { recipient: 'c' }],
    ['the other direction', { sender: 'b', recipient: 'a' }],
    ['another roster', { transcript: new Uint8Array(32) }],
    ['another context', { context: new Uint8Array(0) }],
    ['names cut at another place', { sender: 'ab', recipient: '' }],
  ])('does not open for %s, and is sealed otherwise for it', (_, changes) => {
    const other = { ...binding, ...changes };
    expect(openPerturbation(secret(), other, sealed)).toBeUndefined();
    expect(sealPerturbation(secret(), other, plaintext)).not.toEqual(sealed);
  });

  it('does not open with another secret, changed, or at another length', () => {
    expect(openPerturbation(secret(6), binding, sealed)).toBeUndefined();
    for (let length = 0; length < sealed.length; length += 1) {
      expect(openPerturbation(secret(), binding, sealed.subarray(0, length))).toBeUndefined();
    }
    expect(openPerturbation(secret(), binding, Uint8Array.of(...sealed, 0))).toBeUndefined();
  });
});
