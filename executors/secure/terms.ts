/** @file From a secure intrinsic and its arguments to what a protocol has to sum, and back to a value. */

import {
  allocate,
  ExecutionError,
  type IntegerDType,
  integerRange,
  type MaterializedValue,
  type TensorType,
  TensorValue,
  type Type,
  ValueError,
} from '../../computations/types/index.ts';
import type { SecureSum, SecureTerm } from './protocol.ts';

/** The intrinsics that protocols make. */
export const SECURE_SUMS = [
  'federated_secure_sum',
  'federated_secure_sum_bitwidth',
  'federated_secure_modular_sum',
] as const;
export type SecureSumUri = (typeof SECURE_SUMS)[number];

/**
 * What a protocol has to sum, tensor by tensor.
 * @param bound maximum, bit width or modulus: a scalar for all tensors, or a struct of them.
 * @throws ValueError `value.out_of_range` for a bound without sense.
 */
export function termsOf(uri: SecureSumUri, member: Type, bound: MaterializedValue): SecureTerm[] {
  if (member.kind === 'struct') {
    return member.elements.flatMap(({ type }, i) =>
      termsOf(
        uri,
        type,
        bound.kind === 'struct' ? (bound.elements[i] as MaterializedValue) : bound,
      ),
    );
  }
  const { dtype, shape } = member as TensorType<IntegerDType>;
  const length = (shape ?? []).reduce<number>((n, size) => n * (size ?? 0), 1);
  const given = BigInt((bound as TensorValue<IntegerDType>).scalar());
  return [{ ...boundOf(uri, given, dtype), dtype, length }];
}

/**
 * The sums as a value of the clients' type.
 * @throws ExecutionError `execution.sum_overflow` if a sum does not fit its dtype.
 * @throws TypeError if a protocol returned other tensors than it was asked to sum.
 */
export function sumValue(member: Type, { sums }: SecureSum): MaterializedValue {
  const rest = [...sums];
  const build = (type: Type): MaterializedValue => {
    if (type.kind === 'struct') {
      return { kind: 'struct', elements: type.elements.map((element) => build(element.type)) };
    }
    const { dtype, shape } = type as TensorType<IntegerDType>;
    return tensorOf(dtype, (shape ?? []) as readonly number[], rest.shift() ?? []);
  };
  const value = build(member);
  if (rest.length > 0) throw new TypeError(`A protocol returned ${rest.length} sums too many.`);
  return value;
}

function boundOf(
  uri: SecureSumUri,
  given: bigint,
  dtype: IntegerDType,
): Pick<SecureTerm, 'kind' | 'bound'> {
  const { max } = integerRange(dtype);
  switch (uri) {
    case 'federated_secure_sum':
      requireBound('The maximum of a secure sum', given, 0n, 2n ** 63n - 1n);
      // No value of the dtype is larger than `max`, so a smaller ring does.
      return { kind: 'sum', bound: given < max ? given : max };
    case 'federated_secure_sum_bitwidth': {
      requireBound('The bit width of a secure sum', given, 1n, 62n);
      const bound = 2n ** given - 1n;
      return { kind: 'sum', bound: bound < max ? bound : max };
    }
    case 'federated_secure_modular_sum':
      requireBound(
        `The modulus of a secure modular sum of ${dtype}`,
        given,
        2n,
        max === 2n ** 63n - 1n ? max : max + 1n,
      );
      return { kind: 'modular-sum', bound: given };
  }
}

function requireBound(what: string, given: bigint, least: bigint, most: bigint): void {
  if (given >= least && given <= most) return;
  throw new ValueError(
    'value.out_of_range',
    `${what} must be from ${least} to ${most}; got ${given}.`,
  );
}

function tensorOf(
  dtype: IntegerDType,
  shape: readonly number[],
  sums: ArrayLike<number> | ArrayLike<bigint>,
): TensorValue {
  const { max } = integerRange(dtype);
  const size = shape.reduce((n, dimension) => n * dimension, 1);
  if (sums.length !== size) {
    throw new TypeError(
      `A protocol returned ${sums.length} sums for a tensor of ${size} elements.`,
    );
  }
  const data = allocate(dtype, size);
  for (let i = 0; i < sums.length; i++) {
    const sum = sums[i] as number | bigint;
    if (sum < 0) throw new TypeError(`A protocol returned a negative sum at position ${i}.`);
    if (sum > max) {
      throw new ExecutionError(
        'execution.sum_overflow',
        `The secure sum at position ${i} does not fit ${dtype} (largest value ${max}). Sum int64 values, or lower the maximum.`,
      );
    }
    data[i] = dtype === 'int64' ? BigInt(sum) : Number(sum);
  }
  return new TensorValue(dtype, shape, data);
}
