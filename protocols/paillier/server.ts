/**
 * @file The server of a Paillier secure sum.
 *
 * With the key at the server and an aggregation service beside it, `readDecryptedSum` is all it
 * needs. With a separate key holder it adds a uniform number below n to every encrypted sum: the key
 * holder then decrypts perfectly uniform values, and only the server can take the numbers off. Where
 * the key holder adds up inputs that their clients masked, the server takes off the sum of those
 * masks, which it has from the mask keeper.
 */

import { randomBytes } from '#crypto';
import type { Rng } from '../crypto/interface.ts';
import { uniformBelow } from '../crypto/random.ts';
import { fault } from '../errors.ts';
import { LinearState } from '../linear-state.ts';
import type { IdentityRoster } from '../roster/identity-roster.ts';
import { addPlaintexts, decodeCiphertexts, encodeCiphertexts } from './ciphertexts.ts';
import { verifyDecryption } from './decryption.ts';
import { checkSession, guarded, type PaillierFault, problemOfMessage } from './faults.ts';
import { sumHeader } from './input-list.ts';
import type { DecryptedSum, EncryptedSum, MaskSum, PaillierSession } from './messages.ts';
import { modulo } from './number-theory.ts';
import { type PackingPlan, unpackSums } from './packing.ts';
import { decodePlaintexts } from './plaintexts.ts';
import type { PaillierPublicKey } from './public-key.ts';

export interface PaillierServerSetup extends PaillierSession {
  readonly plan: PackingPlan;
  readonly publicKey: PaillierPublicKey;
  /** Which the others hold too. */
  readonly roster: IdentityRoster;
}

export type PaillierServerState = LinearState<MaskedSum>;

interface MaskedSum {
  readonly setup: PaillierServerSetup;
  readonly masks: readonly bigint[];
  readonly ciphertexts: readonly bigint[];
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

/** Adds a fresh mask to a sum, whose ciphertexts the aggregator refreshed. */
export function maskEncryptedSum(
  setup: PaillierServerSetup,
  sum: EncryptedSum,
  { rng = randomBytes }: { readonly rng?: Rng } = {},
): PaillierServerContinued | PaillierFault {
  checkSession(setup);
  const { plan, publicKey } = setup;
  const problem = problemOfMessage('mask', sum, sumHeader(setup, publicKey));
  if (problem !== undefined) return problem;
  if (sum.masked) return fault('mask', 'already-masked', 'the sum carries a mask already');
  const given = guarded('mask', undefined, () =>
    decodeCiphertexts(publicKey, sum.ciphertexts, plan.plaintexts),
  );
  if (!Array.isArray(given)) return given;

  const masks = given.map(() => uniformBelow(rng, publicKey.n));
  const ciphertexts = addPlaintexts(publicKey, given, masks);
  const clients = sum.inputs.map(({ client }) => client);
  return {
    kind: 'continue',
    state: new LinearState('the masking server', { setup, masks, ciphertexts, clients }),
    message: { ...sum, masked: true, ciphertexts: encodeCiphertexts(publicKey, ciphertexts) },
  };
}

/**
 * Takes the mask off, after checking that the key holder decrypted rightly. The state is consumed
 * unless the message is of another run or sum.
 * @throws ProtocolError `state-consumed`
 */
export function unmaskDecryptedSum(
  state: PaillierServerState,
  decrypted: DecryptedSum,
): PaillierServerFinished | PaillierFault {
  const { setup, masks, ciphertexts, clients } = state.peek();
  const { publicKey } = setup;
  const problem = problemOfSum(setup, decrypted, clients);
  if (problem !== undefined) return problem;
  state.consume();
  return guarded('unmask', undefined, () => {
    const plaintexts = decodePlaintexts(publicKey, decrypted.plaintexts, masks.length);
    if (!verifyDecryption(publicKey, ciphertexts, { plaintexts, root: decrypted.root })) {
      return fault('unmask', 'wrong-decryption', 'the key holder decrypted something else');
    }
    return finished(setup, plaintexts, masks, clients);
  });
}

/** Reads sums that were decrypted without a mask, where the server itself holds the key. */
export function readDecryptedSum(
  setup: PaillierServerSetup,
  decrypted: DecryptedSum,
  clients: readonly string[],
): PaillierServerFinished | PaillierFault {
  return (
    problemOfSum(setup, decrypted, clients) ??
    guarded('unmask', undefined, () => {
      const { plan, publicKey } = setup;
      const plaintexts = decodePlaintexts(publicKey, decrypted.plaintexts, plan.plaintexts);
      return finished(setup, plaintexts, [], clients);
    })
  );
}

/** Takes the masks of `clients` off the sum of their inputs, which the key holder added up itself. */
export function unmaskWithMaskSum(
  setup: PaillierServerSetup,
  decrypted: DecryptedSum,
  maskSum: MaskSum,
  clients: readonly string[],
): PaillierServerFinished | PaillierFault {
  const { plan, publicKey } = setup;
  return (
    problemOfSum(setup, maskSum, clients) ??
    problemOfSum(setup, decrypted, clients) ??
    guarded('unmask', undefined, () => {
      const masks = decodePlaintexts(publicKey, maskSum.masks, plan.plaintexts);
      const plaintexts = decodePlaintexts(publicKey, decrypted.plaintexts, plan.plaintexts);
      return finished(setup, plaintexts, masks, clients);
    })
  );
}

function problemOfSum(
  setup: PaillierServerSetup,
  sum: DecryptedSum | MaskSum,
  clients: readonly string[],
): PaillierFault | undefined {
  const problem = problemOfMessage('unmask', sum, sumHeader(setup, setup.publicKey));
  if (problem !== undefined) return problem;
  const given = new Set(sum.clients);
  const same =
    given.size === sum.clients.length &&
    given.size === clients.length &&
    clients.every((client) => given.has(client));
  if (same) return undefined;
  return fault(
    'unmask',
    'wrong-cohort',
    `the ${sum.kind} is of ${sum.clients.length} clients, which are not the ${clients.length} of this sum`,
  );
}

/** @throws PaillierError `slot-overflow` */
function finished(
  { plan, publicKey }: PaillierServerSetup,
  plaintexts: readonly bigint[],
  masks: readonly bigint[],
  clients: readonly string[],
): PaillierServerFinished {
  const sums = unpackSums(
    plan,
    plaintexts.map((plaintext, i) => modulo(plaintext - (masks[i] ?? 0n), publicKey.n)),
  );
  return { kind: 'finish', sums, clients };
}
