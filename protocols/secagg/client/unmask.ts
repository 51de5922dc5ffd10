/**
 * @file A client's last step: for each client whose shares it holds it gives one of the two, that of
 * the self mask of a survivor or that of the mask key of a lost client (Bonawitz et al. 2017,
 * figure 4, round 4). Then everything is erased. It never gives both, and never twice.
 */

import { ed25519Verify } from '#crypto';
import { fault } from '../../errors.ts';
import { chosenByClients } from '../agreement.ts';
import { Bitmap } from '../bitmap.ts';
import type { Confirmations, RevealedShares, SurvivorSet } from '../messages.ts';
import { pairChannel, survivorsStatement } from '../statements.ts';
import { policyOf } from './config.ts';
import {
  beginStep,
  type ClientStep,
  type ConfirmedState,
  eraseSecrets,
  headingOf,
  type MaskedState,
  type SecAggClientFault,
  type SecAggClientFinished,
  type SecAggClientState,
} from './state.ts';
import { checkSurvivors } from './survivors.ts';

/**
 * In the active model, after enough others confirmed the same survivors.
 * @throws ProtocolError `state-consumed`
 */
export function unmaskConfirmed(
  state: SecAggClientState<ConfirmedState>,
  message: Confirmations,
): SecAggClientFinished<RevealedShares> | SecAggClientFault {
  const step = beginStep(state, 'unmask', ['confirmed'], message);
  if ('kind' in step) return step;
  const { content } = step;
  try {
    const problem = chosenByClients(content.agreement)
      ? problemOfAcks(content, message)
      : problemOfSignatures(step, message);
    if (problem !== undefined) return problem;
    const complete = content.agreement.graph === 'complete';
    const alive = new Set(
      content.alive.map((place) => (complete ? place : content.dealers[place]!.client)),
    );
    return reveal(content, alive, new Set(content.unproven));
  } finally {
    eraseSecrets(content);
  }
}

/**
 * In the semi-honest models, where the server is believed about the survivors.
 * @throws ProtocolError `state-consumed`
 */
export function unmaskSurvivors(
  state: SecAggClientState<MaskedState>,
  message: SurvivorSet,
): SecAggClientFinished<RevealedShares> | SecAggClientFault {
  const step = beginStep(state, 'unmask', ['masked'], message);
  if ('kind' in step) return step;
  const { content, config } = step;
  try {
    if (content.agreement.model === 'active') {
      return fault('unmask', 'wrong-step', 'in the active model the survivors are confirmed first');
    }
    const checked = checkSurvivors('unmask', content, message, config);
    return checked.kind === 'fault' ? checked : reveal(content, checked.alive, new Set());
  } finally {
    eraseSecrets(content);
  }
}

/** One share of each dealer, the kind decided here by one look at whether it is alive. */
function reveal(
  content: MaskedState | ConfirmedState,
  alive: ReadonlySet<number>,
  withheld: ReadonlySet<number>,
): SecAggClientFinished<RevealedShares> {
  const given: number[] = [];
  const shares: Uint8Array[] = [];
  for (const [place, dealer] of content.dealers.entries()) {
    const share = alive.has(dealer.client) ? dealer.selfShare : dealer.maskShare;
    if (share === undefined || withheld.has(dealer.client)) continue;
    given.push(place);
    shares.push(share.reveal().slice());
  }
  // This client survived, or it would not have come so far.
  given.push(content.dealers.length);
  shares.push(content.ownSelfShare.reveal().slice());
  return {
    kind: 'finish',
    message: {
      kind: 'revealed-shares',
      ...headingOf(content),
      given: Bitmap.of(content.dealers.length + 1, given),
      shares,
    },
  };
}

/** At least as many as the threshold signed the very set that this client signed. */
function problemOfSignatures(
  { content, config }: ClientStep<ConfirmedState>,
  { from, statements }: Confirmations,
): SecAggClientFault | undefined {
  const { agreement, client, transcript, alive, places } = content;
  const confirming = from.places();
  if (from.size !== agreement.clients) {
    return fault(
      'unmask',
      'wrong-set',
      `the set is over ${from.size} clients, not ${agreement.clients}`,
    );
  }
  if (statements.length !== confirming.length) {
    return fault(
      'unmask',
      'wrong-statement-count',
      `${statements.length} signatures of ${confirming.length} clients`,
    );
  }
  const survivors = new Set(alive);
  const statement = survivorsStatement(transcript, Bitmap.of(places, alive));
  const members = agreement.cohort.places();
  let count = 1;
  for (const [i, other] of confirming.entries()) {
    if (other === client) continue;
    const member = config.roster?.members[members[other]!];
    if (!survivors.has(other)) {
      return fault('unmask', 'unknown-survivor', `client ${other} confirms and did not survive`);
    }
    if (member === undefined || !ed25519Verify(member.publicKey, statement, statements[i]!)) {
      return fault(
        'unmask',
        'bad-signature',
        `${member?.client ?? `client ${other}`} did not sign the survivors that this client was told of`,
        member?.client,
      );
    }
    count += 1;
  }
  const least = Math.max(agreement.threshold, policyOf(config).minimumClients);
  if (count < least) {
    return fault(
      'unmask',
      'too-few-confirmations',
      `${count} clients confirmed the survivors, below ${least}`,
    );
  }
  return undefined;
}

/**
 * Enough of those who hold this client's shares take it for a survivor: then none of them gives
 * its mask key away, and nobody who counts it as lost can have enough shares of it.
 */
function problemOfAcks(
  { agreement, client, holders }: ConfirmedState,
  { from, statements }: Confirmations,
): SecAggClientFault | undefined {
  const confirming = from.places();
  if (from.size !== holders.length) {
    return fault(
      'unmask',
      'wrong-set',
      `the set is over ${from.size} clients, not ${holders.length}`,
    );
  }
  if (statements.length !== confirming.length) {
    return fault(
      'unmask',
      'wrong-statement-count',
      `${statements.length} statements of ${confirming.length} clients`,
    );
  }
  let count = 1;
  for (const [i, place] of confirming.entries()) {
    const { client: holder, keys } = holders[place]!;
    // One that does not hold counts for nothing: any client could send one to stop this one.
    if (pairChannel(keys, client, holder).tagHolds('ack', statements[i]!)) count += 1;
  }
  if (count < agreement.threshold) {
    return fault(
      'unmask',
      'too-few-confirmations',
      `${count} clients that hold shares of this one take it for a survivor, below the threshold of ${agreement.threshold}`,
    );
  }
  return undefined;
}
