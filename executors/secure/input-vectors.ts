/**
 * @file How a client's value becomes integer vectors. The checks of a secure sum are made here, at
 * the client, by the client's own code.
 */

import {
  ExecutionError,
  type IntegerDType,
  integerRange,
  isIntegerDType,
  type TensorValue,
} from '../../computations/types/index.ts';
import type { OperatorValue } from '../leaf/operator.ts';
import { faultError } from './faults.ts';
import type { SecureTerm } from './protocol.ts';

/**
 * The vectors of a client's value, in order, checked against what the server says is summed.
 * The messages name places and bounds, never values: they travel to the server.
 * @throws ExecutionError `execution.secure_sum_range` for a value outside of its bounds.
 * @throws ProtocolAbortError if the terms do not describe the value.
 */
export function inputVectors(
  value: OperatorValue | undefined,
  terms: readonly SecureTerm[],
): (ArrayLike<number> | ArrayLike<bigint>)[] {
  const tensors = value === undefined ? [] : tensorsOf(value);
  const fits =
    tensors.length === terms.length &&
    tensors.every(
      (tensor, i) => tensor.dtype === terms[i]?.dtype && tensor.data.length === terms[i]?.length,
    );
  if (!fits) {
    throw faultError({
      kind: 'fault',
      stage: 'input',
      code: 'invalid-parameters',
      message: `the terms of the sum (${terms.map(({ dtype, length }) => `${dtype}[${length}]`).join(', ')}) do not describe this client's value (${tensors.map(({ dtype, data }) => `${dtype}[${data.length}]`).join(', ')})`,
    });
  }
  return tensors.map((tensor, i) =>
    integersOf(tensor, terms[i] as SecureTerm, tensors.length > 1 ? ` in tensor ${i}` : ''),
  );
}

/** The tensors of a client's value, in order. */
export function tensorsOf(value: OperatorValue): TensorValue[] {
  if (value.kind === 'tensor') return [value];
  if (value.kind === 'struct') return value.elements.flatMap(tensorsOf);
  throw new TypeError(`A secure sum takes tensors; got a ${value.kind} value.`);
}

function integersOf(
  tensor: TensorValue,
  term: SecureTerm,
  where: string,
): ArrayLike<number> | ArrayLike<bigint> {
  if (!isIntegerDType(tensor.dtype))
    throw new TypeError(`A secure sum takes integers; got ${tensor.dtype}.`);
  const data = tensor.data as Int32Array | BigInt64Array;
  if (term.kind === 'modular-sum') return floorModulo(data, term.bound);
  // Comparing within one kind of number keeps the check of a large vector fast.
  const most = largestValue(term, tensor.dtype);
  const bound = data instanceof BigInt64Array ? most : Number(most);
  for (let i = 0; i < data.length; i++) {
    const element = data[i] as number | bigint;
    if (element < 0 || element > bound) {
      throw new ExecutionError(
        'execution.secure_sum_range',
        `The value at position ${i}${where} is ${element < 0 ? 'negative' : 'larger than the maximum'}; a secure sum takes integers from 0 to ${term.bound}. Clip or shift values at the client before the sum.`,
      );
    }
  }
  return data;
}

/** What a value may be at most: the bound, or the dtype's own largest value. */
function largestValue({ bound }: SecureTerm, dtype: IntegerDType): bigint {
  const { max } = integerRange(dtype);
  if (bound <= max) return bound;
  return max;
}

function floorModulo(data: Int32Array | BigInt64Array, modulus: bigint): bigint[] {
  const elements: ArrayLike<number | bigint> = data;
  return Array.from(elements, (element) => {
    const rest = BigInt(element) % modulus;
    return rest < 0n ? rest + modulus : rest;
  });
}
