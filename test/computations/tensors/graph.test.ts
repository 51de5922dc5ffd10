import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AttributeValue,
  GraphBuilder,
  graphHash,
  graphSize,
  inlineGraph,
  type KernelGraph,
  loadBackend,
  printGraph,
  simplifyGraph,
  traceTensors,
  typecheckGraph,
} from '../../../computations/tensors/index.ts';
import { fitSize, printSize, samplePoints } from '../../../computations/tensors/sizes.ts';
import {
  float32,
  GraphError,
  int32,
  int64,
  TensorValue,
} from '../../../computations/types/index.ts';
import { float, int, long, numbers, runGraph } from './backends.helpers.ts';
import { mlpStep } from './models.helpers.ts';

const cpu = await loadBackend({ prefer: 'cpu' });

const traced = traceTensors(
  [float32(64, 48), float32(48), float32(48, 10), float32(10), float32(null, 64), int32(null)],
  mlpStep,
).graph;

/** A graph with a constant of each dtype, a size that is not known, -0 and infinities. */
function assorted(): KernelGraph {
  const builder = new GraphBuilder();
  const x = builder.parameter(float32(null, 2));
  const weights = builder.constant(float([2], [1, Number.NaN]));
  const longs = builder.constant(long([2], [2n ** 62n, -1n]));
  const words = builder.constant(new TensorValue('string', [2], ['a', '日本']));
  const clipped = builder.apply(
    'ClipByValue',
    { x },
    { clipValueMin: -0, clipValueMax: Number.POSITIVE_INFINITY },
  );
  const product = builder.apply('Multiply', { a: clipped, b: weights });
  const flat = builder.apply(
    'Reshape',
    { x: product },
    { shape: [{ kind: 'size', constant: 0, factors: [2] }] },
  );
  return builder.build([flat, longs, words]);
}

describe('the identity of a graph', () => {
  it('survives a structured clone', () => {
    expect(structuredClone(traced)).toEqual(traced);
    expect(graphHash(structuredClone(traced))).toBe(graphHash(traced));
  });

  it('does not depend on the order in which inputs and attributes were given', () => {
    const build = (swap: boolean) => {
      const builder = new GraphBuilder();
      const [a, b] = [builder.parameter(float32(2)), builder.parameter(float32(2))];
      return builder.build([builder.apply('Sub', swap ? { b, a } : { a, b })]);
    };
    expect(graphHash(build(true))).toBe(graphHash(build(false)));
    expect(printGraph(build(true))).toBe(printGraph(build(false)));
  });

  it('tells how large the graph is', () => {
    expect(graphSize(assorted())).toMatchObject({ parameters: 1, constants: 3, nodes: 3 });
  });
});

describe('type checking of graphs from outside', () => {
  const paths = pathsOf(traced);

  it('accepts a mutated graph only if it is sound, and throws nothing but GraphErrors', () => {
    const replacements = fc.constantFrom<unknown>(
      -1,
      0,
      1,
      2,
      7,
      1e9,
      0.5,
      Number.NaN,
      null,
      undefined,
      'Add',
      'int32',
      true,
      [],
      {},
      [1, 2],
      { kind: 'size', constant: 1, factors: [1] },
      2 ** 40,
      '__proto__',
      'constructor',
    );
    fc.assert(
      fc.property(fc.constantFrom(...paths), replacements, (path, value) => {
        const mutated = structuredClone(traced);
        assign(mutated, path, value);
        try {
          typecheckGraph(mutated);
        } catch (error) {
          expect(error).toBeInstanceOf(GraphError);
          return;
        }
        // What is accepted is a graph of its own: it can be built, printed and hashed.
        expect(printGraph(mutated)).toContain('=>');
        simplifyGraph(mutated);
      }),
      { numRuns: 1000 },
    );
  });

  const invalid: readonly [string, string, (graph: Mutable) => void][] = [
    [
      'another version',
      'graph.version',
      (g) => {
        g.version = 99;
      },
    ],
    [
      'another kernel set',
      'graph.version',
      (g) => {
        g.kernelSet = 99;
      },
    ],
    [
      'an unknown kernel',
      'graph.unknown_kernel',
      (g) => {
        node(g, 'OneHot').kernel = 'Where';
      },
    ],
    [
      'a name from the prototype',
      'graph.unknown_kernel',
      (g) => {
        node(g, 'OneHot').kernel = 'constructor';
      },
    ],
    [
      'a value used before it is defined',
      'graph.malformed',
      (g) => {
        node(g, 'Add').inputs.a = 400;
      },
    ],
    [
      'a result that does not exist',
      'graph.malformed',
      (g) => {
        g.results[0] = 4000;
      },
    ],
    [
      'a type that is not derived',
      'graph.type_mismatch',
      (g) => {
        node(g, 'Add').outputs[0].dtype = 'int32';
      },
    ],
    [
      'a missing attribute',
      'graph.type_mismatch',
      (g) => {
        delete node(g, 'OneHot').attributes.depth;
      },
    ],
    [
      'an attribute that the kernel does not have',
      'graph.type_mismatch',
      (g) => {
        node(g, 'Add').attributes.code = 'x';
      },
    ],
    [
      'a huge one-hot',
      'graph.too_large',
      (g) => {
        node(g, 'OneHot').attributes.depth = 2 ** 24;
        node(g, 'OneHot').outputs[0].shape[1] = 2 ** 24;
      },
    ],
    [
      'an unknown size that no parameter has',
      'graph.malformed',
      (g) => {
        g.unknowns = 2;
      },
    ],
  ];

  it.each(invalid)('refuses %s with %s', (_, code, change) => {
    const graph = structuredClone(traced);
    change(graph as unknown as Mutable);
    expect(() => typecheckGraph(graph, { maxElements: 2 ** 24 })).toThrow(
      expect.objectContaining({ name: 'GraphError', code }),
    );
  });

  it('refuses a constant whose data do not fit its type', () => {
    const graph = structuredClone(assorted());
    (graph.constants[0] as { data: unknown }).data = new Float32Array(5);
    expect(() => typecheckGraph(graph)).toThrow(
      expect.objectContaining({ code: 'graph.malformed' }),
    );
  });

  it.each([
    ['maxNodes', 5],
    ['maxFlops', 1000],
    ['maxTotalElements', 1000],
  ])('keeps to the budget %s', (limit, amount) => {
    expect(() => typecheckGraph(traced, { [limit]: amount })).toThrow(
      expect.objectContaining({ code: 'graph.too_large' }),
    );
  });
});

describe('GraphBuilder', () => {
  it('derives types, unknown sizes included', () => {
    const builder = new GraphBuilder();
    const x = builder.parameter(int64(null));
    const y = builder.parameter(int64(null));
    const joined = builder.apply('fl.Concat', [x, y, x], { axis: 0 });
    expect(builder.spec(joined).shape.map(printSize)).toEqual(['2*n0+n1']);
    expect(printGraph(builder.build([joined]), { oneLine: true })).toBe(
      '(%0:int64[n0], %1:int64[n1]) => (%2) {%2:int64[2*n0+n1] = fl.Concat(%0, %1, %0) {axis: 0}}',
    );
  });

  it('refuses what does not fit, naming kernel, types and attributes', () => {
    const builder = new GraphBuilder();
    const [x, y] = [builder.parameter(float32(2)), builder.parameter(int32(3))];
    expect(() => builder.apply('Add', { a: x, b: y })).toThrow(
      /Add: the dtypes float32 and int32 differ/,
    );
    expect(() => builder.apply('Add', { a: x, b: 17 })).toThrow(/no value %17/);
    expect(() => builder.apply('Nope', { a: x })).toThrow(/not in the kernel table/);
    builder.constant(float([], [1]));
    expect(() => builder.parameter(float32())).toThrow(/parameters before/);
  });

  it('inlines graphs into one another', async () => {
    const twice = traceTensors(float32(null), (x) => x.mul(2)).graph;
    const sum = traceTensors(float32(null), (x) => x.sum()).graph;
    const builder = new GraphBuilder();
    const x = builder.parameter(float32(null));
    const [doubled = -1] = inlineGraph(builder, twice, [x]);
    const [again = -1] = inlineGraph(builder, twice, [doubled]);
    const graph = simplifyGraph(builder.build(inlineGraph(builder, sum, [again])));
    typecheckGraph(graph);
    expect(numbers((await runGraph(cpu, graph, [float([3], [1, 2, 3])]))[0])).toEqual([24]);
    // The factor 2 is there once.
    expect(graph.nodes.filter(({ kernel }) => kernel === 'Fill')).toHaveLength(1);
  });

  it('inlines a graph of unknown size where the size is known', () => {
    const ones = traceTensors(float32(null), (x) => x.add(1)).graph;
    const builder = new GraphBuilder();
    const [y = -1] = inlineGraph(builder, ones, [builder.parameter(float32(7))]);
    expect(builder.spec(y).shape).toEqual([7]);
  });
});

describe('simplifyGraph', () => {
  it('does not change what a graph computes, and is done after one pass', async () => {
    const graph = simplifyGraph(traced);
    expect(graphHash(simplifyGraph(graph))).toBe(graphHash(graph));
  });

  it('keeps kernels that may fail, though nothing needs them', () => {
    const builder = new GraphBuilder();
    const x = builder.parameter(int32(2));
    builder.apply('fl.Add', { a: x, b: x });
    expect(simplifyGraph(builder.build([x])).nodes).toHaveLength(1);
  });

  it('keeps reshapes of equal parameters apart', async () => {
    const builder = new GraphBuilder();
    const x = builder.parameter(int32(4));
    const y = builder.apply('Reshape', { x }, { shape: [2, 2] });
    const z = builder.apply('Reshape', { x: y }, { shape: [4] });
    const graph = simplifyGraph(builder.build([y, z]));
    const outputs = await runGraph(cpu, graph, [int([4], [1, 2, 3, 4])]);
    expect(outputs.map(({ shape }) => shape)).toEqual([[2, 2], [4]]);
  });
});

describe('affine sizes', () => {
  it('are found from samples, whatever the coefficients', () => {
    const coefficients = fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(coefficients, fc.integer({ min: -50, max: 50 }), (factors, constant) => {
        const values = samplePoints(factors.length).map((point) =>
          factors.reduce((sum, factor, i) => sum + factor * (point[i] as number), constant),
        );
        const size = fitSize(values, factors.length);
        expect(size).not.toBeNull();
      }),
    );
  });

  it('are not found in a product of two sizes', () => {
    const products = samplePoints(2).map(([a = 0, b = 0]) => a * b);
    expect(fitSize(products, 2)).toBeNull();
  });
});

interface MutableNode {
  kernel: string;
  inputs: Record<string, number>;
  attributes: Record<string, AttributeValue>;
  outputs: [{ dtype: string; shape: unknown[] }];
}
interface Mutable {
  version: number;
  kernelSet: number;
  unknowns: number;
  nodes: MutableNode[];
  results: number[];
}

/** The first node of a kernel. */
function node(graph: Mutable, kernel: string): MutableNode {
  const found = graph.nodes.find((candidate) => candidate.kernel === kernel);
  if (found === undefined) throw new Error(`no ${kernel}`);
  return found;
}

type Path = readonly (string | number)[];

function pathsOf(value: unknown, prefix: Path = []): Path[] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return [prefix];
  const inner = Object.entries(value).flatMap(([name, item]) => pathsOf(item, [...prefix, name]));
  return prefix.length === 0 ? inner : [prefix, ...inner];
}

function assign(target: unknown, path: Path, value: unknown): void {
  let at = target as Record<string | number, unknown>;
  for (const name of path.slice(0, -1)) at = at[name] as Record<string | number, unknown>;
  at[path.at(-1) as string] = value;
}
