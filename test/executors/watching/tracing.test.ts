import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Attributes,
  type Context,
  type ContextManager,
  context,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadBackend } from '../../../computations/tensors/index.ts';
import type { Executor } from '../../../executors/executor.ts';
import { TracingExecutor } from '../../../executors/watching/tracing.ts';
import { localExecutorFactory } from '../../../runtime/index.ts';
import { run } from '../../compliance/executor-run.ts';
import { addConstant, failUnlessSmall, federatedInts, mapComputation } from '../blocks.ts';

interface Recorded {
  readonly name: string;
  readonly attributes: Attributes;
  readonly parent: Recorded | undefined;
  status: SpanStatusCode;
  ended: boolean;
}

/** A tracer that keeps its spans. */
function recorder(): { readonly tracer: Tracer; readonly spans: Recorded[] } {
  const spans: Recorded[] = [];
  const bySpan = new WeakMap<Span, Recorded>();
  const startSpan: Tracer['startSpan'] = (name, options) => {
    const active = trace.getActiveSpan();
    const recorded: Recorded = {
      name,
      attributes: { ...options?.attributes },
      parent: active && bySpan.get(active),
      status: SpanStatusCode.UNSET,
      ended: false,
    };
    const span: Span = {
      spanContext: () => ({ traceId: '0', spanId: '0', traceFlags: 0 }),
      setAttribute(key, value) {
        recorded.attributes[key] = value;
        return span;
      },
      setAttributes: () => span,
      addEvent: () => span,
      addLink: () => span,
      addLinks: () => span,
      setStatus({ code }) {
        recorded.status = code;
        return span;
      },
      updateName: () => span,
      end() {
        recorded.ended = true;
      },
      isRecording: () => true,
      recordException() {},
    };
    bySpan.set(span, recorded);
    spans.push(recorded);
    return span;
  };
  return { tracer: { startSpan, startActiveSpan: refuse }, spans };
}

function refuse(): never {
  throw new Error('not used');
}

/** What an SDK for Node installs. */
class AsyncContexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();
  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }
  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(active, () => fn.call(thisArg as ThisParameterType<F>, ...args));
  }
  bind<T>(_: Context, target: T): T {
    return target;
  }
  enable(): this {
    return this;
  }
  disable(): this {
    return this;
  }
}

beforeAll(() => context.setGlobalContextManager(new AsyncContexts()));
afterAll(() => context.disable());

test('makes spans with client, intrinsic and bytes, inside that of the intrinsic', async () => {
  const { tracer, spans } = recorder();
  const factory = localExecutorFactory({ backend: await loadBackend(), tracing: { tracer } });
  const executor = await factory.createExecutor({ clients: 2 });
  expect(await run(executor, mapComputation(addConstant(1)), federatedInts(1, 2))).toEqual([2, 3]);

  expect(spans.every(({ ended, status }) => ended && status === SpanStatusCode.UNSET)).toBe(true);
  const atStack = spans.filter(({ attributes }) => attributes['fedloom.placement'] === undefined);
  const mapped = atStack.find(({ name }) => name === 'fedloom.createCall');
  expect(mapped?.attributes).toEqual({ 'fedloom.intrinsic': 'federated_map' });
  const given = atStack.find(({ attributes }) => attributes['fedloom.input'] === 'data');
  expect(given?.attributes['fedloom.bytes']).toBe(8);

  const calls = spans.filter(
    ({ name, attributes }) =>
      name === 'fedloom.createCall' && attributes['fedloom.placement'] === 'clients',
  );
  expect(calls.map(({ attributes }) => attributes['fedloom.index'])).toEqual([0, 1]);
  expect(calls.every(({ parent }) => parent === mapped)).toBe(true);
  const results = spans.filter(
    ({ name, attributes }) =>
      name === 'fedloom.compute' && attributes['fedloom.placement'] === 'clients',
  );
  expect(results.map(({ attributes }) => attributes['fedloom.bytes'])).toEqual([4, 4]);
  await factory.close();
});

test('marks the span of what fails by the code, without the message', async () => {
  const { tracer, spans } = recorder();
  const factory = localExecutorFactory({ backend: await loadBackend(), tracing: { tracer } });
  const executor = await factory.createExecutor({ clients: 2 });
  await expect(
    run(executor, mapComputation(failUnlessSmall), federatedInts(1, 999)),
  ).rejects.toThrow();
  const failed = spans.filter(({ status }) => status === SpanStatusCode.ERROR);
  expect(failed.map(({ attributes }) => attributes['error.type']).sort()).toEqual([
    'execution.client_failed',
    'execution.sum_overflow',
  ]);
  expect(JSON.stringify(failed.map(({ attributes }) => attributes))).not.toContain('999');
  expect(spans.every(({ ended }) => ended)).toBe(true);
  await factory.close();
});

test('wraps nothing unless it is asked for', async () => {
  const leaves: Executor[] = [];
  const factory = localExecutorFactory({
    backend: await loadBackend(),
    wrapLeaf: (leaf) => {
      leaves.push(leaf);
      return leaf;
    },
  });
  await factory.createExecutor({ clients: 1 });
  expect(leaves.some((leaf) => leaf instanceof TracingExecutor)).toBe(false);
  await factory.close();
});
