/** @file What stands beside the server and the key holder: an aggregator that adds, or a mask keeper. */

import {
  type AggregatorState,
  encryptedInputCodec,
  encryptedSumCodec,
  finishAggregator,
  finishMaskKeeper,
  handleAtAggregator,
  handleAtMaskKeeper,
  inputMaskCodec,
  type MaskKeeperState,
  maskSumCodec,
  startAggregator,
  startMaskKeeper,
} from '../../../protocols/index.ts';
import { opaqueKind } from '../../leaf/opaque.ts';
import type { Operator } from '../../leaf/operator.ts';
import { bytesOf, defineOperator } from '../define-operator.ts';
import { decoded, requireNoFault, requireProtocol } from '../faults.ts';
import { bytesValue } from '../participant.ts';
import { roundSetupCodec } from '../round-setup.ts';
import { type Collection, collectionOf, takeOperator } from './collecting.ts';
import { paillierEncryptor } from './key-operators.ts';
import { namesCodec } from './names.ts';
import { cohortSetup, type PaillierPolicy } from './policy.ts';

/** Ciphertexts that were added up so far. */
export const paillierAggregate = opaqueKind<Collection<AggregatorState>>('paillier_aggregate', {
  linear: true,
});
/** Seeds of masks that were kept so far. */
export const paillierMasks = opaqueKind<Collection<MaskKeeperState>>('paillier_masks', {
  linear: true,
});

export function aggregatorOperators(policy: PaillierPolicy): readonly Operator[] {
  return policy.decrypts === 'masked-inputs'
    ? maskKeeperOperators(policy)
    : addingOperators(policy);
}

function addingOperators(policy: PaillierPolicy): readonly Operator[] {
  return [
    defineOperator({
      uri: 'paillier_aggregate',
      signature: '(<paillier_encryptor,uint8[?]> -> paillier_aggregate)',
      purity: 'random',
      run: ([prepared, message]) => {
        const round = decoded(roundSetupCodec.decode(bytesOf(message)));
        const cohort = cohortSetup('aggregate', round, policy);
        const encryptor = paillierEncryptor.unwrap(prepared);
        const state = requireProtocol('aggregate', () =>
          startAggregator({ ...cohort, encryptor, ledger: policy.ledger }),
        );
        return paillierAggregate.wrap(collectionOf(round, state));
      },
    }),
    takeOperator({
      uri: 'paillier_add',
      kind: paillierAggregate,
      codec: encryptedInputCodec,
      sealed: policy.sealed,
      stage: 'collect-inputs',
      handle: handleAtAggregator,
    }),
    defineOperator({
      uri: 'paillier_finish',
      signature: '(paillier_aggregate -> uint8[?])',
      purity: 'linear',
      run: ([aggregate]) => {
        const { state } = paillierAggregate.unwrap(aggregate);
        const { message } = requireNoFault(finishAggregator(state));
        return bytesValue(encryptedSumCodec.encode(message));
      },
    }),
  ];
}

function maskKeeperOperators(policy: PaillierPolicy): readonly Operator[] {
  return [
    defineOperator({
      uri: 'paillier_keep_masks',
      signature: '(<paillier_encryptor,uint8[?]> -> paillier_masks)',
      purity: 'random',
      run: ([prepared, message]) => {
        const round = decoded(roundSetupCodec.decode(bytesOf(message)));
        const cohort = cohortSetup('collect-masks', round, policy);
        const { publicKey } = paillierEncryptor.unwrap(prepared);
        const state = requireProtocol('collect-masks', () =>
          startMaskKeeper({ ...cohort, publicKey, ledger: policy.ledger }),
        );
        return paillierMasks.wrap(collectionOf(round, state));
      },
    }),
    takeOperator({
      uri: 'paillier_keep_mask',
      kind: paillierMasks,
      codec: inputMaskCodec,
      sealed: policy.sealed,
      stage: 'collect-masks',
      handle: handleAtMaskKeeper,
    }),
    defineOperator({
      uri: 'paillier_release_masks',
      signature: '(<paillier_masks,uint8[?]> -> uint8[?])',
      purity: 'linear',
      run: ([masks, names]) => {
        const { state } = paillierMasks.unwrap(masks);
        const { clients } = decoded(namesCodec.decode(bytesOf(names)));
        const { message } = requireNoFault(finishMaskKeeper(state, clients));
        return bytesValue(maskSumCodec.encode(message));
      },
    }),
  ];
}
