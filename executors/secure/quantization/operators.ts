/**
 * @file What a client does with its floats before a secure sum: it clips, weighs and rounds them under
 * its own policy. What comes of it is as private as the floats are, and goes into a protocol only.
 */

import {
  ExecutionError,
  int32,
  structOf,
  TensorValue,
  type Type,
} from '../../../computations/types/index.ts';
import {
  ProtocolError,
  type QuantizedInput,
  quantizeInput,
  type Rng,
  requireNoOverflow,
} from '../../../protocols/index.ts';
import { type Operator, type OperatorValue, operatorStruct } from '../../leaf/operator.ts';
import { bytesOf, defineOperator } from '../define-operator.ts';
import { decoded, faultError, requireProtocol } from '../faults.ts';
import { tensorsOf } from '../input-vectors.ts';
import { type QuantizationPolicy, withoutCode } from './options.ts';
import { type QuantizationSetup, quantizationSetupCodec, SHARED_PARAMETERS } from './setup.ts';

/** Names the stage in errors. */
export const QUANTIZE_STAGE = 'quantize';

/**
 * `secure_quantize` of a value, and `secure_quantize_weighted` of a value and a weight: all tensors as
 * one int32 vector that the weight leads, and with it the number of clipped values if it is counted.
 */
export function quantizationOperators(policy: QuantizationPolicy): readonly Operator[] {
  const result = policy.countsClipped ? '<int32[?],int32>' : 'int32[?]';
  return [
    defineOperator({
      uri: 'secure_quantize',
      signature: `(<uint8[?],V> -> ${result})`,
      purity: 'random',
      run: ([message, value], { random }) => quantize(policy, message, random, value),
    }),
    defineOperator({
      uri: 'secure_quantize_weighted',
      signature: `(<uint8[?],V,W> -> ${result})`,
      purity: 'random',
      run: ([message, value, weight], { random }) =>
        quantize(policy, message, random, value, requireWeight(weight)),
    }),
  ];
}

/** The type of what the operators return. */
export function quantizedType({ countsClipped }: QuantizationPolicy): Type {
  if (!countsClipped) return int32(null);
  return structOf([int32(null), int32()].map((type) => ({ name: null, type })));
}

function quantize(
  policy: QuantizationPolicy,
  message: OperatorValue | undefined,
  random: Rng,
  value: OperatorValue | undefined,
  weight?: number | bigint,
): OperatorValue {
  const setup = decoded(quantizationSetupCodec.decode(bytesOf(message)));
  requireAgreement(setup, policy);
  requireProtocol(QUANTIZE_STAGE, () => requireNoOverflow(policy.quantization, setup.clients));
  const vectors = value === undefined ? [] : tensorsOf(value).map(floatsOf);
  const { levels, clipped } = refusing(() =>
    quantizeInput(policy.quantization, { vectors, weight, onClip: policy.onClip }, { rng: random }),
  );
  const vector = new TensorValue('int32', [levels.length], levels);
  if (!policy.countsClipped) return vector;
  return operatorStruct(vector, new TensorValue('int32', [], Int32Array.of(clipped)));
}

/** @throws ProtocolAbortError `protocol.bad_parameters` for a server that reckons with others. */
function requireAgreement(
  { parameters, countsClipped }: QuantizationSetup,
  policy: QuantizationPolicy,
): void {
  const name = SHARED_PARAMETERS.find((each) => parameters[each] !== policy.quantization[each]);
  if (name === undefined && countsClipped === policy.countsClipped) return;
  throw faultError({
    kind: 'fault',
    stage: QUANTIZE_STAGE,
    code: 'invalid-parameters',
    message:
      name === undefined
        ? `the server ${countsClipped ? 'counts' : 'does not count'} clipped values, and this client ${policy.countsClipped ? 'does' : 'does not'}`
        : `the server quantises with a ${name} of ${parameters[name]}, and this client with ${policy.quantization[name]} only`,
  });
}

function floatsOf(tensor: TensorValue): Float32Array {
  if (tensor.data instanceof Float32Array) return tensor.data;
  throw new TypeError(`Quantisation takes float32; got ${tensor.dtype}.`);
}

function requireWeight(weight: OperatorValue | undefined): number | bigint {
  if (weight?.kind === 'tensor' && weight.shape.length === 0) {
    const [value] = weight.data;
    if (typeof value === 'number' || typeof value === 'bigint') return value;
  }
  throw new TypeError('The weight of a mean is a number a client.');
}

/**
 * A client's own value makes it refuse; what the server is told names no value.
 * @throws ExecutionError `execution.secure_sum_range`
 */
function refusing(step: () => QuantizedInput): QuantizedInput {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const advice = ADVICE[error.code];
    if (advice === undefined) throw error;
    throw new ExecutionError(
      'execution.secure_sum_range',
      `Quantisation refused: ${withoutCode(error)}. ${advice}`,
      { cause: error },
    );
  }
}

const ADVICE: { readonly [code: string]: string | undefined } = {
  'not-finite': "Look for a division by zero or an overflow in the client's computation.",
  'out-of-range': 'Clip or scale at the client, or give the stack larger bounds.',
};
