/** @file Carries out the requests of a batch, one after the other; see batch.proto. */

import { create } from '@bufbuild/protobuf';
import {
  type BatchRequest,
  type BatchResponse,
  BatchResponseSchema,
  type BatchStep,
} from '../../../computations/wire/gen/fedloom/v1/batch_pb.ts';
import { ExecutorGroup, type ExecutorId, type ValueRef } from '../../../computations/wire/index.ts';
import type { ExecutorMethod, ExecutorRequest, ExecutorResponse } from '../calls.ts';
import { decodeStepValue } from '../messages/batch-codec.ts';
import { transportError } from '../status.ts';

/** Carries out one request. */
export type ServeOne = <M extends ExecutorMethod>(
  method: M,
  request: ExecutorRequest<M>,
) => Promise<ExecutorResponse<M>>;

/**
 * @throws TransportError `transport.resource_exhausted` for too many steps, `transport.invalid_argument`
 *   for a step that makes nothing or uses the value of none before it; what the request of a step fails
 *   with. Then nothing that the batch made is left.
 */
export async function serveBatch(
  { executor: asked, disposed, steps, computed }: BatchRequest,
  serve: ServeOne,
): Promise<BatchResponse> {
  if (steps.length > MAX_STEPS) {
    throw transportError(
      'transport.resource_exhausted',
      `A batch has ${steps.length} steps; at most ${MAX_STEPS} are taken.`,
    );
  }
  const executor = asked === undefined ? {} : { executor: asked };
  const made: ValueRef[] = [];
  try {
    await dispose(disposed, executor, serve);
    for (const step of steps) {
      const { valueRef } = await makeOne(step, made, executor, serve);
      if (valueRef === undefined) throw noStep('made no value');
      made.push(valueRef);
    }
    const read =
      computed && (await serve('compute', computeOf(resolved(computed, made), executor)));
    await dispose(
      made.filter((_, i) => steps[i]?.temporary),
      executor,
      serve,
    );
    return create(BatchResponseSchema, {
      made: made.filter((_, i) => !steps[i]?.temporary),
      ...(read?.value !== undefined && { value: read.value }),
    });
  } catch (error) {
    await dispose(made, executor, serve);
    throw error;
  }
}

interface OnExecutor {
  readonly executor?: ExecutorId;
}

function makeOne(
  { kind }: BatchStep,
  made: readonly ValueRef[],
  executor: OnExecutor,
  serve: ServeOne,
): Promise<{ readonly valueRef?: ValueRef | undefined }> {
  switch (kind.case) {
    case 'value':
      return serve(
        'createValue',
        create(METHODS.createValue.input, { ...executor, value: decodeStepValue(kind.value) }),
      );
    case 'call': {
      const { functionRef, argumentRef } = kind.value;
      return serve(
        'createCall',
        create(METHODS.createCall.input, {
          ...executor,
          ...(functionRef && { functionRef: resolved(functionRef, made) }),
          ...(argumentRef && { argumentRef: resolved(argumentRef, made) }),
        }),
      );
    }
    case 'struct': {
      const element = kind.value.element.map(({ $typeName, name, valueRef }) => ({
        $typeName,
        name,
        ...(valueRef && { valueRef: resolved(valueRef, made) }),
      }));
      return serve('createStruct', create(METHODS.createStruct.input, { ...executor, element }));
    }
    case 'selection': {
      const { sourceRef, index } = kind.value;
      return serve(
        'createSelection',
        create(METHODS.createSelection.input, {
          ...executor,
          index,
          ...(sourceRef && { sourceRef: resolved(sourceRef, made) }),
        }),
      );
    }
    default:
      throw noStep('is of no kind that is known');
  }
}

/** Values that are gone are gone already. */
async function dispose(
  valueRef: readonly ValueRef[],
  executor: OnExecutor,
  serve: ServeOne,
): Promise<void> {
  if (valueRef.length === 0) return;
  await serve('dispose', create(METHODS.dispose.input, { ...executor, valueRef: [...valueRef] }));
}

function computeOf(valueRef: ValueRef, executor: OnExecutor): ExecutorRequest<'compute'> {
  return create(METHODS.compute.input, { ...executor, valueRef });
}

/** `#0` is what the first step made. */
function resolved(ref: ValueRef, made: readonly ValueRef[]): ValueRef {
  const [, step] = /^#([0-9]{1,4})$/.exec(ref.id) ?? [];
  if (step === undefined) return ref;
  const value = made[Number(step)];
  if (value === undefined) throw noStep(`uses the value of step ${step}, which is none before it`);
  return value;
}

function noStep(problem: string): Error {
  return transportError('transport.invalid_argument', `A step of a batch ${problem}.`);
}

const METHODS = ExecutorGroup.method;

const MAX_STEPS = 1_000;
