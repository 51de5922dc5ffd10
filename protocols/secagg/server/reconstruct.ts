/**
 * @file The end of a round at the server: from the shares that the survivors gave, the seeds of the
 * masks that are still in the sums. Every secret is checked against what its client published, so a
 * wrong share is found out, and a secret is only ever reconstructed for one of the two kinds.
 */

import { equalBytes, x25519PublicKey } from '#crypto';
import type { SecretBytes } from '../../crypto/secret.ts';
import { ProtocolError } from '../../errors.ts';
import type { Residues } from '../../residues/residues.ts';
import { reconstructChecked } from '../../shamir/index.ts';
import { agreedSecret } from '../key-agreement.ts';
import { pairMaskSeed, selfMaskSeed } from '../mask-streams.ts';
import { seedCommitment } from '../statements.ts';
import {
  type Collection,
  nameOf,
  refuse,
  type SecAggBlame,
  type SecAggLoss,
  type SecAggServerFault,
  type SecAggServerState,
} from './state.ts';

/** Masks to be taken off the sums, and what is known about the round. */
export interface MasksToRemove {
  readonly kind: 'masks';
  /** In the order of the agreement; still masked. They belong to the caller now. */
  readonly sums: readonly Residues[];
  /** For each vector: the masks that are in its sum. */
  readonly masks: readonly (readonly MaskToRemove[])[];
  readonly report: SecAggReport;
  readonly collection: Collection;
}

export interface MaskToRemove {
  /** 32 bytes; see `seedKeystream`. */
  readonly seed: SecretBytes;
  /** How it goes onto the sum: -1 takes off what was added. */
  readonly sign: 1 | -1;
}

export interface SecAggReport {
  /** Numbers of the clients whose vectors are in the sum, ascending. */
  readonly clients: readonly number[];
  /** Who was lost, and when. Clients lost after they sent their vectors are in the sum all the same. */
  readonly lost: readonly SecAggLoss[];
  /** Who dealt or gave a share that was none. */
  readonly blamed: readonly SecAggBlame[];
}

/**
 * Closes the last stage. The state is used up: a fault ends the round, and gives nothing of a sum.
 * @throws ProtocolError `state-consumed`, `invalid-argument` before the last stage
 */
export function reconstructMasks(state: SecAggServerState): MasksToRemove | SecAggServerFault {
  const collection = state.peek();
  if (collection.stage !== 'unmask') {
    throw new ProtocolError(
      'invalid-argument',
      `the round is at '${collection.stage}', not at its end`,
    );
  }
  state.consume();
  const { setup, survivors, sharing, expected, answered, lost } = collection;
  const { agreement } = setup;
  for (const client of expected) {
    if (!answered.has(client)) lost.push({ client, stage: 'unmask' });
  }
  const clients = [...survivors].sort((a, b) => a - b);
  const masks: MaskToRemove[][] = agreement.vectors.map(() => []);
  const runs = agreement.vectors.map(({ id }) => ({
    session: agreement.session,
    round: agreement.round,
    transcript: collection.transcript,
    vector: id,
  }));
  const blamed: SecAggBlame[] = [...collection.complaints];

  for (const client of [...sharing].sort((a, b) => a - b)) {
    const secret = secretOf(collection, client, blamed);
    if (!('reveal' in secret)) return ended(secret);
    if (survivors.has(client)) {
      for (const [i, run] of runs.entries()) {
        masks[i]!.push({ seed: selfMaskSeed(secret, run, client), sign: -1 });
      }
    } else {
      for (const partner of collection.neighbours(client).partners) {
        if (!survivors.has(partner)) continue;
        const shared = agreedSecret(secret, collection.keys.get(partner)!.maskKey);
        if (shared === undefined) {
          secret.erase();
          return ended(refuse(collection, 'wrong-secret', 'a key makes no secret', partner));
        }
        for (const [i, run] of runs.entries()) {
          const contextHash = collection.contextHash as Uint8Array;
          // The survivor applied this mask; it is taken off again.
          const mask = pairMaskSeed(shared, { ...run, contextHash }, partner, client);
          masks[i]!.push({ seed: mask.seed, sign: mask.sign === 1 ? -1 : 1 });
        }
        shared.erase();
      }
    }
    secret.erase();
  }
  return {
    kind: 'masks',
    sums: collection.sums,
    masks,
    report: { clients, lost, blamed },
    collection,
  };

  function ended(outcome: SecAggServerFault): SecAggServerFault {
    for (const { seed } of masks.flat()) seed.erase();
    return outcome;
  }
}

/** The seed of a survivor's self mask, or the mask key of a client that was lost. */
function secretOf(
  collection: Collection,
  client: number,
  blamed: SecAggBlame[],
): SecretBytes | SecAggServerFault {
  const { setup, survivors, revealed, transcript } = collection;
  const { threshold } = setup.agreement;
  const alive = survivors.has(client);
  const shares = [...(revealed.get(client) ?? [])]
    .sort(([a], [b]) => a - b)
    .map(([holder, value]) => ({ point: holder + 1, value }));
  const kind = alive ? 'self mask' : 'mask key';
  if (shares.length < threshold) {
    const complaints = collection.complaints.filter(
      (complaint) => complaint.client === client && complaint.code === 'disputed-share',
    );
    return refuse(
      collection,
      'too-few-shares',
      `${shares.length} shares of the ${kind} of ${nameOf(collection, client)} were given, below the threshold of ${threshold}`,
      // Of as many as the threshold one is honest; fewer may complain of nothing.
      complaints.length >= threshold ? client : undefined,
    );
  }
  const found = reconstructChecked(shares, threshold, (candidate) =>
    alive
      ? equalBytes(
          seedCommitment(transcript, client, candidate),
          collection.seedCommitments.get(client)!,
        )
      : equalBytes(x25519PublicKey(candidate), collection.keys.get(client)!.maskKey),
  );
  if (found === undefined) {
    return refuse(
      collection,
      'wrong-secret',
      `the shares of the ${kind} of ${nameOf(collection, client)} do not make the secret that it published`,
      client,
    );
  }
  // With few shares to spare, several wrong ones can make right ones look wrong.
  if (found.attributed) {
    for (const point of found.wrong) {
      const holder = point - 1;
      blamed.push(
        // What is given here is what the dealer committed to, or it would not have been taken.
        setup.agreement.model === 'active' && holder !== client
          ? { client, code: 'bad-dealt-share', with: holder }
          : { client: holder, code: 'disputed-share', with: client },
      );
    }
  }
  return found.secret;
}
