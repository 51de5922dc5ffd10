/** @file Workers by their addresses, for `remoteExecutorFactory`. */

import type { RemoteWorker } from '../remote/workers.ts';
import { type GrpcChannelOptions, grpcCalls } from './grpc-channel.node.ts';

/** A worker at an address, and what is known of it beside that. */
export type WorkerAddress = string | { readonly address: string; readonly clients?: number };

/**
 * The workers at these addresses, called what they are reached by. The factory that gets them closes
 * their channels.
 * @example remoteExecutorFactory(grpcWorkers(['10.0.0.1:8000', '10.0.0.2:8000'], { credentials }))
 */
export function grpcWorkers(
  addresses: readonly WorkerAddress[],
  options: GrpcChannelOptions = {},
): readonly RemoteWorker[] {
  return addresses.map((given) => {
    const { address, ...known } = typeof given === 'string' ? { address: given } : given;
    const calls = grpcCalls(address, options);
    return { name: address, calls, close: () => calls.close(), ...known };
  });
}
