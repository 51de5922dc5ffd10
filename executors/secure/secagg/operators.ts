/**
 * @file What a client does in secure aggregation with dropouts: one operator a step. Each takes the
 * client's state, which serves one step, and an encoded message, and gives the next state and the
 * encoded answer. The identity, the roster and the policy are the client's own.
 */

import {
  ExecutionError,
  type IntegerDType,
  isIntegerDType,
} from '../../../computations/types/index.ts';
import {
  abandonClient,
  advertisementCodec,
  announcementCodec,
  chooseClientNeighbours,
  commitmentCodec,
  confirmationCodec,
  confirmationsCodec,
  confirmSurvivors,
  dealtSharesCodec,
  type Fault,
  type IntegerVector,
  type MaskedVector,
  type MessageCodec,
  maskClientVectors,
  maskedVectorsCodec,
  memoryLedger,
  neighbourChoiceCodec,
  neighbourhoodCodec,
  type Rng,
  revealedSharesCodec,
  type SecAggAgreement,
  type SecAggClientConfig,
  type SecAggClientState,
  type SecAggPolicy,
  type SessionLedger,
  type SumVector,
  shareClientSecrets,
  sharedSecretsCodec,
  startSecAggClient,
  survivorSetCodec,
  unmaskConfirmed,
  unmaskSurvivors,
} from '../../../protocols/index.ts';
import { opaqueKind } from '../../leaf/opaque.ts';
import {
  type Operator,
  type OperatorEnvironment,
  type OperatorValue,
  operatorStruct,
  type Release,
} from '../../leaf/operator.ts';
import { bytesOf, defineOperator } from '../define-operator.ts';
import { decoded, faultError, requireNoFault } from '../faults.ts';
import { type IdentityProvider, simulatedIdentities } from '../identities.ts';
import { inputVectors } from '../input-vectors.ts';
import { bytesValue } from '../participant.ts';
import type { SecureTerm } from '../protocol.ts';
import { stateContextOperator } from '../stated-contexts.ts';

/** What a client keeps from step to step. */
export const secAggState = opaqueKind<ClientState>('secagg_state', { linear: true });

interface ClientState {
  readonly protocol: SecAggClientState;
  readonly agreement: SecAggAgreement;
}

export interface SecAggOperatorOptions {
  readonly policy: Partial<SecAggPolicy>;
  /** What is asked of one kind of graph beyond the policy. @default nothing */
  readonly policyOfGraph?: (graph: SecAggAgreement['graph']) => Partial<SecAggPolicy>;
  /** Whose identity and roster; `undefined` where nobody signs. */
  readonly identities: IdentityProvider | undefined;
  /**
   * What was done in which session. The states that operators keep serve one step each as it is.
   * @default one that counts rounds, where the policy limits them
   */
  readonly ledger?: SessionLedger;
}

/** The same as data, for another thread of a simulation. */
export interface SecAggOperatorRecipe {
  readonly policy: Partial<SecAggPolicy>;
  readonly simulatedIdentities: Uint8Array | undefined;
}

export function secAggOperatorsOfRecipe(recipe: SecAggOperatorRecipe): readonly Operator[] {
  const { policy, simulatedIdentities: seed } = recipe;
  const identities = seed === undefined ? undefined : simulatedIdentities(seed);
  return secAggOperators({ policy, identities });
}

/** The operators of a client, under its own policy. */
export function secAggOperators(options: SecAggOperatorOptions): readonly Operator[] {
  const { policy } = options;
  const ledger = options.ledger ?? (policy.mostRounds === undefined ? undefined : memoryLedger());
  return [
    defineOperator({
      uri: 'secagg_advertise',
      signature: '(uint8[?] -> <secagg_state,uint8[?]>)',
      purity: 'random',
      run: ([bytes], { random }) => {
        const announcement = decoded(announcementCodec.decode(bytesOf(bytes)));
        const { agreement, client } = announcement;
        const config = configOf(options, agreement, client, ledger);
        const step = requireNoFault(
          startSecAggClient(announcement, config, { rng: random as Rng }),
        );
        const message = bytesValue(advertisementCodec.encode(step.message));
        return operatorStruct(wrap(step.state, agreement), message);
      },
    }),
    stepOperator('secagg_choose_neighbours', commitmentCodec, neighbourChoiceCodec, (step) =>
      chooseClientNeighbours(step.state as never, step.message, step),
    ),
    stepOperator('secagg_share_keys', neighbourhoodCodec, sharedSecretsCodec, (step) =>
      shareClientSecrets(step.state as never, step.message, step),
    ),
    stepOperator(
      'secagg_mask_vectors',
      dealtSharesCodec,
      maskedVectorsCodec,
      ({ state, message, agreement, value, context }) => {
        const vectors = vectorsOf(value, termsFor(value, agreement.vectors));
        return maskClientVectors(state as never, message, { vectors, context });
      },
      MASKS_VALUE,
    ),
    stepOperator('secagg_confirm_survivors', survivorSetCodec, confirmationCodec, (step) =>
      confirmSurvivors(step.state as never, step.message),
    ),
    lastOperator('secagg_unmask_confirmed', confirmationsCodec, (state, message) =>
      unmaskConfirmed(state as never, message),
    ),
    lastOperator('secagg_unmask_survivors', survivorSetCodec, (state, message) =>
      unmaskSurvivors(state as never, message),
    ),
    stateContextOperator('secagg_state_context'),
  ];
}

interface Step<M> {
  readonly state: SecAggClientState;
  readonly agreement: SecAggAgreement;
  readonly message: M;
  readonly value: OperatorValue | undefined;
  readonly context: Uint8Array;
  readonly rng: Rng;
}

/** The step that takes a value too, and lets it go under masks. */
const MASKS_VALUE: { readonly parameter: string; readonly release: Release } = {
  parameter: ',V',
  release: {
    value: 2,
    does: 'hide',
    termsOf: ([kept]) => {
      const { agreement } = secAggState.unwrap(kept);
      const { graph, clients, model, neighbours, threshold, vectors } = agreement;
      return {
        protocol: graph === 'complete' ? 'secAgg' : 'secAggPlus',
        clients,
        model,
        threshold: { shares: threshold, of: neighbours + 1 },
        vectors: vectors.map((vector) => ({
          length: vector.length,
          largest: vector.kind === 'sum' ? largestOf(vector) : vector.modulus - 1n,
        })),
      };
    },
  },
};

function largestOf({ maximum }: SumVector): bigint {
  if (typeof maximum === 'bigint') return maximum;
  let largest = 0n;
  for (const each of maximum) if (each > largest) largest = each;
  return largest;
}

function stepOperator<In extends object, Out>(
  uri: string,
  takes: MessageCodec<In>,
  gives: MessageCodec<Out>,
  run: (
    step: Step<In>,
  ) =>
    | { readonly kind: 'continue'; readonly state: SecAggClientState; readonly message: Out }
    | Fault,
  { parameter = '', release }: { readonly parameter?: string; readonly release?: Release } = {},
): Operator {
  return defineOperator({
    uri,
    signature: `(<secagg_state,uint8[?]${parameter}> -> <secagg_state,uint8[?]>)`,
    purity: 'linear',
    ...(release !== undefined && { release }),
    run: ([kept, bytes, value], { random, context }: OperatorEnvironment) => {
      const { protocol: state, agreement } = secAggState.unwrap(kept);
      try {
        const message = decoded<In>(takes.decode(bytesOf(bytes)));
        const step = requireNoFault(
          run({ state, agreement, message, value, context, rng: random as Rng }),
        ) as { readonly state: SecAggClientState; readonly message: Out };
        return operatorStruct(wrap(step.state, agreement), bytesValue(gives.encode(step.message)));
      } finally {
        abandonClient(state);
      }
    },
  });
}

function lastOperator<In extends object>(
  uri: string,
  takes: MessageCodec<In>,
  run: (state: SecAggClientState, message: In) => ReturnType<typeof unmaskSurvivors>,
): Operator {
  return defineOperator({
    uri,
    signature: '(<secagg_state,uint8[?]> -> uint8[?])',
    purity: 'linear',
    run: ([kept, bytes]) => {
      const { protocol: state } = secAggState.unwrap(kept);
      try {
        const step = requireNoFault(run(state, decoded<In>(takes.decode(bytesOf(bytes)))));
        return bytesValue(revealedSharesCodec.encode(step.message));
      } finally {
        abandonClient(state);
      }
    },
  });
}

function wrap(protocol: SecAggClientState, agreement: SecAggAgreement): OperatorValue {
  return secAggState.wrap({ protocol, agreement }, () => abandonClient(protocol));
}

function configOf(
  { policy: ofAll, policyOfGraph, identities }: SecAggOperatorOptions,
  agreement: SecAggAgreement,
  client: number,
  ledger: SessionLedger | undefined,
): SecAggClientConfig {
  const policy = { ...ofAll, ...policyOfGraph?.(agreement.graph) };
  const known = { policy, ...(ledger !== undefined && { ledger }) };
  if (identities === undefined) return { ...known, name: `clients/${client}` };
  // A roster that is not made up for a simulation does not depend on these names.
  const roster = identities.roster(clientNames(agreement.cohort.size));
  const name = clientName(agreement.cohort.places()[client] ?? -1);
  const signingKey = identities.signer(name);
  if (signingKey === undefined) {
    throw faultError({
      kind: 'fault',
      stage: 'advertise',
      code: 'not-in-cohort',
      message: `number ${client} of the cohort is "${name}", whose key this client does not have`,
    });
  }
  return { ...known, roster, name, signingKey };
}

/** How the clients of a stack are called, in its order. */
export function clientNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => clientName(i));
}

function clientName(place: number): string {
  return `clients/${place}`;
}

/** What the agreement says about the tensors of a value, each as a term of its own dtype. */
function termsFor(
  value: OperatorValue | undefined,
  vectors: readonly MaskedVector[],
): readonly SecureTerm[] {
  const dtypes = value === undefined ? [] : dtypesOf(value);
  return vectors.map((vector, i) => ({
    kind: vector.kind,
    dtype: dtypes[i] ?? 'int32',
    length: vector.length,
    bound: vector.kind === 'sum' ? oneBound(vector) : vector.modulus,
  }));
}

/** The bounds of a computation are one a tensor; others are not from one. */
function oneBound({ id, maximum }: SumVector): bigint {
  if (typeof maximum === 'bigint') return maximum;
  throw faultError({
    kind: 'fault',
    stage: 'mask-vectors',
    code: 'invalid-parameters',
    message: `vector "${id}" has a bound for each element; this client takes one a tensor`,
  });
}

/**
 * The client's integers. That one is out of its bounds is told to the server, since the client leaves
 * the round over it; which one, and on which side, is not: the bounds are the server's word.
 */
function vectorsOf(
  value: OperatorValue | undefined,
  terms: readonly SecureTerm[],
): readonly IntegerVector[] {
  try {
    return inputVectors(value, terms);
  } catch (error) {
    if (!(error instanceof ExecutionError) || error.code !== 'execution.secure_sum_range') {
      throw error;
    }
    throw new ExecutionError(
      'execution.secure_sum_range',
      'A value of this client is outside of what the sum takes. Clip or shift values at the client before the sum.',
    );
  }
}

function dtypesOf(value: OperatorValue): IntegerDType[] {
  if (value.kind === 'struct') return value.elements.flatMap(dtypesOf);
  return value.kind === 'tensor' && isIntegerDType(value.dtype) ? [value.dtype] : [];
}
