/**
 * @file A client checks the keys of the others and shares its two secrets among those who hold
 * them (Bonawitz et al. 2017, figure 4, round 1; Bell et al. 2020, section 4): t of the holders can
 * give back the key of its pairwise masks, should it be lost, or the seed of its self mask.
 */

import { ed25519Verify, randomBytes } from '#crypto';
import type { Rng } from '../../crypto/interface.ts';
import type { SecretBytes } from '../../crypto/secret.ts';
import { fault } from '../../errors.ts';
import { isCanonicalKey } from '../../masking/roster.ts';
import { randomFieldElement, splitSecret } from '../../shamir/index.ts';
import { ByteWriter } from '../../wire/byte-writer.ts';
import { chosenByClients } from '../agreement.ts';
import { agreedSecret } from '../key-agreement.ts';
import { merkleProofHolds, merkleRoot } from '../merkle.ts';
import type { Neighbourhood, NeighbourKeys, SealedShare, SharedSecrets } from '../messages.ts';
import {
  advertisementStatement,
  pairChannel,
  pairKeys,
  seedCommitment,
  shareCommitment,
  transcriptHash,
} from '../statements.ts';
import { policyOf } from './config.ts';
import {
  type AdvertisedState,
  beginStep,
  type ChosenState,
  type ClientStep,
  clientState,
  eraseSecrets,
  headingOf,
  type Partner,
  type SecAggClientContinued,
  type SecAggClientFault,
  type SecAggClientFaultCode,
  type SecAggClientState,
  type SharedState,
  withSecrets,
} from './state.ts';

type Keyed = AdvertisedState | ChosenState;

/** @throws ProtocolError `state-consumed` */
export function shareClientSecrets(
  state: SecAggClientState<Keyed>,
  message: Neighbourhood,
  { rng = randomBytes }: { readonly rng?: Rng } = {},
): SecAggClientContinued<SharedSecrets, SharedState> | SecAggClientFault {
  const step = beginStep<Keyed>(state, 'share-keys', ['advertised', 'chosen'], message);
  if ('kind' in step) return step;
  const { content } = step;
  let shared: ReturnType<typeof share> | SecAggClientFault | undefined;
  try {
    const problem = problemOfNeighbourhood(step, message);
    if (problem !== undefined) return problem;
    const transcript = transcriptHash(content.agreed, rootOf(content, message.entries));
    shared = withSecrets((own) => {
      const partners = agreeWithPartners(content, message, transcript, own);
      return Array.isArray(partners) ? share(step, transcript, partners, rng, own) : partners;
    });
    return shared;
  } finally {
    // The mask key goes on with the next state, if there is one.
    if (shared?.kind === 'continue') content.channelSecret.erase();
    else eraseSecrets(content);
  }
}

function share(
  { content, config, ledger }: ClientStep<Keyed>,
  transcript: Uint8Array,
  partners: readonly Partner[],
  rng: Rng,
  own: (secret: SecretBytes) => SecretBytes,
): SecAggClientContinued<SharedSecrets, SharedState> {
  const { agreement, agreed, client } = content;
  const selfSeed = own(randomFieldElement(rng));
  const holders = partners.filter(({ holder }) => holder);
  const points = [...holders.map(({ client: holder }) => holder + 1), client + 1];
  const { threshold } = agreement;
  const maskShares = splitSecret(content.maskSecret, { threshold, points }, rng).map(own);
  const selfShares = splitSecret(selfSeed, { threshold, points }, rng).map(own);
  const shares = holders.map((holder, i): SealedShare => {
    const maskShare = maskShares[i]!.reveal();
    const selfShare = selfShares[i]!.reveal();
    const plaintext = new ByteWriter()
      .uint16(client)
      .uint16(holder.client)
      .raw(maskShare)
      .raw(selfShare)
      .finish();
    const sealed = pairChannel(holder.keys, client, holder.client).seal(plaintext);
    plaintext.fill(0);
    const commit = (kind: 'mask-key' | 'self-mask', value: Uint8Array): Uint8Array =>
      shareCommitment(transcript, kind, client, holder.client, value);
    const commitments =
      agreement.model === 'active'
        ? new ByteWriter()
            .raw(commit('mask-key', maskShare))
            .raw(commit('self-mask', selfShare))
            .finish()
        : new Uint8Array(0);
    return { sealed, commitments };
  });
  const ownSelfShare = selfShares.pop() as SecretBytes;
  for (const secret of [...maskShares, ...selfShares]) secret.erase();
  return {
    kind: 'continue',
    state: clientState({
      content: {
        stage: 'shared',
        agreement,
        agreed,
        client,
        transcript,
        maskSecret: content.maskSecret,
        selfSeed,
        ownSelfShare,
        partners,
      },
      config,
      ledger,
    }),
    message: {
      kind: 'shared-secrets',
      ...headingOf(content),
      seedCommitment: seedCommitment(transcript, client, selfSeed),
      shares,
    },
  };
}

/** Everything that a server could have done to the keys, or left out of them. */
function problemOfNeighbourhood(
  { content, config }: ClientStep<Keyed>,
  { entries, choosers, proof }: Neighbourhood,
): SecAggClientFault | undefined {
  const { agreement, agreed, client, channelKey, maskKey } = content;
  const refuse = (
    code: SecAggClientFaultCode,
    text: string,
    offender?: number,
  ): SecAggClientFault =>
    fault('share-keys', code, text, offender === undefined ? undefined : nameOf(offender));
  const nameOf = (other: number): string =>
    memberOf(content, config, other)?.client ?? `client ${other}`;

  const chosen = content.stage === 'chosen' ? content.chosen : undefined;
  if (chosenByClients(agreement) !== (chosen !== undefined)) {
    return refuse('not-committed', 'the server has not bound itself to the keys yet');
  }
  const seen = new Map([
    [channelKey.join(), client],
    [maskKey.join(), client],
  ]);
  for (const entry of entries) {
    const { client: other } = entry;
    if (other === client)
      return refuse('own-key-twice', 'this client is listed as its own neighbour');
    if (other >= agreement.clients) {
      return refuse('unknown-client', `there is no client ${other} of ${agreement.clients}`);
    }
    for (const key of [entry.channelKey, entry.maskKey]) {
      if (!isCanonicalKey(key)) {
        return refuse('invalid-key', `${nameOf(other)} has no canonical X25519 key`, other);
      }
      const holder = seen.get(key.join());
      if (holder !== undefined) {
        return refuse('duplicate-key', `${nameOf(other)} has a key of ${nameOf(holder)}`, other);
      }
      seen.set(key.join(), other);
    }
  }
  const holders = entries.length - (chosen === undefined ? 0 : notChosen(entries, chosen));
  if (holders + 1 < agreement.threshold) {
    return refuse(
      'too-few-clients',
      `${holders + 1} clients can hold shares, below the threshold of ${agreement.threshold}`,
    );
  }
  const { minimumClients } = policyOf(config);
  if (agreement.graph === 'complete' && entries.length + 1 < minimumClients) {
    return refuse(
      'too-few-clients',
      `${entries.length + 1} clients advertised keys, below this client's minimum of ${minimumClients}`,
    );
  }
  if (chosen === undefined) {
    if (choosers.size !== 0 || proof.length !== 0) {
      return refuse('unexpected-neighbour', 'nobody chooses neighbours in this round');
    }
    if (entries.length > agreement.neighbours) {
      return refuse(
        'unexpected-neighbour',
        `${entries.length} neighbours instead of at most ${agreement.neighbours}`,
      );
    }
  } else {
    const problem = problemOfChoice(content as ChosenState, entries, choosers);
    if (problem !== undefined) return refuse(problem.code, problem.message);
  }
  if (agreement.model !== 'active') return undefined;
  for (const entry of entries) {
    const statement = advertisementStatement(agreed, entry.client, entry.channelKey, entry.maskKey);
    const member = memberOf(content, config, entry.client);
    if (member === undefined || !ed25519Verify(member.publicKey, statement, entry.signature)) {
      return refuse(
        'bad-signature',
        `${nameOf(entry.client)} did not sign these keys`,
        entry.client,
      );
    }
  }
  if (content.stage === 'chosen' && !inCommitment(content, entries, proof)) {
    return refuse(
      'not-committed',
      "the keys of this client and its neighbours are not those of the server's commitment",
    );
  }
  return undefined;
}

/** Whether the neighbours are those that this client chose, and not too many who chose it. */
function problemOfChoice(
  { agreement, advertised, chosen }: ChosenState,
  entries: readonly NeighbourKeys[],
  choosers: Neighbourhood['choosers'],
): { code: SecAggClientFaultCode; message: string } | undefined {
  if (choosers.size !== entries.length) {
    return {
      code: 'wrong-set',
      message: `${choosers.size} marks for ${entries.length} neighbours`,
    };
  }
  const present = new Set(entries.map(({ client }) => client));
  const missing = chosen.find((neighbour) => !present.has(neighbour));
  if (missing !== undefined) {
    return {
      code: 'neighbour-missing',
      message: `client ${missing} advertised keys and was chosen, and its keys are not here`,
    };
  }
  const mine = new Set(chosen);
  const known = new Set(advertised);
  for (const [i, { client }] of entries.entries()) {
    if (!known.has(client) || !(mine.has(client) || choosers.has(i))) {
      return {
        code: 'unexpected-neighbour',
        message: `client ${client} was not chosen, chose nobody, or never advertised keys`,
      };
    }
  }
  if (choosers.count() > agreement.inDegreeLimit) {
    return {
      code: 'too-many-choosers',
      message: `${choosers.count()} clients chose this one, more than ${agreement.inDegreeLimit}`,
    };
  }
  return undefined;
}

/** Whether these keys, and this client's own, are leaves of the root that came before the choice. */
function inCommitment(
  { agreed, advertised, client, channelKey, maskKey, root }: ChosenState,
  entries: readonly NeighbourKeys[],
  proof: readonly Uint8Array[],
): boolean {
  const index = new Map(advertised.map((place, i) => [place, i]));
  const leaves = [...entries, { client, channelKey, maskKey }]
    .sort((a, b) => a.client - b.client)
    .map((keys) => ({
      index: index.get(keys.client) as number,
      leaf: advertisementStatement(agreed, keys.client, keys.channelKey, keys.maskKey),
    }));
  return merkleProofHolds(root, advertised.length, leaves, proof);
}

/** What the transcript is bound to: all keys that this client can know to be the same for all. */
function rootOf(content: Keyed, entries: readonly NeighbourKeys[]): Uint8Array {
  if (content.stage === 'chosen') return content.root;
  if (content.agreement.graph === 'sparse') return new Uint8Array(32);
  const { agreed, client, channelKey, maskKey } = content;
  const leaves = [...entries, { client, channelKey, maskKey }]
    .sort((a, b) => a.client - b.client)
    .map((keys) => advertisementStatement(agreed, keys.client, keys.channelKey, keys.maskKey));
  return merkleRoot(leaves);
}

/** A channel to each partner. */
function agreeWithPartners(
  content: Keyed,
  { entries, choosers }: Neighbourhood,
  transcript: Uint8Array,
  own: (secret: SecretBytes) => SecretBytes,
): Partner[] | SecAggClientFault {
  const chosen = content.stage === 'chosen' ? new Set(content.chosen) : undefined;
  const partners: Partner[] = [];
  for (const [i, { client: other, channelKey, maskKey }] of entries.entries()) {
    const shared = agreedSecret(content.channelSecret, channelKey);
    if (shared === undefined) {
      for (const { keys } of partners) keys.erase();
      return fault(
        'share-keys',
        'low-order-key',
        `the key of client ${other} makes no secret`,
        `client ${other}`,
      );
    }
    own(shared);
    partners.push({
      client: other,
      maskKey,
      keys: own(pairKeys(shared, transcript, content.client, other)),
      holder: chosen === undefined || chosen.has(other),
      dealer: chosen === undefined || choosers.has(i),
    });
    shared.erase();
  }
  return partners;
}

function notChosen(entries: readonly NeighbourKeys[], chosen: readonly number[]): number {
  const mine = new Set(chosen);
  return entries.filter(({ client }) => !mine.has(client)).length;
}

function memberOf(
  { agreement }: Keyed,
  { roster }: ClientStep['config'],
  other: number,
): { client: string; publicKey: Uint8Array } | undefined {
  return roster?.members[agreement.cohort.places()[other]!];
}
