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
 * The backend to run on; the same object for each call that chooses the same one for the same
 * reason. The environment variable FEDLOOM_BACKEND chooses if `prefer` does not.
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
  native: 'Install it with `npm install @tensorflow/tfjs-node` on Node 20 to 22, or choose wasm.',
  wasm: 'Check that the .wasm files of @tensorflow/tfjs-backend-wasm can be read, or choose cpu.',
  cpu: 'Check that @tensorflow/tfjs is installed whole.',
};

const devices = new Map<BackendName, Promise<Device>>();
const backends = new Map<string, Backend>();

async function start(name: BackendName, reason: string, options: BackendOptions): Promise<Backend> {
  const device = await startDevice(name, options);
  // Tensors belong to the device, so backends that differ in their reason only share them.
  const known = backends.get(reason);
  if (known !== undefined) return known;
  const backend = new DeviceBackend(device, reason);
  backends.set(reason, backend);
  return backend;
}

let lastStart: Promise<unknown> = Promise.resolve();

function startDevice(name: BackendName, options: BackendOptions): Promise<Device> {
  const running = devices.get(name);
  if (running !== undefined) return running;
  // One after the other: tfjs has one current backend, and each start makes its own the current one.
  const device = lastStart.then(() => keepingCurrentBackend(() => STARTERS[name](options)));
  devices.set(name, device);
  // A failed start may be tried again, with another folder for instance.
  lastStart = device.catch(() => devices.delete(name));
  return device;
}

/** Puts the backend back that was current before, if there was one. */
async function keepingCurrentBackend<T>(action: () => Promise<T>): Promise<T> {
  const before = engine().backendName;
  try {
    return await action();
  } finally {
    if (typeof before === 'string' && before !== engine().backendName) await tf.setBackend(before);
  }
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
  const wasm = await import('@tensorflow/tfjs-backend-wasm');
  const folder = options.wasmFolder ?? wasmFolder();
  if (folder !== null && core.registry.wasm === undefined) wasm.setWasmPaths(folder);
  // Only setBackend sets up the kernels of a backend.
  const success = await tf.setBackend('wasm');
  const backend = core.registry.wasm;
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
