/**
 * @file The client of pairwise masking: one-time masks that cancel in the sum (Goetze and Bissell,
 * "Secure Aggregation for Federated Computation", section 2; Bonawitz et al. 2017, section 4).
 *
 * Where the paper has every pair send each other perturbations, every pair here derives them from
 * one X25519 secret: client u adds the mask it shares with v where u > v and takes it off where
 * u < v. Nothing but public keys and masked vectors travels. The sum needs every client.
 */

import {
  equalBytes,
  generateX25519KeyPair,
  randomBytes,
  sha256,
  x25519SharedSecret,
} from '#crypto';
import type { Rng, X25519KeyPair } from '../crypto/interface.ts';
import type { SecretBytes } from '../crypto/secret.ts';
import { type Fault, fault, ProtocolError } from '../errors.ts';
import { LinearState } from '../linear-state.ts';
import type { IntegerVector, Residues } from '../residues/residues.ts';
import { problemOfIdentity, problemOfSession } from './identities.ts';
import { applyMasks, type Mask } from './mask-kernel.ts';
import { maskKeystream } from './mask-key.ts';
import { type AdvertisedKey, type MaskedInput, type Roster, transcriptHash } from './messages.ts';
import { inputResidues, type MaskingParameters, problemOfParameters } from './parameters.ts';
import { problemOfRoster, type RosterProblemCode } from './roster.ts';

export interface MaskingClientSetup {
  /** This client's identity, at most 256 bytes of UTF-8, unique in the cohort. */
  readonly client: string;
  /** 16 to 64 bytes, never used for two runs. */
  readonly session: Uint8Array;
  readonly round: number;
  readonly parameters: MaskingParameters;
  /**
   * The smallest cohort this client hides in. With one client the sum is its input.
   * @default 2
   */
  readonly minimumClients?: number;
}

export interface MaskingClientInput {
  /** One for each vector of the parameters, in their order. */
  readonly vectors: readonly IntegerVector[];
  /**
   * Bytes that every client must have alike, else the masks do not cancel.
   * @default none
   */
  readonly context?: Uint8Array;
}

export type MaskingClientFault = Fault<
  'advertise' | 'mask',
  | 'invalid-parameters'
  | 'modulus-too-small'
  | 'cohort-too-small'
  | 'wrong-session'
  | RosterProblemCode
  | 'own-key-missing'
  | 'own-key-altered'
  | 'low-order-key'
  | 'wrong-vector-count'
  | 'invalid-length'
  | 'not-an-integer'
  | 'out-of-range'
>;

export type MaskingClientState = LinearState<ClientSecrets>;

interface ClientSecrets {
  readonly setup: MaskingClientSetup;
  readonly keys: X25519KeyPair;
}

export interface MaskingClientStarted {
  readonly kind: 'continue';
  readonly state: MaskingClientState;
  readonly message: AdvertisedKey;
}

export interface MaskingClientFinished {
  readonly kind: 'finish';
  readonly message: MaskedInput;
}

/** Checks what it is asked to take part in and advertises a fresh key. */
export function startMaskingClient(
  setup: MaskingClientSetup,
  { rng = randomBytes }: { readonly rng?: Rng } = {},
): MaskingClientStarted | MaskingClientFault {
  const { client, session, round, parameters, minimumClients = 2 } = setup;
  const problem =
    problemOfIdentity(client) ??
    problemOfSession(session, round) ??
    problemOfParameters(parameters);
  if (problem !== undefined) return fault('advertise', problem.code, problem.message);
  if (parameters.clients < minimumClients) {
    return fault(
      'advertise',
      'cohort-too-small',
      `a cohort of ${parameters.clients} is below this client's minimum of ${minimumClients}`,
    );
  }
  const keys = generateX25519KeyPair(rng);
  return {
    kind: 'continue',
    state: new LinearState(`masking client "${client}"`, { setup, keys }),
    message: { kind: 'advertised-key', session, round, client, publicKey: keys.publicKey },
  };
}

/**
 * Masks the input for the cohort of the roster. The state is consumed and its key erased whatever
 * the outcome: a client never masks twice under one key.
 * @throws ProtocolError `state-consumed`
 */
export function maskClientInput(
  state: MaskingClientState,
  roster: Roster,
  input: MaskingClientInput,
): MaskingClientFinished | MaskingClientFault {
  const { setup, keys } = state.consume();
  try {
    return mask(setup, keys, roster, input);
  } finally {
    keys.secretKey.erase();
  }
}

function mask(
  setup: MaskingClientSetup,
  keys: X25519KeyPair,
  roster: Roster,
  { vectors: inputs, context = new Uint8Array(0) }: MaskingClientInput,
): MaskingClientFinished | MaskingClientFault {
  const refusal = checkRoster(setup, keys.publicKey, roster);
  if (refusal !== undefined) return refusal;
  const vectors = checkInputs(setup.parameters, inputs);
  if (!Array.isArray(vectors)) return vectors;
  const pairs = agreeWithPeers(setup.client, keys.secretKey, roster);
  if (!Array.isArray(pairs)) return pairs;

  const peers: readonly Pair[] = pairs;
  const { client, session, round, parameters } = setup;
  const transcript = transcriptHash(parameters, roster);
  for (const [i, residues] of vectors.entries()) {
    applyMasks(residues, masksFor(parameters.vectors[i]!.id));
  }
  for (const { secret } of peers) secret.erase();
  return {
    kind: 'finish',
    message: {
      kind: 'masked-input',
      session,
      round,
      client,
      transcript,
      contextHash: sha256(context),
      vectors,
    },
  };

  function* masksFor(vector: string): Generator<Mask> {
    for (const { peer, secret } of peers) {
      const adds = client > peer;
      const [adder, subtractor] = adds ? [client, peer] : [peer, client];
      const binding = { session, round, vector, adder, subtractor, transcript, context };
      yield { keystream: maskKeystream(secret, binding), sign: adds ? 1 : -1 };
    }
  }
}

function checkRoster(
  { client, session, round, parameters }: MaskingClientSetup,
  ownKey: Uint8Array,
  roster: Roster,
): MaskingClientFault | undefined {
  if (!equalBytes(roster.session, session) || roster.round !== round) {
    return fault('mask', 'wrong-session', 'the roster is of another session or round');
  }
  const problem = problemOfRoster(roster, parameters.clients);
  if (problem !== undefined) {
    return fault('mask', problem.code, problem.message, problem.offender);
  }
  const own = roster.entries.find((entry) => entry.client === client);
  if (own === undefined) {
    return fault('mask', 'own-key-missing', `the roster does not list this client, "${client}"`);
  }
  if (!equalBytes(own.publicKey, ownKey)) {
    return fault('mask', 'own-key-altered', `the roster gives "${client}" a key it did not send`);
  }
  return undefined;
}

function checkInputs(
  parameters: MaskingParameters,
  inputs: readonly IntegerVector[],
): Residues[] | MaskingClientFault {
  if (inputs.length !== parameters.vectors.length) {
    return fault(
      'mask',
      'wrong-vector-count',
      `${parameters.vectors.length} vectors are to be summed, got ${inputs.length}`,
    );
  }
  try {
    return parameters.vectors.map((vector, i) => inputResidues(vector, inputs[i]!));
  } catch (error) {
    if (
      error instanceof ProtocolError &&
      (error.code === 'invalid-length' ||
        error.code === 'not-an-integer' ||
        error.code === 'out-of-range')
    ) {
      return fault('mask', error.code, error.message);
    }
    throw error;
  }
}

interface Pair {
  readonly peer: string;
  readonly secret: SecretBytes;
}

function agreeWithPeers(
  client: string,
  secretKey: SecretBytes,
  roster: Roster,
): Pair[] | MaskingClientFault {
  const pairs: Pair[] = [];
  for (const { client: peer, publicKey } of roster.entries) {
    if (peer === client) continue;
    try {
      pairs.push({ peer, secret: x25519SharedSecret(secretKey, publicKey) });
    } catch (error) {
      for (const { secret } of pairs) secret.erase();
      if (!(error instanceof ProtocolError) || error.code !== 'low-order-key') throw error;
      return fault('mask', 'low-order-key', `the key of "${peer}" makes no secret`, peer);
    }
  }
  return pairs;
}
