/**
 * @file Type-checks a graph from outside before anything runs it: its form, its versions, that every
 * value is defined before it is used, every node's types by the kernel table, and budgets.
 */

import { DTYPES, type DType } from '../types/dtypes.ts';
import { GraphError } from '../types/errors.ts';
import { evaluateAttributes } from './attributes.ts';
import { GraphBuilder } from './builder.ts';
import {
  type ConcreteSpec,
  GRAPH_VERSION,
  type GraphConstant,
  type GraphParameter,
  inputIds,
  KERNEL_SET_VERSION,
  type KernelGraph,
  type KernelNode,
  shapeSize,
  type TensorSpec,
} from './graph.ts';
import { estimateFlops, kernelDefinition } from './kernels/index.ts';
import { printSpec } from './print.ts';
import { equalSizes, evaluateSize, isSizeExpression, MAX_UNKNOWNS, samplePoints } from './sizes.ts';

/** What a graph may cost. Graphs with unknown sizes are measured at sizes of a hundred or so. */
export interface GraphLimits {
  readonly maxNodes: number;
  readonly maxConstantBytes: number;
  /** Elements of a single value. */
  readonly maxElements: number;
  /** Elements of all values together. */
  readonly maxTotalElements: number;
  /** Floating point operations, estimated. */
  readonly maxFlops: number;
}

export const DEFAULT_GRAPH_LIMITS: GraphLimits = {
  maxNodes: 100_000,
  maxConstantBytes: 2 ** 28,
  maxElements: 2 ** 28,
  maxTotalElements: 2 ** 32,
  maxFlops: 1e13,
};

/**
 * Throws unless the graph is well-formed, of versions that this code runs, well-typed and within
 * the limits. Never throws anything but a GraphError, whatever it is given.
 * @throws GraphError
 */
export function typecheckGraph(graph: KernelGraph, limits: Partial<GraphLimits> = {}): void {
  const all = { ...DEFAULT_GRAPH_LIMITS, ...limits };
  try {
    checkForm(graph);
    checkVersions(graph);
    checkConstants(graph, all);
    checkNodes(graph, all);
  } catch (error) {
    if (error instanceof GraphError) throw error;
    // A graph from outside may hold anything; what trips over it is its fault.
    throw new GraphError('graph.malformed', `The graph is malformed: ${String(error)}`, {
      cause: error,
    });
  }
}

function checkVersions({ version, kernelSet }: KernelGraph): void {
  if (version === GRAPH_VERSION && kernelSet === KERNEL_SET_VERSION) return;
  throw new GraphError(
    'graph.version',
    `The graph has version ${version} and kernel set ${kernelSet}; this library runs version ${GRAPH_VERSION} and kernel set ${KERNEL_SET_VERSION}. Update the older side.`,
  );
}

function checkForm(graph: KernelGraph): void {
  require(typeof graph === 'object' && graph !== null, 'it is no object');
  const { version, kernelSet, unknowns, parameters, constants, nodes, results } = graph;
  require(isCount(version) && isCount(kernelSet), 'its versions are no integers');
  require(isCount(unknowns) && unknowns <= MAX_UNKNOWNS, 'its number of unknown sizes is wrong');
  for (const part of [parameters, constants, nodes, results]) {
    require(Array.isArray(part), 'a part of it is no list');
  }
  parameters.forEach(checkParameter);
  const used = new Set(parameters.flatMap((parameter) => parameter.unknowns));
  for (let i = 0; i < unknowns; i++)
    require(used.has(i), `no parameter has the unknown size n${i}`);
  require([...used].every(
    (index) => isCount(index) && index < unknowns,
  ), 'an unknown size is not counted');
  constants.forEach((constant) => {
    require(isDataType(constant.dtype), 'a constant has no dtype');
    require(isShape(constant.shape), 'a constant has no shape');
  });
  nodes.forEach(checkNodeForm);
}

function checkParameter({ kind, dtype, shape, unknowns }: GraphParameter): void {
  require(kind === 'tensor' && isDataType(dtype), 'a parameter is no tensor');
  require(Array.isArray(shape) && Array.isArray(unknowns), 'a parameter has no shape');
  require(shape.every(
    (size) => size === null || isCount(size),
  ), 'a parameter has a shape that is none');
  const nulls = shape.filter((size) => size === null).length;
  require(unknowns.length === nulls, 'a parameter does not say which sizes are unknown');
}

function checkNodeForm(node: KernelNode): void {
  require(typeof node.kernel === 'string', 'a node names no kernel');
  require(isRecord(node.inputs) || Array.isArray(node.inputs), 'a node has no inputs');
  require(inputIds(node.inputs).every(isCount), 'an input is no value id');
  require(isRecord(node.attributes), 'a node has no attributes');
  for (const value of Object.values(node.attributes)) checkAttribute(value, 0);
  require(Array.isArray(node.outputs), 'a node has no outputs');
  for (const { dtype, shape } of node.outputs) {
    require(isDataType(dtype) && Array.isArray(shape), 'an output has no type');
    for (const size of shape) {
      require(isCount(size) || isSizeExpression(size), 'an output has no shape');
      checkAttribute(size, 0);
    }
  }
}

const MAX_ATTRIBUTE_DEPTH = 4;
const MAX_TEXT = 2000;

function checkAttribute(value: unknown, depth: number): void {
  require(depth <= MAX_ATTRIBUTE_DEPTH, 'an attribute is nested too deeply');
  if (typeof value === 'boolean') return;
  if (typeof value === 'number') {
    require(!Number.isNaN(value), 'an attribute is NaN');
    return;
  }
  if (typeof value === 'string') {
    require(value.length <= MAX_TEXT, 'an attribute is too long');
    return;
  }
  if (Array.isArray(value)) {
    for (const item of value) checkAttribute(item, depth + 1);
    return;
  }
  require(isSizeExpression(value), 'an attribute is of no known kind');
  const { constant, factors } = value as unknown as Record<string, unknown>;
  require(Number.isSafeInteger(constant) &&
    Array.isArray(factors) &&
    factors.length <= MAX_UNKNOWNS, 'a size is no affine form');
  require((factors as unknown[]).every(Number.isSafeInteger), 'a size is no affine form');
}

function checkConstants({ constants }: KernelGraph, limits: GraphLimits): void {
  let bytes = 0;
  for (const constant of constants) {
    const expected = shapeSize(constant.shape);
    require(isStorage(constant), `a constant of dtype ${constant.dtype} has data of another kind`);
    require(constant.data.length === expected, 'a constant has the wrong number of elements');
    bytes +=
      constant.dtype === 'string'
        ? (constant.data as readonly string[]).reduce((sum, text) => sum + text.length, 0)
        : (constant.data as Uint8Array).byteLength;
  }
  within(bytes, limits.maxConstantBytes, 'bytes of constants');
}

function isStorage({ dtype, data }: GraphConstant): boolean {
  switch (dtype) {
    case 'bool':
      return data instanceof Uint8Array && (data as Uint8Array).every((value) => value <= 1);
    case 'uint8':
      return data instanceof Uint8Array;
    case 'int32':
      return data instanceof Int32Array;
    case 'int64':
      return data instanceof BigInt64Array;
    case 'float32':
      return data instanceof Float32Array;
    case 'string':
      return Array.isArray(data) && data.every((text) => typeof text === 'string');
  }
}

/** Derives every type anew, by building the graph a second time, and compares. */
function checkNodes(graph: KernelGraph, limits: GraphLimits): void {
  within(graph.nodes.length, limits.maxNodes, 'nodes');
  const builder = new GraphBuilder();
  for (const parameter of graph.parameters) builder.parameter(parameter, parameter);
  for (const constant of graph.constants) builder.constant(constant);
  const [point = []] = samplePoints(graph.unknowns);
  const concrete = ({ dtype, shape }: TensorSpec): ConcreteSpec => ({
    dtype,
    shape: shape.map((size) => evaluateSize(size, point)),
  });
  const budget = new Budget(limits);
  graph.nodes.forEach((node, index) => {
    kernelDefinition(node.kernel);
    const outputs = builder.node(node.kernel, node.inputs, node.attributes);
    const derived = outputs.map((id) => builder.spec(id));
    requireEqual(node, index, derived);
    const inputs = Array.isArray(node.inputs)
      ? node.inputs.map((id) => concrete(builder.spec(id)))
      : Object.fromEntries(
          Object.entries(node.inputs).map(([name, id]) => [name, concrete(builder.spec(id))]),
        );
    const attributes = evaluateAttributes(node.attributes, point);
    const made = derived.map(concrete);
    budget.add(made, estimateFlops(node.kernel, inputs, attributes, made));
  });
  require(graph.results.every(isCount), 'a result is no value id');
  for (const id of graph.results) builder.spec(id);
}

class Budget {
  readonly #limits: GraphLimits;
  #elements = 0;
  #flops = 0;

  constructor(limits: GraphLimits) {
    this.#limits = limits;
  }

  add(outputs: readonly ConcreteSpec[], flops: number): void {
    for (const { shape } of outputs) {
      within(shapeSize(shape), this.#limits.maxElements, 'elements in one value');
      this.#elements += shapeSize(shape);
    }
    this.#flops += flops;
    within(this.#elements, this.#limits.maxTotalElements, 'elements in all values');
    within(this.#flops, this.#limits.maxFlops, 'floating point operations');
  }
}

function requireEqual(node: KernelNode, index: number, derived: readonly TensorSpec[]): void {
  const equal =
    node.outputs.length === derived.length &&
    node.outputs.every(({ dtype, shape }, output) => {
      const expected = derived[output] as TensorSpec;
      return (
        dtype === expected.dtype &&
        shape.length === expected.shape.length &&
        shape.every((size, axis) => equalSizes(size, expected.shape[axis] as number))
      );
    });
  if (equal) return;
  const print = (specs: readonly TensorSpec[]): string => specs.map(printSpec).join(', ');
  throw new GraphError(
    'graph.type_mismatch',
    `Node ${index} (${node.kernel}) states the wrong types.\n  stated:  ${print(node.outputs)}\n  derived: ${print(derived)}`,
  );
}

function within(amount: number, limit: number, what: string): void {
  if (amount <= limit) return;
  throw new GraphError(
    'graph.too_large',
    `The graph has ${amount} ${what}; at most ${limit} are allowed.`,
  );
}

function require(condition: boolean, reason: string): void {
  if (!condition) throw new GraphError('graph.malformed', `The graph is malformed: ${reason}.`);
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
const isRecord = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isDataType = (value: unknown): value is DType =>
  (DTYPES as readonly unknown[]).includes(value);
const isShape = (value: unknown): boolean => Array.isArray(value) && value.every(isCount);
