/** @file A coordinator in this process; clients and roles in processes of their own that can be killed. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Coordinator, makeDevelopmentKeys } from 'fedloom/node';
import type { GuardPolicyOptions } from '../../../executors/guard/policy/policy.ts';
import { readKeyFolder } from '../../../runtime/cli/key-folder.node.ts';
import type { Heartbeat } from '../../../runtime/remote/envelope/options.ts';

const ROOT = join(import.meta.dirname, '../../..');
const QUICK = { heartbeatMs: 250, silenceMs: 1_500, graceMs: 1_500 } as const;

export interface ClusterOptions {
  /** @default none */
  readonly roles?: readonly string[];
  /** Of all. @default that of `fedloom client` */
  readonly policy?: GuardPolicyOptions;
  /** @default quick to notice what is lost */
  readonly heartbeat?: Heartbeat;
  /** More options of Node for some of them. */
  readonly nodeOptions?: { readonly [name: string]: readonly string[] };
  /** When the certificates were made. @default now */
  readonly keysMade?: Date;
}

/** Each client has the file `reading`, one integer: ten times its number. */
export class Cluster implements AsyncDisposable {
  readonly names: readonly string[];
  readonly folder = mkdtempSync(join(tmpdir(), 'fedloom-cluster-'));
  coordinator: Coordinator | null = null;
  #port = 0;
  readonly #options: ClusterOptions;
  readonly #processes = new Map<string, ChildProcess>();
  /** What each says to standard error, the end of it. */
  readonly #said = new Map<string, string>();

  private constructor(names: readonly string[], options: ClusterOptions) {
    this.names = names;
    this.#options = options;
  }

  static async start(names: readonly string[], options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(names, options);
    const { roles = [], policy, keysMade: now = new Date() } = options;
    await makeDevelopmentKeys(join(cluster.folder, 'keys'), { clients: names, roles, now });
    if (policy !== undefined) {
      const file = { format: 'fedloom policy', version: 1, ...policy };
      writeFileSync(join(cluster.folder, 'policy.json'), JSON.stringify(file));
    }
    for (const [i, name] of names.entries()) {
      writeFileSync(cluster.dataOf(name), JSON.stringify([10 * (i + 1)]));
    }
    await cluster.listen();
    for (const name of [...names, ...roles]) cluster.run(name);
    return cluster;
  }

  /** Begins to listen, the second time on the same port. */
  async listen(): Promise<Coordinator> {
    const { credentials, roster, roles, identity } = await readKeyFolder(this.keysOf('server'));
    this.coordinator = await Coordinator.start({
      listen: `127.0.0.1:${this.#port}`,
      credentials,
      roster,
      roleRoster: roles,
      ...(identity !== null && { identity }),
      clients: { heartbeat: this.#options.heartbeat ?? QUICK },
    });
    this.#port = Number(this.coordinator.address.split(':').at(-1));
    return this.coordinator;
  }

  get port(): number {
    return this.#port;
  }

  keysOf(name: string): string {
    return join(this.folder, 'keys', name);
  }

  /** Runs a program in a coordinator of a process of its own, where the one of this process was. */
  async coordinate(program: string, ...args: readonly string[]): Promise<ChildProcess> {
    await this.coordinator?.close(500);
    const options = ['--listen', `127.0.0.1:${this.#port}`, '--keys', this.keysOf('server')];
    const file = join(import.meta.dirname, program);
    const child = start(['coordinator', file, ...options, '--', ...args]);
    this.#processes.set('coordinator', child);
    return child;
  }

  /** The file that a client has as `reading`. */
  dataOf(name: string): string {
    return join(this.folder, `${name}.json`);
  }

  /** Starts the process of a client, or of who plays a role, as a person would. */
  run(name: string): void {
    const { policy, nodeOptions = {} } = this.#options;
    const isClient = this.names.includes(name);
    const data = isClient ? ['--data', `reading=${this.dataOf(name)}`] : [];
    const allowed = policy === undefined ? [] : ['--policy', join(this.folder, 'policy.json')];
    const child = start(
      [
        ...[isClient ? 'client' : 'role', '--connect', `localhost:${this.#port}`],
        ...['--keys', this.keysOf(name), ...data, ...allowed],
        ...['--state', join(this.folder, 'state', name)],
      ],
      nodeOptions[name],
    );
    // Nobody reads it, but it must not fill up.
    child.stdout?.resume();
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said.set(name, ((this.#said.get(name) ?? '') + text).slice(-10_000));
    });
    this.#processes.set(name, child);
  }

  kill(name: string): void {
    this.#processes.get(name)?.kill('SIGKILL');
  }

  /** Waits until a process has ended. @returns the end of what it said. */
  async ended(name: string): Promise<string> {
    const child = this.#processes.get(name) as ChildProcess;
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    return this.#said.get(name) ?? '';
  }

  /** Waits until the process of a client has ended, and starts another one. */
  async restart(name: string): Promise<void> {
    await this.ended(name);
    this.run(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.coordinator?.close(500);
    for (const child of this.#processes.values()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A process of this program. */
function start(args: readonly string[], nodeOptions: readonly string[] = []): ChildProcess {
  return spawn(
    process.execPath,
    [...nodeOptions, '--import', 'tsx', join(ROOT, 'runtime/cli/main.node.ts'), ...args],
    {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FEDLOOM_LOG: 'warn' },
    },
  );
}
