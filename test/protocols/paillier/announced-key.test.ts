import { beforeAll, describe, expect, it } from 'vitest';
import {
  type AnnouncedKey,
  announceKey,
  handleAnnouncedKey,
  importPrivateKey,
  type KeyExpectation,
  type PaillierPrivateKey,
  proveForHolder,
} from '../../../protocols/index.ts';
import { codeOf, expectKind } from '../support.ts';
import { identityOf, run, signingKeyOf } from './cohort.ts';
import { primePair, smallBlumKey, smallKey } from './keys.ts';

const member = (client: string) => ({ client, publicKey: identityOf(client).publicKey });
const expected: KeyExpectation = { holder: member('holder'), allowInsecureModulus: true };
const signer = { holder: 'holder', signingKey: signingKeyOf('holder') };
const announced = (privateKey: PaillierPrivateKey, proof: Uint8Array): AnnouncedKey =>
  announceKey({ ...run, ...signer, privateKey, proof });

describe('an announced key', () => {
  let proof: Uint8Array;
  let message: AnnouncedKey;
  beforeAll(() => {
    proof = proveForHolder(smallBlumKey, signer);
    message = announced(smallBlumKey, proof);
  });
  const outcome = (changes: Partial<AnnouncedKey>, policy: Partial<KeyExpectation> = {}) =>
    codeOf(handleAnnouncedKey({ ...message, ...changes }, { ...expected, ...policy }));

  it('is accepted with its proof, in this session and another, and checked once', () => {
    const first = expectKind(handleAnnouncedKey(message, expected), 'finish').publicKey;
    expect(first.n).toBe(smallBlumKey.publicKey.n);
    const next = announceKey({ ...run, round: 1, ...signer, privateKey: smallBlumKey, proof });
    // The very same object: nothing was computed again.
    expect(expectKind(handleAnnouncedKey(next, expected), 'finish').publicKey).toBe(first);
  });

  it('is refused without a proof, or with another’s, unless told otherwise', () => {
    const bare = announced(smallBlumKey, new Uint8Array(0));
    expect(codeOf(handleAnnouncedKey(bare, expected))).toBe('unproven-key');
    const trusting = { ...expected, acceptUnprovenKeys: true };
    expect(codeOf(handleAnnouncedKey(bare, trusting))).toBe('finish');
    // That it was accepted so does not help it later.
    expect(codeOf(handleAnnouncedKey(bare, expected))).toBe('unproven-key');
    const changed = proof.slice();
    changed[50]! ^= 1;
    expect(codeOf(handleAnnouncedKey(announced(smallBlumKey, changed), expected))).toBe(
      'invalid-key-proof',
    );
    expect(codeOf(handleAnnouncedKey(announced(smallKey, proof), expected))).toBe(
      'invalid-key-proof',
    );
    expect(codeOf(handleAnnouncedKey(announced(smallKey, proof.subarray(1)), expected))).toBe(
      'invalid-key-proof',
    );
  });

  it('is refused with a proof that somebody else made for the same key', () => {
    const borrowed = { holder: 'thief', signingKey: signingKeyOf('thief') };
    const copied = announceKey({ ...run, ...borrowed, privateKey: smallBlumKey, proof });
    const fromThief = { ...expected, holder: member('thief') };
    expect(codeOf(handleAnnouncedKey(copied, fromThief))).toBe('invalid-key-proof');
  });

  it('is refused unless its holder signed it, for this session', () => {
    expect(outcome({ signature: new Uint8Array(64) })).toBe('wrong-signature');
    expect(outcome({ round: 1 })).toBe('wrong-signature');
    expect(outcome({ session: new Uint8Array(32) })).toBe('wrong-signature');
    expect(outcome({}, { holder: { ...member('other'), client: 'holder' } })).not.toBe('finish');
    const other = announceKey({
      ...run,
      holder: 'holder',
      signingKey: signingKeyOf('other'),
      privateKey: smallBlumKey,
      proof,
    });
    expect(handleAnnouncedKey(other, expected)).toMatchObject({
      code: 'wrong-signature',
      offender: 'holder',
    });
  });

  it('is refused of another holder, of another modulus than the pinned one, of another size', () => {
    expect(outcome({ holder: 'other' })).toBe('wrong-key');
    expect(outcome({}, { pinned: smallKey.publicKey.n })).toBe('wrong-key');
    expect(outcome({}, { modulusBits: 2048 })).toBe('modulus-too-small');
    expect(outcome({}, { allowInsecureModulus: false })).toBe('modulus-too-small');
  });

  it('needs no proof where it is pinned', () => {
    const bare = announced(smallKey, new Uint8Array(0));
    const pinned = { ...expected, pinned: smallKey.publicKey.n };
    expect(codeOf(handleAnnouncedKey(bare, pinned))).toBe('finish');
  });

  it.each([
    ['even', smallBlumKey.publicKey.n * 2n],
    ['of a small prime', smallBlumKey.publicKey.n * 65_537n],
    ['a square', smallBlumKey.reveal().p.prime ** 2n],
    ['a prime', 2n ** 521n - 1n],
    ['of close primes', smallBlumKey.reveal().p.prime * (smallBlumKey.reveal().p.prime + 2n)],
  ])('is refused if its modulus is %s, with and without a proof', (_, n) => {
    expect(outcome({ n })).toBe('weak-modulus');
    expect(outcome({ n }, { acceptUnprovenKeys: true })).toBe('weak-modulus');
  });

  it('can be proven by `generatePaillierKey`’s makers only', () => {
    expect(() => proveForHolder(smallKey, signer)).toThrow(/unprovable-key/);
    const { p, q } = primePair('d5', '61');
    expect(() => importPrivateKey({ n: p * q, p, q })).toThrow(/modulus-too-small/);
  });
});
