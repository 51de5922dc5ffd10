/**
 * @file Secure summation for those who want no computations, only a sum: the workflow of Flower's
 * `SecAggWorkflow` and `SecAggPlusWorkflow` with its parameters and stages, over any transport. What
 * differs: parameters that are not secure, or could overflow, are refused before any message is sent,
 * and in the active model clients check the server.
 */

import { sha256 } from '#crypto';
import { ExecutionError } from '../../computations/types/index.ts';
import { SecAggRound, type SecAggRoundResult } from '../../executors/index.ts';
import { faultError } from '../../executors/secure/faults.ts';
import {
  dequantizeSums,
  errorBound,
  isFault,
  packedLength,
  type Residues,
  randomBytes,
  type SecAggAgreement,
  type SecAggServerStage,
  toHex,
} from '../../protocols/index.ts';
import { maskContext } from './client/steps.ts';
import { agreedParameters, badParameters, cohortOf, parametersFor } from './cohort.ts';
import {
  StageListeners,
  type StageTraffic,
  type SummationEvents,
  type SummationStage,
} from './events.ts';
import { taskCodec } from './messages.ts';
import { type CheckedOptions, checkedOptions, type SecAggWorkflowOptions } from './options.ts';
import { EnvelopePeer, type SummationPeer } from './peer.ts';
import { type RoundSummary, SummationRound } from './round.ts';
import {
  problemOfTask,
  quantizationOf,
  type SummationTask,
  type SumTask,
  type TensorShape,
  type TensorTask,
  tensorTask,
  vectorsOf,
  type WeightedMeanTask,
} from './task.ts';

export interface RoundOptions {
  /**
   * What all clients have to have alike, for example the hash of the model that they train: clients
   * with another add noise, and their vectors are refused. Up to 64 KiB.
   * @default nothing
   */
  readonly context?: Uint8Array;
  /** Ends the round. */
  readonly signal?: AbortSignal;
}

export interface WeightedMeanOptions extends RoundOptions {
  /** Shapes of the tensors by name; a number is the length of a vector. */
  readonly tensors: { readonly [name: string]: TensorShape };
}

export interface SumOptions extends RoundOptions {
  /** The tensors by name: largest value of a client, and shape; of a number, by default. */
  readonly tensors: {
    readonly [name: string]: { readonly maximum: number | bigint; readonly shape?: TensorShape };
  };
}

export interface WeightedMean extends RoundSummary {
  /** The means, by name. */
  readonly mean: { readonly [name: string]: Float32Array };
  /** Sum of the weights of the clients in it. */
  readonly totalWeight: number;
  /**
   * How far each value can be from the exact mean of the clients' values, clipped: always, not only
   * probably.
   */
  readonly errorBound: number;
}

export interface IntegerSum extends RoundSummary {
  /** The exact sums, by name. */
  readonly sums: { readonly [name: string]: BigUint64Array };
}

/**
 * Secure sums and weighted means over clients that can be lost at any time.
 * @throws ValueError `value.out_of_range` for parameters that break a rule.
 */
export function secAggWorkflow(options: SecAggWorkflowOptions = {}): SecAggWorkflow {
  return new SecAggWorkflow(options);
}

export class SecAggWorkflow {
  readonly #options: CheckedOptions;
  readonly #listeners = new StageListeners();

  constructor(options: SecAggWorkflowOptions) {
    this.#options = checkedOptions(options);
  }

  /**
   * Calls `listener` at each event of that stage in any round from now on.
   * @returns ends that.
   * @example workflow.on('setup', (event) => { if (event.kind === 'end') console.log(event.answered); });
   */
  on<S extends SummationStage>(
    stage: S,
    listener: (event: SummationEvents[S]) => void,
  ): () => void {
    return this.#listeners.on(stage, listener);
  }

  /**
   * Begins a round for the mean of the clients' floats, each weighed by its client. No message is sent
   * before its first stage. Rounds are independent; any number can run at a time.
   * @throws ValueError `value.out_of_range` for clients or tensors that make no round.
   * @throws ProtocolAbortError `protocol.bad_parameters` where so many clients could overflow the sum,
   *   or the parameters are not secure for them.
   */
  startMean(
    clients: readonly SummationPeer[],
    { tensors, context = NOTHING, signal }: WeightedMeanOptions,
  ): SummationRound<WeightedMean> {
    const { clippingRange, quantizationRange, maxWeight, modulusRange } =
      this.#options.quantization;
    const task: WeightedMeanTask = {
      kind: 'weighted-mean',
      tensors: Object.entries(tensors).map(([name, shape]) => tensorTask(name, shape)),
      quantization: { clippingRange, quantizationRange, maxWeight, modulusRange },
      context: context.slice(),
    };
    return this.#start(clients, task, signal, (result, summary) => meanOf(task, result, summary));
  }

  /**
   * Begins a round for exact sums of the clients' whole numbers, which are not quantised.
   * @throws as `startMean` does.
   */
  startSum(
    clients: readonly SummationPeer[],
    { tensors, context = NOTHING, signal }: SumOptions,
  ): SummationRound<IntegerSum> {
    const task: SumTask = {
      kind: 'sum',
      tensors: Object.entries(tensors).map(([name, { maximum, shape = [] }]) => ({
        ...tensorTask(name, shape),
        maximum: wholeMaximum(name, maximum),
      })),
      context: context.slice(),
    };
    return this.#start(clients, task, signal, (result, summary) => ({
      ...summary,
      sums: byName(task.tensors, (_, i) => unsigned(result.sums[i]!)),
    }));
  }

  #start<R extends RoundSummary>(
    clients: readonly SummationPeer[],
    task: SummationTask,
    signal: AbortSignal | undefined,
    finish: (result: SecAggRoundResult, summary: RoundSummary) => R,
  ): SummationRound<R> {
    const options = this.#options;
    const { peers, places } = cohortOf(clients, options);
    const problem = problemOfTask(task, peers.length);
    if (problem !== undefined) throw badParameters(problem.code, problem.message);
    const parameters = parametersFor(peers.length, options);
    const { roster, rng = randomBytes, timeoutMs, unmasking } = options;
    const agreement: SecAggAgreement = {
      ...agreedParameters(parameters),
      session: rng(32),
      round: 0,
      rosterHash: roster?.hash ?? NOTHING,
      cohort: places,
      vectors: vectorsOf(task, peers.length),
    };
    const encodedTask = taskCodec.encode(task);
    const total = { toClients: 0, toServer: 0 };
    const mostBytes = answerLimits(agreement);
    const enveloped = peers.map(
      (peer) =>
        new EnvelopePeer(peer, {
          session: agreement.session,
          task: encodedTask,
          leaveTimeoutMs: Math.min(timeoutMs, LEAVE_TIMEOUT_MS),
          mostBytes,
          count: ({ toClients, toServer }: StageTraffic) => {
            total.toClients += toClients;
            total.toServer += toServer;
          },
        }),
    );
    const byClient = new Map(enveloped.map((peer) => [peer.name, peer]));
    return new SummationRound<R>({
      id: toHex(agreement.session),
      parameters,
      listeners: new StageListeners(this.#listeners),
      signal,
      trafficOf: (client) => byClient.get(client)!.traffic,
      traffic: () => ({ ...total }),
      open: ({ request, onAnswer }) =>
        new SecAggRound(
          enveloped,
          {
            agreement,
            contextHash: sha256(maskContext(task, task.context)),
            ...(roster !== undefined && { roster }),
          },
          {
            timeoutMs,
            request,
            onAnswer,
            ...(unmasking !== undefined && { unmasking }),
            ...(options.rng !== undefined && { rng: options.rng }),
          },
        ),
      finish,
    });
  }
}

/** @throws ExecutionError `execution.zero_weight`; ProtocolAbortError for a sum that nobody can have. */
function meanOf(
  task: WeightedMeanTask,
  { sums }: SecAggRoundResult,
  summary: RoundSummary,
): WeightedMean {
  const quantization = quantizationOf(task);
  const levels = sums[0]!.values as ArrayLike<number> | ArrayLike<bigint>;
  const clients = summary.clients.length;
  const outcome = dequantizeSums(quantization, 'weighted-mean', levels, clients);
  if (isFault(outcome)) throw faultError(outcome);
  if (outcome.kind === 'no-weight') {
    throw new ExecutionError(
      'execution.zero_weight',
      "The weights of the mean add up to zero, or are too small against the workflow's maxWeight.",
    );
  }
  const { maxWeight, weightLevels } = quantization;
  const totalWeight = Number(levels[0]) / (weightLevels / maxWeight);
  let position = 0;
  return {
    ...summary,
    mean: byName(task.tensors, ({ length }) => {
      const start = position;
      position += length;
      return outcome.values.slice(start, position);
    }),
    totalWeight,
    errorBound: errorBound(quantization, {
      aggregation: 'weighted-mean',
      clients,
      totalWeight: Math.min(totalWeight, clients * maxWeight),
    }),
  };
}

/** The longest honest answers of a round, with some room. */
function answerLimits({ clients, vectors }: SecAggAgreement): (step: SecAggServerStage) => number {
  // For each other client at most a sealed share with two commitments, or a statement.
  const others = 4_096 + 256 * clients;
  const packed = vectors.reduce(
    (sum, { modulus, length }) => sum + packedLength(modulus, length) + 64,
    0,
  );
  return (step) => (step === 'mask-vectors' ? others + packed : others);
}

function byName<T extends TensorTask, V>(
  tensors: readonly T[],
  make: (tensor: T, index: number) => V,
): { readonly [name: string]: V } {
  // Without a prototype, so that no name of a tensor means anything else.
  const values: { [name: string]: V } = Object.create(null);
  for (const [i, tensor] of tensors.entries()) values[tensor.name] = make(tensor, i);
  return values;
}

function unsigned({ values }: Residues): BigUint64Array {
  return values instanceof BigUint64Array
    ? values
    : BigUint64Array.from(values as ArrayLike<number | bigint>, BigInt);
}

function wholeMaximum(name: string, maximum: number | bigint): bigint {
  if (typeof maximum === 'bigint' || Number.isSafeInteger(maximum)) return BigInt(maximum);
  throw badParameters(
    'invalid-parameters',
    `the maximum of the tensor "${name}" is a whole number; got ${maximum}`,
  );
}

const NOTHING = new Uint8Array(0);
const LEAVE_TIMEOUT_MS = 10_000;
