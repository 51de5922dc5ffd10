/**
 * @file Spans of the OpenTelemetry API around work. Without an SDK that the program installs nothing is
 * recorded, and a span costs about as much as a call of a function. Names, counts and sizes stand in
 * spans, and never values.
 */

import {
  type Attributes,
  type Context,
  context,
  isSpanContextValid,
  type Span,
  type SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { FedloomError } from '../computations/types/index.ts';

export interface SpanSettings {
  readonly attributes?: Attributes;
  /** @default internal */
  readonly kind?: SpanKind;
  /** What the span is a part of. @default what is active */
  readonly parent?: Context;
  /** @default that of the SDK that is installed */
  readonly tracer?: Tracer;
}

/** Does work in a span of its own, which is active meanwhile and ends with it. */
export async function withinSpan<T>(
  name: string,
  { attributes = {}, kind, parent = context.active(), tracer = defaultTracer() }: SpanSettings,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const span = tracer.startSpan(name, { attributes, ...(kind !== undefined && { kind }) }, parent);
  const within = isOfItsOwn(span, parent) ? trace.setSpan(parent, span) : parent;
  try {
    return await context.with(within, work, undefined, span);
  } catch (error) {
    failSpan(span, error);
    throw error;
  } finally {
    span.end();
  }
}

/** Without an SDK a span only stands in for one, with the identity of its parent or with none. */
function isOfItsOwn(span: Span, parent: Context): boolean {
  if (span.isRecording()) return true;
  const identity = span.spanContext();
  return isSpanContextValid(identity) && identity.spanId !== trace.getSpanContext(parent)?.spanId;
}

function defaultTracer(): Tracer {
  return trace.getTracer('fedloom');
}

/** Messages of errors may quote data, so only the kind of the error is recorded. */
function failSpan(span: Span, error: unknown): void {
  const kind = error instanceof Error ? error.name : typeof error;
  span.setAttribute('error.type', error instanceof FedloomError ? error.code : kind);
  span.setStatus({ code: SpanStatusCode.ERROR });
}
