/** @file The entry point `fedloom/node`: what needs Node, such as files and gRPC. */

export { ClientProcess, type ClientProcessOptions } from './dial-in/client-process.node.ts';
export { Cohort, type CohortOptions } from './dial-in/cohort.ts';
export { Coordinator, type CoordinatorOptions } from './dial-in/coordinator.node.ts';
export type { CoordinatorProgram, ProgramSurroundings } from './dial-in/program.node.ts';
export {
  type CertificateIdentity,
  certificateIdentity,
  clientUri,
} from './grpc/certificate-identity.node.ts';
export {
  type GrpcCredentials,
  type TlsOptions,
  type TlsSources,
  tlsCredentials,
} from './grpc/credentials.node.ts';
export {
  type GrpcCalls,
  type GrpcChannelOptions,
  grpcCalls,
  openGrpcLink,
} from './grpc/grpc-channel.node.ts';
export {
  type GrpcServerLimits,
  type GrpcService,
  type ServeGrpcOptions,
  serveGrpc,
} from './grpc/grpc-server.node.ts';
export { grpcWorkers } from './grpc/grpc-workers.node.ts';
export {
  type DevelopmentKeys,
  type DevelopmentKeysOptions,
  makeDevelopmentKeys,
} from './identities/development-ca.node.ts';

export {
  type IdentityFiles,
  identityPath,
  readIdentity,
  readIdentityRoster,
  writeIdentities,
  writeIdentity,
} from './identities/identity-files.node.ts';
export { fileSessionLedger } from './identities/session-ledger.node.ts';
export {
  type FileSessionStoreOptions,
  fileSessionStore,
} from './identities/session-store.node.ts';
export { stderrLogger } from './logging/stderr-logger.node.ts';
export {
  type FileProgramStateManagerOptions,
  fileProgramStateManager,
} from './program-state/file-state-manager.node.ts';
export {
  type FileAuditLog,
  type FileAuditLogOptions,
  fileAuditLog,
} from './worker/audit-log.node.ts';
export {
  type DataDescription,
  fileDataSource,
  inspectData,
} from './worker/data/file-source.node.ts';
export { readPolicyFile } from './worker/policy-file.node.ts';
