/** @file Chooses and starts a backend, and says why it was chosen. */

import { environmentVariable, importNative, wasmFolder, withoutProcessHandlers } from '#backend';
import { ExecutionError } from '../../types/errors.ts';
import { engine, tf } from '../tfjs.ts';
import type { Backend, BackendName } from './backend.ts';
import type { Device } from './device.ts';
import { DeviceBackend } from './device-backend.ts';
import { NATIVE_BACKEND, NativeDevice } from './native-device.ts';
import { TfjsDevice } from './tfjs-device.ts';

export interface BackendOptions {
  /** `'auto'` (the default) takes native if it is installed, else wasm, else cpu. */
  readonly prefer?: 'auto' | BackendName | undefined;
  /** Folder or URL of the wasm files, with a slash at its end; found by itself in Node. */
  readonly wasmFolder?: string | undefined;
}

/**
 * The backend to run on; the same object for each call that chooses the same one. The environment
 * variable FEDLOOM_BACKEND chooses if `prefer` does not.
 * @throws ExecutionError `execution.backend_unavailable` if the backend asked for is not here
 */
export async function loadBackend(options: BackendOptions = {}): Promise<Backend> {
  const variable = environmentVariable('FEDLOOM_BACKEND');
  const asked = options.prefer ?? variable ?? 'auto';
  const origin = options.prefer !== undefined ? 'asked for' : 'set by FEDLOOM_BACKEND';
  if (isBackendName(asked)) {
    try {
      return await start(asked, `${asked}: ${origin}.`, options);
    } catch (error) {
      throw new ExecutionError(
        'execution.backend_unavailable',
        `The ${asked} backend is not available (${message(error)}). ${REMEDIES[asked]}`,
        { cause: error },
      );
    }
  }
  if (asked !== 'auto') {
    throw new ExecutionError(
      'execution.backend_unavailable',
      `There is no backend '${asked}'; choose auto, native, wasm or cpu.`,
    );
  }
  const passedOver: string[] = [];
  for (const name of PREFERENCE) {
    try {
      const reason = [`${name}: the fastest backend that is here.`, ...passedOver].join(' ');
      return await start(name, reason, options);
    } catch (error) {
      passedOver.push(`${name} is not (${message(error)}).`);
    }
  }
  throw new ExecutionError('execution.backend_unavailable', passedOver.join(' '));
}

const PREFERENCE: readonly BackendName[] = ['native', 'wasm', 'cpu'];

const REMEDIES: Readonly<Record<BackendName, string>> = {
  native: 'Install it with `npm install @tensorflow/tfjs-node`, or choose wasm.',
  wasm: 'Check that the .wasm files of @tensorflow/tfjs-backend-wasm can be read, or choose cpu.',
  cpu: 'Check that @tensorflow/tfjs is installed whole.',
};

const started = new Map<BackendName, Promise<Backend>>();

function start(name: BackendName, reason: string, options: BackendOptions): Promise<Backend> {
  const running = started.get(name);
  if (running !== undefined) return running;
  const backend = STARTERS[name](options).then((device) => new DeviceBackend(device, reason));
  started.set(name, backend);
  // A failed start may be tried again, with another folder for instance.
  backend.catch(() => started.delete(name));
  return backend;
}

const STARTERS: Readonly<Record<BackendName, (options: BackendOptions) => Promise<Device>>> = {
  native: async () => {
    await importNative();
    const backend = tf.findBackend(NATIVE_BACKEND);
    if (backend === null) throw new Error('tfjs-node registered no backend');
    return new NativeDevice(backend);
  },
  wasm: (options) => withoutProcessHandlers(() => startWasm(options)),
  cpu: async () => {
    const backend = tf.findBackend('cpu');
    if (backend === null) throw new Error('tfjs registered no cpu backend');
    // Keeps tfjs from advertising its native package on the console at the first use.
    Reflect.set(backend, 'firstUse', false);
    return new TfjsDevice('cpu', backend);
  },
};

async function startWasm(options: BackendOptions): Promise<Device> {
  const core = engine();
  const before = core.backendName;
  const wasm = await import('@tensorflow/tfjs-backend-wasm');
  const folder = options.wasmFolder ?? wasmFolder();
  if (folder !== null && core.registry.wasm === undefined) wasm.setWasmPaths(folder);
  // Only setBackend sets up the kernels of a backend; the user's choice is put back after it.
  const success = await tf.setBackend('wasm');
  const backend = core.registry.wasm;
  if (typeof before === 'string' && before !== 'wasm') await tf.setBackend(before);
  if (!success || backend === undefined) throw new Error('it did not start');
  return new TfjsDevice('wasm', backend);
}

function isBackendName(name: string): name is BackendName {
  return (PREFERENCE as readonly string[]).includes(name);
}

function message(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split('\n')[0] as string).slice(0, 200);
}
