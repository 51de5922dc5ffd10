/** @file What the tests of Paillier's parties in a stack share: keys, identities, inputs made by hand. */

import { simulatedIdentities } from 'fedloom';
import { paillierEncryptor } from '../../../executors/secure/paillier/key-operators.ts';
import { packingPlan } from '../../../executors/secure/paillier/policy.ts';
import {
  type AnnouncedKey,
  announcedKeyCodec,
  announceKey,
  createEncryptor,
  type EncryptedInput,
  encodeCiphertexts,
  type ListedInput,
  sha256,
  signStatement,
  statementOf,
} from '../../../protocols/index.ts';
import { smallKey, smallPrimes } from '../../protocols/paillier/keys.ts';
import { type Party, SESSION, TERM } from './parties.ts';

/** Everybody's, in all tests. */
export const identities = simulatedIdentities(new Uint8Array(32).fill(3));
export const strangers = simulatedIdentities(new Uint8Array(32).fill(4));
export const quick = { modulusBits: 512, allowInsecureModulus: true, identities } as const;
export const pinned = { ...quick, keys: { paillier: smallPrimes } } as const;
export const { publicKey } = smallKey;
export const encryptor = createEncryptor(publicKey);
export const plan = packingPlan([TERM], 2, 512);
export const NO_HASH = new Uint8Array(32);
export const text = new TextEncoder();

export const signerOf = (holder: string, from = identities) => ({
  holder,
  signingKey: from.signer(holder),
});
export const announced = (
  privateKey = smallKey,
  proof: Uint8Array = new Uint8Array(0),
  holder = 'server/0',
) => announceKey({ session: SESSION, round: 0, ...signerOf(holder), privateKey, proof });

/** A party that was given the key by its pin. */
export const prepare = (party: Party, message: AnnouncedKey = announced()) =>
  party.call('paillier_prepare', [announcedKeyCodec.encode(message)], paillierEncryptor.type);

export const rosterHash = (clients: number) =>
  identities.roster(Array.from({ length: clients }, (_, i) => `clients/${i}`)).hash;

/** A client's input, or a forged one; sealed for nobody. */
export function inputOf(client: string, changes: Partial<EncryptedInput> = {}): EncryptedInput {
  const input: EncryptedInput = {
    kind: 'encrypted-input',
    session: SESSION,
    round: 0,
    client,
    key: publicKey.fingerprint,
    plan: plan.hash,
    roster: rosterHash(2),
    minimumClients: 2,
    contextHash: NO_HASH,
    maskCommitment: NO_HASH,
    ciphertexts: encodeCiphertexts(publicKey, encryptor.encrypt([5n])),
    signature: new Uint8Array(64),
    ...changes,
  };
  return { ...input, signature: signStatement(statementOf(input), identities.signer(client)) };
}

/** What an input is listed by in a sum. */
export function listed(client: string, changes: Partial<EncryptedInput> = {}): ListedInput {
  const { minimumClients, ciphertexts, signature } = inputOf(client, changes);
  return { client, minimumClients, ciphertextsHash: sha256(ciphertexts), signature };
}
