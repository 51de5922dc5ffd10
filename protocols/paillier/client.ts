/**
 * @file The client of a Paillier secure sum: packs its values, encrypts them and signs what for, once
 * for a run. Where a key holder adds the ciphertexts itself, the client masks its values first and
 * entrusts the mask to a mask keeper.
 */

import { randomBytes, sha256 } from '#crypto';
import { drawBytes } from '../crypto/checks.ts';
import type { Rng } from '../crypto/interface.ts';
import type { SecretBytes } from '../crypto/secret.ts';
import { fault } from '../errors.ts';
import type { IntegerVector } from '../residues/residues.ts';
import type { IdentityRoster } from '../roster/identity-roster.ts';
import { encodeCiphertexts } from './ciphertexts.ts';
import type { Encryptor } from './encryptor.ts';
import { checkSession, guarded, type PaillierFault } from './faults.ts';
import { sumHeader } from './input-list.ts';
import { expandMask } from './input-mask.ts';
import { NO_MASK, signStatement, statementOf } from './input-statement.ts';
import {
  type EncryptedInput,
  hashContext,
  type InputMask,
  type PaillierSession,
  SEED_BYTES,
} from './messages.ts';
import { type PackingPlan, packValues } from './packing.ts';

export interface PaillierClientSetup extends PaillierSession {
  readonly client: string;
  readonly plan: PackingPlan;
  /** Of the key this client checked (`handleAnnouncedKey`) and trusts. */
  readonly encryptor: Encryptor;
  /** Which the others hold too. */
  readonly roster: IdentityRoster;
  /** The Ed25519 seed of this client. */
  readonly signingKey: SecretBytes;
  /** The smallest cohort and the smallest sum this client hides in. @default 2 */
  readonly minimumClients?: number;
}

export interface PaillierClientInput {
  /** One for each segment of the plan. */
  readonly vectors: readonly IntegerVector[];
  /** What the input came from; inputs from different contexts do not add. */
  readonly context?: Uint8Array;
}

export interface PaillierClientFinished {
  readonly kind: 'finish';
  /** To the aggregator. */
  readonly message: EncryptedInput;
}

export interface MaskedClientFinished {
  readonly kind: 'finish';
  /** To the key holder, sealed: whoever knows the mask must not see it. */
  readonly message: EncryptedInput;
  /** To the mask keeper, sealed. */
  readonly mask: InputMask;
}

/** For an aggregator that adds ciphertexts and does not hold the key. */
export function encryptClientInput(
  setup: PaillierClientSetup,
  input: PaillierClientInput,
  { rng = randomBytes }: { readonly rng?: Rng } = {},
): PaillierClientFinished | PaillierFault {
  return (
    problemOfSetup(setup) ??
    guarded('encrypt', undefined, () => ({
      kind: 'finish',
      message: encryptedInput(setup, input, packValues(setup.plan, input.vectors, rng), NO_MASK),
    }))
  );
}

/** For a key holder that adds ciphertexts itself, and a mask keeper that it does not collude with. */
export function encryptMaskedInput(
  setup: PaillierClientSetup,
  input: PaillierClientInput,
  { rng = randomBytes }: { readonly rng?: Rng } = {},
): MaskedClientFinished | PaillierFault {
  return (
    problemOfSetup(setup) ??
    guarded('encrypt', undefined, () => {
      const { client, plan, encryptor, roster } = setup;
      const { n } = encryptor.publicKey;
      const header = sumHeader({ ...setup, roster }, encryptor.publicKey);
      const seed = drawBytes(rng, SEED_BYTES);
      const masks = expandMask(seed, header, client, { n, count: plan.plaintexts });
      const masked = packValues(plan, input.vectors, rng).map(
        (plaintext, i) => (plaintext + masks[i]!) % n,
      );
      const message = encryptedInput(setup, input, masked, sha256(seed));
      const { minimumClients, contextHash, signature } = message;
      const { ciphertextsHash } = statementOf(message);
      const mask: InputMask = {
        kind: 'input-mask',
        ...header,
        client,
        minimumClients,
        contextHash,
        ciphertextsHash,
        seed,
        signature,
      };
      return { kind: 'finish', message, mask };
    })
  );
}

function problemOfSetup(setup: PaillierClientSetup): PaillierFault | undefined {
  checkSession(setup);
  const { client, plan, encryptor, roster, minimumClients = DEFAULT_MINIMUM } = setup;
  const { modulusBits } = encryptor.publicKey;
  if (plan.clients < minimumClients) {
    return fault(
      'encrypt',
      'cohort-too-small',
      `a cohort of ${plan.clients} is below this client's minimum of ${minimumClients}`,
    );
  }
  if (plan.modulusBits !== modulusBits) {
    return fault(
      'encrypt',
      'wrong-key',
      `the plan is for a modulus of ${plan.modulusBits} bits, the key has ${modulusBits}`,
    );
  }
  if (!roster.positions.has(client)) {
    return fault('encrypt', 'unknown-client', `"${client}" is not in the roster it was given`);
  }
  return undefined;
}

function encryptedInput(
  setup: PaillierClientSetup,
  { context }: PaillierClientInput,
  plaintexts: readonly bigint[],
  maskCommitment: Uint8Array,
): EncryptedInput {
  const { client, encryptor, signingKey, minimumClients = DEFAULT_MINIMUM } = setup;
  const unsigned = {
    kind: 'encrypted-input',
    ...sumHeader(setup, encryptor.publicKey),
    client,
    minimumClients,
    contextHash: hashContext(context),
    maskCommitment,
    ciphertexts: encodeCiphertexts(encryptor.publicKey, encryptor.encrypt(plaintexts)),
  } as const;
  return { ...unsigned, signature: signStatement(statementOf(unsigned), signingKey) };
}

const DEFAULT_MINIMUM = 2;
