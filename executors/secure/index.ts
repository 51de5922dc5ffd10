/** @file Secure aggregation in the executor stack: the protocols, and the interface for others. */

export {
  CHANNEL_KEY_PAIR,
  type ChannelGrid,
  type ChannelKind,
  channelKeyOperator,
  channelKeys,
  openFrom,
  type Route,
  sealFor,
} from './channel-operators.ts';
export {
  atEveryone,
  atSurvivors,
  isLostInput,
  type Lost,
  requireEveryInput,
  type StageOptions,
  type Survivors,
} from './cohort.ts';
export { bytesOf, defineOperator, type OperatorDefinition } from './define-operator.ts';
export { decoded } from './faults.ts';
export {
  type IdentityProvider,
  type SimulatedIdentities,
  simulatedIdentities,
} from './identities.ts';
export { inputVectors } from './input-vectors.ts';
export { type MaskingOptions, masking, maskingProtocol } from './masking.ts';
export { type PaillierOptions, paillier, paillierProtocol } from './paillier.ts';
export { BYTES, bytesValue } from './participant.ts';
export {
  type PerturbationsOptions,
  perturbations,
  perturbationsProtocol,
} from './perturbations.ts';
export type {
  LostInput,
  Participant,
  ProtocolParties,
  ProtocolSession,
  SecureAggregationProtocol,
  SecureSum,
  SecureSumTask,
  SecureTerm,
} from './protocol.ts';
export { quantizationOperators } from './quantization/operators.ts';
export {
  type ClippedCount,
  type QuantizationPolicy,
  type QuantizedAggregationOptions,
  quantizationPolicy,
} from './quantization/options.ts';
export { cohortOf, encodeSetup, type RoundSetup, roundSetupCodec } from './round-setup.ts';
export {
  type Blamed,
  type SecAggPeer,
  SecAggRound,
  type SecAggRoundOptions,
  type SecAggRoundResult,
  type Traffic,
} from './secagg/round.ts';
export {
  type SecAggOptions,
  type SecAggPlusOptions,
  secAgg,
  secAggPlus,
  secAggPlusProtocol,
  secAggProtocol,
} from './secagg/secagg.ts';
export type { UnmaskingPool } from './secagg/unmasking.ts';
export {
  type ProtocolAssignment,
  type SecureAggregation,
  type SecureAggregationOptions,
  secureAggregation,
} from './secure-aggregation.ts';
export {
  type QuantizedSums,
  SecureFederatedExecutor,
  type SecureFederatedOptions,
} from './secure-federated.ts';
