/**
 * @file What a process that dials in is made of, as its command line says: its data, its policy, its memory of
 * sessions and its audit log, around the executor that a server reaches.
 */

import { loadBackend } from '../../computations/tensors/index.ts';
import type { AuditSink } from '../../executors/guard/audit.ts';
import { guardedLeaf } from '../../executors/guard/guarded-leaf.ts';
import { guardPolicy } from '../../executors/guard/policy/check-policy.ts';
import { type PlayedRole, roleLeaf } from '../../executors/guard/role-leaf.ts';
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
import type { ServedLeaf } from './dial-in.node.ts';

export interface ClientLeafOptions extends OwnSideOptions {
  readonly data: readonly string[];
  /** Bounds of floats in sums, each as an option of the quantisation; see its defaults. */
  readonly quantization: QuantizationOptions;
}

export interface OwnSideOptions {
  /** A file. @default the default policy */
  readonly policy?: string | undefined;
  /** A folder that outlives the process. @default in memory */
  readonly state?: string | undefined;
  /** A file. @default refusals and failures go to the log of the process */
  readonly audit?: string | undefined;
  readonly roster: IdentityRoster;
  /** Who plays roles, such as the aggregator's. */
  readonly roles: IdentityRoster;
  readonly identity: Identity;
  readonly log: Logger;
}

export interface ClientLeaf extends ServedLeaf, Disposable {
  readonly data: readonly DataDescription[];
}

/** @throws what is wrong with the files; a data file that is not there is found now, and not in a round. */
export async function clientLeaf(options: ClientLeafOptions): Promise<ClientLeaf> {
  const { quantization } = options;
  const specs = parseDataOptions(options.data);
  const data = await Promise.all(specs.map((spec) => inspectData(spec)));
  const { close, policy, ...own } = await ownSide(options);
  const dataSource = fileDataSource(specs);
  return {
    backend: own.backend.name,
    policy,
    data,
    makeExecutor: async () => guardedLeaf({ ...own, policy, dataSource, quantization }),
    [Symbol.dispose]: close,
  };
}

/**
 * The same for who plays a role, which has no data.
 * @throws what is wrong with the files; ValueError for a policy in which nobody plays the role.
 */
export async function playedLeaf(
  role: PlayedRole,
  options: OwnSideOptions,
): Promise<ServedLeaf & Disposable> {
  const { close, ...own } = await ownSide(options);
  const makeExecutor = async () => roleLeaf({ ...own, role });
  // What it says of itself at the start is not to come in a round.
  await (await makeExecutor()).close();
  return { backend: own.backend.name, policy: own.policy, makeExecutor, [Symbol.dispose]: close };
}

/** What a party has of its own, whatever it does. */
async function ownSide(options: OwnSideOptions) {
  const { roster, roles, identity, log } = options;
  const policy =
    options.policy === undefined ? guardPolicy() : await readPolicyFile(options.policy);
  const backend = await loadBackend();
  // One for all sessions: a server that begins a new one gets no new rounds by it.
  const ledger = options.state === undefined ? memoryLedger() : fileSessionLedger(options.state);
  const identities = rosterIdentities({ roster, roles, identities: [identity] });
  const file =
    options.audit === undefined
      ? null
      : fileAuditLog(options.audit, {
          onFailure: (error) => log.error('The audit log cannot be written', { error }),
        });
  const audit: AuditSink = {
    record(entry) {
      file?.record(entry);
      const { kind, rule, detail } = entry;
      if (kind === 'released') log.info('Gave a value to a sum', { rule });
      else log.warn('The guard intervened', { kind, rule, ...(detail && { detail }) });
    },
    ...(file !== null && { failure: (error: unknown) => file.failure(error) }),
  };
  return { policy, backend, ledger, identities, audit, close: () => file?.close() };
}
