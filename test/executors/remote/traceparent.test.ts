/** @file The header `traceparent`: what is written, and what is believed. */

import { ROOT_CONTEXT, trace } from '@opentelemetry/api';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { activeTraceparent, callersContext } from '../../../executors/remote/traceparent.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

test('says nothing where no SDK is installed', () => {
  expect(activeTraceparent()).toBeUndefined();
});

test('of the specification is read as it says', () => {
  const context = callersContext(`00-${TRACE}-${SPAN}-01`);
  expect(trace.getSpanContext(context)).toEqual({
    traceId: TRACE,
    spanId: SPAN,
    traceFlags: 1,
    isRemote: true,
  });
});

test.each([
  ['nothing', undefined],
  ['an empty text', ''],
  ['another version', `01-${TRACE}-${SPAN}-01`],
  ['the version that is forbidden', `ff-${TRACE}-${SPAN}-01`],
  ['a trace of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
  ['a span of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ['capitals', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ['more than that', `00-${TRACE}-${SPAN}-01-`],
  ['a line after it', `00-${TRACE}-${SPAN}-01\n`],
  ['blanks around it', ` 00-${TRACE}-${SPAN}-01`],
  ['a trace that is too short', `00-${TRACE.slice(1)}-${SPAN}-01`],
])('that is %s begins a trace of its own', (_, text) => {
  expect(callersContext(text)).toBe(ROOT_CONTEXT);
});

test('of any text is read in full, or not at all', () => {
  const nearly = fc.stringMatching(/^0[01]-[0-9a-g]{31,33}-[0-9a-f]{15,17}-[0-9a-f]{1,3}$/);
  fc.assert(
    fc.property(fc.oneof(fc.string(), nearly), (text) => {
      const span = trace.getSpanContext(callersContext(text));
      if (span === undefined) return;
      const flags = span.traceFlags.toString(16).padStart(2, '0');
      expect(`00-${span.traceId}-${span.spanId}-${flags}`).toBe(text);
    }),
  );
});
