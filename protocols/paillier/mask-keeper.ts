/**
 * @file The mask keeper of a Paillier secure sum in which the key holder adds: it gets the seed of
 * each client's mask, never a ciphertext, and gives out the sum of the masks of those who are in
 * the sum, once. One mask alone would show its client's value to the key holder.
 */

import { SecretBytes } from '../crypto/secret.ts';
import { fault } from '../errors.ts';
import { LinearState } from '../linear-state.ts';
import type { PaillierFault } from './faults.ts';
import { type CohortSetup, InputList } from './input-list.ts';
import { expandMask } from './input-mask.ts';
import { statementOfMask } from './input-statement.ts';
import type { InputMask, MaskSum } from './messages.ts';
import { encodePlaintexts } from './plaintexts.ts';
import type { PaillierPublicKey } from './public-key.ts';
import { ledgerProblem, type UseOnce } from './use-once.ts';

export interface MaskKeeperSetup extends CohortSetup, UseOnce {
  readonly publicKey: PaillierPublicKey;
}

export type MaskKeeperState = LinearState<KeptMasks>;

interface KeptMasks {
  readonly setup: MaskKeeperSetup;
  readonly list: InputList;
  /** By client. */
  readonly seeds: Map<string, SecretBytes>;
}

export interface MaskKeeperContinued {
  readonly kind: 'continue';
  readonly state: MaskKeeperState;
}

export interface MaskKeeperFinished {
  readonly kind: 'finish';
  /** To the server. */
  readonly message: MaskSum;
}

/** @throws ProtocolError `invalid-argument` */
export function startMaskKeeper(setup: MaskKeeperSetup): MaskKeeperState {
  const list = new InputList(setup, setup.publicKey, {
    stage: 'collect-masks',
    masked: true,
    fromClients: true,
  });
  return stateOf({ setup, list, seeds: new Map() });
}

/**
 * Takes one client's mask. A fault refuses it and leaves the state usable; success gives the next.
 * @throws ProtocolError `state-consumed`
 */
export function handleAtMaskKeeper(
  state: MaskKeeperState,
  mask: InputMask,
): MaskKeeperContinued | PaillierFault {
  const kept = state.peek();
  const statement = statementOfMask(mask);
  // The statement names the seed by its hash, so that a wrong seed makes a wrong signature.
  const problem = kept.list.problemOf(statement, mask.signature);
  if (problem !== undefined) return problem;
  state.consume();
  kept.list.add(statement, mask.signature);
  kept.seeds.set(mask.client, new SecretBytes(mask.seed.slice()));
  return { kind: 'continue', state: stateOf(kept) };
}

/**
 * The sum of the masks of `clients`, once a session; the seeds are erased then.
 * @throws ProtocolError `state-consumed`
 */
export function finishMaskKeeper(
  state: MaskKeeperState,
  clients: readonly string[],
): MaskKeeperFinished | PaillierFault {
  const { setup, list, seeds } = state.peek();
  const { publicKey, plan } = setup;
  if (new Set(clients).size !== clients.length) {
    return fault('mask', 'duplicate-client', 'a client is named twice');
  }
  const stranger = clients.find((client) => !seeds.has(client));
  if (stranger !== undefined) {
    return fault('mask', 'unknown-client', `no mask of "${stranger}" was kept`);
  }
  const problem = list.problemOfSize(clients) ?? ledgerProblem('mask', setup, list.header);
  if (problem !== undefined) return problem;

  state.consume();
  const { n } = publicKey;
  const sums = new Array<bigint>(plan.plaintexts).fill(0n);
  for (const client of clients) {
    const masks = expandMask(seeds.get(client)!, list.header, client, { n, count: sums.length });
    for (const [i, mask] of masks.entries()) sums[i] = (sums[i]! + mask) % n;
  }
  for (const seed of seeds.values()) seed.erase();
  return {
    kind: 'finish',
    message: {
      kind: 'mask-sum',
      ...list.header,
      clients,
      masks: encodePlaintexts(publicKey, sums),
    },
  };
}

function stateOf(kept: KeptMasks): MaskKeeperState {
  return new LinearState('the mask keeper', kept);
}
