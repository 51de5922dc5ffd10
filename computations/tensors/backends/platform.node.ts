/** @file Backends in Node: the native add-on, the wasm files on disk, process-wide handlers. */

import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import process from 'node:process';
import util from 'node:util';

/** The value of an environment variable. */
export function environmentVariable(name: string): string | undefined {
  return process.env[name];
}

/**
 * Imports tfjs-node, which registers its backend. Any error means that it is not here.
 * @throws Error if this version of Node lacks what tfjs-node calls, or the import fails
 */
export async function importNative(): Promise<void> {
  // tfjs-node 4.22 imports without it, and then fails in each kernel.
  if (Reflect.get(util, 'isNullOrUndefined') === undefined) {
    throw new Error(`tfjs-node serves Node below 23 and this is ${process.version}`);
  }
  // Only warnings and errors: TensorFlow tells on stderr which instructions it uses.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '1';
  // Not a literal: the package is optional, so the compiler must not look for its types.
  const name = '@tensorflow/tfjs-node';
  await import(name);
}

/** The folder of the wasm files, with a slash at its end. */
export function wasmFolder(): string | null {
  const resolve = createRequire(import.meta.url).resolve;
  return `${dirname(resolve('@tensorflow/tfjs-backend-wasm'))}/`;
}

const EVENTS = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * Runs `action` and removes the process-wide handlers that it installed. Emscripten's start-up code
 * adds one for each event, which throws again whatever it is given and so hides its origin.
 */
export async function withoutProcessHandlers<T>(action: () => Promise<T>): Promise<T> {
  const before = EVENTS.map((event) => new Set(process.rawListeners(event)));
  try {
    return await action();
  } finally {
    EVENTS.forEach((event, index) => {
      for (const listener of process.rawListeners(event)) {
        const installed =
          !before[index]?.has(listener) &&
          EMSCRIPTEN.test(Function.prototype.toString.call(listener));
        if (installed) process.off(event, listener as () => void);
      }
    });
  }
}

// Other code may add a handler of its own while the backend starts; only these are removed.
const EMSCRIPTEN = /instanceof ExitStatus|^function\s*\w*\(\w+\)\s*\{\s*throw \w+;?\s*\}$/;
