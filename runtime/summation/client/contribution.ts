/** @file What a client gives to a round: its tensors, checked, and turned into what the protocol sums. */

import {
  type FloatVector,
  type IntegerVector,
  quantizeInput,
  type Rng,
} from '../../../protocols/index.ts';
import { quantizationOf, type SummationTask, type TensorTask } from '../task.ts';
import { RefusedStep } from './refused-step.ts';

/** What a client is asked for. */
export type ContributionRequest = {
  /** Names the round, in hexadecimal. */
  readonly round: string;
  /** How many clients were asked to take part. */
  readonly clients: number;
  /** What the server says that all clients have alike, for example the hash of a model. */
  readonly context: Uint8Array;
  /** Aborted when the round is over or goes on without this client: nobody waits any more. */
  readonly signal: AbortSignal;
} & SummationTask;

/** For a weighted mean: floats and the weight they have in it, such as the number of examples. */
export interface WeightedContribution {
  /** By name: as many floats as the tensor has, in row-major order. */
  readonly tensors: { readonly [name: string]: FloatVector };
  /** From 0 to `maxWeight`. */
  readonly weight: number;
  /**
   * Bytes that all clients must have alike for their vectors to add up: what this client itself found,
   * such as the hash of the model that it was given.
   * @default that of the request
   */
  readonly context?: Uint8Array;
}

/** For a sum: whole numbers from 0 to the maximum of the tensor. */
export interface IntegerContribution {
  readonly tensors: { readonly [name: string]: IntegerVector };
  readonly weight?: undefined;
  readonly context?: Uint8Array;
}

export type Contribution = WeightedContribution | IntegerContribution;

/** The vectors that the protocol takes. Those that were made here can be erased after use. */
export interface ContributedVectors {
  readonly vectors: readonly IntegerVector[];
  erase(): void;
}

/**
 * @throws RefusedStep where the contribution is not what was asked for; ProtocolError where a value or
 *   the weight is out of its range. Both name positions and never a value.
 */
export function vectorsOfContribution(
  task: SummationTask,
  contribution: Contribution,
  { onClip, rng }: { readonly onClip: 'clip' | 'refuse'; readonly rng?: Rng },
): ContributedVectors {
  const given = requireTensors(task, contribution);
  if (task.kind === 'sum') {
    if (contribution.weight !== undefined) {
      throw wrong('a weight was given, and a plain sum has none: a mean was expected here');
    }
    return { vectors: given as readonly IntegerVector[], erase() {} };
  }
  if (typeof contribution.weight !== 'number') {
    throw wrong('no weight was given, and a weighted mean needs one');
  }
  const { levels } = quantizeInput(
    quantizationOf(task),
    { vectors: given.map(requireFloats), weight: contribution.weight, onClip },
    rng === undefined ? {} : { rng },
  );
  return { vectors: [levels], erase: () => void levels.fill(0) };

  function requireFloats(vector: unknown, i: number): FloatVector {
    const floats =
      vector instanceof Float32Array ||
      vector instanceof Float64Array ||
      (Array.isArray(vector) && vector.every((value) => typeof value === 'number'));
    if (floats) return vector as FloatVector;
    throw wrong(`the tensor "${task.tensors[i]!.name}" has no floats`);
  }
}

/** Every tensor of the task, in its order, and no other. */
function requireTensors(task: SummationTask, contribution: Contribution): readonly unknown[] {
  const tensors: unknown = contribution?.tensors;
  if (typeof tensors !== 'object' || tensors === null) {
    throw wrong('no tensors were given');
  }
  const surplus = Object.keys(tensors).find(
    (name) => !task.tensors.some((tensor) => tensor.name === name),
  );
  // Its name is the client's own.
  if (surplus !== undefined) throw wrong('a tensor was given that was not asked for');
  return task.tensors.map((tensor) => requireTensor(tensor, tensors));
}

function requireTensor({ name, length }: TensorTask, tensors: object): unknown {
  const vector: unknown = Object.hasOwn(tensors, name)
    ? (tensors as { readonly [name: string]: unknown })[name]
    : undefined;
  if (typeof vector !== 'object' || vector === null || !('length' in vector)) {
    throw wrong(`the tensor "${name}" is missing`);
  }
  if (vector.length !== length) throw wrong(`the tensor "${name}" has not ${length} values`);
  return vector;
}

function wrong(message: string): RefusedStep {
  return new RefusedStep('wrong-contribution', message);
}
