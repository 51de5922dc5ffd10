/** @file Processes of this program, on this machine: started, watched, and ended with it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { type ExitCode, exitCodeFrom, type Surroundings } from './command.ts';

export interface Ended {
  readonly name: string;
  readonly code: ExitCode;
  /** The end of what it wrote to standard error. */
  readonly said: string;
}

export class LocalProcesses implements AsyncDisposable {
  readonly #surroundings: Surroundings;
  readonly #running = new Set<LocalProcess>();
  #failed: Ended | null = null;
  readonly #whenFailed: (() => void)[] = [];
  /** For an end that waits for nobody, such as that of a second interrupt. */
  readonly #killAll = (): void => {
    for (const each of this.#running) each.kill();
  };

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
    process.on('exit', this.#killAll);
  }

  /**
   * Runs a command of this program; its output is that of this process.
   * @param onMessage gets what it tells this process.
   */
  start(
    name: string,
    args: readonly string[],
    onMessage?: (message: unknown) => void,
  ): LocalProcess {
    const started = new LocalProcess(name, args, this.#surroundings);
    if (onMessage !== undefined) started.listen(onMessage);
    this.#running.add(started);
    void started.ended.then((ended) => {
      this.#running.delete(started);
      if (ended.code === 0 || this.#failed !== null) return;
      this.#failed = ended;
      for (const tell of this.#whenFailed) tell();
    });
    return started;
  }

  /**
   * Waits until a process has written a file.
   * @throws Error if it ends before, or takes longer than a minute.
   */
  async fileOf(owner: LocalProcess, path: string): Promise<string> {
    for (let waited = 0; waited < START_MS; waited += POLL_MS) {
      if (existsSync(path)) {
        const text = readFileSync(path, 'utf8');
        if (text !== '') return text;
      }
      if (owner.hasEnded) {
        const { code, said } = await owner.ended;
        throw new Error(`${owner.name} ended with ${code} before it was ready:\n${said}`);
      }
      await wait(POLL_MS, undefined, {
        ...(this.#surroundings.signal && { signal: this.#surroundings.signal }),
      });
    }
    throw new Error(`${owner.name} was not ready within ${START_MS / 1000} s:\n${owner.said}`);
  }

  /**
   * Waits until this process has ended.
   * @returns with `failed`, if another one failed before it.
   */
  async ended(
    main: LocalProcess,
  ): Promise<{ readonly code: ExitCode; readonly failed: Ended | null }> {
    const failing = new Promise<null>((resolve) => {
      this.#whenFailed.push(() => resolve(null));
      if (this.#failed !== null) resolve(null);
    });
    const ended = await Promise.race([main.ended, failing]);
    if (ended !== null && ended.code === 0) return { code: 0, failed: null };
    return { code: ended?.code ?? 1, failed: this.#failed ?? ended };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running].map((each) => each.stop()));
    process.off('exit', this.#killAll);
  }
}

export class LocalProcess {
  readonly name: string;
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  #said = '';
  #hasEnded = false;

  constructor(name: string, args: readonly string[], { env, out, signal }: Surroundings) {
    this.name = name;
    const [, program = ''] = process.argv;
    this.#child = spawn(process.execPath, [...process.execArgv, program, ...args], {
      env: { ...env, FEDLOOM_LOG: env.FEDLOOM_LOG ?? 'warn' },
      // By the last one it notices when this process is gone, also if that was killed.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Not told by the terminal, but by this process, in order.
      detached: true,
    });
    const isMain = name === 'coordinator';
    this.#child.channel?.unref();
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (isMain) out(text.replace(/\n$/, ''));
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-MOST_SAID);
    });
    const stop = (): void => void this.stop();
    signal?.addEventListener('abort', stop, { once: true });
    this.ended = new Promise((resolve) => {
      const end = (code: ExitCode): void => {
        this.#hasEnded = true;
        signal?.removeEventListener('abort', stop);
        resolve({ name, code, said: this.#said });
      };
      this.#child.once('error', (error) => {
        this.#said += error.message;
        end(1);
      });
      this.#child.once('close', (code, killedBy) => end(exitCodeFrom(code, killedBy)));
    });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get said(): string {
    return this.#said;
  }

  /** Hears what it tells this process. */
  listen(onMessage: (message: unknown) => void): void {
    this.#child.on('message', onMessage);
  }

  /** Ends it at once. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Asks it to end, and sees to it. */
  async stop(): Promise<void> {
    if (this.#hasEnded) return;
    this.#child.kill('SIGTERM');
    const insist = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await this.ended;
    clearTimeout(insist);
  }
}

const START_MS = 60_000;
const POLL_MS = 50;
const STOP_MS = 10_000;
const MOST_SAID = 4_000;
