/**
 * @file The client of pairwise masking: one-time masks that cancel in the sum (Goetze and Bissell,
 * "Secure Aggregation for Federated Computation", section 2; Bonawitz et al. 2017, section 4).
 *
 * Where the paper has every pair send each other perturbations, every pair here derives them from
 * one X25519 secret: client u adds the mask it shares with v where u > v and takes it off where
 * u < v. Nothing but public keys and masked vectors travels. The sum needs every client.
 */

import { generateX25519KeyPair, randomBytes, sha256 } from '#crypto';
import type { Rng, X25519KeyPair } from '../crypto/interface.ts';
import { type Fault, fault } from '../errors.ts';
import { LinearState } from '../linear-state.ts';
import type { IntegerVector } from '../residues/residues.ts';
import { problemOfIdentity, problemOfSession } from './identities.ts';
import { applyMasks, type Mask } from './mask-kernel.ts';
import { maskKeystream } from './mask-key.ts';
import { type AdvertisedKey, type MaskedInput, type Roster, transcriptHash } from './messages.ts';
import { agreeWithPeers, erasePairs, type Pair } from './pairs.ts';
import {
  type InputProblemCode,
  inputsOf,
  type MaskingParameters,
  problemOfParameters,
} from './parameters.ts';
import { type OwnRosterProblemCode, problemOfRosterFor } from './roster.ts';

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
  | OwnRosterProblemCode
  | 'low-order-key'
  | InputProblemCode
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
  const problem = problemOfRosterFor(setup, keys.publicKey, roster);
  if (problem !== undefined) {
    return fault('mask', problem.code, problem.message, problem.offender);
  }
  const vectors = inputsOf(setup.parameters, inputs);
  if (!Array.isArray(vectors)) return fault('mask', vectors.code, vectors.message);
  const pairs = agreeWithPeers(setup.client, keys.secretKey, roster);
  if (!Array.isArray(pairs)) return fault('mask', pairs.code, pairs.message, pairs.offender);

  const peers: readonly Pair[] = pairs;
  const { client, session, round, parameters } = setup;
  const transcript = transcriptHash(parameters, roster);
  for (const [i, residues] of vectors.entries()) {
    applyMasks(residues, masksFor(parameters.vectors[i]!.id));
  }
  erasePairs(peers);
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
