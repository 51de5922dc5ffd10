/**
 * @file What one run of a traced body at fixed sizes did: constants and kernel calls in order.
 * Kernels are not run; their output types come from the kernel table.
 */

import type { DataOfDType, DType } from '../../types/dtypes.ts';
import { type FedloomError, GraphError, TraceError } from '../../types/errors.ts';
import { type ConcreteSpec, type NodeInputs, shapeSize, type ValueId } from '../graph.ts';
import { type ConcreteAttributes, DEVICE_DTYPES } from '../kernels/definition.ts';
import { abstractEval, KERNELS } from '../kernels/index.ts';
import { engine, type TfBackend, type TfTensorInfo } from '../tfjs.ts';
import { normalizeAttributes } from './attributes.ts';
import { unsupportedKernel } from './refusals.ts';

export interface RecordedConstant {
  readonly kind: 'constant';
  readonly spec: ConcreteSpec;
  readonly data: DataOfDType<DType>;
}

export interface RecordedNode {
  readonly kind: 'node';
  readonly kernel: string;
  readonly inputs: NodeInputs;
  readonly attributes: ConcreteAttributes;
  readonly outputs: readonly ConcreteSpec[];
}

export type RecordedEntry = RecordedConstant | RecordedNode;

export interface CaptureLimits {
  /** Largest total size of constants that are not filled with one value, in bytes. */
  readonly maxCaptureBytes: number;
}

export class Recording {
  readonly entries: RecordedEntry[] = [];
  #results: readonly ValueId[] = [];
  readonly #limits: CaptureLimits;
  readonly #tracers: TfBackend;
  readonly #ids = new WeakMap<object, ValueId>();
  readonly #specs: ConcreteSpec[] = [];
  #captures = 0;
  #captureBytes = 0;
  #violation: FedloomError | null = null;

  /** @param tracers the backend whose tensors have no values */
  constructor(limits: CaptureLimits, tracers: TfBackend) {
    this.#limits = limits;
    this.#tracers = tracers;
  }

  get results(): readonly ValueId[] {
    return this.#results;
  }

  /** Keeps the first violation, so that a body which swallows the error is refused all the same. */
  violate(error: FedloomError): never {
    this.#violation ??= error;
    throw error;
  }

  /** Throws the violation that the body swallowed, if any. */
  throwIfViolated(): void {
    if (this.#violation !== null) throw this.#violation;
  }

  parameter(dataId: object, spec: ConcreteSpec): void {
    this.#define(dataId, spec);
  }

  finish(results: readonly TfTensorInfo[]): void {
    this.#results = results.map((tensor) => this.#idOf(tensor));
  }

  specOf(id: ValueId): ConcreteSpec {
    return this.#specs[id] as ConcreteSpec;
  }

  /** A tensor made from data inside the body. */
  constant(dataId: object, values: unknown, shape: readonly number[], dtype: string): void {
    this.#addConstant(dataId, values, shape, dtype, 'made in the body');
  }

  /** One kernel call; returns the types of its outputs and remembers their data ids. */
  kernel(
    kernel: string,
    inputs: unknown,
    attributes: unknown,
    nextDataId: () => object,
  ): readonly TfTensorInfo[] {
    const definition = KERNELS[kernel];
    if (definition === undefined) this.violate(unsupportedKernel(kernel));
    const tensors = collectInputs(inputs);
    const ids: NodeInputs = Array.isArray(tensors)
      ? tensors.map((tensor) => this.#idOf(tensor))
      : Object.fromEntries(
          Object.entries(tensors).map(([name, tensor]) => [name, this.#idOf(tensor)]),
        );
    const specs = Array.isArray(ids)
      ? ids.map((id) => this.specOf(id))
      : Object.fromEntries(Object.entries(ids).map(([name, id]) => [name, this.specOf(id)]));
    const outputs = this.#guard(() => {
      const shapes = Object.values(specs).map(({ shape }) => shape);
      const normal = normalizeAttributes(kernel, attributes, definition?.attributes ?? {}, shapes);
      const inferred = abstractEval(kernel, specs, normal);
      this.#push(kernel, ids, normal, inferred);
      return inferred;
    });
    const first = Object.values(ids)[0];
    const alias = isAlias(kernel, Object.values(specs)[0], outputs[0]);
    if (alias) this.entries.pop();
    return outputs.map((spec) => {
      const dataId = nextDataId();
      if (alias) this.#ids.set(dataId, first as ValueId);
      else this.#define(dataId, spec);
      return { dataId, shape: [...spec.shape], dtype: spec.dtype as TfTensorInfo['dtype'] };
    });
  }

  #guard<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      if (error instanceof TraceError) return this.violate(error);
      if (!(error instanceof GraphError)) throw error;
      return this.violate(
        new TraceError('trace.failed', `The call cannot be traced. ${error.message}`, {
          cause: error,
        }),
      );
    }
  }

  #push(
    kernel: string,
    inputs: NodeInputs,
    attributes: ConcreteAttributes,
    outputs: readonly ConcreteSpec[],
  ): void {
    this.entries.push({ kind: 'node', kernel, inputs, attributes, outputs });
  }

  #define(dataId: object, spec: ConcreteSpec): ValueId {
    this.#specs.push(spec);
    const id = this.#specs.length - 1;
    this.#ids.set(dataId, id);
    return id;
  }

  #idOf({ dataId, shape, dtype }: TfTensorInfo): ValueId {
    const known = this.#ids.get(dataId);
    if (known !== undefined) return known;
    // A tensor from outside the body: its values become a constant. They are read from the backend
    // that holds them, because tfjs's own way of changing backends would MOVE the user's tensor.
    const owner = engine().state.tensorInfo.get(dataId)?.backend;
    if (owner === undefined || owner === this.#tracers) {
      return this.violate(
        new TraceError(
          'trace.leaked_tracer',
          'The body uses a tensor that was disposed, or one of another traced body, which never had values.',
        ),
      );
    }
    if (!DEVICE_DTYPES.includes(dtype as DType)) this.violate(unsupportedDtype(dtype));
    return this.#addConstant(dataId, owner.readSync(dataId), shape, dtype, 'captured from outside');
  }

  #addConstant(
    dataId: object,
    values: unknown,
    shape: readonly number[],
    dtype: string,
    origin: string,
  ): ValueId {
    if (!DEVICE_DTYPES.includes(dtype as DType)) this.violate(unsupportedDtype(dtype));
    const data = toTypedArray(values, dtype as DType, shapeSize(shape));
    const spec = { dtype: dtype as DType, shape: [...shape] };
    const uniform = uniformValue(data);
    if (uniform !== null) {
      const attributes = { shape: spec.shape, value: uniform, dtype };
      this.#push('Fill', {}, attributes, [spec]);
    } else {
      this.#captures++;
      this.#captureBytes += data.byteLength;
      if (this.#captureBytes > this.#limits.maxCaptureBytes) this.violate(this.#tooLarge(origin));
      this.entries.push({ kind: 'constant', spec, data });
    }
    return this.#define(dataId, spec);
  }

  #tooLarge(origin: string): TraceError {
    return new TraceError(
      'trace.capture_limit',
      `The body holds ${this.#captures} constant tensors of ${this.#captureBytes} bytes in all (the last one ${origin}); at most ${this.#limits.maxCaptureBytes} bytes may be baked into a computation. Make large tensors parameters, or raise maxCaptureBytes.`,
    );
  }
}

export function unsupportedDtype(dtype: string): TraceError {
  return new TraceError(
    'trace.unsupported_dtype',
    `A tensor of dtype ${dtype} cannot be traced; tensors in a traced body are float32, int32 or bool.`,
  );
}

function collectInputs(
  inputs: unknown,
): readonly TfTensorInfo[] | Readonly<Record<string, TfTensorInfo>> {
  if (Array.isArray(inputs)) return inputs as readonly TfTensorInfo[];
  const named = Object.entries(
    (inputs ?? {}) as Readonly<Record<string, TfTensorInfo | undefined>>,
  );
  const present = named.filter((entry): entry is [string, TfTensorInfo] => entry[1] != null);
  return Object.fromEntries(present);
}

/** True if a call only hands its input on. Identical types matter: ids must stay apart otherwise. */
function isAlias(kernel: string, input?: ConcreteSpec, output?: ConcreteSpec): boolean {
  return (
    kernel === 'Identity' ||
    (kernel === 'Cast' && input?.dtype === output?.dtype) ||
    (kernel === 'Reshape' && String(input?.shape) === String(output?.shape))
  );
}

type DeviceArray = Float32Array | Int32Array | Uint8Array;

function toTypedArray(values: unknown, dtype: DType, size: number): DeviceArray {
  const Constructor =
    dtype === 'float32' ? Float32Array : dtype === 'int32' ? Int32Array : Uint8Array;
  if (values === null || values === undefined) return new Constructor(size);
  // A copy: the body may go on writing to the array that it made the tensor from.
  return new Constructor(values as ArrayLike<number>);
}

/** The value of all elements, if they are the same and can stand in an attribute. */
function uniformValue(data: DeviceArray): number | null {
  const first = data[0];
  if (first === undefined) return 0;
  if (Number.isNaN(first)) return null;
  return data.every((value) => Object.is(value, first)) ? first : null;
}
