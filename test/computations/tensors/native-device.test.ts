import { beforeAll, describe, expect, it } from 'vitest';
import { DeviceBackend } from '../../../computations/tensors/backends/device-backend.ts';
import {
  NATIVE_BACKEND,
  NativeDevice,
} from '../../../computations/tensors/backends/native-device.ts';
import { type Backend, loadBackend, traceTensors } from '../../../computations/tensors/index.ts';
import { engine, type TfBackend, tf } from '../../../computations/tensors/tfjs.ts';
import { float32, int32, type TensorValue } from '../../../computations/types/index.ts';
import { deviceOnly, float, int, noise, runGraph } from './backends.helpers.ts';
import { mlpStep } from './models.helpers.ts';

/**
 * A stand-in for tfjs-node, which needs a download: like its kernels, these return tensors that the
 * engine tracks, leave intermediate tensors to the current scope, and want their backend current.
 */
class TrackingBackend extends tf.MathBackendCPU {}

let backend: Backend;
let reference: Backend;

beforeAll(async () => {
  await loadBackend({ prefer: 'cpu' });
  reference = await deviceOnly('cpu');
  const instance: TfBackend = new TrackingBackend();
  Reflect.set(instance, 'firstUse', false);
  tf.registerBackend(NATIVE_BACKEND, () => instance);
  for (const { kernelName, kernelFunc } of tf.getKernelsForBackend('cpu')) {
    tf.registerKernel({
      kernelName,
      backendName: NATIVE_BACKEND,
      kernelFunc: (call) => {
        expect(tf.getBackend()).toBe(NATIVE_BACKEND);
        tf.scalar(1);
        const outputs = kernelFunc({ ...call, backend: instance });
        const track = (info: tf.TensorInfo): tf.Tensor =>
          engine().makeTensorFromTensorInfo(info, instance);
        return Array.isArray(outputs) ? outputs.map(track) : track(outputs);
      },
    });
  }
  const found = tf.findBackend(NATIVE_BACKEND);
  backend = new DeviceBackend(new NativeDevice(found), 'test', { tinyElements: 0 });
});

const { graph } = traceTensors(
  [float32(64, 48), float32(48), float32(48, 10), float32(10), float32(null, 64), int32(null)],
  mlpStep,
);
const values: TensorValue[] = [
  float([64, 48], noise(64 * 48)),
  float([48], noise(48, 2)),
  float([48, 10], noise(480, 3)),
  float([10], noise(10, 4)),
  float([6, 64], noise(6 * 64, 5)),
  int([6], [0, 1, 2, 3, 4, 5]),
];

describe('a device whose kernels return tracked tensors', () => {
  it('gives what the cpu backend gives', async () => {
    expect(await runGraph(backend, graph, values)).toEqual(
      await runGraph(reference, graph, values),
    );
  });

  it('leaves no tensor behind, and the current backend alone', async () => {
    await tf.setBackend('cpu');
    backend.close();
    const before = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) await runGraph(backend, graph, values);
    backend.close();
    expect(tf.memory().numTensors).toBe(before);
    expect(tf.findBackend(NATIVE_BACKEND).numDataIds()).toBe(0);
    expect(tf.getBackend()).toBe('cpu');
  });

  it('keeps its tensors out of the scopes of a caller', async () => {
    const program = backend.prepare(traceTensors(float32(3), (x) => [x.exp(), x]).graph);
    let made: ReturnType<typeof program.run> = [];
    tf.tidy('caller', () => {
      const input = backend.upload(float([3], [0, 0, 0]));
      made = program.run([input]);
      input.dispose();
    });
    expect(await made[0]?.read()).toEqual(float([3], [1, 1, 1]));
    for (const output of made) output.dispose();
  });
});
