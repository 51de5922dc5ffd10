/** @file What the key holder of a Paillier sum does: it decrypts one sum a session. */

import {
  decryptAtKeyHolder,
  decryptedSumCodec,
  encryptedInputCodec,
  encryptedSumCodec,
  finishKeyHolder,
  handleAtKeyHolder,
  type KeyHolderState,
  type Rng,
  startKeyHolder,
} from '../../../protocols/index.ts';
import { opaqueKind } from '../../leaf/opaque.ts';
import type { Operator, OperatorValue } from '../../leaf/operator.ts';
import { bytesOf, defineOperator } from '../define-operator.ts';
import { decoded, requireNoFault, requireProtocol } from '../faults.ts';
import { bytesValue } from '../participant.ts';
import { type RoundSetup, roundSetupCodec } from '../round-setup.ts';
import { type Collection, collectionOf, takeOperator } from './collecting.ts';
import { paillierPrivateKey } from './key-operators.ts';
import { cohortSetup, type PaillierPolicy } from './policy.ts';

/** Masked inputs that the key holder added up so far. */
export const paillierInputs = opaqueKind<Collection<KeyHolderState>>('paillier_inputs', {
  linear: true,
});

export function keyHolderOperators(policy: PaillierPolicy): readonly Operator[] {
  return policy.decrypts === 'masked-inputs'
    ? addingOperators(policy)
    : [
        defineOperator({
          uri: 'paillier_decrypt',
          signature: '(<paillier_private_key,uint8[?],uint8[?]> -> uint8[?])',
          purity: 'random',
          run: ([held, message, sum], { random }) => {
            const { state } = begin(policy, held, message);
            const encrypted = decoded(encryptedSumCodec.decode(bytesOf(sum)));
            const { message: decrypted } = requireNoFault(
              decryptAtKeyHolder(state, encrypted, { rng: random as Rng }),
            );
            return bytesValue(decryptedSumCodec.encode(decrypted));
          },
        }),
      ];
}

function addingOperators(policy: PaillierPolicy): readonly Operator[] {
  return [
    defineOperator({
      uri: 'paillier_collect',
      signature: '(<paillier_private_key,uint8[?]> -> paillier_inputs)',
      purity: 'random',
      run: ([held, message]) => {
        const { round, state } = begin(policy, held, message);
        return paillierInputs.wrap(collectionOf(round, state));
      },
    }),
    takeOperator({
      uri: 'paillier_collect_input',
      kind: paillierInputs,
      codec: encryptedInputCodec,
      sealed: true,
      stage: 'decrypt',
      handle: handleAtKeyHolder,
    }),
    defineOperator({
      uri: 'paillier_decrypt_inputs',
      signature: '(paillier_inputs -> uint8[?])',
      purity: 'linear',
      run: ([inputs], { random }) => {
        const { state } = paillierInputs.unwrap(inputs);
        const { message } = requireNoFault(finishKeyHolder(state, { rng: random as Rng }));
        return bytesValue(decryptedSumCodec.encode(message));
      },
    }),
  ];
}

function begin(
  policy: PaillierPolicy,
  held: OperatorValue | undefined,
  message: OperatorValue | undefined,
): { readonly round: RoundSetup; readonly state: KeyHolderState } {
  const { key } = paillierPrivateKey.unwrap(held);
  const round = decoded(roundSetupCodec.decode(bytesOf(message)));
  const cohort = cohortSetup('decrypt', round, policy);
  const { decrypts, ledger } = policy;
  const state = requireProtocol('decrypt', () =>
    startKeyHolder({ ...cohort, privateKey: key, decrypts, ledger }),
  );
  return { round, state };
}
