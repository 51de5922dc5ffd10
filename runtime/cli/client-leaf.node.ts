/**
 * @file What a client's process is made of, as its command line says: its data, its policy, its memory of
 * sessions and its audit log, around the executor that a server reaches.
 */

import { loadBackend } from '../../computations/tensors/index.ts';
import type { Executor } from '../../executors/executor.ts';
import { guardPolicy } from '../../executors/guard/check-policy.ts';
import { guardedLeaf } from '../../executors/guard/guarded-leaf.ts';
import type { GuardPolicy } from '../../executors/guard/policy.ts';
import {
  type Identity,
  type IdentityRoster,
  memoryLedger,
  type QuantizationOptions,
} from '../../protocols/index.ts';
import { rosterIdentities } from '../identities/roster-identities.ts';
import { fileSessionLedger } from '../identities/session-ledger.node.ts';
import type { Logger } from '../logging/index.ts';
import { fileAuditLog } from '../worker/audit-log.node.ts';
import {
  type DataDescription,
  fileDataSource,
  inspectData,
} from '../worker/data/file-source.node.ts';
import { parseDataOptions } from '../worker/data/index.ts';
import { readPolicyFile } from '../worker/policy-file.node.ts';

export interface ClientLeafOptions {
  readonly data: readonly string[];
  /** A file. @default the default policy */
  readonly policy?: string | undefined;
  /** A folder that outlives the process. @default in memory */
  readonly state?: string | undefined;
  /** A file. @default refusals and failures go to the log of the process */
  readonly audit?: string | undefined;
  /** Bounds of floats in sums, each as an option of the quantisation; see its defaults. */
  readonly quantization: QuantizationOptions;
  readonly roster: IdentityRoster;
  readonly identity: Identity;
  readonly log: Logger;
}

export interface ClientLeaf extends Disposable {
  readonly backend: string;
  readonly policy: GuardPolicy;
  readonly data: readonly DataDescription[];
  readonly makeExecutor: () => Promise<Executor>;
}

/** @throws what is wrong with the files; a data file that is not there is found now, and not in a round. */
export async function clientLeaf(options: ClientLeafOptions): Promise<ClientLeaf> {
  const { roster, identity, log, quantization } = options;
  const specs = parseDataOptions(options.data);
  const data = await Promise.all(specs.map((spec) => inspectData(spec)));
  const policy =
    options.policy === undefined ? guardPolicy() : await readPolicyFile(options.policy);
  const backend = await loadBackend();
  // One for all sessions: a server that begins a new one gets no new rounds by it.
  const ledger = options.state === undefined ? memoryLedger() : fileSessionLedger(options.state);
  const file =
    options.audit === undefined
      ? null
      : fileAuditLog(options.audit, {
          onFailure: (error) => log.error('The audit log cannot be written', { error }),
        });
  const dataSource = fileDataSource(specs);
  const identities = rosterIdentities({ roster, identities: [identity] });
  return {
    backend: backend.name,
    policy,
    data,
    makeExecutor: async () =>
      guardedLeaf({
        backend,
        dataSource,
        identities,
        policy,
        quantization,
        ledger,
        audit: {
          record(entry) {
            file?.record(entry);
            const { kind, rule, detail } = entry;
            if (kind === 'released') log.info('Gave a value to a sum', { rule });
            else log.warn('The guard intervened', { kind, rule, ...(detail && { detail }) });
          },
          ...(file !== null && { failure: (error: unknown) => file.failure(error) }),
        },
      }),
    [Symbol.dispose]: () => file?.close(),
  };
}
