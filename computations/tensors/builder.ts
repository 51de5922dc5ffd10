/**
 * @file Builds kernel graphs node by node, without tracing. The types of the outputs are derived by
 * the kernel table. Unknown sizes are probed: every shape is derived at several sample points, and
 * the affine form through them is kept.
 */

import { GraphError } from '../types/errors.ts';
import type { TensorType } from '../types/types.ts';
import type { TensorValue } from '../types/values.ts';
import { evaluateAttributes, substituteAttributes } from './attributes.ts';
import {
  type Attributes,
  type ConcreteSpec,
  GRAPH_VERSION,
  type GraphConstant,
  type GraphParameter,
  inputIds,
  KERNEL_SET_VERSION,
  type KernelGraph,
  type KernelNode,
  mapInputs,
  type NodeInputs,
  parameterSpec,
  shapeSize,
  type TensorSpec,
  type ValueId,
} from './graph.ts';
import { abstractEval } from './kernels/index.ts';
import {
  equalSizes,
  evaluateSize,
  fitSize,
  MAX_UNKNOWNS,
  printSize,
  type Size,
  samplePoints,
} from './sizes.ts';

interface BuilderValue {
  readonly origin: 'parameter' | 'constant' | 'node';
  /** Type at each sample point. */
  readonly samples: readonly ConcreteSpec[];
  readonly spec: TensorSpec;
}

export interface ParameterOptions {
  /** For each `null` of the type, the index of the unknown size it stands for; new ones if left out. */
  readonly unknowns?: readonly number[];
}

export class GraphBuilder {
  readonly #values: BuilderValue[] = [];
  readonly #parameters: GraphParameter[] = [];
  readonly #constants: GraphConstant[] = [];
  readonly #nodes: { readonly node: KernelNode; readonly outputs: readonly ValueId[] }[] = [];
  #unknowns = 0;

  /**
   * Adds a parameter. All parameters come before the first constant or node.
   * @throws GraphError `graph.malformed`
   */
  parameter(type: Pick<TensorType, 'dtype' | 'shape'>, options: ParameterOptions = {}): ValueId {
    if (this.#values.length > this.#parameters.length) {
      throw new GraphError('graph.malformed', 'Declare all parameters before constants and nodes.');
    }
    if (type.shape === null) {
      throw new GraphError(
        'graph.malformed',
        `A parameter of unknown rank (${type.dtype}[*]) cannot enter a kernel graph; give its shape, with null for an unknown size.`,
      );
    }
    const nulls = type.shape.filter((size) => size === null).length;
    const unknowns =
      options.unknowns ?? Array.from({ length: nulls }, (_, i) => this.#unknowns + i);
    if (unknowns.length !== nulls) {
      throw new GraphError('graph.malformed', `${nulls} unknown sizes, ${unknowns.length} given.`);
    }
    for (const unknown of unknowns) {
      const valid = Number.isSafeInteger(unknown) && unknown >= 0 && unknown < MAX_UNKNOWNS;
      if (!valid) {
        throw new GraphError(
          'graph.malformed',
          `A graph may have ${MAX_UNKNOWNS} unknown sizes at most.`,
        );
      }
      this.#unknowns = Math.max(this.#unknowns, unknown + 1);
    }
    const { dtype, shape } = type;
    const parameter: GraphParameter = { kind: 'tensor', dtype, shape: [...shape], unknowns };
    this.#parameters.push(parameter);
    // The samples follow when all parameters are known.
    return this.#add({ origin: 'parameter', samples: [], spec: parameterSpec(parameter) });
  }

  /** Adds a constant; its data is not copied. @throws GraphError `graph.malformed` */
  constant(value: TensorValue | GraphConstant): ValueId {
    const { dtype, shape, data } = value;
    if (shapeSize(shape) !== data.length) {
      throw new GraphError(
        'graph.malformed',
        `A constant of shape [${shape.join(',')}] has ${data.length} elements.`,
      );
    }
    this.#constants.push({ dtype, shape: [...shape], data });
    const spec = { dtype, shape: [...shape] };
    return this.#add({
      origin: 'constant',
      samples: samplePoints(this.#unknowns).map(() => spec),
      spec,
    });
  }

  /**
   * Adds a node and returns the ids of its outputs.
   * @throws GraphError `graph.unknown_kernel`, `graph.type_mismatch` if the kernel does not take
   *   such inputs, or if a size of an output is not affine in the unknown sizes.
   */
  node(kernel: string, inputs: NodeInputs, attributes: Attributes = {}): readonly ValueId[] {
    for (const id of inputIds(inputs)) this.#value(id);
    const samples = samplePoints(this.#unknowns).map((point, sample) =>
      abstractEval(kernel, this.#specsAt(inputs, sample), evaluateAttributes(attributes, point)),
    );
    const outputs = unifyOutputs(kernel, samples, this.#unknowns);
    const ids = outputs.map((spec, output) =>
      this.#add({
        origin: 'node',
        samples: samples.map((specs) => specs[output] as ConcreteSpec),
        spec,
      }),
    );
    this.#nodes.push({ node: { kernel, inputs, attributes, outputs }, outputs: ids });
    return ids;
  }

  /** Adds a node that has one output, and returns its id. */
  apply(kernel: string, inputs: NodeInputs, attributes: Attributes = {}): ValueId {
    const [id, ...others] = this.node(kernel, inputs, attributes);
    if (id === undefined || others.length > 0) {
      throw new GraphError('graph.malformed', `${kernel} has ${others.length + 1} outputs here.`);
    }
    return id;
  }

  /** The type of a value. */
  spec(id: ValueId): TensorSpec {
    return this.#value(id).spec;
  }

  /** The finished graph: values are renumbered, parameters first, then constants, then nodes. */
  build(results: readonly ValueId[]): KernelGraph {
    const ids = this.#canonicalIds();
    const renamed = (id: ValueId): ValueId => {
      this.#value(id);
      return ids[id] as ValueId;
    };
    return {
      version: GRAPH_VERSION,
      kernelSet: KERNEL_SET_VERSION,
      unknowns: this.#unknowns,
      parameters: [...this.#parameters],
      constants: [...this.#constants],
      nodes: this.#nodes.map(({ node }) => ({ ...node, inputs: mapInputs(node.inputs, renamed) })),
      results: results.map(renamed),
    };
  }

  #canonicalIds(): readonly ValueId[] {
    const next = {
      parameter: 0,
      constant: this.#parameters.length,
      node: this.#parameters.length + this.#constants.length,
    };
    return this.#values.map(({ origin }) => next[origin]++);
  }

  #specsAt(inputs: NodeInputs, sample: number) {
    const at = (id: ValueId): ConcreteSpec => {
      const { origin, samples, spec } = this.#value(id);
      if (origin !== 'parameter') return samples[sample] as ConcreteSpec;
      const point = samplePoints(this.#unknowns)[sample] ?? [];
      return { dtype: spec.dtype, shape: spec.shape.map((size) => evaluateSize(size, point)) };
    };
    return Array.isArray(inputs)
      ? inputs.map(at)
      : Object.fromEntries(Object.entries(inputs).map(([name, id]) => [name, at(id)]));
  }

  #value(id: ValueId): BuilderValue {
    const value = this.#values[id];
    if (value === undefined) {
      throw new GraphError('graph.malformed', `There is no value %${String(id)} yet.`);
    }
    return value;
  }

  #add(value: BuilderValue): ValueId {
    this.#values.push(value);
    return this.#values.length - 1;
  }
}

/**
 * Adds the nodes of `graph` to a builder, with `inputs` in the place of its parameters, and returns
 * the ids of its results. Unknown sizes of the graph take the sizes of the inputs.
 * @throws GraphError `graph.type_mismatch` if an input does not fit its parameter.
 */
export function inlineGraph(
  builder: GraphBuilder,
  graph: KernelGraph,
  inputs: readonly ValueId[],
): readonly ValueId[] {
  const sizes = bindUnknowns(
    graph,
    inputs.map((id) => builder.spec(id)),
  );
  const ids: ValueId[] = [...inputs];
  for (const constant of graph.constants) ids.push(builder.constant(constant));
  for (const { kernel, inputs: given, attributes } of graph.nodes) {
    const renamed = mapInputs(given, (id) => ids[id] as ValueId);
    ids.push(...builder.node(kernel, renamed, substituteAttributes(attributes, sizes)));
  }
  return graph.results.map((id) => ids[id] as ValueId);
}

/**
 * What the unknown sizes of a graph are, for arguments of these types.
 * @throws GraphError `graph.type_mismatch` naming the parameters that disagree.
 */
export function bindUnknowns(graph: KernelGraph, given: readonly TensorSpec[]): readonly Size[] {
  const { parameters } = graph;
  if (given.length !== parameters.length) {
    throw new GraphError(
      'graph.type_mismatch',
      `The graph takes ${parameters.length} tensors; ${given.length} given.`,
    );
  }
  const sizes: Size[] = [];
  const boundBy: number[] = [];
  parameters.forEach((parameter, index) => {
    const spec = given[index] as TensorSpec;
    let next = 0;
    const fits =
      spec.dtype === parameter.dtype &&
      spec.shape.length === parameter.shape.length &&
      parameter.shape.every((size, axis) => size === null || size === spec.shape[axis]);
    if (!fits) {
      throw new GraphError(
        'graph.type_mismatch',
        `Argument ${index} has a type that does not fit.\n  expected: ${printParameter(parameter)}\n  given:    ${printSpec(spec)}`,
      );
    }
    parameter.shape.forEach((size, axis) => {
      if (size !== null) return;
      const unknown = parameter.unknowns[next++] ?? 0;
      const actual = spec.shape[axis] ?? 0;
      const bound = sizes[unknown];
      if (bound === undefined) {
        sizes[unknown] = actual;
        boundBy[unknown] = index;
        return;
      }
      if (!equalSizes(bound, actual)) {
        const first = boundBy[unknown] ?? 0;
        throw new GraphError(
          'graph.type_mismatch',
          `The computation was traced with one size for all unknown dimensions, but parameter ${first} (${printParameter(parameters[first] as GraphParameter)}) has ${printSize(bound)} and parameter ${index} (${printParameter(parameter)}) has ${printSize(actual)}.`,
        );
      }
    });
  });
  return sizes;
}

function unifyOutputs(
  kernel: string,
  samples: readonly (readonly ConcreteSpec[])[],
  unknowns: number,
): readonly TensorSpec[] {
  const first = samples[0] ?? [];
  const fail = (): never => {
    throw new GraphError(
      'graph.type_mismatch',
      `${kernel}: its result has a size that is not affine in the unknown sizes (k*n + c).`,
    );
  };
  return first.map(({ dtype, shape }, output) => ({
    dtype,
    shape: shape.map((_, axis) => {
      const values = samples.map((specs) => {
        const other = specs[output];
        const same = specs.length === first.length && other?.shape.length === shape.length;
        return same ? (other.shape[axis] ?? 0) : fail();
      });
      return fitSize(values, unknowns) ?? fail();
    }),
  }));
}

function printParameter({ dtype, shape }: GraphParameter): string {
  return shape.length === 0 ? dtype : `${dtype}[${shape.map((size) => size ?? '?').join(',')}]`;
}

function printSpec({ dtype, shape }: TensorSpec): string {
  const sizes = shape.map((size) => (typeof size === 'number' ? size : '?'));
  return shape.length === 0 ? dtype : `${dtype}[${sizes.join(',')}]`;
}
