/** @file An SDK of OpenTelemetry that keeps the spans of this process in memory. */

import { context, type SpanKind, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';

/** Registered, as a program does it, until it is disposed of. */
export class RecordedSpans implements Disposable {
  readonly #exporter = new InMemorySpanExporter();
  readonly #contexts = new AsyncLocalStorageContextManager().enable();

  constructor() {
    const spanProcessors = [new SimpleSpanProcessor(this.#exporter)];
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
    context.setGlobalContextManager(this.#contexts);
  }

  /** Those that have ended. */
  get all(): readonly ReadableSpan[] {
    return this.#exporter.getFinishedSpans();
  }

  named(name: string): readonly ReadableSpan[] {
    return this.all.filter((span) => span.name === name);
  }

  ofKind(kind: SpanKind): readonly ReadableSpan[] {
    return this.all.filter((span) => span.kind === kind);
  }

  parentOf({ parentSpanContext }: ReadableSpan): ReadableSpan | undefined {
    return this.all.find((span) => span.spanContext().spanId === parentSpanContext?.spanId);
  }

  /** Names of the spans around it, the innermost first. */
  around(span: ReadableSpan): readonly string[] {
    const parent = this.parentOf(span);
    return parent === undefined ? [] : [parent.name, ...this.around(parent)];
  }

  /** All that an exporter gets, as text. */
  get text(): string {
    return this.all
      .map(({ name, attributes, status, events }) =>
        JSON.stringify({ name, attributes, status, events }),
      )
      .join('\n');
  }

  [Symbol.dispose](): void {
    trace.disable();
    context.disable();
    this.#contexts.disable();
  }
}
