/** @file A coordinator in the process of a benchmark, and its clients in others. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  type SimulatedIdentities,
  simulatedIdentities,
} from '../../executors/secure/identities.ts';
import type { Cohort } from '../../runtime/dial-in/cohort.ts';
import { Coordinator } from '../../runtime/dial-in/coordinator.node.ts';

export class Peers implements AsyncDisposable {
  readonly identities: SimulatedIdentities;
  readonly coordinator: Coordinator;
  readonly #clients: number;
  readonly #folder: string;
  readonly #processes: ChildProcess[] = [];

  private constructor(coordinator: Coordinator, clients: number) {
    this.identities = simulatedIdentities(SEED);
    this.coordinator = coordinator;
    this.#clients = clients;
    this.#folder = bundleFolder();
  }

  /**
   * So many clients, spread over so many processes, all connected. A few processes start at a time:
   * many at once would take the processor from each other until connections time out.
   */
  static async start(clients: number, processes: number): Promise<Peers> {
    const coordinator = await Coordinator.start({ listen: '127.0.0.1:0' });
    const peers = new Peers(coordinator, clients);
    try {
      await peers.#start(processes);
      return peers;
    } catch (error) {
      await peers[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** All of them, or so many. */
  cohort(atMost = this.#clients): Promise<Cohort> {
    return this.coordinator.select({ atLeast: atMost, atMost, within: START_MS });
  }

  /** Seconds of processor time that the processes of the clients have taken; `NaN` outside of Linux. */
  get processorSeconds(): number {
    return this.#processes.reduce((sum, { pid }) => sum + processorSecondsOf(pid), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#processes) child.kill('SIGTERM');
    await Promise.all(
      this.#processes.map((child) => (hasEnded(child) ? null : once(child, 'exit'))),
    );
    await this.coordinator.close(0);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #start(processes: number): Promise<void> {
    await bundle(this.#folder, ['peer-process.ts']);
    const script = join(this.#folder, 'peer-process.js');
    const places = Array.from({ length: this.#clients }, (_, place) => place);
    let started = 0;
    for (let i = 0; i < processes; i += 1) {
      const mine = places.filter((place) => place % processes === i).map(String);
      const options = processes > 10 ? SMALL_HEAP : [];
      const seed = Buffer.from(SEED).toString('hex');
      const child = spawn(
        process.execPath,
        [...options, script, this.coordinator.address, seed, ...mine],
        { stdio: ['ignore', 'ignore', 'inherit'] },
      );
      this.#processes.push(child);
      started += mine.length;
      const isLast = i === processes - 1;
      if (!isLast && (i + 1) % availableParallelism() !== 0) continue;
      await this.coordinator.select({ atLeast: started, within: START_MS });
    }
  }
}

/** In the repository, so that the bundle finds the packages that are not in it. */
const BUNDLES = fileURLToPath(new URL('../../node_modules/.cache/fedloom/', import.meta.url));

const SEED = new Uint8Array(32).fill(7);

/** For the clients that are connected when this has passed, or none. */
const START_MS = 300_000;

/** Of fifty processes, whose heaps are in one memory. */
const SMALL_HEAP = ['--max-semi-space-size=4', '--max-old-space-size=256'];

/** A new folder in which bundles find their packages. Whoever asked for it removes it. */
export function bundleFolder(): string {
  mkdirSync(BUNDLES, { recursive: true });
  return mkdtempSync(join(BUNDLES, 'bundle-'));
}

/** @param scripts of this folder; the other gets each as JavaScript. */
export async function bundle(folder: string, scripts: readonly string[]): Promise<void> {
  const bundler = fileURLToPath(new URL('./bundle.ts', import.meta.url));
  await promisify(execFile)(process.execPath, ['--import', 'tsx', bundler, folder, ...scripts]);
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Of a process and its threads, as proc(5) has it: in hundredths of a second. */
function processorSecondsOf(pid: number | undefined): number {
  if (process.platform !== 'linux' || pid === undefined) return Number.NaN;
  if (!readdirSync('/proc').includes(String(pid))) return 0;
  // The name, in brackets, may hold spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
