/** @file What is done with the values that a call made when whoever asked for them cannot be told. */

import { create } from '@bufbuild/protobuf';
import type { BatchRequest } from '../../computations/wire/gen/fedloom/v1/batch_pb.ts';
import { ExecutorGroup, type ExecutorId, type ValueRef } from '../../computations/wire/index.ts';
import type { ExecutorCalls, ExecutorMethod, ExecutorRequest, ExecutorResponse } from './calls.ts';

/**
 * Disposes of what a call made for somebody who cannot be told of it: because the call was cancelled,
 * or the connection is gone. Whoever serves calls says so here for a response that is not delivered.
 */
export function takeBack<M extends ExecutorMethod>(
  calls: ExecutorCalls,
  method: M,
  request: ExecutorRequest<M>,
  response: ExecutorResponse<M>,
): void {
  const options = { timeoutMs: TAKE_BACK_MS };
  const disposing = ((): Promise<unknown> | null => {
    if ('executor' in response && method === 'getExecutor') {
      return calls.call('disposeExecutor', disposalOf(response.executor), options);
    }
    if (!('valueRef' in response) || response.valueRef === undefined) return null;
    return 'executor' in request ? dispose(calls, request.executor, [response.valueRef]) : null;
  })();
  disposing?.catch(() => {});
}

/** As `takeBack`, for what a batch made. */
export function takeBackBatch(
  calls: ExecutorCalls,
  { executor }: Pick<BatchRequest, 'executor'>,
  made: readonly ValueRef[],
): void {
  if (made.length > 0) dispose(calls, executor, made)?.catch(() => {});
}

function dispose(
  calls: ExecutorCalls,
  executor: ExecutorId | undefined,
  values: readonly ValueRef[],
): Promise<unknown> | null {
  if (executor === undefined) return null;
  const message = create(ExecutorGroup.method.dispose.input, { executor, valueRef: [...values] });
  return calls.call('dispose', message, { timeoutMs: TAKE_BACK_MS });
}

function disposalOf(executor: ExecutorResponse<'getExecutor'>['executor']) {
  return create(
    ExecutorGroup.method.disposeExecutor.input,
    executor === undefined ? {} : { executor },
  );
}

/** Disposal is quick; this only keeps a transport that hangs from being waited for. */
const TAKE_BACK_MS = 10_000;
