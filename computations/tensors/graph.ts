/**
 * @file The kernel graph: a tensor computation as data. Nodes are in static single assignment form:
 * each names a kernel, its inputs by value id, its attributes and the types of its outputs.
 * Value ids are dense: first the parameters, then the constants, then the outputs of the nodes in
 * order. A graph is plain data (it survives a structured clone), and holds no code.
 */

import type { DataOfDType, DType } from '../types/dtypes.ts';
import { type TensorType, tensorOfShape } from '../types/types.ts';
import { type Size, type SizeExpression, unknownSize } from './sizes.ts';

export type { Size, SizeExpression };

/** Version of the graph's own form. */
export const GRAPH_VERSION = 1;
/** Version of the set of kernels and of what each of them means. */
export const KERNEL_SET_VERSION = 1;

export type ValueId = number;

/** Type of a value in a graph; sizes may be affine in the unknown sizes. */
export interface TensorSpec {
  readonly dtype: DType;
  readonly shape: readonly Size[];
}

/** Type of a value when all sizes are known. */
export interface ConcreteSpec {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** A parameter: a tensor type, and which unknown size each `null` of its shape stands for. */
export interface GraphParameter {
  readonly kind: 'tensor';
  readonly dtype: DType;
  readonly shape: readonly (number | null)[];
  /** For each `null` in `shape`, in order, the index of the unknown size. */
  readonly unknowns: readonly number[];
}

export interface GraphConstant {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: DataOfDType<DType>;
}

/** A non-tensor input of a kernel. Integers may be affine in the unknown sizes. */
export type AttributeValue = boolean | string | Size | readonly AttributeValue[];
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** Inputs by name, or in order for kernels that take any number of them. */
export type NodeInputs = Readonly<Record<string, ValueId>> | readonly ValueId[];

export interface KernelNode {
  readonly kernel: string;
  readonly inputs: NodeInputs;
  readonly attributes: Attributes;
  readonly outputs: readonly TensorSpec[];
}

export interface KernelGraph {
  readonly version: number;
  readonly kernelSet: number;
  /** How many sizes are not known until the arguments arrive. */
  readonly unknowns: number;
  readonly parameters: readonly GraphParameter[];
  readonly constants: readonly GraphConstant[];
  readonly nodes: readonly KernelNode[];
  readonly results: readonly ValueId[];
}

/** The ids that a node reads, in the order in which its inputs are given. */
export function inputIds(inputs: NodeInputs): readonly ValueId[] {
  return isInputList(inputs) ? inputs : Object.values(inputs);
}

export function isInputList(inputs: NodeInputs): inputs is readonly ValueId[] {
  return Array.isArray(inputs);
}

/** The same inputs with every id replaced. */
export function mapInputs<T>(
  inputs: NodeInputs,
  replace: (id: ValueId) => T,
): readonly T[] | Readonly<Record<string, T>> {
  return isInputList(inputs)
    ? inputs.map(replace)
    : Object.fromEntries(Object.entries(inputs).map(([name, id]) => [name, replace(id)]));
}

/** The type of a parameter, with its unknown sizes written as forms. */
export function parameterSpec(parameter: GraphParameter): TensorSpec {
  let next = 0;
  return {
    dtype: parameter.dtype,
    shape: parameter.shape.map((size) => size ?? unknownSize(parameter.unknowns[next++] ?? 0)),
  };
}

/** The type of every value of the graph, by id. */
export function valueSpecs(graph: KernelGraph): readonly TensorSpec[] {
  return [
    ...graph.parameters.map(parameterSpec),
    ...graph.constants.map(({ dtype, shape }) => ({ dtype, shape })),
    ...graph.nodes.flatMap((node) => node.outputs),
  ];
}

/** The tensor type of a spec: every size that is not known becomes `null`. */
export function specType(spec: TensorSpec): TensorType {
  return tensorOfShape(
    spec.dtype,
    spec.shape.map((size) => (typeof size === 'number' ? size : null)),
  );
}

/** The tensor types of the results, in order. */
export function resultTypes(graph: KernelGraph): readonly TensorType[] {
  const specs = valueSpecs(graph);
  return graph.results.map((id) => specType(specs[id] as TensorSpec));
}

/** The tensor types of the parameters, in order. */
export function parameterTypes(graph: KernelGraph): readonly TensorType[] {
  return graph.parameters.map(({ dtype, shape }) => tensorOfShape(dtype, shape));
}

/** Number of elements of a shape. */
export function shapeSize(shape: readonly number[]): number {
  let size = 1;
  for (const dimension of shape) size *= dimension;
  return size;
}

export function equalShapes(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}
