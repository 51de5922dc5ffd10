/**
 * @file Spans for what an executor is asked to do, made with the OpenTelemetry API: without an SDK
 * that the program installs, nothing is recorded. Sizes are recorded, and never values.
 */

import { type Attributes, type Span, type Tracer, trace } from '@opentelemetry/api';
import type { MaterializedValue, Type } from '../../computations/types/index.ts';
import { isBlock } from '../blocks.ts';
import type { Executor, ExecutorInput, ExecutorValue, RequestOptions } from '../executor.ts';
import { withinSpan } from '../spans.ts';
import { tallyNow } from './value-size.ts';
import { WrappingExecutor } from './wrapping.ts';

export interface TracingOptions {
  /** Makes the spans. @default `trace.getTracer('fedloom')`, of the SDK that is installed */
  readonly tracer?: Tracer;
  /** Attributes of every span; `participantAttributes` makes those of a participant. */
  readonly attributes?: Attributes;
}

/**
 * A span each for `fedloom.createValue`, `fedloom.createCall` and `fedloom.compute`, inside the span
 * that is active. Structs and selections have none. Attributes:
 * - `fedloom.input`: `data`, or the kind of block that is put in.
 * - `fedloom.intrinsic`: URI of the intrinsic that is put in or called.
 * - `fedloom.bytes`: of the data that goes in or comes out; lazy sequences are not counted.
 * - those of `participantAttributes`, around the executor of a participant.
 */
export class TracingExecutor extends WrappingExecutor {
  readonly #tracer: Tracer;
  readonly #attributes: Attributes;
  readonly #uris = new WeakMap<ExecutorValue, string>();

  /** @param target owned by this executor: closed with it. */
  constructor(target: Executor, { tracer, attributes = {} }: TracingOptions = {}) {
    super(target);
    this.#tracer = tracer ?? trace.getTracer('fedloom');
    this.#attributes = attributes;
  }

  override createValue(
    value: ExecutorInput,
    type: Type,
    options?: RequestOptions,
  ): Promise<ExecutorValue> {
    return this.#within('fedloom.createValue', describeInput(value), async () => {
      const made = await super.createValue(value, type, options);
      if (isBlock(value) && value.kind === 'intrinsic') this.#uris.set(made, value.uri);
      return made;
    });
  }

  override createCall(
    fn: ExecutorValue,
    argument?: ExecutorValue,
    options?: RequestOptions,
  ): Promise<ExecutorValue> {
    const uri = this.#uris.get(fn);
    const attributes = uri === undefined ? {} : { 'fedloom.intrinsic': uri };
    return this.#within('fedloom.createCall', attributes, () =>
      super.createCall(fn, argument, options),
    );
  }

  override read(inner: ExecutorValue, options?: RequestOptions): Promise<MaterializedValue> {
    return this.#within('fedloom.compute', {}, async (span) => {
      const value = await super.read(inner, options);
      // What counts is only worth counting for a span that somebody gets to see.
      if (span.isRecording()) span.setAttribute('fedloom.bytes', bytesOf(value));
      return value;
    });
  }

  #within<T>(
    name: string,
    attributes: Attributes,
    request: (span: Span) => Promise<T>,
  ): Promise<T> {
    const all = { ...this.#attributes, ...attributes };
    return withinSpan(name, { tracer: this.#tracer, attributes: all }, request);
  }
}

/** Attributes that name a participant: `fedloom.placement` and `fedloom.index`, from 0. */
export function participantAttributes(placement: string, index: number): Attributes {
  return { 'fedloom.placement': placement, 'fedloom.index': index };
}

function describeInput(value: ExecutorInput): Attributes {
  if (!isBlock(value)) return { 'fedloom.input': 'data', 'fedloom.bytes': bytesOf(value) };
  const attributes: Attributes = { 'fedloom.input': value.kind };
  if (value.kind === 'intrinsic') attributes['fedloom.intrinsic'] = value.uri;
  if (value.kind === 'literal') attributes['fedloom.bytes'] = bytesOf(value.value);
  return attributes;
}

function bytesOf(value: MaterializedValue): number {
  let total = 0;
  tallyNow(value, (_dtype, _elements, bytes) => {
    total += bytes;
  });
  return total;
}
