/** @file What a client signs about its input: for which sum it is, and under which conditions. */

import { ed25519Sign, ed25519Verify, sha256 } from '#crypto';
import { utf8 } from '../crypto/bytes.ts';
import type { SecretBytes } from '../crypto/secret.ts';
import type { IdentityRoster } from '../roster/identity-roster.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { type EncryptedInput, HASH_BYTES, type InputMask, type SumHeader } from './messages.ts';

/** Each hash has 32 bytes. */
export interface InputStatement extends SumHeader {
  readonly client: string;
  /** The client agrees to no sum of fewer. */
  readonly minimumClients: number;
  readonly contextHash: Uint8Array;
  readonly maskCommitment: Uint8Array;
  readonly ciphertextsHash: Uint8Array;
}

/** In the place of a commitment, that the values carry no mask. */
export const NO_MASK: Uint8Array = new Uint8Array(HASH_BYTES);

export function statementOf(input: Omit<EncryptedInput, 'signature'>): InputStatement {
  return { ...input, ciphertextsHash: sha256(input.ciphertexts) };
}

export function statementOfMask(mask: InputMask): InputStatement {
  return { ...mask, maskCommitment: sha256(mask.seed) };
}

export function signStatement(statement: InputStatement, signingKey: SecretBytes): Uint8Array {
  return ed25519Sign(signingKey, statementBytes(statement));
}

/** Whether the one of the roster whom the statement names signed it. */
export function isSignedBy(
  roster: IdentityRoster,
  statement: InputStatement,
  signature: Uint8Array,
): boolean {
  const position = roster.positions.get(statement.client);
  const member = position === undefined ? undefined : roster.members[position];
  return (
    member !== undefined && ed25519Verify(member.publicKey, statementBytes(statement), signature)
  );
}

function statementBytes(statement: InputStatement): Uint8Array {
  return new ByteWriter()
    .raw(utf8('fedloom paillier input v1'))
    .bytes(statement.session)
    .uint32(statement.round)
    .raw(statement.key)
    .raw(statement.plan)
    .raw(statement.roster)
    .text(statement.client)
    .uint32(statement.minimumClients)
    .raw(statement.contextHash)
    .raw(statement.maskCommitment)
    .raw(statement.ciphertextsHash)
    .finish();
}
