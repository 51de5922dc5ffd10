import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Attributes,
  GraphBuilder,
  loadBackend,
  random,
  traceTensors,
} from '../../../computations/tensors/index.ts';
import { tf } from '../../../computations/tensors/tfjs.ts';
import { float32, int32, type TensorType } from '../../../computations/types/index.ts';
import { bool, deviceOnly, float, int, numbers, runGraph } from './backends.helpers.ts';

const cpu = await loadBackend({ prefer: 'cpu' });
const wasm = await loadBackend({ prefer: 'wasm' });

const withCode = (code: string, message = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

let tensorsBefore = 0;
beforeEach(async () => {
  await tf.setBackend('cpu');
  tensorsBefore = tf.memory().numTensors;
});
afterEach(() => {
  // Whatever a body did, tfjs is left as it was.
  expect(tf.getBackend()).toBe('cpu');
  expect(tf.memory().numTensors).toBe(tensorsBefore);
  expect(Math.random()).toBeLessThan(1);
});

describe('pitfalls of tracing', () => {
  it('1: has gradients in Node', () => {
    expect(
      traceTensors(float32(2), (x) => tf.grad((v: tf.Tensor) => v.div(3).sum())(x)).graph.nodes
        .length,
    ).toBeGreaterThan(0);
  });

  it('2: takes an outer tensor as a constant and leaves it where it is', async () => {
    const outer = tf.tensor1d([1, 2, 3]);
    const { graph } = traceTensors(float32(3), (x) => x.mul(outer));
    expect(numbers((await runGraph(wasm, graph, [float([3], [2, 2, 2])]))[0])).toEqual([2, 4, 6]);
    expect(Array.from(outer.dataSync())).toEqual([1, 2, 3]);
    outer.dispose();
  });

  it('2: takes an outer tensor of another backend', async () => {
    await tf.setBackend('wasm');
    const outer = tf.tensor1d([1, 2, 3]);
    await tf.setBackend('cpu');
    const { graph } = traceTensors(float32(3), (x) => x.add(outer));
    expect(numbers((await runGraph(cpu, graph, [float([3], [1, 1, 1])]))[0])).toEqual([2, 3, 4]);
    outer.dispose();
  });

  it('2: limits what is captured, and says how much there is', () => {
    const outer = tf.range(0, 1000);
    expect(() =>
      traceTensors(float32(1000), (x) => x.mul(outer), { maxCaptureBytes: 100 }),
    ).toThrow(withCode('trace.capture_limit', /1 constant tensors of 4000 bytes/));
    outer.dispose();
  });

  it.each<[string, (x: tf.Tensor) => unknown]>([
    ['dataSync', (x) => x.dataSync()],
    ['arraySync', (x) => x.arraySync()],
    ['print', (x) => x.print()],
    ['bufferSync', (x) => x.bufferSync()],
  ])('3: refuses %s', (_, read) => {
    expect(() =>
      traceTensors(float32(2), (x) => {
        read(x);
        return x;
      }),
    ).toThrow(withCode('trace.value_dependent', /tf.where/));
  });

  it('3: refuses data(), whose error arrives later and elsewhere', () => {
    expect(() =>
      traceTensors(float32(2), (x) => {
        void x.data();
        return x;
      }),
    ).toThrow(withCode('trace.value_dependent'));
  });

  it('3: refuses a body that swallows the error', () => {
    expect(() =>
      traceTensors(float32(2), (x) => {
        try {
          x.dataSync();
        } catch {}
        return x;
      }),
    ).toThrow(withCode('trace.value_dependent'));
  });

  it('3: refuses an asynchronous body', () => {
    expect(() => traceTensors(float32(2), (async (x: tf.Tensor) => x.add(1)) as never)).toThrow(
      withCode('trace.async'),
    );
  });

  it('4: a tensor kept from a trace never gives values', () => {
    let leaked: tf.Tensor | undefined;
    traceTensors(float32(2), (x) => {
      leaked = tf.keep(x.add(1));
      return leaked;
    });
    expect(() => leaked?.dataSync()).toThrow(withCode('trace.leaked_tracer'));
    expect(() => leaked?.add(1).dataSync()).toThrow(withCode('trace.leaked_tracer'));
    expect(() => traceTensors(float32(2), (x) => x.add(leaked as tf.Tensor))).toThrow(
      withCode('trace.leaked_tracer'),
    );
    tensorsBefore = tf.memory().numTensors;
  });

  it('5: refuses to assign to an outer variable, which keeps its value', () => {
    const variable = tf.variable(tf.tensor1d([1, 2]));
    expect(() =>
      traceTensors(float32(2), (x) => {
        variable.assign(x as tf.Tensor1D);
        return x;
      }),
    ).toThrow(withCode('trace.side_effect', /assigns to/));
    expect(Array.from(variable.dataSync())).toEqual([1, 2]);
    variable.dispose();
    tensorsBefore = tf.memory().numTensors;
  });

  it('5: refuses an optimizer over outer variables, and a dispose of an outer tensor', () => {
    const variable = tf.tidy(() => tf.variable(tf.scalar(1)));
    const outer = tf.scalar(3);
    expect(() =>
      traceTensors(float32(), (x) => {
        tf.train.sgd(1).minimize(() => variable.mul(x).asScalar());
        return x;
      }),
    ).toThrow(withCode('trace.side_effect'));
    expect(() =>
      traceTensors(float32(), (x) => {
        outer.dispose();
        return x;
      }),
    ).toThrow(withCode('trace.side_effect', /disposes a tensor/));
    expect(variable.dataSync()[0]).toBe(1);
    expect(outer.dataSync()[0]).toBe(3);
    tf.dispose([variable, outer]);
  });

  it('5: disposes variables made inside', () => {
    const trace = () => traceTensors(float32(), (x) => tf.variable(x, true, 'made inside').mul(2));
    trace();
    expect(trace).not.toThrow();
  });

  it.each<[string, () => tf.Tensor]>([
    ['Math.random', () => tf.scalar(Math.random())],
    ['tf.randomNormal', () => tf.randomNormal([2])],
    ['tf.dropout', () => tf.dropout(tf.ones([4]), 0.5)],
    ['an initialiser', () => tf.initializers.glorotUniform({}).apply([2, 2])],
    ['tf.multinomial', () => tf.multinomial(tf.tensor1d([0.5, 0.5]), 3, 7)],
  ])('6: refuses %s', (_, draw) => {
    expect(() => traceTensors([], draw)).toThrow(withCode('trace.host_randomness'));
  });

  it('6: refuses a body that does something else each time', () => {
    let calls = 0;
    expect(() => traceTensors(float32(), (x) => x.mul(++calls))).toThrow(
      withCode('trace.not_repeatable'),
    );
  });

  it('6: takes randomness with a key', async () => {
    const { graph } = traceTensors(int32(2), (key) => random.uniform(key, [3]));
    expect(graph.nodes.map(({ kernel }) => kernel)).toEqual(['fl.RandomUniform']);
    const key = random.key(7);
    const [inside] = await runGraph(wasm, graph, [int([2], key.dataSync())]);
    const outside = random.uniform(key, [3]);
    expect(Array.from(outside.dataSync())).toEqual(numbers(inside));
    tf.dispose([key, outside]);
  });

  it('7: keeps infinities and -0 in attributes, and refuses NaN', () => {
    const { graph } = traceTensors(float32(2), (x) => x.clipByValue(Number.NEGATIVE_INFINITY, -0));
    expect(graph.nodes[0]?.attributes).toEqual({
      clipValueMin: Number.NEGATIVE_INFINITY,
      clipValueMax: -0,
    });
    expect(() => traceTensors(float32(2), (x) => tf.leakyRelu(x, Number.NaN))).toThrow(
      withCode('trace.bad_attribute', /NaN/),
    );
  });

  it('7: makes uniform constants Fill nodes, so that ones of the batch size are not baked in', () => {
    const { graph } = traceTensors(float32(null), (x) => tf.ones([x.shape[0] as number]).sub(x));
    expect(graph.constants).toEqual([]);
  });

  it('8: refuses shapes that depend on the data, complex numbers and strings', () => {
    expect(() => traceTensors(float32(3), (x) => tf.unique(x).values)).toThrow(
      withCode('trace.data_dependent_shape', /Unique/),
    );
    expect(() => traceTensors(float32(4), (x) => tf.complex(x, x).abs())).toThrow(
      withCode('trace.unsupported_dtype', /complex/),
    );
    expect(() => traceTensors([], () => tf.tensor1d(['a', 'b']))).toThrow(
      withCode('trace.unsupported_dtype', /string/),
    );
    expect(() => traceTensors([float32(2, 2)], (x) => tf.einsum('ij->ji', x))).toThrow(
      withCode('trace.unsupported_kernel', /tf.matMul/),
    );
  });

  it('9: multiplies int32 exactly, wrapping, on every backend', async () => {
    const { graph } = traceTensors([int32(2), int32(2)], (a, b) => a.mul(b));
    const values = [int([2], [65537, -65537]), int([2], [65539, 65543])];
    const expected = [Math.imul(65537, 65539), Math.imul(-65537, 65543)];
    expect(numbers((await runGraph(cpu, graph, values))[0])).toEqual(expected);
    expect(numbers((await runGraph(wasm, graph, values))[0])).toEqual(expected);
  });

  it('10: makes a float one-hot on wasm, and writes nothing for an index out of range', async () => {
    const { graph } = traceTensors(int32(3), (x) => tf.oneHot(x, 600, 1, 0, 'float32').sum(1));
    expect(numbers((await runGraph(wasm, graph, [int([3], [0, 900, -1])]))[0])).toEqual([1, 0, 0]);
  });

  it('10: pads with -0 as with -0, after a padding with 0', async () => {
    const pad = (value: number) =>
      traceTensors(float32(1), (x) => tf.pad(x, [[1, 0]], value)).graph;
    await runGraph(wasm, pad(0), [float([1], [1])]);
    const [padded] = await runGraph(wasm, pad(-0), [float([1], [1])]);
    expect(Object.is(padded?.data[0], -0)).toBe(true);
  });

  it('10: refuses an index out of range before wasm reads other memory', async () => {
    const { graph } = traceTensors([float32(600), int32(1, 1)], (x, i) => tf.gatherND(x, i));
    const values = [float([600], new Float32Array(600)), int([1, 1], [70000])];
    await expect(runGraph(wasm, graph, values)).rejects.toThrow(
      withCode('execution.kernel_failed', /70000 is not within/),
    );
  });

  it('10: multiplies batches that broadcast in different axes', async () => {
    const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);
    const { graph } = traceTensors([float32(2, 1, 1, 1), float32(1, 3, 1, 1)], (a, b) =>
      tf.matMul(a, b),
    );
    for (const backend of [cpu, wasm, await deviceOnly('wasm')]) {
      const [result] = await runGraph(backend, graph, [
        float([2, 1, 1, 1], count(2)),
        float([1, 3, 1, 1], count(3)),
      ]);
      expect(numbers(result)).toEqual([1, 2, 3, 2, 4, 6]);
    }
  });

  it('10: adds up along an axis that counts from the end, and clips to one number', async () => {
    for (const backend of [cpu, await deviceOnly('cpu'), await deviceOnly('wasm')]) {
      const run = async (kernel: string, attributes: Attributes) => {
        const builder = new GraphBuilder();
        const x = builder.parameter(float32(2, 2) as TensorType);
        const graph = builder.build([builder.apply(kernel, { x }, attributes)]);
        return numbers((await runGraph(backend, graph, [float([2, 2], [1, 2, 3, 4])]))[0]);
      };
      expect(await run('Cumsum', { axis: -1 })).toEqual([1, 3, 3, 7]);
      expect(await run('Cumprod', { axis: -2 })).toEqual([1, 2, 3, 8]);
      expect(await run('ClipByValue', { clipValueMin: 2, clipValueMax: 2 })).toEqual([2, 2, 2, 2]);
      await expect(run('Transpose', { perm: 0 })).rejects.toEqual(withCode('graph.type_mismatch'));
    }
  });

  it('10: refuses weights of an activation that wasm would not get through the result with', () => {
    const builder = new GraphBuilder();
    const [x, filter, weights] = [[1, 5, 5, 1], [1, 1, 1, 3], [7]].map((shape) =>
      builder.parameter(float32(...shape) as TensorType),
    ) as [number, number, number];
    const attributes = { strides: [1, 1], pad: 'valid', activation: 'prelu' };
    expect(() =>
      builder.apply('FusedConv2D', { x, filter, preluActivationWeights: weights }, attributes),
    ).toThrow(withCode('graph.type_mismatch'));
  });

  it('11: leaves no process-wide handlers behind', () => {
    const texts = ['uncaughtException', 'unhandledRejection'].flatMap((event) =>
      process.listeners(event as 'uncaughtException').map(String),
    );
    expect(
      texts.filter((text) => /ExitStatus|^function\s*\(\w+\)\s*\{\s*throw/.test(text)),
    ).toEqual([]);
  });

  it('12: does not nest, and names the debug mode of tfjs', () => {
    expect(() =>
      traceTensors(float32(), (x) => {
        traceTensors(float32(), (y) => y);
        return x;
      }),
    ).toThrow(withCode('trace.nested'));
    tf.env().set('DEBUG', true);
    expect(() => traceTensors(float32(), (x) => x.add(1))).toThrow(
      withCode('trace.failed', /enableDebugMode/),
    );
    tf.env().set('DEBUG', false);
  });

  it('13: differentiates a Layers model over its parameters', async () => {
    const layer = tf.layers.dense({ units: 2, inputShape: [3], activation: 'tanh' });
    const model = tf.sequential({ layers: [layer] });
    const { graph } = traceTensors([float32(null, 3), float32(3, 2), float32(2)], (x, w, b) =>
      tf.grads((...parameters: tf.Tensor[]) =>
        withWeights(layer, parameters, () => model.apply(x)),
      )([w, b]),
    );
    const outputs = await runGraph(cpu, graph, [
      float([1, 3], [1, 2, 3]),
      float([3, 2], [0, 0, 0, 0, 0, 0]),
      float([2], [0, 0]),
    ]);
    expect(outputs.map(numbers)).toEqual([
      [1, 1, 2, 2, 3, 3],
      [1, 1],
    ]);
    model.dispose();
  });

  it('keeps booleans apart from numbers', async () => {
    const { graph } = traceTensors([float32(3)], (x) => x.greater(1).logicalNot());
    const [out] = await runGraph(wasm, graph, [float([3], [0, 1, 2])]);
    expect(out).toEqual(bool([3], [1, 1, 0]));
  });
});

/** Calls a layer with tensors in the place of its weights: they stay on the gradient tape. */
function withWeights(
  layer: tf.layers.Layer,
  parameters: readonly tf.Tensor[],
  call: () => unknown,
): tf.Scalar {
  const variables = layer.weights as unknown as { val: tf.Tensor }[];
  const own = variables.map(({ val }) => val);
  variables.forEach((variable, i) => {
    variable.val = parameters[i] as tf.Tensor;
  });
  try {
    return (call() as tf.Tensor).sum();
  } finally {
    variables.forEach((variable, i) => {
      variable.val = own[i] as tf.Tensor;
    });
  }
}
