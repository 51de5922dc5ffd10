/** @file Contexts that run computations, and factories of the executor stacks that they run on. */

export { type DebugExecutorFactoryOptions, debugExecutorFactory } from './debug-factory.ts';
export {
  type CloseOptions,
  type ContextEvents,
  ExecutionContext,
  type ExecutionContextOptions,
} from './execution-context.ts';
export {
  type RosterIdentitiesOptions,
  rosterIdentities,
} from './identities/roster-identities.ts';
export type { ProgressEvent } from './invocation.ts';
export type { InvocationRetry } from './invocation-retry.ts';
export { type LeafExecutorOptions, leafExecutor } from './leaf-executor.ts';
export { type LocalExecutorFactoryOptions, localExecutorFactory } from './local-factory.ts';
export * from './logging/index.ts';
export { type ManagedFactoryOptions, managedExecutorFactory } from './managed-factory.ts';
export * from './program-state/index.ts';
export { ConnectedClient } from './remote/connected-client.ts';
export {
  type ClientEvent,
  ConnectedClients,
  type ConnectedClientsOptions,
} from './remote/connected-clients.ts';
export {
  EnvelopeClient,
  type EnvelopeClientOptions,
  type ServedCalls,
} from './remote/envelope/client.ts';
export {
  type ClientCapabilities,
  type ClientDescription,
  type ClientHello,
  type ClientPolicySummary,
  isFinalRefusal,
} from './remote/envelope/greeting.ts';
export type { EnvelopeLimits, Heartbeat } from './remote/envelope/options.ts';
export type { Link, LinkListener, PeerIdentity } from './remote/link.ts';
export { memoryLinks } from './remote/memory-link.ts';
export { type BackOff, Reconnector, type ReconnectorState } from './remote/reconnector.ts';
export {
  type RemoteExecutorFactoryOptions,
  remoteExecutorFactory,
} from './remote/remote-factory.ts';
export type { Selection } from './remote/selection.ts';
export { type WorkerExecutors, workerExecutors } from './remote/worker-executors.ts';
export type { RemoteWorker } from './remote/workers.ts';
export type { Round } from './rounds/round.ts';
export type {
  RoundFailure,
  RoundStatus,
  RoundTraffic,
  StageStatus,
} from './rounds/round-status.ts';
export type { RoundListener } from './rounds/watch-rounds.ts';
export {
  type SizeReport,
  type SizingExecutorFactory,
  type SizingExecutorFactoryOptions,
  sizingExecutorFactory,
} from './sizing-factory.ts';
export type { StackOptions } from './stack-options.ts';
export * from './summation/index.ts';
export * from './templates/index.ts';
export {
  type ThreadedLeafOptions,
  ThreadedLeaves,
  type ThreadedLeavesOptions,
} from './threads/threaded-leaves.ts';
export {
  type UnmaskingThreads,
  type UnmaskingThreadsOptions,
  unmaskingThreads,
} from './threads/unmasking-threads.ts';
export * from './worker/data/index.ts';
