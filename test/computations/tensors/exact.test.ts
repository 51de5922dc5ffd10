import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EXACT_KERNELS } from '../../../computations/tensors/host/exact.ts';
import { GraphBuilder, loadBackend } from '../../../computations/tensors/index.ts';
import { KERNELS } from '../../../computations/tensors/kernels/index.ts';
import { TensorValue } from '../../../computations/types/index.ts';
import { BACKENDS, deviceOnly, float, int, runGraph } from './backends.helpers.ts';

const shortcut = await loadBackend({ prefer: 'wasm' });
const devices = await Promise.all(BACKENDS.map(deviceOnly));

const floats = fc.array(
  fc.oneof(
    fc.float({ noDefaultInfinity: false }),
    fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, 3.4e38, 1e-45, 1 / 3),
  ),
  { minLength: 4, maxLength: 4 },
);
const ints = fc.array(fc.integer(), { minLength: 4, maxLength: 4 });

/** The bits of the numbers; every NaN counts as the same. */
function bits(data: ArrayLike<number>): number[] {
  return Array.from(data, (value) => (Number.isNaN(value) ? 0x7fc00000 : toBits(value)));
}

/** TensorFlow takes subnormal numbers for 0, in what it is given and in what comes out. */
function normalNumbers(value: TensorValue): TensorValue {
  if (value.dtype !== 'float32') return value;
  const data = Float32Array.from(value.data as Float32Array, (x) =>
    Math.abs(x) < 2 ** -126 ? 0 * x : x,
  );
  return new TensorValue('float32', value.shape, data);
}

const view = new DataView(new ArrayBuffer(8));
function toBits(value: number): number {
  view.setFloat64(0, value);
  return Number(view.getBigUint64(0));
}

describe('the host shortcut for small graphs', () => {
  const arithmetic = Object.keys(EXACT_KERNELS).filter((kernel) => {
    const definition = KERNELS[kernel];
    return (
      Array.isArray(definition?.inputs) &&
      ['x', 'a'].includes(definition.inputs[0] ?? '') &&
      Object.keys(definition.attributes).length === 0 &&
      !kernel.startsWith('Logical')
    );
  });

  it.each(arithmetic)('%s gives the bits that every backend gives', async (kernel) => {
    const names = KERNELS[kernel]?.inputs as readonly string[];
    const check = async (left: number[], right: number[], dtype: 'float32' | 'int32') => {
      const make = dtype === 'float32' ? float : int;
      const values = [make([4], left), make([4], right)].slice(0, names.length);
      const builder = new GraphBuilder();
      const inputs = Object.fromEntries(
        names.map((name, i) => [name, builder.parameter(values[i] ?? make([4], left))]),
      );
      const graph = builder.build(builder.node(kernel, inputs));
      for (const device of devices) {
        const seen = device.name === 'native' ? normalNumbers : (value: TensorValue) => value;
        const given = values.map(seen);
        const [expected] = (await runGraph(shortcut, graph, given)).map(seen);
        const [actual] = await runGraph(device, graph, given);
        expect(bits(actual?.data as Float32Array)).toEqual(bits(expected?.data as Float32Array));
      }
    };
    await fc.assert(
      fc.asyncProperty(floats, floats, (a, b) => check(a, b, 'float32')),
      {
        numRuns: 60,
      },
    );
    if (!['RealDiv', 'Sqrt'].includes(kernel)) {
      await fc.assert(
        fc.asyncProperty(ints, ints, (a, b) => check(a, b, 'int32')),
        {
          numRuns: 60,
        },
      );
    }
  });
});
