/**
 * @file The client of the protocol with perturbations (Goetze and Bissell, "Secure Aggregation for
 * Federated Computation", sections 2 and 3.1; after Bonawitz et al. 2016), in its three stages:
 * advertise a key, send every other client a perturbation through the server, send the masked value
 * x_i + sum over j of (S_ij - S_ji) mod b. For honest but curious parties; everyone is needed.
 *
 * Pairwise masking has the same masks at a cost that does not grow with the length of the vectors
 * times the number of clients: there both ends expand one secret instead of sending S_ij.
 */

import { equalBytes, randomBytes, sha256 } from '#crypto';
import type { Rng, X25519KeyPair } from '../crypto/interface.ts';
import { type Fault, fault, ProtocolError } from '../errors.ts';
import { LinearState } from '../linear-state.ts';
import {
  type MaskingClientFault,
  type MaskingClientSetup,
  startMaskingClient,
} from '../masking/client.ts';
import {
  type AdvertisedKey,
  type MaskedInput,
  type Roster,
  transcriptHash,
} from '../masking/messages.ts';
import { agreeWithPeers, erasePairs, type Pair } from '../masking/pairs.ts';
import { type InputProblemCode, inputsOf } from '../masking/parameters.ts';
import { type OwnRosterProblemCode, problemOfRosterFor } from '../masking/roster.ts';
import { addInPlace, subtractInPlace } from '../residues/arithmetic.ts';
import type { IntegerVector, Residues } from '../residues/residues.ts';
import type { DeliveredPerturbations, SealedPerturbation, SentPerturbations } from './messages.ts';
import {
  addPackedPerturbation,
  drawPerturbation,
  erasePerturbation,
  packPerturbation,
  zeroPerturbation,
} from './perturbation.ts';
import { openPerturbation, type SealBinding, sealPerturbation } from './sealing.ts';

/** The base b of a vector is its modulus: above every possible sum. */
export interface PerturbationsClientSetup extends MaskingClientSetup {
  /**
   * Bytes that every client must have alike, else their perturbations do not open.
   * @default none
   */
  readonly context?: Uint8Array;
}

export type PerturbationsClientFault =
  | MaskingClientFault
  | Fault<'exchange', OwnRosterProblemCode | 'low-order-key'>
  | Fault<
      'mask',
      | 'wrong-recipient'
      | 'unknown-client'
      | 'duplicate-message'
      | 'missing-clients'
      | 'open-failed'
      | 'malformed-perturbation'
      | InputProblemCode
    >;

/** Between the first stage and the second. */
export type PerturbationsClientState = LinearState<AdvertisedSecrets>;

/** Between the second stage and the third. */
export type ExchangedPerturbationsState = LinearState<ExchangedSecrets>;

interface AdvertisedSecrets {
  readonly setup: PerturbationsClientSetup;
  readonly keys: X25519KeyPair;
}

interface ExchangedSecrets {
  readonly setup: PerturbationsClientSetup;
  readonly pairs: readonly Pair[];
  readonly transcript: Uint8Array;
  /** The sum over j of S_ij; no single one is kept. */
  readonly sent: readonly Residues[];
}

export interface PerturbationsClientStarted {
  readonly kind: 'continue';
  readonly state: PerturbationsClientState;
  readonly message: AdvertisedKey;
}

export interface PerturbationsExchanged {
  readonly kind: 'continue';
  readonly state: ExchangedPerturbationsState;
  readonly message: SentPerturbations;
}

export interface PerturbationsClientFinished {
  readonly kind: 'finish';
  readonly message: MaskedInput;
}

/** First stage: checks what it is asked to take part in and advertises a fresh key. */
export function startPerturbationsClient(
  setup: PerturbationsClientSetup,
  options: { readonly rng?: Rng } = {},
): PerturbationsClientStarted | MaskingClientFault {
  const started = startMaskingClient(setup, options);
  if (started.kind === 'fault') return started;
  const { keys } = started.state.consume();
  const { message } = started;
  return { kind: 'continue', state: stateOf({ setup, keys }), message };
}

/**
 * Second stage: draws a perturbation for each other client of the roster and seals it. The state is
 * consumed and its key erased whatever the outcome.
 * @param options a context, if it was not known when the client started, is bound from here on.
 * @throws ProtocolError `state-consumed`
 */
export function exchangePerturbations(
  state: PerturbationsClientState,
  roster: Roster,
  { rng = randomBytes, context }: { readonly rng?: Rng; readonly context?: Uint8Array } = {},
): PerturbationsExchanged | PerturbationsClientFault {
  const { setup: started, keys } = state.consume();
  const setup = context === undefined ? started : { ...started, context };
  try {
    const problem = problemOfRosterFor(setup, keys.publicKey, roster);
    if (problem !== undefined) {
      return fault('exchange', problem.code, problem.message, problem.offender);
    }
    const pairs = agreeWithPeers(setup.client, keys.secretKey, roster);
    if (!Array.isArray(pairs)) {
      return fault('exchange', pairs.code, pairs.message, pairs.offender);
    }
    return exchange(setup, pairs, transcriptHash(setup.parameters, roster), rng);
  } finally {
    keys.secretKey.erase();
  }
}

function exchange(
  setup: PerturbationsClientSetup,
  pairs: readonly Pair[],
  transcript: Uint8Array,
  rng: Rng,
): PerturbationsExchanged {
  const { client, session, round, parameters } = setup;
  const sent = zeroPerturbation(parameters.vectors);
  const perturbations = pairs.map(({ peer, secret }): SealedPerturbation => {
    const perturbation = drawPerturbation(parameters.vectors, rng);
    for (const [i, total] of sent.entries()) addInPlace(total, perturbation[i]!);
    const plaintext = packPerturbation(perturbation);
    const sealed = sealPerturbation(
      secret,
      bindingOf(setup, transcript, { sender: client, recipient: peer }),
      plaintext,
    );
    plaintext.fill(0);
    erasePerturbation(perturbation);
    return { peer, sealed };
  });
  return {
    kind: 'continue',
    state: stateOf({ setup, pairs, transcript, sent }),
    message: { kind: 'sent-perturbations', session, round, client, transcript, perturbations },
  };
}

/**
 * Third stage: opens the perturbations of all others and masks the input with the difference of
 * what it sent and what it got. The state is consumed and erased whatever the outcome: a client
 * never masks twice with the same perturbations.
 * @param inputs one for each vector of the parameters, in their order.
 * @throws ProtocolError `state-consumed`
 */
export function maskWithPerturbations(
  state: ExchangedPerturbationsState,
  delivered: DeliveredPerturbations,
  inputs: readonly IntegerVector[],
): PerturbationsClientFinished | PerturbationsClientFault {
  const secrets = state.consume();
  try {
    return mask(secrets, delivered, inputs);
  } finally {
    eraseExchanged(secrets);
  }
}

function mask(
  { setup, pairs, transcript, sent }: ExchangedSecrets,
  delivered: DeliveredPerturbations,
  inputs: readonly IntegerVector[],
): PerturbationsClientFinished | PerturbationsClientFault {
  const { client, session, round, parameters, context = NO_CONTEXT } = setup;
  const sealed = sealedBySender(setup, pairs, delivered);
  if (!(sealed instanceof Map)) return sealed;
  const vectors = inputsOf(parameters, inputs);
  if (!Array.isArray(vectors)) return fault('mask', vectors.code, vectors.message);
  const received = zeroPerturbation(parameters.vectors);
  for (const pair of pairs) {
    const binding = bindingOf(setup, transcript, { sender: pair.peer, recipient: client });
    const refusal = addOpened(received, pair, binding, sealed.get(pair.peer)!);
    if (refusal !== undefined) return refusal;
  }
  for (const [i, vector] of vectors.entries()) {
    addInPlace(vector, sent[i]!);
    subtractInPlace(vector, received[i]!);
  }
  erasePerturbation(received);
  const contextHash = sha256(context);
  return {
    kind: 'finish',
    message: { kind: 'masked-input', session, round, client, transcript, contextHash, vectors },
  };
}

/** What was delivered, by sender: exactly one perturbation of each peer and none of anybody else. */
function sealedBySender(
  { client, session, round }: PerturbationsClientSetup,
  pairs: readonly Pair[],
  delivered: DeliveredPerturbations,
): Map<string, Uint8Array> | PerturbationsClientFault {
  if (!equalBytes(delivered.session, session) || delivered.round !== round) {
    return fault('mask', 'wrong-session', 'the perturbations are of another session or round');
  }
  if (delivered.client !== client) {
    return fault('mask', 'wrong-recipient', `the perturbations are for "${delivered.client}"`);
  }
  const peers = new Set(pairs.map(({ peer }) => peer));
  const bySender = new Map<string, Uint8Array>();
  for (const { peer, sealed } of delivered.perturbations) {
    if (!peers.has(peer)) {
      return fault('mask', 'unknown-client', `a perturbation comes from "${peer}", no peer`, peer);
    }
    if (bySender.has(peer)) {
      return fault('mask', 'duplicate-message', `"${peer}" sent two perturbations`, peer);
    }
    bySender.set(peer, sealed);
  }
  const missing = pairs.find(({ peer }) => !bySender.has(peer));
  if (missing !== undefined) {
    return fault(
      'mask',
      'missing-clients',
      `the perturbation of "${missing.peer}" did not come, and the sum needs every client`,
      missing.peer,
    );
  }
  return bySender;
}

/** received += what a peer sent, or the fault of that peer. */
function addOpened(
  received: readonly Residues[],
  { peer, secret }: Pair,
  binding: SealBinding,
  sealed: Uint8Array,
): PerturbationsClientFault | undefined {
  const plaintext = openPerturbation(secret, binding, sealed);
  if (plaintext === undefined) {
    return fault('mask', 'open-failed', `the perturbation of "${peer}" does not open`, peer);
  }
  try {
    addPackedPerturbation(received, plaintext);
    return undefined;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return fault('mask', 'malformed-perturbation', `of "${peer}": ${error.message}`, peer);
  } finally {
    plaintext.fill(0);
  }
}

/** Erases what a client keeps that will not go on; nothing happens to a state that was used. */
export function discardPerturbations(
  state: PerturbationsClientState | ExchangedPerturbationsState,
): void {
  if (state.consumed) return;
  const secrets = state.consume();
  if ('keys' in secrets) secrets.keys.secretKey.erase();
  else eraseExchanged(secrets);
}

function eraseExchanged({ pairs, sent }: ExchangedSecrets): void {
  erasePairs(pairs);
  erasePerturbation(sent);
}

function bindingOf(
  { session, round, context = NO_CONTEXT }: PerturbationsClientSetup,
  transcript: Uint8Array,
  route: Pick<SealBinding, 'sender' | 'recipient'>,
): SealBinding {
  return { session, round, transcript, context, ...route };
}

function stateOf<T extends { readonly setup: PerturbationsClientSetup }>(
  secrets: T,
): LinearState<T> {
  return new LinearState(`perturbations client "${secrets.setup.client}"`, secrets);
}

const NO_CONTEXT = new Uint8Array(0);
