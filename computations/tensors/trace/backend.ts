/**
 * @file The tfjs backend that records kernel calls and runs none of them. tfjs's gradient tape works
 * on top of it unchanged, so gradients are traced as the kernels that they consist of.
 */

import { TraceError } from '../../types/errors.ts';
import { KERNELS } from '../kernels/index.ts';
import { engine, type TfBackend, type TfTensorInfo, tf } from '../tfjs.ts';
import type { Recording } from './recording.ts';

/** Name under which the backend is registered. tfjs splits registry keys on `_`, so it has none. */
export const TRACE_BACKEND = 'fedloomtrace';

export class TraceBackend extends tf.KernelBackend {
  recording: Recording | null = null;
  readonly #references = new Map<object, number>();

  nextDataId(): object {
    const dataId = {};
    this.#references.set(dataId, 1);
    return dataId;
  }

  runKernel(kernel: string, inputs: unknown, attributes: unknown): readonly TfTensorInfo[] {
    return this.#active().kernel(kernel, inputs, attributes, () => this.nextDataId());
  }

  override write(values: unknown, shape: number[], dtype: tf.DataType): object {
    const dataId = this.nextDataId();
    this.#active().constant(dataId, values, shape, dtype);
    return dataId;
  }

  override readSync(): never {
    if (this.recording === null) throw leaked();
    return this.recording.violate(valueDependent());
  }

  override async read(): Promise<never> {
    if (this.recording === null) throw leaked();
    try {
      this.readSync();
    } catch {
      // The recording keeps it, and the trace throws it when the body returns. The promise never
      // settles: nobody may be waiting, and a rejection without a handler would end the process.
    }
    return new Promise<never>(() => {});
  }

  override disposeData(dataId: object): boolean {
    const references = this.#references.get(dataId);
    if (references === undefined) return true;
    if (references > 1) {
      this.#references.set(dataId, references - 1);
      return false;
    }
    this.#references.delete(dataId);
    return true;
  }

  override incRef(dataId: object): void {
    const references = this.#references.get(dataId);
    // A variable made from a tensor of another backend keeps its data there.
    if (references === undefined) engine().state.tensorInfo.get(dataId)?.backend.incRef(dataId);
    else this.#references.set(dataId, references + 1);
  }

  override refCount(dataId: object): number {
    return this.#references.get(dataId) ?? 0;
  }

  override numDataIds(): number {
    return this.#references.size;
  }

  override move(): never {
    throw leaked();
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override timerAvailable(): boolean {
    return false;
  }

  override dispose(): void {
    this.#references.clear();
  }

  #active(): Recording {
    if (this.recording === null) throw leaked();
    return this.recording;
  }
}

/** The trace backend; registered with all kernels on first use. */
export function traceBackend(): TraceBackend {
  if (instance === null) {
    const backend = new TraceBackend();
    tf.registerBackend(TRACE_BACKEND, () => backend as TfBackend, 0);
    const names = new Set([
      ...Object.keys(KERNELS),
      ...tf.getKernelsForBackend('cpu').map(({ kernelName }) => kernelName),
    ]);
    for (const kernelName of names) {
      tf.registerKernel({
        kernelName,
        backendName: TRACE_BACKEND,
        kernelFunc: ({ inputs, attrs }) => {
          const outputs = backend.runKernel(kernelName, inputs, attrs);
          return LIST_RESULT.has(kernelName) ? [...outputs] : (outputs[0] as TfTensorInfo);
        },
      });
    }
    instance = backend;
  }
  return instance;
}

let instance: TraceBackend | null = null;

/** Kernels whose caller expects a list of tensors, be it a list of one. */
const LIST_RESULT: ReadonlySet<string> = new Set(['Unpack', 'SplitV', 'TopK']);

function valueDependent(): TraceError {
  return new TraceError(
    'trace.value_dependent',
    'The body reads the values of a tensor (dataSync, data, array, print, or a JavaScript condition on them), but there are no values while a computation is traced. Use tensor operations instead, for example tf.where in the place of if.',
  );
}

function leaked(): TraceError {
  return new TraceError(
    'trace.leaked_tracer',
    'A tensor of a traced body is used after the trace has ended. It never had values; return it from the body as a result instead of keeping it in an outer variable.',
  );
}
