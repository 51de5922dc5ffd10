/** @file Chooses and starts a backend, and says why it was chosen. */

import { environmentVariable, importNative, wasmFolder, withoutProcessHandlers } from '#backend';
import { ExecutionError } from '../../types/errors.ts';
import { engine, tf } from '../tfjs.ts';
import type { Backend, BackendName } from './backend.ts';
import type { Device } from './device.ts';
import { DeviceBackend } from './device-backend.ts';
import { NATIVE_BACKEND, NativeDevice } from './native-device.ts';
import { DEFAULT_PLAN_OPTIONS } from './plan.ts';
import { TfjsDevice } from './tfjs-device.ts';

export interface BackendOptions {
  /**
   * `'auto'` (the default) takes what is here: native with wasm for small graphs, or wasm, or cpu.
   * The others insist.
   */
  readonly prefer?: BackendName | undefined;
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
  if (asked === 'auto') return loadBest(options);
  if (!isDeviceName(asked)) {
    throw new ExecutionError(
      'execution.backend_unavailable',
      `There is no backend '${asked}'; choose auto, native, wasm or cpu.`,
    );
  }
  const origin = options.prefer !== undefined ? 'asked for' : 'set by FEDLOOM_BACKEND';
  try {
    return single(await start(asked, options), `${asked}: ${origin}.`);
  } catch (error) {
    throw new ExecutionError(
      'execution.backend_unavailable',
      `The ${asked} backend is not available (${message(error)}). ${REMEDIES[asked]}`,
      { cause: error },
    );
  }
}

/**
 * A native kernel costs more to call and less to compute: a step of a 64-48-10 classifier takes seven
 * times as long as on wasm, one of 784-512-512-10 a third. They meet at about so many floating
 * point operations a kernel; `npm run bench backends` measures it.
 */
const NATIVE_FROM_FLOPS_PER_KERNEL = 700_000;

async function loadBest(options: BackendOptions): Promise<Backend> {
  const absent: string[] = [];
  const present = async (name: DeviceName): Promise<Device | null> => {
    try {
      return await start(name, options);
    } catch (error) {
      absent.push(`${name} is not here (${message(error)}).`);
      return null;
    }
  };
  const because = (reason: string): string => [reason, ...absent].join(' ');
  const native = await present('native');
  const wasm = await present('wasm');
  if (native !== null && wasm !== null) {
    const large = { device: native, flopsPerKernel: NATIVE_FROM_FLOPS_PER_KERNEL };
    return known('auto: native for graphs with much work, wasm for the others.', (reason) => {
      return new DeviceBackend(wasm, reason, { ...DEFAULT_PLAN_OPTIONS, large });
    });
  }
  const device = native ?? wasm ?? (await present('cpu'));
  if (device === null) {
    throw new ExecutionError('execution.backend_unavailable', absent.join(' '));
  }
  return single(device, because(`${device.name}: the fastest backend that is here.`));
}

type DeviceName = Device['name'];

const REMEDIES: Readonly<Record<DeviceName, string>> = {
  native:
    'Install it with `npm install @tensorflow/tfjs-node` on Node 20 to 22, see README.md, or choose wasm.',
  wasm: 'Check that the .wasm files of @tensorflow/tfjs-backend-wasm can be read, or choose cpu.',
  cpu: 'Check that @tensorflow/tfjs is installed whole.',
};

const backends = new Map<string, Backend>();

// Tensors belong to a device, so backends that differ in their reason only share them.
function single(device: Device, reason: string): Backend {
  return known(reason, () => new DeviceBackend(device, reason));
}

function known(reason: string, make: (reason: string) => Backend): Backend {
  const backend = backends.get(reason) ?? make(reason);
  backends.set(reason, backend);
  return backend;
}

const devices = new Map<DeviceName, Promise<Device>>();

let lastStart: Promise<unknown> = Promise.resolve();

function start(name: DeviceName, options: BackendOptions): Promise<Device> {
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

const STARTERS: Readonly<Record<DeviceName, (options: BackendOptions) => Promise<Device>>> = {
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

function isDeviceName(name: string): name is DeviceName {
  return Object.hasOwn(STARTERS, name);
}

function message(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split('\n')[0] as string).slice(0, 200);
}
