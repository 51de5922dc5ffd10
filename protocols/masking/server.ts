/**
 * @file The server of pairwise masking: collects one key and then one masked input from each client
 * of the cohort, and adds the inputs up. It learns the sum and needs everybody for it.
 */

import { equalBytes } from '#crypto';
import { toHex } from '../crypto/bytes.ts';
import { type Fault, fault, ProtocolError } from '../errors.ts';
import { LinearState } from '../linear-state.ts';
import { addInPlace } from '../residues/arithmetic.ts';
import { isCanonical, type Residues, zeroResidues } from '../residues/residues.ts';
import { problemOfIdentity, problemOfSession } from './identities.ts';
import {
  type AdvertisedKey,
  type MaskedInput,
  type Roster,
  type RosterEntry,
  transcriptHash,
} from './messages.ts';
import { type MaskingParameters, problemOfParameters } from './parameters.ts';
import { isCanonicalKey } from './roster.ts';
import { excessOf } from './sum-range.ts';

export interface MaskingServerSetup {
  /** The same bytes that the clients were given. */
  readonly session: Uint8Array;
  readonly round: number;
  readonly parameters: MaskingParameters;
  /** The cohort; as many as the parameters say. */
  readonly clients: readonly string[];
}

export type MaskingServerFault = Fault<
  'collect-keys' | 'collect-inputs' | 'finish',
  | 'wrong-session'
  | 'unexpected-message'
  | 'unknown-client'
  | 'duplicate-message'
  | 'duplicate-key'
  | 'invalid-key'
  | 'transcript-mismatch'
  | 'context-mismatch'
  | 'wrong-vector-count'
  | 'invalid-length'
  | 'wrong-modulus'
  | 'non-canonical'
  | 'missing-clients'
  | 'sum-out-of-range'
>;

export type MaskingServerState = LinearState<Collection>;

/** The collection moves on from state to state; only the newest state can use it. */
interface Collection {
  readonly setup: MaskingServerSetup;
  readonly cohort: ReadonlySet<string>;
  readonly keys: Map<string, Uint8Array>;
  /** Who sent a key, by the key in hexadecimal. */
  readonly holders: Map<string, string>;
  roster: Roster | undefined;
  transcript: Uint8Array | undefined;
  contextHash: Uint8Array | undefined;
  readonly received: Set<string>;
  readonly sums: readonly Residues[];
}

export interface MaskingServerContinued {
  readonly kind: 'continue';
  readonly state: MaskingServerState;
  /** To every client; present in the one step that completes the keys. */
  readonly message?: Roster;
}

export interface MaskingServerFinished {
  readonly kind: 'finish';
  /** In the order of the parameters. */
  readonly sums: readonly Residues[];
  /** Whose inputs are in the sum. */
  readonly clients: readonly string[];
}

/**
 * @throws ProtocolError `invalid-argument`: the server's own parameters are wrong.
 */
export function startMaskingServer(setup: MaskingServerSetup): MaskingServerState {
  const { session, round, parameters, clients } = setup;
  const problem =
    problemOfSession(session, round) ??
    problemOfParameters(parameters) ??
    clients.map(problemOfIdentity).find((found) => found !== undefined);
  if (problem !== undefined) throw new ProtocolError('invalid-argument', problem.message);
  if (new Set(clients).size !== clients.length || clients.length !== parameters.clients) {
    throw new ProtocolError(
      'invalid-argument',
      `the parameters ask for ${parameters.clients} different clients, got ${clients.length} (${new Set(clients).size} different)`,
    );
  }
  return stateOf({
    setup,
    cohort: new Set(clients),
    keys: new Map(),
    holders: new Map(),
    roster: undefined,
    transcript: undefined,
    contextHash: undefined,
    received: new Set(),
    sums: parameters.vectors.map(({ modulus, length }) => zeroResidues(modulus, length)),
  });
}

/**
 * Takes one client's message. A fault refuses the message and leaves the state usable, so that one
 * client cannot end the round for the others; success gives the next state.
 * @throws ProtocolError `state-consumed`
 */
export function handleAtMaskingServer(
  state: MaskingServerState,
  message: AdvertisedKey | MaskedInput,
): MaskingServerContinued | MaskingServerFault {
  const collection = state.peek();
  return message.kind === 'advertised-key'
    ? collectKey(state, collection, message)
    : collectInput(state, collection, message);
}

/**
 * The sums, or a fault: one that names who is missing leaves the state usable, so that waiting
 * longer is possible; one about a sum out of range ends the run.
 * @throws ProtocolError `state-consumed`
 */
export function finishMaskingServer(
  state: MaskingServerState,
): MaskingServerFinished | MaskingServerFault {
  const { setup, received, sums } = state.peek();
  const missing = setup.clients.filter((client) => !received.has(client));
  if (missing.length > 0) return missingClients(missing, setup.clients.length);
  state.consume();
  const excess = excessOf(setup.parameters, sums);
  if (excess !== undefined) {
    return fault(
      'finish',
      'sum-out-of-range',
      `${excess} is larger than honest clients can make it: somebody's masks do not cancel, or a value was out of its bounds`,
    );
  }
  return { kind: 'finish', sums, clients: setup.clients };
}

/** The fault of a sum that needs everyone and does not have some. */
export function missingClients(
  missing: readonly string[],
  clients: number,
): Fault<'finish', 'missing-clients'> {
  return fault(
    'finish',
    'missing-clients',
    `pairwise masks cancel only with every client, and ${missing.length} of ${clients} ` +
      `did not deliver: ${missing.slice(0, NAMED_AT_MOST).join(', ')}${missing.length > NAMED_AT_MOST ? ', …' : ''}; ` +
      'run a new session without them, or use a protocol that survives dropouts',
    missing[0],
  );
}

/** Who has not yet sent what the server waits for now. */
export function missingAtMaskingServer(state: MaskingServerState): readonly string[] {
  const { setup, keys, roster, received } = state.peek();
  const present = roster === undefined ? keys : received;
  return setup.clients.filter((client) => !present.has(client));
}

function collectKey(
  state: MaskingServerState,
  collection: Collection,
  { session, round, client, publicKey }: AdvertisedKey,
): MaskingServerContinued | MaskingServerFault {
  const { setup, cohort, keys, holders } = collection;
  const refuse = (code: MaskingServerFault['code'], message: string): MaskingServerFault =>
    fault('collect-keys', code, message, client);
  if (!equalBytes(session, setup.session) || round !== setup.round) {
    return refuse('wrong-session', `the key of "${client}" is of another session or round`);
  }
  if (!cohort.has(client)) {
    return refuse('unknown-client', `"${client}" is not of this cohort`);
  }
  if (keys.has(client)) return refuse('duplicate-message', `"${client}" sent two keys`);
  if (!isCanonicalKey(publicKey)) {
    return refuse('invalid-key', `"${client}" sent no canonical X25519 key of 32 bytes`);
  }
  const holder = holders.get(toHex(publicKey));
  if (holder !== undefined) {
    return refuse('duplicate-key', `"${client}" sent the key of "${holder}"`);
  }
  state.consume();
  holders.set(toHex(publicKey), client);
  keys.set(client, publicKey);
  if (keys.size < setup.clients.length) return { kind: 'continue', state: stateOf(collection) };
  const entries: RosterEntry[] = setup.clients.map((name) => ({
    client: name,
    publicKey: keys.get(name)!,
  }));
  const roster: Roster = { kind: 'roster', session: setup.session, round: setup.round, entries };
  collection.roster = roster;
  collection.transcript = transcriptHash(setup.parameters, roster);
  return { kind: 'continue', state: stateOf(collection), message: roster };
}

function collectInput(
  state: MaskingServerState,
  collection: Collection,
  input: MaskedInput,
): MaskingServerContinued | MaskingServerFault {
  const { setup, cohort, transcript, contextHash, received, sums } = collection;
  const { client } = input;
  const refuse = (code: MaskingServerFault['code'], message: string): MaskingServerFault =>
    fault('collect-inputs', code, message, client);
  if (!equalBytes(input.session, setup.session) || input.round !== setup.round) {
    return refuse('wrong-session', `the input of "${client}" is of another session or round`);
  }
  if (transcript === undefined) {
    return refuse('unexpected-message', `"${client}" sent its input before there was a roster`);
  }
  if (!cohort.has(client)) {
    return refuse('unknown-client', `"${client}" is not of this cohort`);
  }
  if (received.has(client)) return refuse('duplicate-message', `"${client}" sent two inputs`);
  if (!equalBytes(input.transcript, transcript)) {
    return refuse(
      'transcript-mismatch',
      `"${client}" masked for other parameters or another roster`,
    );
  }
  if (contextHash !== undefined && !equalBytes(input.contextHash, contextHash)) {
    return refuse(
      'context-mismatch',
      `the input of "${client}" comes from another context than that of ${[...received].slice(0, NAMED_AT_MOST).join(', ')}`,
    );
  }
  if (input.vectors.length !== sums.length) {
    return refuse('wrong-vector-count', `${sums.length} vectors expected from "${client}"`);
  }
  for (const [i, sum] of sums.entries()) {
    const vector = input.vectors[i]!;
    if (vector.modulus !== sum.modulus) {
      return refuse('wrong-modulus', `vector ${i} of "${client}" is mod ${vector.modulus}`);
    }
    if (vector.values.length !== sum.values.length) {
      return refuse(
        'invalid-length',
        `vector ${i} of "${client}" has ${vector.values.length} values instead of ${sum.values.length}`,
      );
    }
    if (!isCanonical(vector)) {
      return refuse('non-canonical', `vector ${i} of "${client}" has values outside [0, R)`);
    }
  }
  state.consume();
  collection.contextHash = input.contextHash;
  received.add(client);
  for (const [i, sum] of sums.entries()) addInPlace(sum, input.vectors[i]!);
  return { kind: 'continue', state: stateOf(collection) };
}

function stateOf(collection: Collection): MaskingServerState {
  return new LinearState('the masking server', collection);
}

const NAMED_AT_MOST = 10;
