/**
 * @file Contexts: what a call of a computation means. A federated trace turns it into a building
 * block; an execution context runs it. `withContext` follows asynchronous calls, so two requests of
 * one server can use different contexts at the same time.
 */

import { AsyncContext } from '#async-context';
import type { AnyComputation } from '../computation.ts';
import { ContextError } from '../types/index.ts';

/** What ends an invocation before it is done. */
export interface InvokeOptions {
  /** Cancels the invocation: it rejects with `context.cancelled`. */
  readonly signal?: AbortSignal;
  /**
   * How long the invocation may take, in milliseconds; then it rejects with
   * `context.deadline_exceeded`. @default no limit
   */
  readonly timeoutMs?: number;
}

/** Runs computations on plain data. */
export interface Context {
  /**
   * @param args plain data, one entry a parameter.
   * @returns plain data: see `ResultOf`.
   */
  invoke(
    computation: AnyComputation,
    args: readonly unknown[],
    options?: InvokeOptions,
  ): Promise<unknown>;
}

/** Makes `context` the one that runs computations where `withContext` says nothing else; `null` means none. */
export function setDefaultContext(context: Context | null): void {
  installed = { context };
}

/**
 * Runs `body` with `context` as the current one, in everything that it calls or awaits.
 * @param options end the invocations in `body`: the signal cancels all of them, and the time counts
 *   from now for all of them together. What an outer `withContext` says goes on to count.
 */
export function withContext<T>(context: Context, body: () => T, options: InvokeOptions = {}): T {
  const { signal, timeoutMs } = options;
  const outer = scoped.current();
  const signals = [...(outer?.signals ?? []), ...(signal === undefined ? [] : [signal])];
  const deadline = Math.min(
    outer?.deadline ?? Number.POSITIVE_INFINITY,
    timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs,
  );
  return scoped.run({ context, signals, deadline }, body);
}

/**
 * The context that a call made now would use.
 * @throws ContextError `context.none` if there is none.
 */
export function currentContext(): Context {
  const context =
    scoped.current()?.context ??
    installed?.context ??
    (installed === undefined ? fallback?.() : undefined);
  if (!context) {
    throw new ContextError(
      'context.none',
      'No context is installed to run the computation in. Call setDefaultContext(new ExecutionContext(localExecutorFactory())), or use withContext.',
    );
  }
  return context;
}

/**
 * Runs a computation in the current context, under what the enclosing `withContext` said.
 * @internal
 */
export function invokeHere(computation: AnyComputation, args: readonly unknown[]): unknown {
  const context = currentContext();
  const { signals = [], deadline = Number.POSITIVE_INFINITY } = scoped.current() ?? {};
  if (signals.length === 0 && deadline === Number.POSITIVE_INFINITY) {
    return context.invoke(computation, args);
  }
  const [only] = signals;
  return context.invoke(computation, args, {
    ...(only !== undefined && {
      signal: signals.length === 1 ? only : AbortSignal.any([...signals]),
    }),
    ...(deadline !== Number.POSITIVE_INFINITY && {
      timeoutMs: Math.max(0, deadline - performance.now()),
    }),
  });
}

/**
 * Says what runs computations as long as no default context was set. `runtime/` registers the local one.
 * @internal
 */
export function setFallbackContext(create: () => Context): void {
  let context: Context | undefined;
  fallback = () => {
    context ??= create();
    return context;
  };
}

interface Scope {
  readonly context: Context;
  readonly signals: readonly AbortSignal[];
  /** On the clock of `performance.now()`, in milliseconds. */
  readonly deadline: number;
}

const scoped = new AsyncContext<Scope>();
let installed: { readonly context: Context | null } | undefined;
let fallback: (() => Context) | undefined;
