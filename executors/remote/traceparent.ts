/**
 * @file Which trace a call belongs to, told from process to process as the header `traceparent` of W3C
 * (Trace Context, level 1, section 3.2). Nothing else of a trace travels: neither its state nor baggage,
 * which programs fill with what they like.
 */

import { type Context, context, isSpanContextValid, ROOT_CONTEXT, trace } from '@opentelemetry/api';

/** The active span, for whoever is called; `undefined` where no SDK is installed. */
export function activeTraceparent(): string | undefined {
  const span = trace.getSpanContext(context.active());
  if (span === undefined || !isSpanContextValid(span)) return undefined;
  const flags = (span.traceFlags & 0xff).toString(16).padStart(2, '0');
  return `00-${span.traceId}-${span.spanId}-${flags}`;
}

/**
 * What a span of a served call is a part of. It is never what is active here: that belongs to whoever
 * read the call from its connection.
 * @param traceparent what the caller says. If it is not exactly of this form, the call begins a trace
 *   of its own.
 */
export function callersContext(traceparent: string | undefined): Context {
  const [, traceId = '', spanId = '', flags = ''] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  const span = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(span) ? trace.setSpanContext(ROOT_CONTEXT, span) : ROOT_CONTEXT;
}

/** Of version 0, the only one that there is. */
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
