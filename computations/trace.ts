/**
 * @file The trace of a federated body: every intrinsic that the body calls is bound to a name, in
 * the order of the calls, so that it runs once however often its result is used.
 */

import { type BuildingBlock, block, type Reference, reference } from './building-blocks.ts';
import { ContextError, TraceError } from './types/index.ts';

export class FederatedTrace {
  readonly name: string;
  readonly #locals: { readonly name: string; readonly value: BuildingBlock }[] = [];
  #closed = false;

  constructor(name: string) {
    this.name = name;
  }

  /**
   * Binds a building block to a fresh name and returns a reference to it.
   * @throws TraceError `trace.leaked_tracer` if the body has been traced to its end.
   */
  bind(value: BuildingBlock): Reference {
    if (this.#closed) {
      throw new TraceError(
        'trace.leaked_tracer',
        `A value of the body of '${this.name}' is used after that body has returned. Return what is needed of it.`,
      );
    }
    const name = `fc_${this.name}_symbol_${this.#locals.length}`;
    this.#locals.push({ name, value });
    return reference(name, value.type);
  }

  /** The body's result, inside the bindings that it needs. */
  close(result: BuildingBlock): BuildingBlock {
    this.#closed = true;
    return this.#locals.length === 0 ? result : block(this.#locals, result);
  }
}

// Tracing is synchronous, so one stack serves every asynchronous task.
const traces: FederatedTrace[] = [];

/** Runs `body` as the body of `trace`. */
export function runTrace<T>(trace: FederatedTrace, body: () => T): T {
  traces.push(trace);
  try {
    return body();
  } finally {
    traces.pop();
  }
}

export function isTracing(): boolean {
  return traces.length > 0;
}

/**
 * The trace of the innermost body that is being traced.
 * @param what names the caller in the message.
 * @throws ContextError `context.not_federated` outside of any body.
 */
export function currentTrace(what: string): FederatedTrace {
  const trace = traces.at(-1);
  if (trace === undefined) {
    throw new ContextError(
      'context.not_federated',
      `${what} was called outside the body of a federatedComputation. Wrap it: federatedComputation([types], (…) => ${what}(…)).`,
    );
  }
  return trace;
}
