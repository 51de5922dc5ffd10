/**
 * @file The steps of a client, each from encoded message to encoded message: the state machines of
 * secure aggregation, and what this service checks besides before a client takes part.
 */

import {
  type Announcement,
  advertisementCodec,
  announcementCodec,
  chooseClientNeighbours,
  commitmentCodec,
  concatBytes,
  confirmationCodec,
  confirmationsCodec,
  confirmSurvivors,
  type DecodingLimits,
  dealtSharesCodec,
  equalBytes,
  type Fault,
  type IntegerVector,
  type MaskedVector,
  type MessageCodec,
  maskClientVectors,
  maskedVectorsCodec,
  neighbourChoiceCodec,
  neighbourhoodCodec,
  type Quantization,
  type Rng,
  revealedSharesCodec,
  type SecAggClientConfig,
  type SecAggClientState,
  shareClientSecrets,
  sharedSecretsCodec,
  startSecAggClient,
  survivorSetCodec,
  unmaskConfirmed,
  unmaskSurvivors,
} from '../../../protocols/index.ts';
import { type SummationStep, taskCodec } from '../messages.ts';
import { problemOfTask, type SummationTask, vectorsOf } from '../task.ts';
import { RefusedStep, requireStep } from './refused-step.ts';

export interface StepEnvironment {
  readonly config: SecAggClientConfig;
  readonly quantization: Quantization;
  readonly limits: DecodingLimits;
  readonly accept?: (task: SummationTask, clients: number) => boolean;
  readonly rng?: Rng;
}

/** What a step leads to; no state after the last. */
export interface StepDone {
  readonly state: SecAggClientState | undefined;
  readonly body: Uint8Array;
}

export interface Started extends StepDone {
  readonly state: SecAggClientState;
  readonly task: SummationTask;
  /** How many clients were asked to take part. */
  readonly clients: number;
}

/** @throws RefusedStep where the client does not take part. */
export function startStep(
  request: { readonly session: Uint8Array; readonly task: Uint8Array; readonly body: Uint8Array },
  { config, quantization, limits, accept, rng }: StepEnvironment,
): Started {
  const announcement = requireStep<Announcement | Fault>(
    announcementCodec.decode(request.body, limits),
  );
  const { agreement } = announcement;
  if (!equalBytes(agreement.session, request.session)) {
    throw new RefusedStep('wrong-session', 'the announcement is of another session');
  }
  const task = requireStep<SummationTask | Fault>(taskCodec.decode(request.task, limits));
  const problem = problemOfTask(task, agreement.clients) ?? problemForClient(task, quantization);
  if (problem !== undefined) throw new RefusedStep(problem.code, problem.message);
  if (accept?.(task, agreement.clients) === false) {
    throw new RefusedStep('task-refused', 'this client is not ready to sum this');
  }
  requireVectors(agreement.vectors, vectorsOf(task, agreement.clients));
  const step = requireStep(
    startSecAggClient(announcement, config, rng === undefined ? {} : { rng }),
  );
  return {
    state: step.state,
    body: advertisementCodec.encode(step.message),
    task,
    clients: agreement.clients,
  };
}

/**
 * A step between the first and the one that masks, or behind it. The state is the caller's to abandon.
 * @throws RefusedStep
 */
export function laterStep(
  step: Exclude<SummationStep, 'advertise' | 'mask-vectors' | 'leave'>,
  state: SecAggClientState,
  body: Uint8Array,
  { limits, rng }: StepEnvironment,
): StepDone {
  const random = rng === undefined ? {} : { rng };
  switch (step) {
    case 'choose-neighbours':
      return continued(body, commitmentCodec, neighbourChoiceCodec, (message) =>
        chooseClientNeighbours(state as never, message, random),
      );
    case 'share-keys':
      return continued(body, neighbourhoodCodec, sharedSecretsCodec, (message) =>
        shareClientSecrets(state as never, message, random),
      );
    case 'confirm-survivors':
      return continued(body, survivorSetCodec, confirmationCodec, (message) =>
        confirmSurvivors(state as never, message),
      );
    case 'unmask': {
      const confirmed = confirmationsCodec.decode(body, limits);
      // Which of the two messages it is depends on the model, and one decodes as no other.
      const last =
        confirmed.kind === 'fault'
          ? unmaskSurvivors(state as never, requireStep(survivorSetCodec.decode(body, limits)))
          : unmaskConfirmed(state as never, confirmed);
      return { state: undefined, body: revealedSharesCodec.encode(requireStep(last).message) };
    }
  }

  function continued<In extends object, Out>(
    bytes: Uint8Array,
    takes: MessageCodec<In>,
    gives: MessageCodec<Out>,
    run: (
      message: In,
    ) =>
      | { readonly kind: 'continue'; readonly state: SecAggClientState; readonly message: Out }
      | Fault,
  ): StepDone {
    const message = requireStep<In | Fault>(takes.decode(bytes, limits)) as In;
    const next = requireStep(run(message)) as {
      readonly state: SecAggClientState;
      readonly message: Out;
    };
    return { state: next.state, body: gives.encode(next.message) };
  }
}

/** @throws RefusedStep */
export function maskStep(
  state: SecAggClientState,
  body: Uint8Array,
  input: { readonly vectors: readonly IntegerVector[]; readonly context: Uint8Array },
  { limits }: StepEnvironment,
): StepDone {
  const message = requireStep(dealtSharesCodec.decode(body, limits));
  const next = requireStep(maskClientVectors(state as never, message, input));
  return { state: next.state, body: maskedVectorsCodec.encode(next.message) };
}

/** What masks are bound to: the task as it was told, and what the application has alike. */
export function maskContext(task: SummationTask, context: Uint8Array): Uint8Array {
  const encoded = taskCodec.encode(task);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, encoded.length);
  return concatBytes(length, encoded, context);
}

/** A client quantises by its own parameters, so that no sum is read on a wrong scale. */
function problemForClient(
  task: SummationTask,
  own: Quantization,
): { readonly code: string; readonly message: string } | undefined {
  if (task.kind === 'sum') return undefined;
  const options = ['clippingRange', 'quantizationRange', 'maxWeight', 'modulusRange'] as const;
  const option = options.find((name) => task.quantization[name] !== own[name]);
  if (option === undefined) return undefined;
  return {
    code: 'quantization-refused',
    message: `the server quantises with a ${option} of ${task.quantization[option]}, and this client with ${own[option]} only`,
  };
}

/** The vectors of the protocol are those of the task, no larger ones beside it. */
function requireVectors(given: readonly MaskedVector[], wanted: readonly MaskedVector[]): void {
  const same =
    given.length === wanted.length &&
    given.every((vector, i) => {
      const other = wanted[i]!;
      return (
        vector.kind === 'sum' &&
        other.kind === 'sum' &&
        vector.id === other.id &&
        vector.length === other.length &&
        vector.maximum === other.maximum &&
        vector.modulus === other.modulus
      );
    });
  if (same) return;
  throw new RefusedStep('invalid-parameters', 'the vectors of the round are not those of its task');
}
