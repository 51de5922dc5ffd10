/**
 * @file What the server of a round collects, and its outcomes. The collection moves on from state to
 * state; only the newest state can use it.
 */

import { toHex } from '../../crypto/bytes.ts';
import { type Fault, fault, ProtocolError } from '../../errors.ts';
import { LinearState } from '../../linear-state.ts';
import type { Residues } from '../../residues/residues.ts';
import type { IdentityRoster } from '../../roster/identity-roster.ts';
import type { SecAggAgreement } from '../agreement.ts';
import type {
  AdvertisedKeys,
  Advertisement,
  Announcement,
  Commitment,
  Confirmation,
  Confirmations,
  DealtShares,
  Heading,
  MaskedVectors,
  NeighbourChoice,
  Neighbourhood,
  RevealedShares,
  SealedShare,
  SharedSecrets,
  SurvivorSet,
} from '../messages.ts';

/** What the server waits for. The second and the fifth are only in rounds that need them. */
export type SecAggServerStage =
  | 'advertise'
  | 'choose-neighbours'
  | 'share-keys'
  | 'mask-vectors'
  | 'confirm-survivors'
  | 'unmask';

export type SecAggServerFaultCode =
  // one message is refused, the round goes on
  | 'wrong-session'
  | 'wrong-sender'
  | 'unexpected-message'
  | 'unknown-client'
  | 'duplicate-message'
  | 'stage-closed'
  | 'invalid-key'
  | 'duplicate-key'
  | 'bad-signature'
  | 'wrong-neighbour-count'
  | 'unknown-neighbour'
  | 'wrong-share-count'
  | 'wrong-set'
  | 'wrong-vector-count'
  | 'wrong-modulus'
  | 'invalid-length'
  | 'non-canonical'
  | 'context-mismatch'
  | 'wrong-statement-count'
  // the round ends
  | 'too-few-clients'
  | 'too-few-shares'
  | 'wrong-secret'
  | 'sum-out-of-range';

export type SecAggServerFault = Fault<SecAggServerStage, SecAggServerFaultCode>;

/** What clients send. */
export type ClientMessage =
  | Advertisement
  | NeighbourChoice
  | SharedSecrets
  | MaskedVectors
  | Confirmation
  | RevealedShares;

/** What the server sends. */
export type ServerMessage =
  | Announcement
  | Commitment
  | Neighbourhood
  | DealtShares
  | SurvivorSet
  | Confirmations;

export interface SecAggServerSetup {
  readonly agreement: SecAggAgreement;
  /** By which signatures are checked, in the active model. */
  readonly roster?: IdentityRoster;
  /** What clients are called in faults, by number. @default as in the roster, or "client 3" */
  readonly names?: readonly string[];
  /**
   * What all inputs must be bound to, as its SHA-256. A server that knows it should say so: one
   * client that lies, and is first, has the inputs of all others refused.
   * @default that of the first input
   */
  readonly contextHash?: Uint8Array;
  /**
   * Clients that must be in the sum, at least. In a ring that the server draws, what hides a client is
   * promised for `leastSurvivors` of the parameters only: below, the ring can fall apart.
   * @default the threshold
   */
  readonly leastSurvivors?: number;
}

/** Two clients make a mask together; one may hold a share of the other's secrets, or both do. */
export interface Neighbours {
  /** With whom a client makes masks, ascending. */
  readonly partners: readonly number[];
  /** Who holds its shares, ascending, without itself. */
  readonly holders: readonly number[];
  /** Whose shares it holds, ascending, without itself. */
  readonly dealers: readonly number[];
}

export interface Collection {
  readonly setup: SecAggServerSetup;
  readonly agreed: Uint8Array;
  stage: SecAggServerStage;
  /** Who has to answer in this stage. */
  expected: ReadonlySet<number>;
  /** Who has answered in this stage. */
  answered: Set<number>;
  readonly lost: SecAggLoss[];

  readonly keys: Map<number, AdvertisedKeys>;
  /** Who advertised a key, by the key in hexadecimal. */
  readonly keyHolders: Map<string, number>;
  readonly choices: Map<number, readonly number[]>;
  transcript: Uint8Array;
  neighbours: (client: number) => Neighbours;
  readonly seedCommitments: Map<number, Uint8Array>;
  /** By dealer, in the order of its holders. */
  readonly shares: Map<number, readonly SealedShare[]>;
  /** U2: who shared its secrets. */
  sharing: ReadonlySet<number>;
  contextHash: Uint8Array | undefined;
  readonly sums: readonly Residues[];
  readonly included: Map<number, readonly Uint8Array[]>;
  readonly complaints: SecAggBlame[];
  /** U3: whose vectors are in the sums. */
  survivors: ReadonlySet<number>;
  readonly confirmations: Map<number, readonly Uint8Array[]>;
  /** By the client whose secret it is: the shares that were given, by holder. */
  readonly revealed: Map<number, Map<number, Uint8Array>>;
}

export interface SecAggLoss {
  readonly client: number;
  /** The stage in which it did not answer, or answered what was refused. */
  readonly stage: SecAggServerStage;
}

/** Who did what it must not. */
export interface SecAggBlame {
  readonly client: number;
  /**
   * `bad-dealt-share`: it committed to a share that is none of its secret. `bad-revealed-share`: it gave
   * another share than the one it took without complaint. `disputed-share`: it or the other end, and
   * nobody can tell which.
   */
  readonly code: 'bad-dealt-share' | 'bad-revealed-share' | 'disputed-share';
  /** The other end of the share. */
  readonly with: number;
}

export type SecAggServerState = LinearState<Collection>;

export interface SecAggServerContinued {
  readonly kind: 'continue';
  readonly state: SecAggServerState;
}

/** A stage begins: what goes to whom. */
export interface SecAggServerAdvanced {
  readonly kind: 'advance';
  readonly state: SecAggServerState;
  /** The stage that begins. */
  readonly stage: SecAggServerStage;
  readonly messages: ReadonlyMap<number, ServerMessage>;
}

export function serverState(collection: Collection): SecAggServerState {
  return new LinearState('the secure aggregation server', collection);
}

export function refuse(
  collection: Collection,
  code: SecAggServerFaultCode,
  message: string,
  client?: number,
): SecAggServerFault {
  const offender = client === undefined ? undefined : nameOf(collection, client);
  return fault(collection.stage, code, message, offender);
}

/** The name of a client in messages. */
export function nameOf({ setup }: Collection, client: number): string {
  const place = setup.agreement.cohort.places()[client];
  const member = place === undefined ? undefined : setup.roster?.members[place];
  return setup.names?.[client] ?? member?.client ?? `client ${client}`;
}

export function headingFor({ setup }: Collection, client: number): Heading {
  const { session, round } = setup.agreement;
  return { session, round, client };
}

/** Whether a message is of this session and names the client that it came from. */
export function problemOfHeading(
  collection: Collection,
  from: number,
  message: Heading,
): SecAggServerFault | undefined {
  const { agreement } = collection.setup;
  if (toHex(message.session) !== toHex(agreement.session) || message.round !== agreement.round) {
    return refuse(collection, 'wrong-session', 'the message is of another session or round', from);
  }
  if (message.client !== from) {
    return refuse(
      collection,
      'wrong-sender',
      `a message of client ${from} names client ${message.client} as its sender`,
      from,
    );
  }
  return undefined;
}

/** @throws ProtocolError `invalid-argument`: the server's own set-up is wrong. */
export function invalidSetup(message: string): ProtocolError {
  return new ProtocolError('invalid-argument', message);
}
