/**
 * @file How a key gets from its holder to the others: with a proof that it is well-formed, and
 * signed, so that whoever carries it can neither weaken it nor put another in its place.
 */

import { ed25519PublicKey, ed25519Sign, ed25519Verify, randomBytes, sha256 } from '#crypto';
import { concatBytes, toHex, utf8 } from '../crypto/bytes.ts';
import type { Rng } from '../crypto/interface.ts';
import type { SecretBytes } from '../crypto/secret.ts';
import { fault } from '../errors.ts';
import type { RosterMember } from '../roster/identity-roster.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { PaillierError } from './errors.ts';
import { checkSession, guarded, type PaillierFault } from './faults.ts';
import { decodeKeyProof, encodeKeyProof } from './key-proof.ts';
import type { AnnouncedKey, PaillierSession } from './messages.ts';
import type { PaillierPrivateKey } from './private-key.ts';
import { proveKey } from './prove-key.ts';
import {
  importPublicKey,
  type KeyPolicy,
  type PaillierPublicKey,
  requireModulusSize,
} from './public-key.ts';
import { verifyKeyProof } from './verify-key-proof.ts';

export interface KeyAnnouncement extends PaillierSession {
  readonly privateKey: PaillierPrivateKey;
  /** How the others know the holder. */
  readonly holder: string;
  /** The holder's Ed25519 seed. */
  readonly signingKey: SecretBytes;
  /** From `proveForHolder`. Without one, only those accept the key who were told to trust it. */
  readonly proof?: Uint8Array;
}

/** Who is believed to hold which kind of key. */
export interface KeyExpectation extends KeyPolicy {
  readonly holder: RosterMember;
  /** The one modulus to accept, known beforehand: it needs no proof then. */
  readonly pinned?: bigint;
  /** Accept moduli of which nothing is known but what can be seen. @default false */
  readonly acceptUnprovenKeys?: boolean;
}

export interface KeyAccepted {
  readonly kind: 'finish';
  readonly publicKey: PaillierPublicKey;
}

/**
 * The proof for a key, to be made once: it serves every announcement by the same holder.
 * @throws PaillierError `unprovable-key` for a key that `generatePaillierKey` did not make.
 */
export function proveForHolder(
  privateKey: PaillierPrivateKey,
  { holder, signingKey }: Pick<KeyAnnouncement, 'holder' | 'signingKey'>,
  { rng = randomBytes }: { readonly rng?: Rng } = {},
): Uint8Array {
  const context = proofContext({ client: holder, publicKey: ed25519PublicKey(signingKey) });
  return encodeKeyProof(privateKey.publicKey, proveKey(privateKey, context, { rng }));
}

/** @throws ProtocolError `invalid-argument` for a session that identifies nothing. */
export function announceKey({
  privateKey,
  session,
  round,
  holder,
  signingKey,
  proof = NO_PROOF,
}: KeyAnnouncement): AnnouncedKey {
  checkSession({ session, round });
  const { n, fingerprint } = privateKey.publicKey;
  const unsigned = { kind: 'announced-key', session, round, holder, n, proof } as const;
  const signature = ed25519Sign(signingKey, signedBytes(unsigned, fingerprint));
  return { ...unsigned, signature };
}

/**
 * Checks who announces a key, what can be seen of its modulus, and the proof: 0.7 s for a key of
 * 3072 bits seen first, next to nothing for one that this process accepted with the same proof.
 */
export function handleAnnouncedKey(
  message: AnnouncedKey,
  expected: KeyExpectation,
): KeyAccepted | PaillierFault {
  const { client: holder, publicKey: identity } = expected.holder;
  const refuse = (code: PaillierFault['code'], reason: string): PaillierFault =>
    fault('keys', code, reason, holder);
  if (message.holder !== holder) {
    return refuse('wrong-key', `a key of "${message.holder}" came where "${holder}"'s is expected`);
  }
  if (expected.pinned !== undefined && message.n !== expected.pinned) {
    return refuse('wrong-key', 'another key came than the one that was agreed on beforehand');
  }
  return guarded('keys', holder, () => {
    const publicKey = checkedKey(message, expected);
    if (!ed25519Verify(identity, signedBytes(message, publicKey.fingerprint), message.signature)) {
      return refuse('wrong-signature', `"${holder}" did not sign this key for this session`);
    }
    return { kind: 'finish', publicKey };
  });
}

/** @throws PaillierError */
function checkedKey({ n, proof }: AnnouncedKey, expected: KeyExpectation): PaillierPublicKey {
  requireModulusSize({ n }, expected);
  const trusted = expected.pinned !== undefined || expected.acceptUnprovenKeys === true;
  if (!trusted && proof.length === 0) {
    throw new PaillierError(
      'unproven-key',
      'the key comes without a proof that it is well-formed; pin it (pinned), or accept such keys (acceptUnprovenKeys)',
    );
  }
  const basis = trusted ? NO_PROOF : proof;
  const context = proofContext(expected.holder);
  const id = toHex(sha256(concatBytes(sha256(context), sha256(basis), utf8(n.toString(16)))));
  const known = accepted.get(id);
  if (known !== undefined) return known;

  const publicKey = importPublicKey({ n }, expected);
  if (!trusted) verifyKeyProof(publicKey, decodeKeyProof(publicKey, proof), context);
  if (accepted.size >= MOST_ACCEPTED) accepted.delete(accepted.keys().next().value ?? '');
  accepted.set(id, publicKey);
  return publicKey;
}

function proofContext({ client, publicKey }: RosterMember): Uint8Array {
  return new ByteWriter().text(client).raw(publicKey).finish();
}

function signedBytes(
  { session, round, holder, proof }: Omit<AnnouncedKey, 'signature'>,
  fingerprint: Uint8Array,
): Uint8Array {
  return new ByteWriter()
    .raw(utf8('fedloom paillier announced key v1'))
    .bytes(session)
    .uint32(round)
    .text(holder)
    .raw(fingerprint)
    .raw(sha256(proof))
    .finish();
}

/** Keys that passed, by what they passed on: many clients of one process are given the same one. */
const accepted = new Map<string, PaillierPublicKey>();
const MOST_ACCEPTED = 64;
const NO_PROOF = new Uint8Array(0);
