import { describe, expect, it } from 'vitest';
import {
  type Backend,
  graphHash,
  loadBackend,
  printGraph,
  type TracedResult,
  traceTensors,
  typecheckGraph,
} from '../../../computations/tensors/index.ts';
import { tf } from '../../../computations/tensors/tfjs.ts';
import {
  compactNotation,
  float32,
  GraphError,
  int32,
  int64,
  sequence,
  string,
  struct,
  type TensorType,
  type TensorValue,
} from '../../../computations/types/index.ts';
import { BACKENDS, float, int, noise, numbers, runGraph, tfjsName } from './backends.helpers.ts';
import {
  adamInside,
  assortment,
  cnnGradients,
  depthwiseGradients,
  embeddingGradients,
  lstmGradients,
  mlpStep,
} from './models.helpers.ts';

const backends = await Promise.all(BACKENDS.map((prefer) => loadBackend({ prefer })));
const cpu = await loadBackend({ prefer: 'cpu' });
const wasm = await loadBackend({ prefer: 'wasm' });

function leaves(result: TracedResult): tf.Tensor[] {
  if (result instanceof tf.Tensor) return [result];
  return Object.values(result as object).flatMap((member: TracedResult) => leaves(member));
}

/** What tfjs itself computes on its own cpu backend. */
function eager(
  body: (...args: never[]) => TracedResult,
  values: readonly TensorValue[],
  backend = 'cpu',
): number[][] {
  void tf.setBackend(backend);
  return tf.tidy(() => {
    const args = values.map(({ data, shape, dtype }) =>
      tf.tensor(data as Float32Array, [...shape], dtype as 'float32'),
    );
    return leaves(body(...(args as never[]))).map((tensor) => Array.from(tensor.dataSync()));
  });
}

describe('traced models replay like tfjs', () => {
  const models: readonly [
    string,
    readonly TensorType[],
    (...args: never[]) => TracedResult,
    readonly TensorValue[],
  ][] = [
    [
      'a CNN with pooling, strides and same padding, gradients included',
      [float32(null, 8, 8, 1), float32(3, 3, 1, 2), float32(3, 3, 2, 3), float32(12, 2)],
      cnnGradients,
      [
        float([5, 8, 8, 1], noise(320)),
        float([3, 3, 1, 2], noise(18, 2)),
        float([3, 3, 2, 3], noise(54, 3)),
        float([12, 2], noise(24, 4)),
      ],
    ],
    [
      'a depthwise convolution, gradients of image and filter',
      [float32(2, 6, 6, 2), float32(3, 3, 2, 2)],
      depthwiseGradients,
      [float([2, 6, 6, 2], noise(144)), float([3, 3, 2, 2], noise(36, 2))],
    ],
    [
      'an LSTM over two steps',
      [float32(null, 3), float32(7, 16), float32(16)],
      lstmGradients,
      [float([2, 3], noise(6)), float([7, 16], noise(112, 2)), float([16], noise(16, 3))],
    ],
    [
      'an embedding with a batch normalisation',
      [int32(5), float32(6, 3)],
      embeddingGradients,
      [int([5], [0, 2, 2, 5, 1]), float([6, 3], noise(18))],
    ],
    [
      'Adam inside the body',
      [float32(4, 2), float32(null, 4)],
      adamInside,
      [float([4, 2], noise(8)), float([3, 4], noise(12, 2))],
    ],
    [
      'losses, top-k, split, stack, clip, pad and where',
      [float32(2, 4), float32(2, 4)],
      assortment,
      [float([2, 4], noise(8)), float([2, 4], noise(8, 2))],
    ],
  ];

  it.each(models)('%s', async (_, types, body, values) => {
    const { graph } = traceTensors(types, body as (...args: tf.Tensor[]) => TracedResult);
    typecheckGraph(graph);
    const expected = eager(body, values);
    for (const backend of backends) {
      const outputs = await runGraph(backend, graph, values);
      outputs.forEach((output, index) => {
        numbers(output).forEach((value, position) => {
          expect(value).toBeCloseTo(expected[index]?.[position] as number, 4);
        });
      });
    }
  });

  it.each(BACKENDS.map((name, index) => [name, backends[index] as Backend] as const))(
    'makes 100 steps of gradient descent that equal tfjs bit for bit on %s',
    async (name, backend) => {
      const types = [float32(64, 48), float32(48), float32(48, 10), float32(10)] as const;
      const { graph } = traceTensors([...types, float32(null, 64), int32(null)], mlpStep);
      const start = types.map((type, i) => {
        const shape = type.shape as readonly number[];
        return float(
          shape,
          noise(
            shape.reduce((a, b) => a * b, 1),
            i + 1,
          ).map((x) => x / 4),
        );
      });
      const x = float([32, 64], noise(2048, 9));
      const labels = int(
        [32],
        Array.from({ length: 32 }, (_, i) => i % 10),
      );

      const program = backend.prepare(graph);
      let state = start.map((value) => backend.upload(value));
      const batch = [backend.upload(x), backend.upload(labels)];
      for (let step = 0; step < 100; step++) {
        const [...outputs] = program.run([...state, ...batch]);
        for (const old of state) old.dispose();
        state = outputs.slice(0, 4);
        outputs[4]?.dispose();
      }

      await tf.setBackend(tfjsName(name));
      const tensor = ({ data, shape, dtype }: TensorValue): tf.Tensor =>
        tf.tensor(data as Float32Array, [...shape], dtype as 'float32');
      let parameters = start.map(tensor);
      const [images, classes] = [tensor(x), tensor(labels)];
      for (let step = 0; step < 100; step++) {
        const [w1, b1, w2, b2] = parameters as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
        const next = tf.tidy(() => mlpStep(w1, b1, w2, b2, images, classes).parameters);
        tf.dispose(parameters);
        parameters = next;
      }
      const read = await Promise.all(state.map((value) => value.read()));
      read.forEach((value, index) => {
        expect(value.data).toEqual(parameters[index]?.dataSync());
      });
      tf.dispose([parameters, images, classes]);
      for (const value of [...state, ...batch]) value.dispose();
    },
  );
});

describe('parameters and results', () => {
  it('gives structs to the body as objects and arrays, and takes them back', () => {
    const model = struct({ w: float32(3), inner: struct([int32(), float32(null)]) });
    const { resultType, parameterTypes, graph } = traceTensors(model, ({ w, inner }) => ({
      sum: w.sum(),
      rest: [inner[0], inner[1].mul(2)],
    }));
    expect(compactNotation(resultType)).toBe('<sum=float32,rest=<int32,float32[?]>>');
    expect(parameterTypes).toEqual([model]);
    expect(graph.parameters).toHaveLength(3);
  });

  it('traces a body without parameters', async () => {
    const { graph } = traceTensors([], () => tf.range(0, 3, 1, 'int32'));
    expect(numbers((await runGraph(cpu, graph, []))[0])).toEqual([0, 1, 2]);
  });

  it('hands a parameter on, and gives one tensor twice', async () => {
    const { graph } = traceTensors(float32(2), (x) => [x, x.clone(), x.add(0)]);
    const outputs = await runGraph(wasm, graph, [float([2], [1, 2])]);
    expect(outputs.map(numbers)).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
  });

  it.each([
    ['a string', string(), /Encode them as int32/],
    ['an int64', int64(2), /no int64 tensors/],
    ['a sequence', sequence(float32()), /tensors and structs/],
  ])('refuses %s as a parameter, and says what to do', (_, type, message) => {
    expect(() => traceTensors([type], () => tf.scalar(1))).toThrow(message);
  });

  it.each([
    ['a number', () => 1, /plain number 1/],
    ['nothing', () => undefined, /forget to return/],
    ['an object with a string', () => ({ a: 'x' }), /a.*must be a tensor/],
  ])('refuses %s as a result', (_, body, message) => {
    expect(() => traceTensors([], body as never)).toThrow(
      expect.objectContaining({ code: 'trace.no_result', message: expect.stringMatching(message) }),
    );
  });
});

describe('unknown sizes', () => {
  it('traces each unknown size as one of its own', async () => {
    const { graph, resultType } = traceTensors([float32(null, 2), float32(null, 2)], (a, b) =>
      tf.concat([a, b]).sum(1),
    );
    expect(graph.unknowns).toBe(2);
    expect(String(resultType)).toBe('float32[?]');
    expect(printGraph(graph)).toContain('float32[n0+n1]');
    const [sum] = await runGraph(cpu, graph, [float([1, 2], [1, 2]), float([2, 2], [3, 4, 5, 6])]);
    expect(numbers(sum)).toEqual([3, 7, 11]);
  });

  it('falls back to one size for all, and a replay then names the parameters that disagree', async () => {
    const { graph } = traceTensors([float32(null), float32(null)], (x, y) => x.mul(y).mean());
    expect(graph.unknowns).toBe(1);
    await expect(runGraph(cpu, graph, [float([2], [1, 2]), float([3], [1, 2, 3])])).rejects.toThrow(
      /parameter 0 \(float32\[\?\]\) has 2 and parameter 1 .* has 3/,
    );
  });

  it('replays at sizes other than those of the trace, one and the ragged last batch among them', async () => {
    const { graph } = traceTensors(float32(null, 3), (x) => tf.mean(x.square()));
    for (const rows of [1, 7, 32]) {
      const data = noise(rows * 3, rows);
      const [mean] = await runGraph(wasm, graph, [float([rows, 3], data)]);
      const expected = data.reduce((sum, v) => sum + v * v, 0) / data.length;
      expect(mean?.scalar()).toBeCloseTo(expected, 5);
    }
  });

  it('refuses a number computed from a size in JavaScript', () => {
    expect(() => traceTensors(float32(null), (x) => x.mul(1 / (x.shape[0] as number)))).toThrow(
      expect.objectContaining({
        code: 'trace.batch_dimension',
        message: expect.stringContaining('tf.div'),
      }),
    );
  });

  it('refuses the product of two unknown sizes, which is not affine', () => {
    expect(() => traceTensors([float32(null, null)], (x) => x.reshape([x.size]))).toThrow(
      expect.objectContaining({ code: 'trace.batch_dimension' }),
    );
  });

  it('refuses a loop over an unknown size', () => {
    expect(() =>
      traceTensors(float32(null), (x) => tf.stack(tf.unstack(x).map((row) => row.square()))),
    ).toThrow(expect.objectContaining({ code: 'trace.batch_dimension' }));
  });

  it('refuses arguments that do not fit, with both types', async () => {
    const { graph } = traceTensors(float32(null, 3), (x) => x.sum());
    await expect(runGraph(cpu, graph, [float([2, 2], [1, 2, 3, 4])])).rejects.toThrow(GraphError);
    await expect(runGraph(cpu, graph, [int([2, 3], [1, 2, 3, 4, 5, 6])])).rejects.toThrow(
      /expected: float32\[\?,3\]\n {2}given: {4}int32\[2,3\]/,
    );
  });
});

describe('graphs', () => {
  it('print in a stable notation', () => {
    const { graph } = traceTensors([float32(null, 2), float32(2)], (x, w) => {
      const grad = tf.grad((v: tf.Tensor) => x.mul(v).sum());
      return { next: w.sub(grad(w).mul(0.5)), rows: tf.ones([x.shape[0] as number]) };
    });
    expect(printGraph(graph)).toMatchInlineSnapshot(`
      "(%0:float32[n0,2], %1:float32[2]) => (%10, %11) {
        %2:float32 = Fill() {dtype: "float32", shape: [], value: 1}
        %3:float32[1,1] = Reshape(x=%2) {shape: [1, 1]}
        %4:float32[n0,2] = Fill() {dtype: "float32", shape: [n0, 2], value: 1}
        %5:float32[n0,2] = Multiply(a=%3, b=%4)
        %6:float32[n0,2] = Multiply(a=%5, b=%0)
        %7:float32[2] = Sum(x=%6) {axis: [0], keepDims: false}
        %8:float32 = Fill() {dtype: "float32", shape: [], value: 0.5}
        %9:float32[2] = Multiply(a=%7, b=%8)
        %10:float32[2] = Sub(a=%1, b=%9)
        %11:float32[n0] = Fill() {dtype: "float32", shape: [n0], value: 1}
      }"
    `);
    expect(printGraph(graph, { oneLine: true })).not.toContain('\n');
  });

  it('are the same, to the hash, each time a body is traced', () => {
    const trace = () =>
      traceTensors(
        [
          float32(64, 48),
          float32(48),
          float32(48, 10),
          float32(10),
          float32(null, 64),
          int32(null),
        ],
        mlpStep,
      );
    expect(graphHash(trace().graph)).toBe(graphHash(trace().graph));
  });

  it('share equal nodes and leave out what no result needs', () => {
    const { graph } = traceTensors(float32(4), (x) => {
      x.exp().log();
      return [x.sin().add(1), x.sin().sub(1)];
    });
    expect(graph.nodes.map(({ kernel }) => kernel)).toEqual(['Sin', 'Fill', 'Add', 'Sub']);
  });
});
