/** @file What a process does that dials in to a coordinator: serves one executor, until it is told to stop. */

import { createHash } from 'node:crypto';
import type { Executor } from '../../executors/executor.ts';
import type { GuardPolicy } from '../../executors/guard/policy/policy.ts';
import { ClientProcess } from '../dial-in/client-process.node.ts';
import type { GrpcCredentials } from '../grpc/credentials.node.ts';
import type { Logger } from '../logging/index.ts';
import type { ReconnectorState } from '../remote/reconnector.ts';
import { packageVersion } from './version.node.ts';

/** What is served, under its guard. */
export interface ServedLeaf {
  readonly backend: string;
  readonly policy: GuardPolicy;
  /** For each session of the coordinator one. */
  readonly makeExecutor: () => Promise<Executor>;
}

export interface DialInOptions {
  readonly connect: string;
  readonly credentials: GrpcCredentials;
  /** That of the certificate. */
  readonly name: string;
  readonly leaf: ServedLeaf;
  /** The name in the coordinator's certificate. @default the host of the address */
  readonly serverName: string | undefined;
  /** @default no limit */
  readonly maxFailures: number | undefined;
  readonly log: Logger;
  readonly signal: AbortSignal | undefined;
}

/**
 * @returns when the signal says so.
 * @throws TransportError as `ClientProcess.run`.
 */
export async function dialIn(options: DialInOptions): Promise<void> {
  const { connect, credentials, name, leaf, serverName, maxFailures, log, signal } = options;
  const policy = JSON.stringify(leaf.policy);
  const client = new ClientProcess({
    connect,
    credentials,
    name,
    capabilities: {
      operators: Object.keys(leaf.policy.protocols),
      backend: leaf.backend,
      platform: `node ${process.versions.node} ${process.platform} ${process.arch}`,
      version: packageVersion(),
    },
    policy: { text: shortened(policy), hash: createHash('sha256').update(policy).digest() },
    makeExecutor: leaf.makeExecutor,
    onState: (state) => {
      const [level, message, fields] = described(state);
      log[level](message, fields);
    },
    ...(serverName !== undefined && { serverName }),
    ...(maxFailures !== undefined && { maxFailures }),
  });
  const stop = (): void => void client.close();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    if (!signal?.aborted) await client.run();
  } finally {
    signal?.removeEventListener('abort', stop);
    await client.close();
  }
}

/** A policy may list any number of computations; the hash is of all of it. */
function shortened(policy: string): string {
  return policy.length <= MAX_POLICY_TEXT ? policy : `${policy.slice(0, MAX_POLICY_TEXT - 1)}…`;
}

const MAX_POLICY_TEXT = 16_000;

type Described = readonly [
  'debug' | 'info' | 'warn',
  string,
  { readonly [field: string]: unknown },
];

function described(state: ReconnectorState): Described {
  switch (state.kind) {
    case 'idle':
      return ['debug', 'Idle', {}];
    case 'dialling':
      return ['debug', 'Dialling', { failures: state.failures }];
    case 'connected': {
      const { session, resumed } = state;
      return ['info', resumed ? 'Connected again' : 'Connected', { session }];
    }
    case 'waiting':
      return ['warn', 'Not connected', { retryInMs: state.waitMs, reason: state.reason.message }];
    case 'stopped':
      return ['info', 'Stopped', { reason: state.reason?.message }];
  }
}
