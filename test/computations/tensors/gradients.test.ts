import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { traceTensors } from '../../../computations/tensors/index.ts';
import { engine, tf } from '../../../computations/tensors/tfjs.ts';
import { type TensorValue, TraceError } from '../../../computations/types/index.ts';
import { BACKENDS, deviceOnly, expectClose, noise, runGraph } from './backends.helpers.ts';
import type { KernelCase } from './kernel-arbitraries.helpers.ts';
import { KERNEL_CASES } from './kernel-cases.helpers.ts';

const cpu = await deviceOnly('cpu');
const others = await Promise.all(
  BACKENDS.filter((name) => name !== 'cpu').map((name) => deviceOnly(name)),
);

// Their inputs are integers, or their gradient is a kernel that is not in the table.
const NOT_TRACED = new Set(['FloorDiv', 'OneHot', 'ResizeBilinear', 'ResizeNearestNeighbor']);

const DIFFERENTIABLE = Object.entries(KERNEL_CASES).filter(
  ([kernel]) => tf.getGradient(kernel) !== undefined && !NOT_TRACED.has(kernel),
);

/**
 * The gradient of one use of a kernel, by its inputs that are float32. `null` for a use that tfjs
 * does not differentiate: integers, and operands of some kernels that it broadcasts.
 */
function traceGradient(kernel: string, example: KernelCase) {
  try {
    return traceUse(kernel, example);
  } catch (error) {
    if (error instanceof TraceError && error.code === 'trace.failed') return null;
    throw error;
  }
}

function traceUse(kernel: string, { inputs, attributes }: KernelCase) {
  const isList = Array.isArray(inputs);
  const names = Object.keys(inputs);
  const values = Object.values(inputs) as TensorValue[];
  const traced = traceTensors(values, (...tensors) => {
    const floats = tensors.filter(({ dtype }) => dtype === 'float32');
    return tf.grads((...given: tf.Tensor[]) => {
      const left = [...given];
      const all = tensors.map((t) => (t.dtype === 'float32' ? (left.shift() as tf.Tensor) : t));
      const named = Object.fromEntries(names.map((name, i) => [name, all[i] as tf.Tensor]));
      const result = engine().runKernel(kernel, isList ? all : named, attributes);
      // Elements count differently, so that none can stand in for another.
      const weighed = [result].flat().map((output, i) => {
        const size = output.shape.reduce((a, b) => a * b, 1);
        return tf.sum(tf.mul(output, tf.tensor(noise(size, i + 1), output.shape)));
      });
      return tf.addN(weighed);
    })(floats);
  });
  return { graph: traced.graph, values };
}

describe('gradients on every backend', () => {
  it('are there for most kernels of the table', () => {
    expect(DIFFERENTIABLE.length).toBeGreaterThan(80);
  });

  for (const [kernel, cases] of DIFFERENTIABLE) {
    it(`${kernel}: all agree with cpu`, async () => {
      await fc.assert(
        fc.asyncProperty(cases, async (example) => {
          const traced = traceGradient(kernel, example);
          fc.pre(traced !== null);
          const { graph, values } = traced;
          const expected = await runGraph(cpu, graph, values);
          for (const backend of others) {
            expectClose(await runGraph(backend, graph, values), expected);
          }
        }),
        { numRuns: 12 },
      );
    });
  }
});
