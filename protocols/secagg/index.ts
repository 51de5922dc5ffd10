/**
 * @file Secure aggregation that survives dropouts: Bonawitz et al., "Practical Secure Aggregation
 * for Privacy-Preserving Machine Learning" (CCS 2017), and Bell et al., "Secure Single-Server
 * Aggregation with (Poly)Logarithmic Overhead" (CCS 2020).
 */

export {
  agreementHash,
  type NeighbourGraph,
  problemOfAgreement,
  type SecAggAgreement,
} from './agreement.ts';
export { Bitmap } from './bitmap.ts';
export { startSecAggClient } from './client/advertise.ts';
export { chooseClientNeighbours } from './client/choose.ts';
export type {
  SecAggClientConfig,
  SecAggPolicy,
} from './client/config.ts';
export { confirmSurvivors } from './client/confirm.ts';
export { maskClientVectors, type SecAggClientInput } from './client/mask.ts';
export { shareClientSecrets } from './client/share.ts';
export { restoreSecAggClient, saveSecAggClient } from './client/snapshot.ts';
export {
  abandonClient,
  type SecAggClientContinued,
  type SecAggClientFault,
  type SecAggClientFaultCode,
  type SecAggClientFinished,
  type SecAggClientStage,
  type SecAggClientState,
} from './client/state.ts';
export { unmaskConfirmed, unmaskSurvivors } from './client/unmask.ts';
export * from './messages.ts';
export * from './parameters/index.ts';
export { receiveAtSecAggServer } from './server/collect.ts';
export {
  type MasksToRemove,
  type MaskToRemove,
  reconstructMasks,
  type SecAggReport,
} from './server/reconstruct.ts';
export {
  advanceSecAggServer,
  missingAtSecAggServer,
  startSecAggServer,
} from './server/server.ts';
export type {
  ClientMessage,
  SecAggBlame,
  SecAggLoss,
  SecAggServerAdvanced,
  SecAggServerContinued,
  SecAggServerFault,
  SecAggServerSetup,
  SecAggServerStage,
  SecAggServerState,
  ServerMessage,
} from './server/state.ts';
export {
  applyCorrections,
  expandMaskPart,
  type MaskPart,
  maskParts,
  removeMasks,
  type SecAggServerFinished,
} from './server/unmask.ts';
