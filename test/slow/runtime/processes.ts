/** @file A coordinator in this process, and clients in processes of their own that can be killed. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Coordinator, makeDevelopmentKeys, tlsCredentials } from 'fedloom/node';
import { readIdentityRoster } from '../../../runtime/identities/identity-files.node.ts';

const ROOT = join(import.meta.dirname, '../../..');
const QUICK = { heartbeatMs: 250, silenceMs: 1_500, graceMs: 1_500 } as const;

/** Each client has the file `reading`, one integer: ten times its number. */
export class Cluster implements AsyncDisposable {
  readonly names: readonly string[];
  readonly folder = mkdtempSync(join(tmpdir(), 'fedloom-cluster-'));
  coordinator: Coordinator | null = null;
  #port = 0;
  readonly #clients = new Map<string, ChildProcess>();

  private constructor(names: readonly string[]) {
    this.names = names;
  }

  static async start(names: readonly string[]): Promise<Cluster> {
    const cluster = new Cluster(names);
    await makeDevelopmentKeys(join(cluster.folder, 'keys'), { clients: names });
    for (const [i, name] of names.entries()) {
      writeFileSync(join(cluster.folder, `${name}.json`), JSON.stringify([10 * (i + 1)]));
    }
    await cluster.listen();
    for (const name of names) cluster.run(name);
    return cluster;
  }

  /** Begins to listen, the second time on the same port. */
  async listen(): Promise<Coordinator> {
    const at = (file: string): string => join(this.folder, 'keys/server', file);
    this.coordinator = await Coordinator.start({
      listen: `127.0.0.1:${this.#port}`,
      credentials: await tlsCredentials({
        ca: at('ca.pem'),
        cert: at('cert.pem'),
        key: at('key.pem'),
      }),
      roster: await readIdentityRoster(at('roster.json')),
      clients: { heartbeat: QUICK },
    });
    this.#port = Number(this.coordinator.address.split(':').at(-1));
    return this.coordinator;
  }

  /** Starts the process of a client, as a person would. */
  run(name: string): void {
    const child = spawn(
      process.execPath,
      [
        ...['--import', 'tsx', join(ROOT, 'runtime/cli/main.node.ts'), 'client'],
        ...['--connect', `localhost:${this.#port}`, '--keys', join(this.folder, 'keys', name)],
        ...['--data', `reading=${join(this.folder, `${name}.json`)}`],
        ...['--state', join(this.folder, 'state', name)],
      ],
      {
        cwd: ROOT,
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, FEDLOOM_LOG: 'warn' },
      },
    );
    // Nobody reads it, but it must not fill up.
    child.stderr?.resume();
    this.#clients.set(name, child);
  }

  kill(name: string): void {
    this.#clients.get(name)?.kill('SIGKILL');
  }

  /** Waits until the process of a client has ended, and starts another one. */
  async restart(name: string): Promise<void> {
    const child = this.#clients.get(name) as ChildProcess;
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    this.run(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.coordinator?.close(500);
    for (const child of this.#clients.values()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
