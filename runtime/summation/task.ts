/**
 * @file What is summed in a round: named tensors of integers, or of floats for a weighted mean. The
 * task is data that the server tells and each client checks. Clients bind their masks to its bytes, so
 * clients that were told different tasks make noise together.
 */

import { ValueError } from '../../computations/types/index.ts';
import {
  type MaskedVector,
  ProtocolError,
  type Quantization,
  type QuantizationOptions,
  quantization,
  requireNoOverflow,
  sumVector,
} from '../../protocols/index.ts';

/** Sizes of a tensor's dimensions, or the length of a vector. */
export type TensorShape = readonly number[] | number;

export interface TensorTask {
  readonly name: string;
  readonly shape: readonly number[];
  /** Product of the shape. */
  readonly length: number;
}

export interface IntegerTensorTask extends TensorTask {
  /** The largest value of a client; the least is 0. */
  readonly maximum: bigint;
}

/** The options by which a mean is quantised, all of them. */
export type QuantizationTask = Required<{
  readonly [option in keyof QuantizationOptions]: number;
}>;

export interface WeightedMeanTask {
  readonly kind: 'weighted-mean';
  readonly tensors: readonly TensorTask[];
  readonly quantization: QuantizationTask;
  /** What the application wants all clients to have alike, for example the hash of a model. */
  readonly context: Uint8Array;
}

export interface SumTask {
  readonly kind: 'sum';
  readonly tensors: readonly IntegerTensorTask[];
  readonly context: Uint8Array;
}

export type SummationTask = WeightedMeanTask | SumTask;

/** What can be wrong with a task that somebody else made. */
export interface TaskProblem {
  readonly code: 'invalid-parameters' | 'modulus-too-small' | 'quantization-refused';
  readonly message: string;
}

/**
 * The tensors of a task.
 * @throws ValueError `value.out_of_range` for a name or shape that is none.
 */
export function tensorTask(name: string, shape: TensorShape): TensorTask {
  const dimensions = typeof shape === 'number' ? [shape] : [...shape];
  const length = dimensions.reduce((product, size) => product * size, 1);
  const problem = problemOfTensor({ name, shape: dimensions, length });
  if (problem !== undefined) throw new ValueError('value.out_of_range', `${problem}.`);
  return { name, shape: dimensions, length };
}

/** The vectors that the protocol sums for a task: what every client expects to be asked for. */
export function vectorsOf(task: SummationTask, clients: number): MaskedVector[] {
  if (task.kind === 'sum') {
    return task.tensors.map(({ name, length, maximum }) =>
      sumVector(name, length, maximum, clients),
    );
  }
  // As in Flower's [w, w * x]: the weight leads, and is no larger than the levels behind it.
  const length = task.tensors.reduce((total, tensor) => total + tensor.length, 1);
  const bound = BigInt(task.quantization.quantizationRange - 1);
  return [sumVector(LEVELS, length, bound, clients)];
}

/** What makes no sense for anybody, or more than a sum can hold. */
export function problemOfTask(task: SummationTask, clients: number): TaskProblem | undefined {
  const invalid = (message: string): TaskProblem => ({ code: 'invalid-parameters', message });
  if (task.tensors.length === 0) return invalid('There is no tensor to sum');
  if (task.tensors.length > MOST_TENSORS) {
    return invalid(`${task.tensors.length} tensors are more than ${MOST_TENSORS}`);
  }
  const names = new Set<string>();
  let values = 0;
  for (const tensor of task.tensors) {
    const problem = problemOfTensor(tensor);
    if (problem !== undefined) return invalid(problem);
    if (names.has(tensor.name)) return invalid(`Two tensors are called "${tensor.name}"`);
    names.add(tensor.name);
    values += tensor.length;
  }
  if (values > MOST_VALUES) return invalid(`${values} values are more than ${MOST_VALUES}`);
  if (task.context.length > MOST_CONTEXT) {
    return invalid(`A context of ${task.context.length} bytes is longer than ${MOST_CONTEXT}`);
  }
  return task.kind === 'sum'
    ? problemOfMaxima(task, clients)
    : problemOfQuantization(task.quantization, clients);
}

/** @throws ProtocolError `invalid-quantization` */
export function quantizationOf({ quantization: options }: WeightedMeanTask): Quantization {
  return quantization(options);
}

function problemOfTensor({ name, shape, length }: TensorTask): string | undefined {
  const bytes = new TextEncoder().encode(name).length;
  if (bytes < 1 || bytes > MOST_NAME_BYTES || /[\p{Surrogate}\p{Cc}]/u.test(name)) {
    return `A tensor is named by 1 to ${MOST_NAME_BYTES} bytes of UTF-8 without control characters`;
  }
  if (
    shape.length > MOST_DIMENSIONS ||
    !shape.every((size) => Number.isSafeInteger(size) && size >= 0 && size < 2 ** 32) ||
    length > MOST_VALUES
  ) {
    return `The tensor "${name}" has no shape of up to ${MOST_DIMENSIONS} whole numbers and ${MOST_VALUES} values; got ${shape.join(' x ')}`;
  }
  return undefined;
}

function problemOfMaxima({ tensors }: SumTask, clients: number): TaskProblem | undefined {
  const wrong = tensors.find(({ maximum }) => maximum < 1n);
  if (wrong !== undefined) {
    return {
      code: 'invalid-parameters',
      message: `The maximum of the tensor "${wrong.name}" is 1 or more; got ${wrong.maximum}`,
    };
  }
  const large = tensors.find(({ maximum }) => maximum * BigInt(clients) >= 2n ** 64n);
  if (large === undefined) return undefined;
  return {
    code: 'modulus-too-small',
    message: `The sum over ${clients} clients of the tensor "${large.name}" with a maximum of ${large.maximum} does not fit 64 bits: take a maximum of at most ${(2n ** 64n - 1n) / BigInt(clients)}, or fewer clients`,
  };
}

function problemOfQuantization(
  options: QuantizationTask,
  clients: number,
): TaskProblem | undefined {
  try {
    requireNoOverflow(quantization(options), clients);
    return undefined;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const code = error.code === 'modulus-too-small' ? error.code : 'invalid-parameters';
    return { code, message: withoutCode(error) };
  }
}

/** The message of an error without the code that leads it. */
export function withoutCode({ message }: Error): string {
  return message.replace(/^\[[^\]]*\] /, '');
}

export const MOST_TENSORS = 4_096;
export const MOST_NAME_BYTES = 256;
export const MOST_DIMENSIONS = 8;
export const MOST_CONTEXT = 65_536;
/** As many as a message may have; `DecodingLimits` can say fewer. */
const MOST_VALUES = 2 ** 28 - 1;
const LEVELS = 'levels';
/** Flower's default. In the executor stack the modulus grows with the cohort. */
export const FLOWER_MODULUS_RANGE = 2 ** 32;
