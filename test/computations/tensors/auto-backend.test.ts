import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Device } from '../../../computations/tensors/backends/device.ts';
import { DeviceBackend } from '../../../computations/tensors/backends/device-backend.ts';
import { type Backend, traceTensors } from '../../../computations/tensors/index.ts';
import { float32 } from '../../../computations/types/index.ts';
import {
  dataIds,
  deviceOnly,
  float,
  noise,
  numbers,
  runGraph,
  startDevice,
} from './backends.helpers.ts';

const LIMIT = 10_000;

/** wasm for graphs with little work and cpu, in the place of native, for those with much. */
let backend: Backend;
let main: Device;
let large: Device;

beforeEach(async () => {
  [main, large] = [await startDevice('wasm'), await startDevice('cpu')];
  vi.spyOn(large, 'run');
  backend = new DeviceBackend(main, 'test', {
    tinyElements: 0,
    large: { device: large, flopsPerKernel: LIMIT },
  });
});

const { graph: product } = traceTensors(float32(null, null), (x) => x.matMul(x).add(1));
const square = (size: number) => float([size, size], noise(size * size));

describe('a backend of two devices', () => {
  it('is called auto', () => {
    expect(backend.name).toBe('auto');
  });

  it.each([
    { size: 8, runsLarge: 0 },
    // 2 · 64³ operations of the product and some for the addition, over two kernels.
    { size: 64, runsLarge: 2 },
  ])('takes the device by the work at the size $size', async ({ size, runsLarge }) => {
    const input = backend.upload(square(size));
    const [result] = backend.prepare(product).run([input]);
    expect(large.run).toHaveBeenCalledTimes(runsLarge);
    const [expected] = await runGraph(await deviceOnly('wasm'), product, [square(size)]);
    const values = numbers(expected);
    numbers(await result?.read()).forEach((value, i) => {
      expect(value).toBeCloseTo(values[i] as number, 4);
    });
  });

  it('moves a tensor to the device that needs it, and leaves nothing on the other', async () => {
    const before = { wasm: dataIds('wasm'), cpu: dataIds('cpu') };
    const small = backend.prepare(traceTensors(float32(null, null), (x) => x.add(1)).graph);
    const input = backend.upload(square(64));
    const [first] = small.run([input]);
    const [second] = backend.prepare(product).run([first as NonNullable<typeof first>]);
    expect(large.run).toHaveBeenCalledTimes(2);
    const [third] = small.run([second as NonNullable<typeof second>]);
    // Used on both devices, and still what it was.
    const original = numbers(square(64));
    expect(numbers(await input.read())).toEqual(original);
    const plusOne = original.map((value) => Math.fround(value + 1));
    expect(numbers(await first?.read())).toEqual(plusOne);
    const shifted = numbers(await second?.read()).map((value) => Math.fround(value + 1));
    expect(numbers(await third?.read())).toEqual(shifted);
    for (const tensor of [input, first, second, third]) tensor?.dispose();
    backend.close();
    expect({ wasm: dataIds('wasm'), cpu: dataIds('cpu') }).toEqual(before);
  });

  it('has its results by the main device, whose other backends may use them', async () => {
    const [result] = backend.prepare(product).run([backend.upload(square(64))]);
    const other = new DeviceBackend(main, 'test', { tinyElements: 0 });
    const [next] = other.prepare(product).run([result as NonNullable<typeof result>]);
    expect(next?.shape).toEqual([64, 64]);
    const strange = new DeviceBackend(large, 'test');
    expect(() => strange.prepare(product).run([result as NonNullable<typeof result>])).toThrow(
      expect.objectContaining({ code: 'execution.unsupported_value' }),
    );
  });
});
