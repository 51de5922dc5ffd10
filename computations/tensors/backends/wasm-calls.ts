/**
 * @file Direct calls into the WebAssembly module of tfjs's wasm backend, for the kernels that
 * training steps consist of. tfjs's own wrappers copy shapes onto the wasm stack by a generic call
 * at each use, which takes several times as long as a small kernel; here a shape is written once,
 * when a plan is made. The functions called, and so the bits that come out, are the same.
 */

import { type ConcreteSpec, shapeSize } from '../graph.ts';
import type { ConcreteAttributes } from '../kernels/definition.ts';
import type { TfBackend } from '../tfjs.ts';
import type { BoundKernel, DeviceHandle } from './device.ts';

type WasmFunction = (...args: number[]) => void;

/** What is used of the wasm backend beyond tfjs's published types. */
interface WasmBackend {
  readonly wasm: {
    readonly HEAPU8: Uint8Array;
    _malloc(bytes: number): number;
    readonly [name: `_${string}`]: WasmFunction | undefined;
  };
  readonly dataIdMap: { get(dataId: object): { readonly id: number } };
  makeOutput(shape: readonly number[], dtype: string): { readonly dataId: object };
  disposeData(dataId: object): boolean;
}

/** Shapes written into wasm memory are kept for good; more than this many would be a leak. */
const MAX_SHAPES = 20_000;

export class WasmCalls {
  readonly #backend: WasmBackend;
  readonly #shapes = new Map<string, number>();

  /** @param backend tfjs's wasm backend, started */
  constructor(backend: TfBackend) {
    // The published type of the backend is in a package whose types tfjs does not re-export.
    this.#backend = backend as unknown as WasmBackend;
  }

  /** A call with everything but the data fixed; `null` if tfjs's own wrapper is to be used. */
  bind(
    kernel: string,
    inputs: readonly ConcreteSpec[],
    attributes: ConcreteAttributes,
    output: ConcreteSpec,
  ): BoundKernel | null {
    const empty = [...inputs, output].some(({ shape }) => shapeSize(shape) === 0);
    if (empty || this.#shapes.size > MAX_SHAPES) return null;
    const [first, second] = inputs;
    if (first === undefined) return null;
    if (BINARY.has(kernel) && second !== undefined) {
      return this.#binary(kernel, first, second, output);
    }
    switch (kernel) {
      case 'BatchMatMul':
        return second === undefined ? null : this.#product(first, second, output, attributes);
      case 'Transpose':
        return this.#transpose(first, attributes, output);
      case 'Sum':
        return this.#sum(first, attributes, output);
      default:
        return null;
    }
  }

  #binary(
    kernel: string,
    a: ConcreteSpec,
    b: ConcreteSpec,
    output: ConcreteSpec,
  ): BoundKernel | null {
    const name = `_${kernel}` as const;
    if (this.#backend.wasm[name] === undefined) return null;
    const [shapeA, shapeB] = [this.#pointer(a.shape), this.#pointer(b.shape)];
    const [rankA, rankB] = [a.shape.length, b.shape.length];
    const dtype = DTYPE_CODES[a.dtype as DeviceHandle['dtype']];
    return ([x, y]) => {
      const [out, id] = this.#output(output);
      const [idX, idY] = [this.#id(x), this.#id(y)];
      this.#call(name)(idX, shapeA, rankA, idY, shapeB, rankB, dtype, id);
      return out;
    };
  }

  #product(
    a: ConcreteSpec,
    b: ConcreteSpec,
    output: ConcreteSpec,
    { transposeA, transposeB }: ConcreteAttributes,
  ): BoundKernel | null {
    if (this.#backend.wasm._BatchMatMul === undefined) return null;
    const [shapeA, shapeB] = [a, b].map(({ shape }) =>
      this.#pointer([shapeSize(shape.slice(0, -2)), ...shape.slice(-2)]),
    ) as [number, number];
    const [flagA, flagB] = [Number(transposeA === true), Number(transposeB === true)];
    return ([x, y]) => {
      const [out, id] = this.#output(output);
      const [idX, idY] = [this.#id(x), this.#id(y)];
      this.#call('_BatchMatMul')(idX, shapeA, 3, idY, shapeB, 3, flagA, flagB, id);
      return out;
    };
  }

  #transpose(
    x: ConcreteSpec,
    { perm }: ConcreteAttributes,
    output: ConcreteSpec,
  ): BoundKernel | null {
    // Axes of size 1 and other ranks are left to tfjs, which simplifies them first.
    const matrix = x.shape.length === 2 && String(perm) === '1,0' && !x.shape.includes(1);
    if (!matrix || this.#backend.wasm._Transpose === undefined) return null;
    const [shape, order] = [this.#pointer(x.shape), this.#pointer([1, 0])];
    const dtype = DTYPE_CODES[x.dtype as DeviceHandle['dtype']];
    return ([input]) => {
      const [out, id] = this.#output(output);
      this.#call('_Transpose')(this.#id(input), shape, 2, dtype, id, order, 2);
      return out;
    };
  }

  #sum(x: ConcreteSpec, attributes: ConcreteAttributes, output: ConcreteSpec): BoundKernel | null {
    if (this.#backend.wasm._Sum === undefined) return null;
    const rank = x.shape.length;
    const given = attributes.axis as number | readonly number[] | undefined;
    const axes = given === undefined ? [...x.shape.keys()] : [given].flat();
    const reduced = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
    const size = shapeSize(x.shape.filter((_, axis) => reduced.has(axis)));
    const dtype = DTYPE_CODES[x.dtype as DeviceHandle['dtype']];
    const sum = (input: number, id: number): void => this.#call('_Sum')(input, size, dtype, id);
    const innermost = [...reduced].every((axis) => axis >= rank - reduced.size);
    if (innermost) {
      return ([input]) => {
        const [out, id] = this.#output(output);
        sum(this.#id(input), id);
        return out;
      };
    }
    // The kernel adds up innermost axes only, so the columns of a matrix become rows first.
    const turned = { dtype: x.dtype, shape: [x.shape[1] ?? 0, x.shape[0] ?? 0] };
    const transpose = rank === 2 ? this.#transpose(x, { perm: [1, 0] }, turned) : null;
    if (transpose === null) return null;
    return (inputs) => {
      const rows = transpose(inputs);
      const [out, id] = this.#output(output);
      sum(this.#id(rows), id);
      this.#backend.disposeData(rows.dataId);
      return out;
    };
  }

  // The module replaces its functions when they are first called, so they are looked up each time.
  #call(name: `_${string}`): WasmFunction {
    return this.#backend.wasm[name] as WasmFunction;
  }

  #id(handle: DeviceHandle | undefined): number {
    return this.#backend.dataIdMap.get((handle as DeviceHandle).dataId).id;
  }

  #output({ dtype, shape }: ConcreteSpec): readonly [DeviceHandle, number] {
    const { dataId } = this.#backend.makeOutput(shape, dtype);
    const handle = { dataId, shape: shape as number[], dtype: dtype as DeviceHandle['dtype'] };
    return [handle, this.#id(handle)];
  }

  /** Address of a list of integers in wasm memory. */
  #pointer(sizes: readonly number[]): number {
    const key = sizes.join(',');
    const known = this.#shapes.get(key);
    if (known !== undefined) return known;
    const bytes = new Uint8Array(Int32Array.from(sizes).buffer);
    // An address of its own for a scalar's shape, which has no elements.
    const pointer = this.#backend.wasm._malloc(Math.max(4, bytes.length));
    this.#backend.wasm.HEAPU8.set(bytes, pointer);
    this.#shapes.set(key, pointer);
    return pointer;
  }
}

const DTYPE_CODES: Readonly<Record<DeviceHandle['dtype'], number>> = {
  float32: 0,
  int32: 1,
  bool: 2,
};

const BINARY: ReadonlySet<string> = new Set([
  'Add',
  'Sub',
  'Multiply',
  'RealDiv',
  'Maximum',
  'Minimum',
  'SquaredDifference',
  'Equal',
  'NotEqual',
  'Less',
  'LessEqual',
  'Greater',
  'GreaterEqual',
  'LogicalAnd',
  'LogicalOr',
]);
