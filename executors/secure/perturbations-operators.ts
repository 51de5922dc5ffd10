/**
 * @file What a client does in the protocol with perturbations: it advertises a key, sends each other
 * client a perturbation, and masks its value once.
 */

import { equalBytes } from '#crypto';
import {
  advertisedKeyCodec,
  deliveredPerturbationsCodec,
  discardPerturbations,
  type ExchangedPerturbationsState,
  exchangePerturbations,
  type MaskedVector,
  type MaskingParameters,
  maskedInputCodec,
  maskWithPerturbations,
  type PerturbationsClientState,
  parametersCodec,
  type Rng,
  rosterCodec,
  sentPerturbationsCodec,
  startPerturbationsClient,
} from '../../protocols/index.ts';
import { opaqueKind } from '../leaf/opaque.ts';
import { type Operator, operatorStruct } from '../leaf/operator.ts';
import { bytesOf, defineOperator } from './define-operator.ts';
import { decoded, faultError, requireNoFault } from './faults.ts';
import { inputVectors } from './input-vectors.ts';
import { maskingParameters } from './masking-operators.ts';
import { bytesValue } from './participant.ts';
import type { SecureTerm } from './protocol.ts';
import { type RoundSetup, releaseTerms, roundSetupCodec } from './round-setup.ts';

/** A client's key and what it agreed to mask; used up by the exchange. */
export const perturbationsState = opaqueKind<Held<PerturbationsClientState>>(
  'perturbations_state',
  { linear: true },
);

/** What a client keeps of the perturbations it sent; used up by masking. */
export const exchangedState = opaqueKind<Exchanged>('perturbations_exchanged', { linear: true });

interface Held<State> {
  readonly protocol: State;
  readonly setup: RoundSetup;
}

interface Exchanged extends Held<ExchangedPerturbationsState> {
  /** What the perturbations are bound to: they hide nothing else. */
  readonly context: Uint8Array;
}

export interface PerturbationOperatorOptions {
  /** The smallest cohort that this client hides in. */
  readonly minimumClients: number;
}

/** The three stages at a client, under its own policy. */
export function perturbationOperators({
  minimumClients,
}: PerturbationOperatorOptions): readonly Operator[] {
  return [
    defineOperator({
      uri: 'perturbations_advertise',
      signature: '(<uint8[?],uint8[?]> -> <perturbations_state,uint8[?]>)',
      purity: 'random',
      run: ([message, announced], { random }) => {
        const setup = decoded(roundSetupCodec.decode(bytesOf(message)));
        const parameters = decoded(parametersCodec.decode(bytesOf(announced)));
        requireTerms(parameters, setup);
        const { name: client, session } = setup;
        const started = requireNoFault(
          startPerturbationsClient(
            { client, session, round: 0, parameters, minimumClients },
            { rng: random as Rng },
          ),
        );
        const held = perturbationsState.wrap({ protocol: started.state, setup }, () =>
          discardPerturbations(started.state),
        );
        return operatorStruct(held, bytesValue(advertisedKeyCodec.encode(started.message)));
      },
    }),
    defineOperator({
      uri: 'perturbations_exchange',
      signature: '(<perturbations_state,uint8[?],V> -> <perturbations_exchanged,uint8[?]>)',
      purity: 'linear',
      // Perturbations are sealed before the value is masked, and open only in its context.
      release: { value: 2, does: 'state-context' },
      run: ([state, message], { random, context }) => {
        const { protocol, setup } = perturbationsState.unwrap(state);
        try {
          const roster = decoded(rosterCodec.decode(bytesOf(message)));
          const exchanged = requireNoFault(
            exchangePerturbations(protocol, roster, { rng: random as Rng, context }),
          );
          const held = exchangedState.wrap({ protocol: exchanged.state, setup, context }, () =>
            discardPerturbations(exchanged.state),
          );
          return operatorStruct(held, bytesValue(sentPerturbationsCodec.encode(exchanged.message)));
        } finally {
          discardPerturbations(protocol);
        }
      },
    }),
    defineOperator({
      uri: 'perturbations_mask_input',
      signature: '(<perturbations_exchanged,uint8[?],V> -> uint8[?])',
      purity: 'linear',
      release: {
        value: 2,
        does: 'hide',
        termsOf: ([state]) => releaseTerms('perturbations', exchangedState.unwrap(state).setup),
      },
      run: ([state, message, value], { context }) => {
        const { protocol, setup, context: exchanged } = exchangedState.unwrap(state);
        try {
          requireSameContext(context, exchanged);
          const delivered = decoded(deliveredPerturbationsCodec.decode(bytesOf(message)));
          const vectors = inputVectors(value, setup.terms);
          const masked = requireNoFault(maskWithPerturbations(protocol, delivered, vectors));
          return bytesValue(maskedInputCodec.encode(masked.message));
        } finally {
          discardPerturbations(protocol);
        }
      },
    }),
  ];
}

/** @throws ProtocolAbortError `context-mismatch` for another value than perturbations were sent for. */
function requireSameContext(given: Uint8Array, exchanged: Uint8Array): void {
  if (equalBytes(given, exchanged)) return;
  throw faultError({
    kind: 'fault',
    stage: 'mask',
    code: 'context-mismatch',
    message: 'the perturbations were sent for a value of another computation or model',
  });
}

/**
 * What is masked: each sum in the base that was asked for, or in the smallest ring that holds it; a
 * modular sum in its own modulus.
 */
export function perturbationParameters(
  terms: readonly SecureTerm[],
  clients: number,
  base: bigint | undefined,
): MaskingParameters {
  const smallest = maskingParameters(terms, clients);
  if (base === undefined) return smallest;
  const vectors = smallest.vectors.map(
    (vector): MaskedVector => (vector.kind === 'sum' ? { ...vector, modulus: base } : vector),
  );
  return { clients, vectors };
}

/**
 * The server chooses the base, and nothing else than what it said is summed.
 * @throws ProtocolAbortError `invalid-parameters`
 */
function requireTerms({ clients, vectors }: MaskingParameters, setup: RoundSetup): void {
  const fits =
    clients === setup.clients &&
    vectors.length === setup.terms.length &&
    vectors.every((vector, i) => {
      const { kind, length, bound } = setup.terms[i] as SecureTerm;
      const given = vector.kind === 'sum' ? vector.maximum : vector.modulus;
      return vector.kind === kind && vector.length === length && given === bound;
    });
  if (fits) return;
  throw faultError({
    kind: 'fault',
    stage: 'advertise',
    code: 'invalid-parameters',
    message: 'the parameters of the perturbations are not those of the sum that was announced',
  });
}
