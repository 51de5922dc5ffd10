/**
 * @file Contexts: what a call of a computation means. A federated trace turns it into a building
 * block; an execution context runs it. `withContext` follows asynchronous calls, so two requests of
 * one server can use different contexts at the same time.
 */

import { AsyncContext } from '#async-context';
import type { AnyComputation } from '../computation.ts';
import { ContextError } from '../types/index.ts';

/** Runs computations on plain data. */
export interface Context {
  /**
   * @param args plain data, one entry a parameter.
   * @returns plain data: see `ResultOf`.
   */
  invoke(computation: AnyComputation, args: readonly unknown[]): Promise<unknown>;
}

/** Makes `context` the one that runs computations where `withContext` says nothing else; `null` means none. */
export function setDefaultContext(context: Context | null): void {
  installed = { context };
}

/** Runs `body` with `context` as the current one, in everything that it calls or awaits. */
export function withContext<T>(context: Context, body: () => T): T {
  return scoped.run(context, body);
}

/**
 * The context that a call made now would use.
 * @throws ContextError `context.none` if there is none.
 */
export function currentContext(): Context {
  const context =
    scoped.current() ?? installed?.context ?? (installed === undefined ? fallback?.() : undefined);
  if (!context) {
    throw new ContextError(
      'context.none',
      'No context is installed to run the computation in. Call setDefaultContext(new ExecutionContext(localExecutorFactory())), or use withContext.',
    );
  }
  return context;
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

const scoped = new AsyncContext<Context>();
let installed: { readonly context: Context | null } | undefined;
let fallback: (() => Context) | undefined;
