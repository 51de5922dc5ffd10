/** @file A cohort whose clients sign, with a small key: for the tests of the roles of a Paillier sum. */

import {
  type CohortSetup,
  createEncryptor,
  createIdentityRoster,
  createPackingPlan,
  type EncryptedInput,
  type EncryptedSum,
  encryptClientInput,
  encryptMaskedInput,
  finishAggregator,
  generateEd25519KeyPair,
  handleAtAggregator,
  type IdentityRoster,
  type InputMask,
  type KeyHolderSetup,
  type KeyHolderState,
  memoryLedger,
  type PackedSegment,
  type PackingPlan,
  type PaillierServerSetup,
  type SecretBytes,
  signStatement,
  startAggregator,
  startKeyHolder,
  statementOf,
} from '../../../protocols/index.ts';
import { expectKind, SESSION, seeded } from '../support.ts';
import { smallKey } from './keys.ts';

export const { publicKey } = smallKey;
export const encryptor = createEncryptor(publicKey, { rng: seeded('clients') });
export const refresher = createEncryptor(publicKey, { rng: seeded('aggregator') });
export const run = { session: SESSION, round: 0 };

export const names = (count: number) => Array.from({ length: count }, (_, i) => `client ${i}`);

const identities = new Map<string, ReturnType<typeof generateEd25519KeyPair>>();

export function identityOf(name: string): ReturnType<typeof generateEd25519KeyPair> {
  const known = identities.get(name) ?? generateEd25519KeyPair(seeded(`identity of ${name}`));
  identities.set(name, known);
  return known;
}

export function signingKeyOf(name: string): SecretBytes {
  return identityOf(name).secretKey;
}

export function rosterOf(clients: readonly string[]): IdentityRoster {
  return createIdentityRoster(
    clients.map((client) => ({ client, publicKey: identityOf(client).publicKey })),
  );
}

export const planOf = (segments: readonly PackedSegment[], clients: number): PackingPlan =>
  createPackingPlan({ segments, clients, modulusBits: publicKey.modulusBits });

/** Three clients with two values from 0 to 9 each. */
export const three = planOf([{ kind: 'sum', length: 2, maximum: 9n }], 3);

/** What aggregator, mask keeper and key holder are told alike. */
export function cohortOf(plan: PackingPlan) {
  const clients = names(plan.clients);
  return { ...run, plan, clients, roster: rosterOf(clients), ledger: memoryLedger() };
}

export function serverOf(plan: PackingPlan): PaillierServerSetup {
  return { ...cohortOf(plan), publicKey };
}

export function clientOf(plan: PackingPlan, client: string) {
  const { roster } = cohortOf(plan);
  const signingKey = signingKeyOf(client);
  return { ...run, client, plan, encryptor, roster, signingKey, minimumClients: 1 };
}

export type Vectors = readonly (readonly (number | bigint)[])[];

export function encrypted(
  plan: PackingPlan,
  client: string,
  vectors: Vectors,
  changes: Partial<ReturnType<typeof clientOf>> & { readonly context?: Uint8Array } = {},
): EncryptedInput {
  const { context, ...setup } = changes;
  const input = { vectors: vectors as number[][], ...(context === undefined ? {} : { context }) };
  const outcome = encryptClientInput({ ...clientOf(plan, client), ...setup }, input);
  return expectKind(outcome, 'finish').message;
}

export function masked(
  plan: PackingPlan,
  client: string,
  vectors: Vectors,
  changes: Partial<ReturnType<typeof clientOf>> = {},
): { readonly message: EncryptedInput; readonly mask: InputMask } {
  const setup = { ...clientOf(plan, client), ...changes };
  return expectKind(encryptMaskedInput(setup, { vectors: vectors as number[][] }), 'finish');
}

/** Changes an input, and signs what comes of it: by its client, unless by somebody else. */
export function signedAnew(
  input: EncryptedInput,
  changes: Partial<EncryptedInput>,
  signer: string = changes.client ?? input.client,
): EncryptedInput {
  const changed = { ...input, ...changes };
  return { ...changed, signature: signStatement(statementOf(changed), signingKeyOf(signer)) };
}

export const inputsOf = (plan: PackingPlan): EncryptedInput[] =>
  names(plan.clients).map((client, i) => encrypted(plan, client, [[i, 9]]));

export function aggregate(
  plan: PackingPlan,
  inputs: readonly EncryptedInput[],
  changes: Partial<CohortSetup> = {},
): EncryptedSum {
  let state = startAggregator({ ...cohortOf(plan), encryptor: refresher, ...changes });
  for (const input of inputs) {
    state = expectKind(handleAtAggregator(state, input), 'continue').state;
  }
  return expectKind(finishAggregator(state), 'finish').message;
}

export function holder(plan: PackingPlan, changes: Partial<KeyHolderSetup> = {}): KeyHolderState {
  const setup: KeyHolderSetup = {
    ...cohortOf(plan),
    privateKey: smallKey,
    decrypts: 'masked',
    ...changes,
  };
  return startKeyHolder(setup);
}
