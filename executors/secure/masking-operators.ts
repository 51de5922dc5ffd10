/** @file What a client does in pairwise masking: it advertises a key, and masks its value once. */

import {
  advertisedKeyCodec,
  type MaskingClientState,
  type MaskingParameters,
  maskClientInput,
  maskedInputCodec,
  type Rng,
  rosterCodec,
  startMaskingClient,
  sumVector,
} from '../../protocols/index.ts';
import { opaqueKind } from '../leaf/opaque.ts';
import { type Operator, operatorStruct } from '../leaf/operator.ts';
import { bytesOf, defineOperator } from './define-operator.ts';
import { decoded, requireNoFault } from './faults.ts';
import { inputVectors } from './input-vectors.ts';
import { bytesValue } from './participant.ts';
import type { SecureTerm } from './protocol.ts';
import { type RoundSetup, releaseTerms, roundSetupCodec } from './round-setup.ts';

/** A client's key and what it agreed to mask; used up by masking. */
export const maskingState = opaqueKind<ClientState>('masking_state', { linear: true });

interface ClientState {
  readonly protocol: MaskingClientState;
  readonly setup: RoundSetup;
}

export interface MaskingOperatorOptions {
  /** The smallest cohort that this client hides in. */
  readonly minimumClients: number;
}

/** `masking_advertise` and `masking_mask_input`, under a client's own policy. */
export function maskingOperators({ minimumClients }: MaskingOperatorOptions): readonly Operator[] {
  return [
    defineOperator({
      uri: 'masking_advertise',
      signature: '(uint8[?] -> <masking_state,uint8[?]>)',
      purity: 'random',
      run: ([message], { random }) => {
        const setup = decoded(roundSetupCodec.decode(bytesOf(message)));
        const parameters = maskingParameters(setup.terms, setup.clients);
        const { name: client, session } = setup;
        const started = requireNoFault(
          startMaskingClient(
            { client, session, round: 0, parameters, minimumClients },
            { rng: random as Rng },
          ),
        );
        const state = maskingState.wrap({ protocol: started.state, setup }, () =>
          wipe(started.state),
        );
        return operatorStruct(state, bytesValue(advertisedKeyCodec.encode(started.message)));
      },
    }),
    defineOperator({
      uri: 'masking_mask_input',
      signature: '(<masking_state,uint8[?],V> -> uint8[?])',
      purity: 'linear',
      release: {
        value: 2,
        does: 'hide',
        termsOf: ([state]) => releaseTerms('masking', maskingState.unwrap(state).setup),
      },
      run: ([state, message, value], { context }) => {
        const { protocol, setup } = maskingState.unwrap(state);
        try {
          const roster = decoded(rosterCodec.decode(bytesOf(message)));
          const vectors = inputVectors(value, setup.terms);
          const masked = requireNoFault(maskClientInput(protocol, roster, { vectors, context }));
          return bytesValue(maskedInputCodec.encode(masked.message));
        } finally {
          wipe(protocol);
        }
      },
    }),
  ];
}

/** What is masked: each term in the smallest ring that holds its sum. */
export function maskingParameters(
  terms: readonly SecureTerm[],
  clients: number,
): MaskingParameters {
  return {
    clients,
    vectors: terms.map(({ kind, length, bound }, i) =>
      kind === 'sum'
        ? sumVector(String(i), length, bound, clients)
        : { kind, id: String(i), length, modulus: bound },
    ),
  };
}

/** Erases the key of a client that will not mask any more. */
function wipe(state: MaskingClientState): void {
  if (!state.consumed) state.consume().keys.secretKey.erase();
}
