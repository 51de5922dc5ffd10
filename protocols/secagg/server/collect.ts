/**
 * @file How the server takes one client's message. A fault refuses the message and leaves the state
 * usable, so that one client cannot end the round for the others.
 */

import { ed25519Verify, equalBytes } from '#crypto';
import { toHex } from '../../crypto/bytes.ts';
import { ProtocolError } from '../../errors.ts';
import { isCanonicalKey } from '../../masking/roster.ts';
import { subtractInPlace } from '../../residues/arithmetic.ts';
import { addPacked, unpackResidues } from '../../residues/bit-packing.ts';
import { isElement } from '../../shamir/field-element.ts';
import { chosenByClients } from '../agreement.ts';
import { Bitmap } from '../bitmap.ts';
import { makesSecrets } from '../key-agreement.ts';
import type {
  Advertisement,
  Confirmation,
  MaskedVectors,
  NeighbourChoice,
  RevealedShares,
  SharedSecrets,
} from '../messages.ts';
import {
  advertisementStatement,
  shareCommitment,
  survivorsStatement,
  TAG_LENGTH,
} from '../statements.ts';
import { presentDealers, presentHolders } from './messages-out.ts';
import {
  type ClientMessage,
  type Collection,
  nameOf,
  problemOfHeading,
  refuse,
  type SecAggServerContinued,
  type SecAggServerFault,
  type SecAggServerStage,
  type SecAggServerState,
  serverState,
} from './state.ts';

/**
 * @param from whom the message came from, as the transport knows it; the message must say the same.
 * @throws ProtocolError `state-consumed`
 */
export function receiveAtSecAggServer(
  state: SecAggServerState,
  from: number,
  message: ClientMessage,
): SecAggServerContinued | SecAggServerFault {
  const collection = state.peek();
  const problem =
    problemOfHeading(collection, from, message) ?? problemOfTurn(collection, from, message);
  if (problem !== undefined) return problem;
  const refusal = collect(collection, from, message);
  if (refusal !== undefined) return refusal;
  state.consume();
  collection.answered.add(from);
  return { kind: 'continue', state: serverState(collection) };
}

const STAGE_OF: { readonly [kind in ClientMessage['kind']]: SecAggServerStage } = {
  advertisement: 'advertise',
  'neighbour-choice': 'choose-neighbours',
  'shared-secrets': 'share-keys',
  'masked-vectors': 'mask-vectors',
  confirmation: 'confirm-survivors',
  'revealed-shares': 'unmask',
};

const ORDER = Object.values(STAGE_OF);

function problemOfTurn(
  collection: Collection,
  from: number,
  { kind }: ClientMessage,
): SecAggServerFault | undefined {
  const { stage, expected, answered } = collection;
  const wanted = STAGE_OF[kind];
  if (from >= collection.setup.agreement.clients) {
    return refuse(collection, 'unknown-client', `there is no client ${from}`);
  }
  if (wanted !== stage) {
    const late = ORDER.indexOf(wanted) < ORDER.indexOf(stage);
    return late
      ? refuse(collection, 'stage-closed', `'${wanted}' is over; the message came too late`, from)
      : refuse(collection, 'unexpected-message', `'${wanted}' has not begun yet`, from);
  }
  if (!expected.has(from)) {
    return refuse(
      collection,
      'unexpected-message',
      `${nameOf(collection, from)} left the round before`,
      from,
    );
  }
  if (answered.has(from)) {
    return refuse(
      collection,
      'duplicate-message',
      `${nameOf(collection, from)} sent this twice`,
      from,
    );
  }
  return undefined;
}

function collect(
  collection: Collection,
  from: number,
  message: ClientMessage,
): SecAggServerFault | undefined {
  switch (message.kind) {
    case 'advertisement':
      return collectKeys(collection, from, message);
    case 'neighbour-choice':
      return collectChoice(collection, from, message);
    case 'shared-secrets':
      return collectShares(collection, from, message);
    case 'masked-vectors':
      return collectVectors(collection, from, message);
    case 'confirmation':
      return collectConfirmation(collection, from, message);
    case 'revealed-shares':
      return collectRevealed(collection, from, message);
  }
}

function collectKeys(
  collection: Collection,
  from: number,
  { channelKey, maskKey, signature }: Advertisement,
): SecAggServerFault | undefined {
  const { setup, agreed, keys, keyHolders } = collection;
  const { agreement, roster } = setup;
  const own = [toHex(channelKey), toHex(maskKey)] as const;
  for (const key of [channelKey, maskKey]) {
    // Every client that is given a key of low order refuses, which would end the round.
    if (!isCanonicalKey(key) || !makesSecrets(key)) {
      return refuse(collection, 'invalid-key', 'a key is no canonical X25519 key', from);
    }
  }
  const holder = own[0] === own[1] ? from : (keyHolders.get(own[0]) ?? keyHolders.get(own[1]));
  if (holder !== undefined) {
    return refuse(
      collection,
      'duplicate-key',
      `${nameOf(collection, from)} sent a key of ${nameOf(collection, holder)}`,
      from,
    );
  }
  if (agreement.model === 'active') {
    const member = roster?.members[agreement.cohort.places()[from]!];
    const statement = advertisementStatement(agreed, from, channelKey, maskKey);
    if (member === undefined || !ed25519Verify(member.publicKey, statement, signature)) {
      return refuse(collection, 'bad-signature', 'the keys are not signed by their client', from);
    }
  } else if (signature.length > 0) {
    return refuse(collection, 'bad-signature', 'nobody signs in this model', from);
  }
  for (const key of own) keyHolders.set(key, from);
  keys.set(from, { channelKey, maskKey, signature });
  return undefined;
}

function collectChoice(
  collection: Collection,
  from: number,
  { neighbours }: NeighbourChoice,
): SecAggServerFault | undefined {
  const { setup, keys, choices } = collection;
  const expected = Math.min(setup.agreement.neighbours, keys.size - 1);
  if (neighbours.length !== expected) {
    return refuse(
      collection,
      'wrong-neighbour-count',
      `${neighbours.length} neighbours chosen instead of ${expected}`,
      from,
    );
  }
  for (const neighbour of neighbours) {
    if (neighbour === from || !keys.has(neighbour)) {
      return refuse(
        collection,
        'unknown-neighbour',
        `client ${neighbour} cannot be chosen: it is the chooser, or advertised no keys`,
        from,
      );
    }
  }
  choices.set(from, neighbours);
  return undefined;
}

function collectShares(
  collection: Collection,
  from: number,
  { seedCommitment, shares }: SharedSecrets,
): SecAggServerFault | undefined {
  const { agreement } = collection.setup;
  const { holders } = collection.neighbours(from);
  const length = agreement.model === 'active' ? 2 * TAG_LENGTH : 0;
  if (
    shares.length !== holders.length ||
    shares.some((share) => share.commitments.length !== length)
  ) {
    return refuse(
      collection,
      'wrong-share-count',
      `${holders.length} shares with ${length} bytes of commitments each are expected, got ${shares.length}`,
      from,
    );
  }
  collection.seedCommitments.set(from, seedCommitment);
  collection.shares.set(from, shares);
  return undefined;
}

function collectVectors(
  collection: Collection,
  from: number,
  { contextHash, complaints, included, vectors }: MaskedVectors,
): SecAggServerFault | undefined {
  const { setup, sums } = collection;
  if (collection.contextHash !== undefined && !equalBytes(collection.contextHash, contextHash)) {
    return refuse(
      collection,
      'context-mismatch',
      'the vectors come from another computation or model than those of the others',
      from,
    );
  }
  const dealers = presentDealers(collection, from);
  if (complaints.size !== dealers.length) {
    return refuse(collection, 'wrong-set', `complaints are over ${dealers.length} dealers`, from);
  }
  const tags = chosenByClients(setup.agreement) ? presentHolders(collection, from).length : 0;
  if (included.length !== tags) {
    return refuse(collection, 'wrong-statement-count', `${tags} statements are expected`, from);
  }
  const problem = addVectors(collection, from, vectors);
  if (problem !== undefined) return problem;
  collection.contextHash = contextHash;
  collection.included.set(from, included);
  for (const place of complaints.places()) {
    collection.complaints.push({ client: dealers[place]!, code: 'disputed-share', with: from });
  }
  return undefined;

  function addVectors(
    target: Collection,
    client: number,
    given: MaskedVectors['vectors'],
  ): SecAggServerFault | undefined {
    if (given.length !== sums.length) {
      return refuse(target, 'wrong-vector-count', `${sums.length} vectors are expected`, client);
    }
    for (const [i, sum] of sums.entries()) {
      const { modulus, length } = given[i]!;
      if (modulus !== sum.modulus) {
        return refuse(target, 'wrong-modulus', `vector ${i} is mod ${modulus}`, client);
      }
      if (length !== sum.values.length) {
        return refuse(target, 'invalid-length', `vector ${i} has ${length} values`, client);
      }
    }
    let added = 0;
    try {
      for (; added < sums.length; added += 1) addPacked(sums[added]!, given[added]!.packed);
      return undefined;
    } catch (error) {
      // The vectors before the bad one are in their sums already.
      for (let i = 0; i < added; i += 1) {
        const { modulus, length, packed } = given[i]!;
        subtractInPlace(sums[i]!, unpackResidues(packed, modulus, length));
      }
      if (!(error instanceof ProtocolError)) throw error;
      const code = error.code === 'invalid-length' ? 'invalid-length' : 'non-canonical';
      return refuse(target, code, `vector ${added}: ${error.message}`, client);
    }
  }
}

function collectConfirmation(
  collection: Collection,
  from: number,
  { statements }: Confirmation,
): SecAggServerFault | undefined {
  const { setup, transcript, survivors } = collection;
  const { agreement, roster } = setup;
  if (chosenByClients(agreement)) {
    const alive = presentDealers(collection, from).filter((dealer) => survivors.has(dealer));
    if (statements.length !== alive.length || statements.some((tag) => tag.length !== TAG_LENGTH)) {
      return refuse(
        collection,
        'wrong-statement-count',
        `${alive.length} statements are expected`,
        from,
      );
    }
  } else {
    const member = roster?.members[agreement.cohort.places()[from]!];
    const statement = survivorsStatement(transcript, Bitmap.of(agreement.clients, survivors));
    const [signature] = statements;
    if (
      statements.length !== 1 ||
      member === undefined ||
      !ed25519Verify(member.publicKey, statement, signature!)
    ) {
      return refuse(
        collection,
        'bad-signature',
        'the survivors are not signed by their client',
        from,
      );
    }
  }
  collection.confirmations.set(from, statements);
  return undefined;
}

function collectRevealed(
  collection: Collection,
  from: number,
  { given, shares }: RevealedShares,
): SecAggServerFault | undefined {
  const dealers = presentDealers(collection, from);
  const places = given.places();
  if (given.size !== dealers.length + 1 || shares.length !== places.length) {
    return refuse(
      collection,
      'wrong-share-count',
      `at most ${dealers.length + 1} shares are expected, one for each place, got ${shares.length}`,
      from,
    );
  }
  for (const [i, place] of places.entries()) {
    const share = shares[i]!;
    const owner = place === dealers.length ? from : dealers[place]!;
    if (!isElement(share)) {
      return refuse(collection, 'non-canonical', `the share of client ${owner} is no share`, from);
    }
  }
  for (const [i, place] of places.entries()) {
    const owner = place === dealers.length ? from : dealers[place]!;
    takeShare(collection, owner, from, shares[i]!);
  }
  return undefined;
}

/** A share that is not what its dealer committed to is its holder's fault, and is not used. */
function takeShare(
  { setup, transcript, shares, survivors, neighbours, revealed, complaints }: Collection,
  owner: number,
  holder: number,
  share: Uint8Array,
): void {
  if (setup.agreement.model === 'active' && owner !== holder) {
    const alive = survivors.has(owner);
    const kind = alive ? 'self-mask' : 'mask-key';
    const { commitments } = shares.get(owner)![neighbours(owner).holders.indexOf(holder)]!;
    const start = alive ? TAG_LENGTH : 0;
    const committed = commitments.subarray(start, start + TAG_LENGTH);
    if (!equalBytes(shareCommitment(transcript, kind, owner, holder, share), committed)) {
      complaints.push({ client: holder, code: 'bad-revealed-share', with: owner });
      return;
    }
  }
  const held = revealed.get(owner);
  if (held === undefined) revealed.set(owner, new Map([[holder, share]]));
  else held.set(holder, share);
}
