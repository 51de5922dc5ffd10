/** @file The client of a Paillier secure sum: packs its values and encrypts them, once for a run. */

import { randomBytes } from '#crypto';
import type { Rng } from '../crypto/interface.ts';
import { fault } from '../errors.ts';
import type { IntegerVector } from '../residues/residues.ts';
import { encodeCiphertexts } from './ciphertexts.ts';
import type { Encryptor } from './encryptor.ts';
import { checkSession, guarded, type PaillierFault } from './faults.ts';
import { type EncryptedInput, hashContext, type PaillierSession } from './messages.ts';
import { type PackingPlan, packValues } from './packing.ts';

export interface PaillierClientSetup extends PaillierSession {
  readonly client: string;
  readonly plan: PackingPlan;
  /** Of the key this client checked (`importPublicKey`) and trusts. */
  readonly encryptor: Encryptor;
  /** The smallest cohort this client hides in. @default 2 */
  readonly minimumClients?: number;
}

export interface PaillierClientInput {
  /** One for each segment of the plan. */
  readonly vectors: readonly IntegerVector[];
  /** What the input came from; the aggregator refuses inputs from different contexts. */
  readonly context?: Uint8Array;
}

export interface PaillierClientFinished {
  readonly kind: 'finish';
  readonly message: EncryptedInput;
}

export function encryptClientInput(
  setup: PaillierClientSetup,
  { vectors, context }: PaillierClientInput,
  { rng = randomBytes }: { readonly rng?: Rng } = {},
): PaillierClientFinished | PaillierFault {
  checkSession(setup);
  const { client, session, round, plan, encryptor, minimumClients = 2 } = setup;
  const { publicKey } = encryptor;
  if (plan.clients < minimumClients) {
    return fault(
      'encrypt',
      'cohort-too-small',
      `a cohort of ${plan.clients} is below this client's minimum of ${minimumClients}`,
    );
  }
  if (plan.modulusBits !== publicKey.modulusBits) {
    return fault(
      'encrypt',
      'wrong-key',
      `the plan is for a modulus of ${plan.modulusBits} bits, the key has ${publicKey.modulusBits}`,
    );
  }
  return guarded('encrypt', undefined, () => ({
    kind: 'finish',
    message: {
      kind: 'encrypted-input',
      session,
      round,
      client,
      key: publicKey.fingerprint,
      plan: plan.hash,
      contextHash: hashContext(context),
      ciphertexts: encodeCiphertexts(publicKey, encryptor.encrypt(packValues(plan, vectors, rng))),
    },
  }));
}
