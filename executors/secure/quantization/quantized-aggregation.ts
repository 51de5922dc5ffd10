/**
 * @file A sum or a mean of floats over any secure protocol, as in Flower's SecAgg workflow: every
 * client clips, weighs and rounds its floats, the protocol adds up the integers as one vector, and
 * what is known of the sum (who is in it) turns it back into floats.
 */

import {
  ExecutionError,
  type MaterializedValue,
  type TensorType,
  TensorValue,
  type Type,
  tensorLeaves,
} from '../../../computations/types/index.ts';
import { dequantizeSums, requireNoOverflow } from '../../../protocols/index.ts';
import type { ExecutorValue, RequestOptions } from '../../executor.ts';
import { atSurvivors, isLostInput, type Lost } from '../cohort.ts';
import { faultError, requireNoFault, requireProtocol } from '../faults.ts';
import type { LostInput, Participant, SecureSum, SecureSumTask, SecureTerm } from '../protocol.ts';
import type { QuantizedComposite } from './composites.ts';
import { QUANTIZE_STAGE, quantizedType } from './operators.ts';
import type { ClippedCount, QuantizationPolicy } from './options.ts';
import { quantizationSetupCodec } from './setup.ts';

export interface QuantizedRequest {
  readonly composite: QuantizedComposite;
  /** Type of each client's value: float tensors of known shape. */
  readonly member: Type;
  /** One handle a client, unless it was lost before it had a value. */
  readonly values: readonly (ExecutorValue | LostInput)[];
  /** The same on a scalar, for a weighted mean. */
  readonly weights?: readonly (ExecutorValue | LostInput)[] | undefined;
  readonly options: RequestOptions;
}

/** What makes the sum. */
export interface QuantizedRound {
  readonly clients: readonly Participant[];
  /** How long the clients may take to quantise. */
  readonly timeoutMs: number;
  /** The protocol, on its way in a session of its own. */
  sum(task: Omit<SecureSumTask, 'session'>): Promise<SecureSum>;
}

export class QuantizedAggregations {
  readonly #policy: QuantizationPolicy;
  readonly #onClipped: ((count: ClippedCount) => void) | undefined;

  constructor(policy: QuantizationPolicy, onClipped?: (count: ClippedCount) => void) {
    this.#policy = policy;
    this.#onClipped = onClipped;
  }

  /**
   * @throws ProtocolAbortError `protocol.bad_parameters` before anything is sent, where the sum of
   *   so many clients could exceed the modulus; and whatever the protocol throws.
   * @throws ExecutionError `execution.empty_mean` and `execution.zero_weight`, as the plain mean does.
   */
  async run(request: QuantizedRequest, round: QuantizedRound): Promise<MaterializedValue> {
    const { composite, member, values } = request;
    const size = sizeOf(member);
    if (values.length === 0) return emptyValue(composite, member, EMPTY_MEAN);
    if (size === 0) return floatsAs(member, new Float32Array(0));
    requireProtocol(QUANTIZE_STAGE, () =>
      requireNoOverflow(this.#policy.quantization, values.length),
    );
    const inputs = await this.#quantize(request, round);
    try {
      const sum = await round.sum({
        inputs,
        member: quantizedType(this.#policy),
        terms: this.#terms(request),
        options: request.options,
      });
      return this.#dequantize(request, sum, countOf(sum, round.clients, inputs));
    } finally {
      for (const input of inputs) if (!isLostInput(input)) input[Symbol.dispose]();
    }
  }

  /** Every client's integers, which stay where they are, or how it was lost. */
  async #quantize(
    request: QuantizedRequest,
    { clients, timeoutMs }: QuantizedRound,
  ): Promise<(ExecutorValue | LostInput)[]> {
    const { values, weights, options } = request;
    const { quantization, countsClipped } = this.#policy;
    const setup = quantizationSetupCodec.encode({
      clients: clients.length,
      parameters: quantization,
      countsClipped,
    });
    const type = quantizedType(this.#policy);
    const uri = weights === undefined ? 'secure_quantize' : 'secure_quantize_weighted';
    const given = values.map((value, i) => {
      const weight = weights?.[i];
      return weight === undefined ? [value] : [value, weight];
    });
    const lostBefore = given.map((own) => own.find(isLostInput));
    const asked = [...clients.keys()].filter((i) => lostBefore[i] === undefined);
    const { results, lost } = await atSurvivors(
      asked.map((i) => clients[i] as Participant),
      { stage: QUANTIZE_STAGE, timeoutMs, request: options },
      (client, place) => {
        const own = given[asked[place] as number] as readonly ExecutorValue[];
        return client.call(uri, [setup, ...own], type);
      },
      (late) => late[Symbol.dispose](),
    );
    // Both are in the order of those who were asked.
    const made = results.values();
    const losses = lost.values();
    return lostBefore.map(
      (loss) => loss ?? made.next().value ?? { ...(losses.next().value as Lost), lost: true },
    );
  }

  /** The weight leads; its levels are no more than those of the values. */
  #terms(request: QuantizedRequest): SecureTerm[] {
    const { quantization, countsClipped } = this.#policy;
    const size = sizeOf(request.member);
    const bound = BigInt(quantization.quantizationRange - 1);
    const levels: SecureTerm = { kind: 'sum', dtype: 'int32', length: lengthOf(request), bound };
    return countsClipped ? [levels, { ...levels, length: 1, bound: BigInt(size) }] : [levels];
  }

  #dequantize(request: QuantizedRequest, { sums }: SecureSum, clients: number): MaterializedValue {
    const { composite, member } = request;
    const { quantization } = this.#policy;
    const [levels, clipped] = requireSums(sums, this.#terms(request));
    const outcome = requireNoFault(
      dequantizeSums(quantization, composite.aggregation, levels, clients),
    );
    if (clipped !== undefined) {
      this.#onClipped?.(clippedCount(composite, clipped, clients * sizeOf(member)));
    }
    return outcome.kind === 'no-weight'
      ? emptyValue(composite, member, ZERO_WEIGHT)
      : floatsAs(member, outcome.values);
  }
}

type Sums = SecureSum['sums'][number];

/** @throws TypeError if a protocol returned other vectors than it was asked to sum. */
function requireSums(
  sums: readonly Sums[],
  terms: readonly SecureTerm[],
): [levels: Sums, clipped?: Sums] {
  if (sums.length === terms.length && sums.every((sum, i) => sum.length === terms[i]?.length)) {
    return sums as [Sums, Sums?];
  }
  throw new TypeError(
    `A protocol returned vectors of ${sums.map(({ length }) => length).join(', ')} sums, and was asked for ${terms.map(({ length }) => length).join(', ')}.`,
  );
}

/**
 * How many clients are in a sum.
 * @throws TypeError if a protocol names nobody, one twice, or one that had no value for the sum.
 */
function countOf(
  { clients: named }: SecureSum,
  clients: readonly Participant[],
  inputs: readonly (ExecutorValue | LostInput)[],
): number {
  const possible = new Set(
    clients.flatMap(({ name }, i) =>
      isLostInput(inputs[i] as ExecutorValue | LostInput) ? [] : [name],
    ),
  );
  const distinct = new Set(named);
  const known = named.every((name) => possible.has(name));
  if (known && distinct.size > 0 && distinct.size === named.length) return named.length;
  throw new TypeError(
    `A protocol returned a sum of ${named.length} clients (${named.slice(0, 5).join(', ')}), which are not some of the ${possible.size} that had a value.`,
  );
}

function clippedCount({ uri }: QuantizedComposite, sums: Sums, values: number): ClippedCount {
  const clipped = Number(sums[0]);
  if (clipped >= 0 && clipped <= values) return { uri, clipped, values };
  throw faultError({
    kind: 'fault',
    stage: 'dequantize',
    code: 'sum-out-of-range',
    message: `the clients say that they clipped more than the ${values} values that they have`,
  });
}

/** How many floats a client's value consists of. */
function sizeOf(member: Type): number {
  return tensorLeaves(member).reduce((total, leaf) => total + elementsOf(leaf), 0);
}

function elementsOf({ shape }: TensorType): number {
  return ((shape ?? []) as readonly number[]).reduce((product, size) => product * size, 1);
}

/** How many integers they become. */
function lengthOf({ member, weights }: QuantizedRequest): number {
  return sizeOf(member) + (weights === undefined ? 0 : 1);
}

/** Floats, in order, as a value of the clients' type. */
function floatsAs(member: Type, floats: Float32Array): MaterializedValue {
  let next = 0;
  const build = (type: Type): MaterializedValue => {
    if (type.kind === 'struct') {
      return { kind: 'struct', elements: type.elements.map((element) => build(element.type)) };
    }
    const leaf = type as TensorType;
    const end = next + elementsOf(leaf);
    const data = floats.slice(next, end);
    next = end;
    return new TensorValue('float32', (leaf.shape ?? []) as readonly number[], data);
  };
  return build(member);
}

type Emptiness = Pick<ExecutionError, 'code' | 'message'>;

function emptyValue(
  { whenEmpty }: QuantizedComposite,
  member: Type,
  { code, message }: Emptiness,
): MaterializedValue {
  if (whenEmpty === 'error') throw new ExecutionError(code, message);
  return floatsAs(member, new Float32Array(sizeOf(member)));
}

const EMPTY_MEAN: Emptiness = {
  code: 'execution.empty_mean',
  message:
    "A mean over no clients is undefined. Run it with clients, or ask for zero: federatedMean(x, { whenEmpty: 'zero' }).",
};
const ZERO_WEIGHT: Emptiness = {
  code: 'execution.zero_weight',
  message:
    "The weights of a mean add up to zero, or are too small against the quantisation's maxWeight. Give at least one client a weight, lower maxWeight, or ask for zero: federatedMean(x, { weight, whenEmpty: 'zero' }).",
};
