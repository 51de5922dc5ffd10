/**
 * @file Traces a TypeScript function over tfjs tensors into a kernel graph. The body runs on a
 * backend that records kernel calls; gradients are recorded as the kernels that tfjs's tape makes.
 */

import { FedloomError, TraceError } from '../../types/errors.ts';
import type { TensorType, Type } from '../../types/types.ts';
import { type KernelGraph, resultTypes } from '../graph.ts';
import { simplifyGraph } from '../simplify.ts';
import { evaluateSize, MAX_UNKNOWNS, samplePoints, unknownSize } from '../sizes.ts';
import { engine, type tf } from '../tfjs.ts';
import {
  packArgument,
  type TracedArgument,
  type TracedArguments,
  type TracedResult,
  traceableLeaves,
  type UnpackedResult,
  unpackResult,
} from './arguments.ts';
import { traceBackend } from './backend.ts';
import { underGuard } from './guards.ts';
import { type CaptureLimits, Recording } from './recording.ts';
import { type BoundParameter, equalRecordings, unifyRecordings } from './unify.ts';

export interface TraceOptions extends Partial<CaptureLimits> {
  /** Name of the computation, for error messages. */
  readonly name?: string;
}

export interface TracedTensors {
  readonly graph: KernelGraph;
  readonly parameterTypes: readonly Type[];
  readonly resultType: Type;
}

/** 1 MiB: room for a table of class weights, not for a model. */
const MAX_CAPTURE_BYTES = 2 ** 20;

/**
 * Traces `body`. It is called several times (twice at least, and twice more for each unknown size),
 * with tensors that have a shape and a dtype but no values.
 * @param parameter type of the only parameter, or the types of all of them
 * @throws TraceError with a code for each thing that a computation cannot do
 */
export function traceTensors<T extends Type>(
  parameter: T,
  body: (argument: TracedArgument<T>) => TracedResult,
  options?: TraceOptions,
): TracedTensors;
export function traceTensors<const P extends readonly Type[]>(
  parameters: P,
  body: (...args: TracedArguments<P>) => TracedResult,
  options?: TraceOptions,
): TracedTensors;
export function traceTensors(
  parameter: Type | readonly Type[],
  body: unknown,
  options: TraceOptions = {},
): TracedTensors {
  const types = isTypeList(parameter) ? parameter : [parameter];
  const limits = { maxCaptureBytes: options.maxCaptureBytes ?? MAX_CAPTURE_BYTES };
  const session = new Session(types, body as TracedBody, limits);
  const distinct = bindNulls(session.leaves, 'distinct');
  try {
    return session.trace(distinct);
  } catch (error) {
    // Sizes that differ may be what makes the body fail (x and its labels, of one batch size).
    const retry =
      distinct.unknowns > 1 &&
      error instanceof TraceError &&
      (error.code === 'trace.failed' || error.code === 'trace.batch_dimension');
    if (!retry) throw named(error, options.name);
  }
  try {
    return session.trace(bindNulls(session.leaves, 'one'));
  } catch (error) {
    throw named(error, options.name);
  }
}

function isTypeList(parameter: Type | readonly Type[]): parameter is readonly Type[] {
  return Array.isArray(parameter);
}

interface Binding {
  readonly parameters: readonly BoundParameter[];
  readonly unknowns: number;
}

/** Gives each `null` an unknown size of its own, or one and the same to all. */
function bindNulls(leaves: readonly TensorType[], mode: 'distinct' | 'one'): Binding {
  let count = 0;
  const parameters = leaves.map((type) => ({
    type,
    unknowns: (type.shape ?? [])
      .filter((size) => size === null)
      .map(() => (mode === 'one' ? 0 : count++)),
  }));
  const unknowns = mode === 'one' ? 1 : count;
  // More unknowns than can be told apart are taken as one.
  return unknowns > MAX_UNKNOWNS ? bindNulls(leaves, 'one') : { parameters, unknowns };
}

type TracedBody = (...args: unknown[]) => unknown;

class Session {
  readonly leaves: readonly TensorType[];
  readonly #types: readonly Type[];
  readonly #body: TracedBody;
  readonly #limits: CaptureLimits;

  constructor(types: readonly Type[], body: TracedBody, limits: CaptureLimits) {
    this.#types = types;
    this.#body = body;
    this.#limits = limits;
    this.leaves = types.flatMap((type, index) => traceableLeaves(type, `Parameter ${index}`));
  }

  trace({ parameters, unknowns }: Binding): TracedTensors {
    const [base = [], ...others] = samplePoints(unknowns);
    const first = this.#record(parameters, base);
    if (!equalRecordings(first.recording, this.#record(parameters, base).recording)) {
      throw new TraceError(
        'trace.not_repeatable',
        'The body does not do the same each time it is called (it may read a counter, a clock, or a variable that it changes). A computation must depend on its parameters only.',
      );
    }
    const recordings = [
      first.recording,
      ...others.map((point) => this.#record(parameters, point).recording),
    ];
    const graph = simplifyGraph(unifyRecordings(parameters, recordings, unknowns));
    return {
      graph,
      parameterTypes: this.#types,
      resultType: first.result.typeOf(resultTypes(graph)[Symbol.iterator]()),
    };
  }

  #record(
    parameters: readonly BoundParameter[],
    sizes: readonly number[],
  ): { readonly recording: Recording; readonly result: UnpackedResult } {
    const recording = new Recording(this.#limits, traceBackend());
    const result = underGuard(recording, () => {
      const tensors = parameters.map((parameter) => makeParameter(parameter, sizes, recording));
      const result = this.#call(recording, tensors[Symbol.iterator]());
      recording.finish(result.tensors);
      recording.throwIfViolated();
      return result;
    });
    return { recording, result };
  }

  #call(recording: Recording, tensors: Iterator<tf.Tensor>): UnpackedResult {
    let returned: unknown;
    try {
      returned = this.#body(...this.#types.map((type) => packArgument(type, tensors)));
    } catch (error) {
      recording.throwIfViolated();
      if (error instanceof FedloomError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new TraceError('trace.failed', `The body failed while it was traced: ${reason}`, {
        cause: error,
      });
    }
    recording.throwIfViolated();
    if (isThenable(returned)) {
      // What is left of the body will fail on its tensors; nobody is waiting for it.
      returned.then(undefined, () => undefined);
      throw new TraceError(
        'trace.async',
        'The body is asynchronous (it returned a promise). A traced body must return its tensors directly; load data before, and pass it as a parameter.',
      );
    }
    return unpackResult(returned);
  }
}

function makeParameter(
  { type, unknowns }: BoundParameter,
  sizes: readonly number[],
  recording: Recording,
): tf.Tensor {
  let next = 0;
  const shape = (type.shape ?? []).map(
    (size) => size ?? evaluateSize(unknownSize(unknowns[next++] ?? 0), sizes),
  );
  const backend = traceBackend();
  const dataId = backend.nextDataId();
  recording.parameter(dataId, { dtype: type.dtype, shape });
  const dtype = type.dtype as tf.DataType;
  return engine().makeTensorFromTensorInfo({ dataId, shape, dtype }, backend);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  );
}

/** The error with the name of the computation in front of its message. */
function named(error: unknown, name: string | undefined): unknown {
  if (!(error instanceof TraceError) || name === undefined) return error;
  const message = error.message.slice(error.code.length + 3);
  return new TraceError(error.code, `In '${name}': ${message}`, { cause: error.cause ?? error });
}
