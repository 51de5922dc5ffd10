/** @file Workers of a test, in memory or over gRPC, which can go down and come back empty. */

import type { Backend } from '../../../computations/tensors/index.ts';
import type { ExecutorFactory } from '../../../executors/executor.ts';
import type { Operator } from '../../../executors/leaf/operator.ts';
import type {
  CallOptions,
  ExecutorCalls,
  ExecutorMethod,
  ExecutorRequest,
  ExecutorResponse,
} from '../../../executors/remote/calls.ts';
import { ExecutorHost } from '../../../executors/remote/host/host.ts';
import { inMemoryCalls } from '../../../executors/remote/in-memory.ts';
import { transportError } from '../../../executors/remote/status.ts';
import { leafExecutor, localExecutorFactory } from '../../../runtime/index.ts';
import { workerExecutors } from '../../../runtime/remote/worker-executors.ts';

export interface TestWorkerOptions {
  readonly name: string;
  readonly backend: Backend;
  readonly operators?: readonly Operator[];
  /** @default the local simulation */
  readonly factory?: ExecutorFactory;
}

export class TestWorker {
  readonly name: string;
  /** What asks it: as bytes, unless it is down. */
  readonly calls: ExecutorCalls;
  /** Cardinalities for which it made executors, one after the other. */
  readonly made: string[] = [];
  /** The calls that came. */
  readonly called: ExecutorMethod[] = [];
  /** Asked before each call: whether it is down from now on. */
  failsAt: (method: ExecutorMethod) => boolean = () => false;
  #down = false;
  #host: ExecutorHost;
  readonly #factory: ExecutorFactory;
  readonly #newHost: () => ExecutorHost;

  constructor({ name, backend, operators = [], factory }: TestWorkerOptions) {
    this.name = name;
    this.#factory = factory ?? localExecutorFactory({ backend });
    const makeExecutor = workerExecutors({
      leaf: () => leafExecutor(backend, { operators }),
      factory: this.#factory,
    });
    this.#newHost = () =>
      new ExecutorHost({
        makeExecutor: (cardinalities) => {
          this.made.push(JSON.stringify(cardinalities));
          return makeExecutor(cardinalities);
        },
      });
    this.#host = this.#newHost();
    const bytes = inMemoryCalls({
      call: (method, request, options) => this.#host.call(method, request, options),
    });
    this.calls = {
      call: (method, request, options) => this.#call(bytes, method, request, options),
    };
  }

  /** What is served, without the switch. */
  get host(): ExecutorHost {
    return this.#host;
  }

  down(): void {
    this.#down = true;
  }

  /** Comes back with nothing of what it had. */
  async restart(): Promise<void> {
    await this.#host.close();
    this.#host = this.#newHost();
    this.failsAt = () => false;
    this.#down = false;
  }

  async stop(): Promise<void> {
    await this.#host.close();
    await this.#factory.close();
  }

  async #call<M extends ExecutorMethod>(
    calls: ExecutorCalls,
    method: M,
    request: ExecutorRequest<M>,
    options: CallOptions,
  ): Promise<ExecutorResponse<M>> {
    this.called.push(method);
    if (this.failsAt(method)) this.#down = true;
    if (this.#down) throw transportError('transport.unavailable', `${this.name} is down.`);
    return calls.call(method, request, options);
  }
}
