/** @file What a lowering rule is: it rewrites one node into kernels that a backend has. */

import type { TensorValue } from '../../types/values.ts';
import type { GraphBuilder } from '../builder.ts';
import type { Attributes, ConcreteSpec, NodeInputs, ValueId } from '../graph.ts';
import { type ConcreteAttributes, KernelCall } from '../kernels/definition.ts';

/** The backend that a graph is lowered for. */
export interface LoweringTarget {
  readonly name: string;
  /** True if the backend, or the host, has the kernel. */
  has(kernel: string): boolean;
}

/** The ids of the node's outputs, or `null` if the node stays as it is. */
export type LoweringRule = (node: LoweredNode) => readonly ValueId[] | null;

/** One node while it is lowered; all sizes are known. */
export class LoweredNode {
  readonly target: LoweringTarget;
  readonly kernel: string;
  readonly attributes: ConcreteAttributes;
  readonly #inputs: NodeInputs;
  readonly #builder: GraphBuilder;
  readonly #emit: Emit;

  constructor(
    target: LoweringTarget,
    node: { readonly kernel: string; readonly inputs: NodeInputs; readonly attributes: Attributes },
    builder: GraphBuilder,
    emit: Emit,
  ) {
    this.target = target;
    this.kernel = node.kernel;
    this.attributes = node.attributes as ConcreteAttributes;
    this.#inputs = node.inputs;
    this.#builder = builder;
    this.#emit = emit;
  }

  input(name: string): ValueId {
    return (this.#inputs as Readonly<Record<string, ValueId>>)[name] as ValueId;
  }

  inputs(): Readonly<Record<string, ValueId>> {
    return this.#inputs as Readonly<Record<string, ValueId>>;
  }

  spec(id: ValueId): ConcreteSpec {
    return this.#builder.spec(id) as ConcreteSpec;
  }

  shape(id: ValueId): readonly number[] {
    return this.spec(id).shape;
  }

  /** Typed access to the attributes, as the kernel table has it. */
  call(): KernelCall {
    const specs = Object.entries(this.inputs()).map(([name, id]) => [name, this.spec(id)] as const);
    return new KernelCall(this.kernel, Object.fromEntries(specs), this.attributes);
  }

  /** Adds a node in the place of this one; it is lowered in its turn. */
  emit(kernel: string, inputs: NodeInputs, attributes: Attributes = {}): ValueId {
    return this.#emit(kernel, inputs, attributes)[0] as ValueId;
  }

  /** Adds this node itself with other inputs; it is not lowered again. */
  keep(inputs: NodeInputs): readonly ValueId[] {
    return this.#builder.node(this.kernel, inputs, this.attributes);
  }

  /** Adds a tensor whose elements are known. */
  constant(value: TensorValue): ValueId {
    return this.#builder.constant(value);
  }

  reshape(x: ValueId, shape: readonly number[]): ValueId {
    return this.emit('Reshape', { x }, { shape });
  }

  transpose(x: ValueId, perm: readonly number[]): ValueId {
    return this.emit('Transpose', { x }, { perm });
  }

  /** Zeros, or another number, around `x`; a negative count crops. */
  padOrCrop(
    x: ValueId,
    paddings: readonly (readonly [number, number])[],
    constantValue = 0,
  ): ValueId {
    const cropped = paddings.some((pair) => pair.some((n) => n < 0));
    const shape = this.shape(x);
    const inner = cropped
      ? this.emit(
          'Slice',
          { x },
          {
            begin: paddings.map(([before]) => Math.max(0, -before)),
            size: shape.map((size, axis) => {
              const [before, after] = paddings[axis] as readonly [number, number];
              return size - Math.max(0, -before) - Math.max(0, -after);
            }),
          },
        )
      : x;
    const positive = paddings.map((pair) => pair.map((n) => Math.max(0, n)));
    return positive.every((pair) => pair.every((n) => n === 0))
      ? inner
      : this.emit('PadV2', { x: inner }, { paddings: positive, constantValue });
  }
}

export type Emit = (
  kernel: string,
  inputs: NodeInputs,
  attributes: Attributes,
) => readonly ValueId[];

/**
 * True if the padding of a window over an image is in numbers that the kernels do not take: native
 * pads by 'same' or not at all, and the others apply a single number as if windows and strides were
 * squares.
 */
export function needsPadding(node: LoweredNode, filter: readonly number[]): boolean {
  const { pad } = node.attributes;
  if (typeof pad === 'string') return false;
  const [down, right = down] = node.call().ints('strides');
  const square = filter[0] === (filter[1] ?? filter[0]) && down === right;
  return node.target.name === 'native' || (typeof pad === 'number' && !square);
}
