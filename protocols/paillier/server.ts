/**
 * @file The server of a Paillier secure sum.
 *
 * With a separate key holder it adds a uniform number below n to every encrypted sum: the key
 * holder then decrypts perfectly uniform values, and only the server can take the numbers off. With
 * the key at the server and an aggregation service beside it, `readDecryptedSum` is all it needs.
 */

import { randomBytes } from '#crypto';
import type { Rng } from '../crypto/interface.ts';
import { uniformBelow } from '../crypto/random.ts';
import { fault } from '../errors.ts';
import { LinearState } from '../linear-state.ts';
import { addCiphertexts, decodeCiphertexts, encodeCiphertexts } from './ciphertexts.ts';
import type { Encryptor } from './encryptor.ts';
import { checkSession, guarded, type PaillierFault, problemOfMessage } from './faults.ts';
import {
  type DecryptedSum,
  decodePlaintexts,
  type EncryptedSum,
  type PaillierSession,
} from './messages.ts';
import { modulo } from './number-theory.ts';
import { type PackingPlan, unpackSums } from './packing.ts';
import type { PaillierPublicKey } from './public-key.ts';

export interface PaillierServerSetup extends PaillierSession {
  readonly plan: PackingPlan;
  /** For the mask, with the server's own randomness. */
  readonly encryptor: Encryptor;
}

export type PaillierServerState = LinearState<MaskedSum>;

interface MaskedSum {
  readonly setup: PaillierServerSetup;
  readonly masks: readonly bigint[];
  readonly clients: readonly string[];
}

export interface PaillierServerContinued {
  readonly kind: 'continue';
  readonly state: PaillierServerState;
  /** To the key holder. */
  readonly message: EncryptedSum;
}

export interface PaillierServerFinished {
  readonly kind: 'finish';
  /** By segment of the plan. */
  readonly sums: readonly (readonly bigint[])[];
  /** Whose inputs are in the sum. */
  readonly clients: readonly string[];
}

/** Adds a fresh mask under encryption; its randomness refreshes the ciphertexts too. */
export function maskEncryptedSum(
  setup: PaillierServerSetup,
  sum: EncryptedSum,
  { rng = randomBytes }: { readonly rng?: Rng } = {},
): PaillierServerContinued | PaillierFault {
  checkSession(setup);
  const { plan, encryptor } = setup;
  const { publicKey } = encryptor;
  const expected = { ...setup, key: publicKey.fingerprint, plan: plan.hash };
  const problem = problemOfMessage('mask', sum, expected);
  if (problem !== undefined) return problem;
  if (sum.masked) return fault('mask', 'already-masked', 'the sum carries a mask already');
  const ciphertexts = guarded('mask', undefined, () =>
    decodeCiphertexts(publicKey, sum.ciphertexts, plan.plaintexts),
  );
  if (!Array.isArray(ciphertexts)) return ciphertexts;

  const masks = ciphertexts.map(() => uniformBelow(rng, publicKey.n));
  const masked = addCiphertexts(publicKey, ciphertexts, encryptor.encrypt(masks));
  return {
    kind: 'continue',
    state: new LinearState('the masking server', { setup, masks, clients: sum.clients }),
    message: { ...sum, masked: true, ciphertexts: encodeCiphertexts(publicKey, masked) },
  };
}

/**
 * Takes the mask off. The state is consumed unless the message is of another run.
 * @throws ProtocolError `state-consumed`
 */
export function unmaskDecryptedSum(
  state: PaillierServerState,
  decrypted: DecryptedSum,
): PaillierServerFinished | PaillierFault {
  const { setup, masks, clients } = state.peek();
  const { publicKey } = setup.encryptor;
  const problem = problemOfDecrypted(setup, publicKey, decrypted);
  if (problem !== undefined) return problem;
  state.consume();
  return guarded('unmask', undefined, () => {
    const plaintexts = decodePlaintexts(publicKey, decrypted.plaintexts, masks.length);
    const sums = unpackSums(
      setup.plan,
      plaintexts.map((plaintext, i) => modulo(plaintext - masks[i]!, publicKey.n)),
    );
    return { kind: 'finish', sums, clients };
  });
}

/** Reads sums that were decrypted without a mask, where the server itself holds the key. */
export function readDecryptedSum(
  setup: PaillierSession & { readonly plan: PackingPlan; readonly publicKey: PaillierPublicKey },
  decrypted: DecryptedSum,
  clients: readonly string[],
): PaillierServerFinished | PaillierFault {
  const { plan, publicKey } = setup;
  const problem = problemOfDecrypted(setup, publicKey, decrypted);
  if (problem !== undefined) return problem;
  return guarded('unmask', undefined, () => {
    const plaintexts = decodePlaintexts(publicKey, decrypted.plaintexts, plan.plaintexts);
    return { kind: 'finish', sums: unpackSums(plan, plaintexts), clients };
  });
}

function problemOfDecrypted(
  { session, round, plan }: PaillierSession & { readonly plan: PackingPlan },
  { fingerprint }: PaillierPublicKey,
  decrypted: DecryptedSum,
): PaillierFault | undefined {
  const expected = { session, round, key: fingerprint, plan: plan.hash };
  return problemOfMessage('unmask', decrypted, expected);
}
