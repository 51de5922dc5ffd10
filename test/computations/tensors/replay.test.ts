import util from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { importNative } from '../../../computations/tensors/backends/platform.node.ts';
import {
  type Backend,
  GraphBuilder,
  loadBackend,
  traceTensors,
} from '../../../computations/tensors/index.ts';
import { tf } from '../../../computations/tensors/tfjs.ts';
import {
  bool as boolType,
  float32,
  int32,
  int64,
  TensorValue,
} from '../../../computations/types/index.ts';
import {
  BACKENDS,
  bool,
  dataIds,
  deviceOnly,
  float,
  int,
  long,
  nativeTensors,
  noise,
  numbers,
} from './backends.helpers.ts';
import { mlpStep } from './models.helpers.ts';

const { graph } = traceTensors(
  [float32(64, 48), float32(48), float32(48, 10), float32(10), float32(null, 64), int32(null)],
  mlpStep,
);
const values = (rows: number, seed = 1): TensorValue[] => [
  float([64, 48], noise(64 * 48, seed)),
  float([48], noise(48, 2)),
  float([48, 10], noise(480, 3)),
  float([10], noise(10, 4)),
  float([rows, 64], noise(rows * 64, 5)),
  int(
    [rows],
    Array.from({ length: rows }, (_, i) => i % 10),
  ),
];

describe.each(BACKENDS)('replay on %s', (name) => {
  let backend: Backend;
  beforeEach(async () => {
    await deviceOnly('wasm');
    backend = await deviceOnly(name);
    await tf.setBackend('cpu');
  });

  it('leaves no tensor and no data behind', async () => {
    const held = (): object => ({
      ids: dataIds(name),
      tensors: tf.memory().numTensors,
      native: name === 'native' ? nativeTensors() : 0,
    });
    const before = held();
    const inputs = values(8).map((value) => backend.upload(value));
    const program = backend.prepare(graph);
    const first = program.run(inputs);
    const warm = held();
    for (let i = 0; i < 5; i++) {
      for (const output of program.run(inputs)) output.dispose();
    }
    expect(held()).toEqual(warm);
    for (const tensor of [...inputs, ...first]) tensor.dispose();
    backend.close();
    expect(held()).toEqual(before);
  });

  it('leaves nothing behind when a kernel fails half-way', () => {
    const builder = new GraphBuilder();
    const x = builder.parameter(float32(3000));
    const ok = builder.parameter(boolType());
    const made = builder.apply('Exp', { x });
    const checked = builder.apply(
      'fl.Require',
      { condition: ok, data: made },
      { code: 'execution.zero_weight', message: 'no' },
    );
    const program = backend.prepare(builder.build([builder.apply('Log', { x: checked })]));
    const inputs = [backend.upload(float([3000], noise(3000))), backend.upload(bool([], [0]))];
    expect(() => program.run(inputs)).toThrow(
      expect.objectContaining({ code: 'execution.zero_weight' }),
    );
    const warm = dataIds(name);
    expect(() => program.run(inputs)).toThrow();
    expect(dataIds(name)).toBe(warm);
    for (const input of inputs) input.dispose();
  });

  it('does not consume its inputs, and its outputs outlive them', async () => {
    const program = backend.prepare(
      traceTensors(float32(4), (x) => [x, x.reshape([2, 2]), x.add(1)]).graph,
    );
    const input = backend.upload(float([4], [1, 2, 3, 4]));
    const [same, shaped, next] = program.run([input]);
    expect(numbers(await input.read())).toEqual([1, 2, 3, 4]);
    input.dispose();
    expect(numbers(await same?.read())).toEqual([1, 2, 3, 4]);
    same?.dispose();
    expect((await shaped?.read())?.shape).toEqual([2, 2]);
    const [again] = program.run([next as NonNullable<typeof next>]);
    expect(numbers(await again?.read())).toEqual([2, 3, 4, 5]);
  });

  it('copies what is uploaded and what is read', async () => {
    const data = Float32Array.of(1, 2);
    const tensor = backend.upload(new TensorValue('float32', [2], data));
    data[0] = 99;
    const first = await tensor.read();
    (first.data as Float32Array)[1] = 99;
    expect(numbers(await tensor.read())).toEqual([1, 2]);
    tensor.dispose();
    tensor.dispose();
    expect(tensor.disposed).toBe(true);
    expect(() => tensor.read()).toThrow(expect.objectContaining({ code: 'execution.released' }));
  });

  it('interleaves with traces and with tfjs in other tasks', async () => {
    const program = backend.prepare(graph);
    const expected = await run(program, values(4));
    const results = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        await new Promise((resolve) => setTimeout(resolve, i % 3));
        if (i % 4 === 0) traceTensors(float32(), (x) => x.add(i));
        if (i % 5 === 0) await tf.setBackend(i % 2 === 0 ? 'wasm' : 'cpu');
        return run(program, values(4));
      }),
    );
    for (const result of results) expect(result).toEqual(expected);
  });

  async function run(program: ReturnType<Backend['prepare']>, given: TensorValue[]) {
    const inputs = given.map((value) => backend.upload(value));
    const outputs = program.run(inputs);
    await Promise.resolve();
    const read = await Promise.all(outputs.map((output) => output.read()));
    for (const tensor of [...inputs, ...outputs]) tensor.dispose();
    return read;
  }
});

describe('backends', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('are the same object for the same choice, and say why', async () => {
    const [a, b] = await Promise.all([
      loadBackend({ prefer: 'wasm' }),
      loadBackend({ prefer: 'wasm' }),
    ]);
    expect(a).toBe(b);
    expect(a.reason).toBe('wasm: asked for.');
  });

  it('are chosen by what is here if nobody asks, and say what is not', async () => {
    vi.stubEnv('FEDLOOM_BACKEND', undefined);
    const backend = await loadBackend();
    expect(['auto', 'wasm']).toContain(backend.name);
    expect(backend.reason).toMatch(
      backend.name === 'auto'
        ? /^auto: native for graphs with much work, wasm for the others\.$/
        : /^wasm: the fastest backend that is here\. native is not here \(.+\)\.$/,
    );
    expect(await loadBackend({ prefer: 'auto' })).toBe(backend);
  });

  it('name the versions of Node that the native one serves', async () => {
    // Node 23 removed what tfjs-node calls.
    const present = Reflect.get(util, 'isNullOrUndefined');
    Reflect.deleteProperty(util, 'isNullOrUndefined');
    try {
      await expect(importNative()).rejects.toThrow(/Node below 23/);
    } finally {
      Reflect.set(util, 'isNullOrUndefined', present);
    }
  });

  it('follow FEDLOOM_BACKEND, and an option more', async () => {
    vi.stubEnv('FEDLOOM_BACKEND', 'cpu');
    expect((await loadBackend()).name).toBe('cpu');
    expect((await loadBackend({ prefer: 'wasm' })).name).toBe('wasm');
    vi.stubEnv('FEDLOOM_BACKEND', 'gpu');
    await expect(loadBackend()).rejects.toThrow(
      expect.objectContaining({ code: 'execution.backend_unavailable' }),
    );
  });

  it('that are not here are named, with what to do', async () => {
    const loading = loadBackend({ prefer: 'native' });
    await loading.then(
      (backend) => expect(backend.name).toBe('native'),
      (error) => {
        expect(error).toMatchObject({ code: 'execution.backend_unavailable' });
        expect(error.message).toContain('npm install @tensorflow/tfjs-node');
      },
    );
  });

  it('give one program to equal graphs', async () => {
    const backend = await deviceOnly('cpu');
    const trace = () => traceTensors(float32(), (x) => x.add(1)).graph;
    expect(backend.prepare(trace())).toBe(backend.prepare(trace()));
  });

  it('refuse tensors of one another', async () => {
    const [cpu, wasm] = [await deviceOnly('cpu'), await deviceOnly('wasm')];
    const program = wasm.prepare(traceTensors(float32(), (x) => x.add(1)).graph);
    expect(() => program.run([cpu.upload(float([], [1]))])).toThrow(/belongs to another backend/);
  });

  it('leave the current backend of tfjs alone', async () => {
    await tf.setBackend('cpu');
    await loadBackend({ prefer: 'wasm' });
    traceTensors(float32(), (x) => x.add(1));
    expect(tf.getBackend()).toBe('cpu');
  });

  it('hold int64 tensors on the host', async () => {
    const backend = await deviceOnly('wasm');
    const builder = new GraphBuilder();
    const x = builder.parameter(int64(2));
    const program = backend.prepare(builder.build([builder.apply('fl.Add', { a: x, b: x })]));
    const before = dataIds('wasm');
    const [sum] = program.run([backend.upload(long([2], [1n, 2n ** 40n]))]);
    expect(await sum?.read()).toEqual(long([2], [2n, 2n ** 41n]));
    expect(dataIds('wasm')).toBe(before);
  });
});
