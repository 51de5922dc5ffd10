/** @file A coordinator in the process of a benchmark, and its clients in others. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  type SimulatedIdentities,
  simulatedIdentities,
} from '../../executors/secure/identities.ts';
import type { Cohort } from '../../runtime/dial-in/cohort.ts';
import { Coordinator } from '../../runtime/dial-in/coordinator.node.ts';

export class Peers implements AsyncDisposable {
  readonly identities: SimulatedIdentities;
  readonly coordinator: Coordinator;
  readonly #processes: readonly ChildProcess[];
  readonly #clients: number;

  private constructor(
    coordinator: Coordinator,
    processes: readonly ChildProcess[],
    clients: number,
  ) {
    this.identities = simulatedIdentities(SEED);
    this.coordinator = coordinator;
    this.#processes = processes;
    this.#clients = clients;
  }

  /** So many clients, spread over so many processes. */
  static async start(clients: number, processes: number): Promise<Peers> {
    const coordinator = await Coordinator.start({ listen: '127.0.0.1:0' });
    const script = fileURLToPath(new URL('./peer-process.ts', import.meta.url));
    const seed = Buffer.from(SEED).toString('hex');
    const children = Array.from({ length: processes }, (_, i) => {
      const places = Array.from({ length: clients }, (__, place) => place)
        .filter((place) => place % processes === i)
        .map(String);
      return spawn(
        process.execPath,
        ['--import', 'tsx', script, coordinator.address, seed, ...places],
        { stdio: ['ignore', 'ignore', 'inherit'] },
      );
    });
    return new Peers(coordinator, children, clients);
  }

  /** All of them, once they are connected. */
  cohort(): Promise<Cohort> {
    return this.coordinator.select({ atLeast: this.#clients, within: 300_000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#processes) child.kill('SIGTERM');
    await Promise.all(
      this.#processes.map((child) => (child.exitCode === null ? once(child, 'exit') : null)),
    );
    await this.coordinator.close(0);
  }
}

const SEED = new Uint8Array(32).fill(7);
