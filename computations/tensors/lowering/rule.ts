/** @file What a lowering rule is: it rewrites one node into kernels that a backend has. */

import type { DType } from '../../types/dtypes.ts';
import type { TensorValue } from '../../types/values.ts';
import type { GraphBuilder } from '../builder.ts';
import {
  type Attributes,
  type ConcreteSpec,
  inputIds,
  mapInputs,
  type NodeInputs,
  type ValueId,
} from '../graph.ts';
import { type ConcreteAttributes, KernelCall } from '../kernels/definition.ts';
import { abstractEval } from '../kernels/index.ts';

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

  /** The types of the outputs. */
  outputs(): readonly ConcreteSpec[] {
    const inputs = mapInputs(this.#inputs, (id) => this.spec(id));
    return abstractEval(this.kernel, inputs, this.attributes);
  }

  /** The shapes of all inputs, named or not. */
  inputShapes(): readonly (readonly number[])[] {
    return inputIds(this.#inputs).map((id) => this.shape(id));
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

  /** Adds this node itself with other inputs, or attributes; it is not lowered again. */
  keep(inputs: NodeInputs, attributes: Attributes = this.attributes): readonly ValueId[] {
    return this.#builder.node(this.kernel, inputs, attributes);
  }

  /** Adds a tensor whose elements are known. */
  constant(value: TensorValue): ValueId {
    return this.#builder.constant(value);
  }

  /** A tensor of one number, `value`. */
  fill(shape: readonly number[], value: number, dtype: DType): ValueId {
    return this.emit('Fill', {}, { shape, value, dtype });
  }

  /** `x` written out in a shape that it broadcasts to. */
  broadcastTo(x: ValueId, shape: readonly number[]): ValueId {
    const own = this.shape(x);
    if (String(own) === String(shape)) return x;
    const padded = [...Array<number>(shape.length - own.length).fill(1), ...own];
    const reps = shape.map((size, axis) => (padded[axis] === size ? 1 : size));
    return this.emit('Tile', { x: this.reshape(x, padded) }, { reps });
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
    const added = paddings.map(([before, after]) => [Math.max(0, before), Math.max(0, after)]);
    const cut = paddings.map(
      ([before, after]) => [Math.max(0, -before), Math.max(0, -after)] as const,
    );
    const pad = (y: ValueId): ValueId =>
      added.flat().every((n) => n === 0)
        ? y
        : this.emit('PadV2', { x: y }, { paddings: added, constantValue });
    const crop = (y: ValueId): ValueId => {
      if (cut.flat().every((n) => n === 0)) return y;
      const size = this.shape(y).map((n, axis) => n - sum(cut[axis] ?? []));
      return this.emit('Slice', { x: y }, { begin: cut.map(([before]) => before), size });
    };
    // What is cut may be more than there is before something is added at the other end.
    const enough = this.shape(x).every((n, axis) => n >= sum(cut[axis] ?? []));
    return enough ? pad(crop(x)) : crop(pad(x));
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

export type Emit = (
  kernel: string,
  inputs: NodeInputs,
  attributes: Attributes,
) => readonly ValueId[];

/**
 * True if the padding of a window over an image is in numbers that the kernels do not take: native
 * pads by 'same' or not at all, the others apply a single number as if windows and strides were
 * squares (dilations make windows larger), and wasm leaves out the last windows where their number
 * is rounded up.
 */
export function needsPadding(node: LoweredNode, filter: readonly number[]): boolean {
  const { pad, dimRoundingMode } = node.attributes;
  if (typeof pad === 'string') return false;
  if (node.target.name === 'native') return true;
  if (dimRoundingMode === 'ceil' || dimRoundingMode === 'round') return true;
  const [down, right = down] = node.call().ints('strides');
  const [dilated, across = dilated] = node.call().has('dilations')
    ? node.call().ints('dilations')
    : [1];
  const [rows = 1, columns = rows] = filter;
  const square = (rows - 1) * (dilated ?? 1) === (columns - 1) * (across ?? 1) && down === right;
  return typeof pad === 'number' && !square;
}
