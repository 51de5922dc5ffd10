/**
 * @file Worker threads, where the platform has them. Asked for by name instead of imported, so that
 * bundles for browsers, where there are none, can contain the modules that would use them.
 */

import { ExecutionError } from '../../computations/types/index.ts';

type Platform = Pick<NodeJS.Process, 'getBuiltinModule' | 'execArgv'>;

/** @throws ExecutionError `execution.backend_unavailable` where there are no worker threads. */
export function requireThreads() {
  const platform: Platform | undefined = globalThis.process;
  const threads = platform?.getBuiltinModule?.('node:worker_threads');
  const system = platform?.getBuiltinModule?.('node:os');
  if (threads === undefined || system === undefined) {
    throw new ExecutionError(
      'execution.backend_unavailable',
      'There are no worker threads here: the option threads needs Node 20.16 or later. Leave it out to run everything on one thread.',
    );
  }
  return { Worker: threads.Worker, cores: system.availableParallelism() };
}

/**
 * Code that runs a module on a worker thread. Code, and not the module itself: options of the process
 * like `--input-type` come along with a worker, and would refuse a file.
 */
export function workerCode({ href }: URL): string {
  const run = `import(${JSON.stringify(href)})`;
  if (!href.endsWith('.ts')) return run;
  // Sources run during development only. A worker does not inherit the loader, so it registers one.
  return `import('tsx/esm/api').then(({ register }) => { register(); return ${run}; })`;
}
