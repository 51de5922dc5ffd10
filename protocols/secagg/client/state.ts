/**
 * @file What a client keeps between the steps of a round. Each step takes the state of the one
 * before and erases what is not needed any more; a state serves one step, whatever comes of it.
 */

import { toHex } from '../../crypto/bytes.ts';
import type { SecretBytes } from '../../crypto/secret.ts';
import { type Fault, fault } from '../../errors.ts';
import { LinearState } from '../../linear-state.ts';
import type { SessionLedger } from '../../session-ledger.ts';
import type { SecAggAgreement } from '../agreement.ts';
import type { Heading } from '../messages.ts';
import type { ParametersFaultCode } from './advertise.ts';
import type { SecAggClientConfig } from './config.ts';

export type SecAggClientStage =
  | 'advertise'
  | 'choose-neighbours'
  | 'share-keys'
  | 'mask-vectors'
  | 'confirm-survivors'
  | 'unmask';

export type SecAggClientFault = Fault<SecAggClientStage, SecAggClientFaultCode>;

export type SecAggClientFaultCode =
  | ParametersFaultCode
  | 'session-used'
  | 'wrong-session'
  | 'wrong-step'
  // the keys of the others
  | 'not-committed'
  | 'too-few-clients'
  | 'unknown-client'
  | 'own-key-missing'
  | 'own-key-twice'
  | 'duplicate-key'
  | 'invalid-key'
  | 'low-order-key'
  | 'bad-signature'
  | 'neighbour-missing'
  | 'unexpected-neighbour'
  | 'too-many-choosers'
  // the shares of the others, and one's own input
  | 'wrong-share-count'
  | 'wrong-vector-count'
  | 'invalid-length'
  | 'not-an-integer'
  | 'out-of-range'
  // the survivors
  | 'wrong-set'
  | 'unknown-survivor'
  | 'self-missing'
  | 'too-few-survivors'
  | 'wrong-statement-count'
  | 'too-few-confirmations';

/** What all steps need. */
export interface Membership {
  readonly agreement: SecAggAgreement;
  /** Hash of the agreement. */
  readonly agreed: Uint8Array;
  /** This client's number. */
  readonly client: number;
}

export interface AdvertisedState extends Membership {
  readonly stage: 'advertised';
  readonly channelSecret: SecretBytes;
  readonly channelKey: Uint8Array;
  /** An element of the field, as it will be shared. */
  readonly maskSecret: SecretBytes;
  readonly maskKey: Uint8Array;
}

/** Only where clients choose their neighbours. */
export interface ChosenState extends Omit<AdvertisedState, 'stage'> {
  readonly stage: 'chosen';
  readonly advertised: readonly number[];
  readonly root: Uint8Array;
  readonly chosen: readonly number[];
}

/** Another client that this one makes a mask with. */
export interface Partner {
  readonly client: number;
  readonly maskKey: Uint8Array;
  /** Keys of the channel to it. */
  readonly keys: SecretBytes;
  /** It holds a share of this client's secrets. */
  readonly holder: boolean;
  /** It dealt this client a share of its secrets. */
  readonly dealer: boolean;
}

export interface SharedState extends Membership {
  readonly stage: 'shared';
  readonly transcript: Uint8Array;
  readonly maskSecret: SecretBytes;
  readonly selfSeed: SecretBytes;
  readonly ownSelfShare: SecretBytes;
  readonly partners: readonly Partner[];
}

/** Both shares of a dealer's secrets, of which at most one will be given. */
export interface HeldShares {
  readonly client: number;
  /** `undefined` if what the dealer sent was no share. */
  readonly maskShare: SecretBytes | undefined;
  readonly selfShare: SecretBytes | undefined;
  readonly keys: SecretBytes;
}

export interface MaskedState extends Membership {
  readonly stage: 'masked';
  readonly transcript: Uint8Array;
  readonly ownSelfShare: SecretBytes;
  readonly dealers: readonly HeldShares[];
  /** Who holds this client's shares, was present when it masked, and the keys of the channel. */
  readonly holders: readonly { readonly client: number; readonly keys: SecretBytes }[];
}

export interface ConfirmedState extends Omit<MaskedState, 'stage'> {
  readonly stage: 'confirmed';
  /** The set this client confirmed, as places of the survivor set's bitmap. */
  readonly alive: readonly number[];
  /** How many places that bitmap has. */
  readonly places: number;
  /** Dealers that are said to be alive but did not show that they included this client. */
  readonly unproven: readonly number[];
}

export type ClientContent =
  | AdvertisedState
  | ChosenState
  | SharedState
  | MaskedState
  | ConfirmedState;

export type SecAggClientState<C extends ClientContent = ClientContent> = LinearState<ClientStep<C>>;

export interface ClientStep<C extends ClientContent = ClientContent> {
  readonly content: C;
  readonly config: SecAggClientConfig;
  readonly ledger: SessionLedger;
}

export interface SecAggClientContinued<M, C extends ClientContent = ClientContent> {
  readonly kind: 'continue';
  readonly state: SecAggClientState<C>;
  readonly message: M;
}

export interface SecAggClientFinished<M> {
  readonly kind: 'finish';
  readonly message: M;
}

export function clientState<C extends ClientContent>(step: ClientStep<C>): SecAggClientState<C> {
  return new LinearState(
    `secure aggregation client ${step.content.client}, ${step.content.stage}`,
    step,
  );
}

/**
 * Takes the state for a step and notes that the step is done, before anything comes of it.
 * @throws ProtocolError `state-consumed`
 */
export function beginStep<C extends ClientContent>(
  state: SecAggClientState<C>,
  stage: SecAggClientStage,
  expected: readonly ClientContent['stage'][],
  heading: Heading,
): ClientStep<C> | SecAggClientFault {
  const step = state.consume();
  const { content, ledger } = step;
  const refuse = (code: SecAggClientFaultCode, message: string): SecAggClientFault => {
    eraseSecrets(content);
    return fault(stage, code, message);
  };
  if (!expected.includes(content.stage)) {
    return refuse('wrong-step', `this client is at '${content.stage}', not before '${stage}'`);
  }
  const { session, round } = content.agreement;
  if (
    toHex(heading.session) !== toHex(session) ||
    heading.round !== round ||
    heading.client !== content.client
  ) {
    return refuse('wrong-session', 'the message is for another session, round or client');
  }
  let first = false;
  try {
    first = ledger.claim(stepName(content, stage));
  } finally {
    if (!first) eraseSecrets(content);
  }
  return first
    ? step
    : fault(stage, 'session-used', `this client did '${stage}' of this session before`);
}

/** Identifies a step of a session in a ledger. */
export function stepName({ agreement, client }: Membership, stage: SecAggClientStage): string {
  return `${toHex(agreement.session)}/${agreement.round}/${client}/${stage}`;
}

export function headingOf({ agreement, client }: Membership): Heading {
  return { session: agreement.session, round: agreement.round, client };
}

/** Erases every secret in a state, at any depth. */
export function eraseSecrets(content: object): void {
  for (const value of Object.values(content)) {
    if (isSecret(value)) value.erase();
    else if (Array.isArray(value)) for (const item of value) eraseItem(item);
  }
}

/**
 * Runs a step that makes secrets of its own, and erases those if it throws: a source of randomness or
 * a platform can fail half-way.
 */
export function withSecrets<T>(step: (own: (secret: SecretBytes) => SecretBytes) => T): T {
  const made: SecretBytes[] = [];
  try {
    return step((secret) => {
      made.push(secret);
      return secret;
    });
  } catch (error) {
    for (const secret of made) secret.erase();
    throw error;
  }
}

/** Makes a step; one that fails keeps nothing of the state that it took. */
export function orErase<T>(content: ClientContent, step: () => T): T {
  try {
    return step();
  } catch (error) {
    eraseSecrets(content);
    throw error;
  }
}

/** Erases a state that will not be used: the client leaves the round. */
export function abandonClient(state: SecAggClientState): void {
  if (!state.consumed) eraseSecrets(state.consume().content);
}

function eraseItem(item: unknown): void {
  if (typeof item === 'object' && item !== null) eraseSecrets(item);
}

function isSecret(value: unknown): value is SecretBytes {
  return typeof value === 'object' && value !== null && 'erase' in value && 'reveal' in value;
}
