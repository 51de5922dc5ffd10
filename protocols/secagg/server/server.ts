/**
 * @file The server of secure aggregation with dropouts (Bonawitz et al. 2017, figure 4; Bell et al.
 * 2020, section 4). It collects one message a stage from each client; whoever has not answered when
 * it advances is lost, and the round goes on as long as the threshold holds.
 */

import { randomBytes, sha256 } from '#crypto';
import type { Rng } from '../../crypto/interface.ts';
import { zeroResidues } from '../../residues/residues.ts';
import { agreementHash, chosenByClients, problemOfAgreement } from '../agreement.ts';
import { regularGraph } from '../graph.ts';
import { merkleRoot, merkleTree } from '../merkle.ts';
import type { Announcement } from '../messages.ts';
import { advertisementStatement, transcriptHash } from '../statements.ts';
import {
  commitmentFor,
  confirmationsFor,
  dealtSharesFor,
  neighbourhoodFor,
  survivorSetFor,
} from './messages-out.ts';
import {
  type Collection,
  invalidSetup,
  type Neighbours,
  refuse,
  type SecAggServerAdvanced,
  type SecAggServerFault,
  type SecAggServerSetup,
  type SecAggServerStage,
  type SecAggServerState,
  type ServerMessage,
  serverState,
} from './state.ts';

/**
 * Begins a round: an announcement for every client.
 * @throws ProtocolError `invalid-argument`: the server's own set-up is wrong.
 */
export function startSecAggServer(setup: SecAggServerSetup): SecAggServerAdvanced {
  const { agreement, roster } = setup;
  const problem = problemOfAgreement(agreement);
  if (problem !== undefined) throw invalidSetup(problem.message);
  if (agreement.model === 'active' && roster === undefined) {
    throw invalidSetup('a round in the active model needs a roster');
  }
  const { leastSurvivors = 0 } = setup;
  if (
    !Number.isInteger(leastSurvivors) ||
    leastSurvivors < 0 ||
    leastSurvivors > agreement.clients
  ) {
    throw invalidSetup(`${leastSurvivors} of ${agreement.clients} clients cannot survive`);
  }
  const everyone = Array.from({ length: agreement.clients }, (_, client) => client);
  const collection: Collection = {
    setup,
    agreed: agreementHash(agreement),
    stage: 'advertise',
    expected: new Set(everyone),
    answered: new Set(),
    lost: [],
    keys: new Map(),
    keyHolders: new Map(),
    choices: new Map(),
    transcript: new Uint8Array(32),
    neighbours: () => NOBODY,
    seedCommitments: new Map(),
    shares: new Map(),
    sharing: new Set(),
    contextHash: setup.contextHash,
    sums: agreement.vectors.map(({ modulus, length }) => zeroResidues(modulus, length)),
    included: new Map(),
    complaints: [],
    survivors: new Set(),
    confirmations: new Map(),
    revealed: new Map(),
  };
  const messages = new Map(
    everyone.map((client): [number, Announcement] => [
      client,
      { kind: 'announcement', client, agreement },
    ]),
  );
  return { kind: 'advance', state: serverState(collection), stage: 'advertise', messages };
}

/** Who has not answered in the stage that is open. */
export function missingAtSecAggServer(state: SecAggServerState): readonly number[] {
  const { expected, answered } = state.peek();
  return [...expected].filter((client) => !answered.has(client));
}

/**
 * Closes the stage that is open and begins the next one. Too few clients end the round: the state
 * is used up, and nothing of a sum is given.
 *
 * The stage `unmask` is closed by `reconstructMasks`.
 * @throws ProtocolError `state-consumed`, `invalid-argument` in the stage `unmask`
 */
export function advanceSecAggServer(
  state: SecAggServerState,
  { rng = randomBytes }: { readonly rng?: Rng } = {},
): SecAggServerAdvanced | SecAggServerFault {
  const collection = state.peek();
  if (collection.stage === 'unmask') {
    throw invalidSetup('the last stage is closed by reconstructing the masks');
  }
  state.consume();
  const { agreement } = collection.setup;
  for (const client of collection.expected) {
    if (!collection.answered.has(client)) collection.lost.push({ client, stage: collection.stage });
  }
  const least = leastAfter(collection);
  if (collection.answered.size < least) {
    return refuse(
      collection,
      'too-few-clients',
      `${collection.answered.size} of ${agreement.clients} clients are left after '${collection.stage}', below ${least === agreement.threshold ? 'the threshold of ' : ''}${least}`,
    );
  }
  const next = NEXT[collection.stage](collection, rng);
  collection.stage = next.stage;
  collection.expected = collection.answered;
  collection.answered = new Set();
  const messages = new Map<number, ServerMessage>();
  for (const client of collection.expected) {
    messages.set(client, next.message(client));
  }
  return { kind: 'advance', state: serverState(collection), stage: next.stage, messages };
}

/** Who is lost after its vectors are in the sums does not make the sum one of fewer. */
function leastAfter({ setup, stage }: Collection): number {
  const { agreement, leastSurvivors = 0 } = setup;
  const counted = stage === 'confirm-survivors' ? 0 : leastSurvivors;
  return Math.max(agreement.threshold, counted);
}

interface Next {
  readonly stage: SecAggServerStage;
  message(client: number): ServerMessage;
}

/** What each stage leads to; `collection.answered` is who is left. */
const NEXT: {
  readonly [stage in Exclude<SecAggServerStage, 'unmask'>]: (
    collection: Collection,
    rng: Rng,
  ) => Next;
} = {
  advertise(collection, rng) {
    const { agreement } = collection.setup;
    const present = [...collection.answered].sort(ascending);
    const root =
      agreement.graph === 'complete' || agreement.model === 'active'
        ? merkleRoot(leavesOf(collection, present))
        : new Uint8Array(32);
    collection.transcript = transcriptHash(collection.agreed, root);
    if (chosenByClients(agreement)) {
      return { stage: 'choose-neighbours', message: commitmentFor(collection, present, root) };
    }
    collection.neighbours = remembered(
      agreement.graph === 'complete'
        ? completeGraph(present)
        : ringGraph(present, agreement.neighbours, rng),
    );
    return { stage: 'share-keys', message: neighbourhoodFor(collection) };
  },

  'choose-neighbours'(collection) {
    collection.neighbours = remembered(chosenGraph(collection.choices));
    const present = [...collection.keys.keys()].sort(ascending);
    const tree = merkleTree(leavesOf(collection, present));
    return { stage: 'share-keys', message: neighbourhoodFor(collection, { present, tree }) };
  },

  'share-keys'(collection) {
    collection.sharing = new Set(collection.answered);
    return { stage: 'mask-vectors', message: dealtSharesFor(collection) };
  },

  'mask-vectors'(collection) {
    collection.survivors = new Set(collection.answered);
    const stage = collection.setup.agreement.model === 'active' ? 'confirm-survivors' : 'unmask';
    return { stage, message: survivorSetFor(collection) };
  },

  'confirm-survivors'(collection) {
    return { stage: 'unmask', message: confirmationsFor(collection) };
  },
};

function leavesOf({ agreed, keys }: Collection, present: readonly number[]): Uint8Array[] {
  return present.map((client) => {
    const { channelKey, maskKey } = keys.get(client)!;
    return advertisementStatement(agreed, client, channelKey, maskKey);
  });
}

function completeGraph(present: readonly number[]): (client: number) => Neighbours {
  return (client) => {
    const others = present.filter((other) => other !== client);
    return { partners: others, holders: others, dealers: others };
  };
}

/** Each with its neighbours in a randomly permuted ring of those who are there. */
function ringGraph(
  present: readonly number[],
  neighbours: number,
  rng: Rng,
): (client: number) => Neighbours {
  const place = new Map(present.map((client, i) => [client, i]));
  if (neighbours >= present.length - 1) return completeGraph(present);
  const ring = regularGraph(present.length, neighbours, sha256(rng(32)));
  return (client) => {
    const others = ring(place.get(client)!).map((i) => present[i]!);
    return { partners: others, holders: others, dealers: others };
  };
}

/** Those whom a client chose hold its shares; it holds the shares of those who chose it. */
function chosenGraph(
  choices: ReadonlyMap<number, readonly number[]>,
): (client: number) => Neighbours {
  const choosers = new Map<number, number[]>();
  for (const [client, chosen] of [...choices].sort(([a], [b]) => a - b)) {
    for (const other of chosen) {
      const list = choosers.get(other);
      if (list === undefined) choosers.set(other, [client]);
      else list.push(client);
    }
  }
  return (client) => {
    const holders = choices.get(client) ?? [];
    const dealers = choosers.get(client) ?? [];
    const partners = [...new Set([...holders, ...dealers])].sort(ascending);
    return { partners, holders, dealers };
  };
}

function remembered(graph: (client: number) => Neighbours): (client: number) => Neighbours {
  const known = new Map<number, Neighbours>();
  return (client) => {
    let neighbours = known.get(client);
    if (neighbours === undefined) {
      neighbours = graph(client);
      known.set(client, neighbours);
    }
    return neighbours;
  };
}

function ascending(a: number, b: number): number {
  return a - b;
}

const NOBODY: Neighbours = { partners: [], holders: [], dealers: [] };
