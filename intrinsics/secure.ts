/**
 * @file Secure sums. The server learns the sum and nothing else of the clients' values; which
 * protocol sees to that is decided by the executor stack. Without one these intrinsics fail: they
 * are never computed in the clear.
 */

import { type BuildingBlock, literal, structBlock } from '../computations/building-blocks.ts';
import type { Operand, Value } from '../computations/computation.ts';
import {
  type AtClients,
  type AtServer,
  compactNotation,
  explainUnfit,
  FederatedTypeError,
  type FunctionType,
  federated,
  int32,
  int64,
  isIntegerDType,
  isSecureSumCompatible,
  TensorValue,
  type Type,
  ValueError,
} from '../computations/types/index.ts';
import { isValue, toBlock } from '../computations/value.ts';
import { bindIntrinsic, toPlaced } from './build.ts';
import {
  argumentTypes,
  defineIntrinsic,
  type IntrinsicDefinition,
  memberOf,
} from './definition.ts';
import type { IntegerMember } from './members.ts';

export const FEDERATED_SECURE_SUM = defineIntrinsic(
  'federated_secure_sum',
  '(<{V}@CLIENTS,M> -> V@SERVER)',
  {
    aggregation: 'secure',
    rule: requireSecureSum,
  },
);
export const FEDERATED_SECURE_SUM_BITWIDTH = defineIntrinsic(
  'federated_secure_sum_bitwidth',
  '(<{V}@CLIENTS,B> -> V@SERVER)',
  { aggregation: 'secure', rule: requireSecureSum },
);
export const FEDERATED_SECURE_MODULAR_SUM = defineIntrinsic(
  'federated_secure_modular_sum',
  '(<{V}@CLIENTS,M> -> V@SERVER)',
  { aggregation: 'secure', rule: requireSecureSum },
);

/** Largest bit width of a secure sum: its maximum, 2^62 - 1, is still an int64. */
export const MAX_BITWIDTH = 62;

/** One bound for all leaves of a value, or a struct of bounds shaped like it. */
export type Bound = number | bigint | Value | { readonly [name: string]: Bound } | readonly Bound[];

/**
 * Sums integers from 0 to `max`, both included, without showing them to the server.
 *
 * A value that is negative or larger than `max` fails at its client; a sum that does not fit the
 * dtype is an error, never a wrap. Nothing is clipped.
 *
 * @param value integers, or structs of them.
 * @param max one bound for all leaves, or a struct of bounds with the value's names.
 * @throws FederatedTypeError `type.secure_sum_incompatible` if a leaf is no integer of known shape.
 */
export function federatedSecureSum<M extends IntegerMember>(
  value: Value<AtClients<M>>,
  max: Bound,
): Operand<AtServer<M>> {
  return secureSum(FEDERATED_SECURE_SUM, value, max, 'federatedSecureSum', 0n, 2n ** 63n - 1n);
}

/**
 * Sums integers of at most `bitwidth` bits, from 0 to 2^bitwidth - 1, without showing them to the
 * server. Otherwise like `federatedSecureSum`.
 * @param bitwidth from 1 to 62; one for all leaves, or a struct of them.
 */
export function federatedSecureSumBitwidth<M extends IntegerMember>(
  value: Value<AtClients<M>>,
  bitwidth: Bound,
): Operand<AtServer<M>> {
  return secureSum(
    FEDERATED_SECURE_SUM_BITWIDTH,
    value,
    bitwidth,
    'federatedSecureSumBitwidth',
    1n,
    BigInt(MAX_BITWIDTH),
  );
}

/**
 * Sums integers modulo `modulus`, without showing them to the server. Each client reduces its
 * value to the range from 0 to modulus - 1 (floor modulus, so -1 becomes modulus - 1), and the
 * server learns the sum modulo `modulus`: no value is out of range, and nothing overflows.
 * @param modulus at least 2; one for all leaves, or a struct of them.
 */
export function federatedSecureModularSum<M extends IntegerMember>(
  value: Value<AtClients<M>>,
  modulus: Bound,
): Operand<AtServer<M>> {
  return secureSum(
    FEDERATED_SECURE_MODULAR_SUM,
    value,
    modulus,
    'federatedSecureModularSum',
    2n,
    2n ** 63n - 1n,
  );
}

function secureSum<T extends Type>(
  definition: IntrinsicDefinition,
  value: unknown,
  bound: Bound,
  name: string,
  least: bigint,
  most: bigint,
): Operand<T> {
  const { node, type } = toPlaced(value, `The first argument of ${name}`, 'clients');
  const limit = boundBlock(bound, `The second argument of ${name}`, least, most);
  return bindIntrinsic(definition, [node, limit], federated(type.member, 'server', true));
}

/** A bound as a building block: an int32 if it fits, else an int64. */
function boundBlock(bound: Bound, what: string, least: bigint, most: bigint): BuildingBlock {
  if (typeof bound === 'number' || typeof bound === 'bigint') {
    if (typeof bound === 'number' && !Number.isSafeInteger(bound)) {
      throw new ValueError(
        'value.not_an_integer',
        `${what} must be an integer that a number holds exactly, or a bigint; got ${bound}.`,
      );
    }
    const integer = BigInt(bound);
    if (integer < least || integer > most) {
      throw new ValueError(
        'value.out_of_range',
        `${what} must be from ${least} to ${most}; got ${integer}.`,
      );
    }
    const small = integer < 2n ** 31n;
    const scalar = small
      ? new TensorValue('int32', [], Int32Array.of(Number(integer)))
      : new TensorValue('int64', [], BigInt64Array.of(integer));
    return literal(scalar, small ? int32() : int64());
  }
  if (isValue(bound)) return toBlock(bound, what);
  const isArray = Array.isArray(bound);
  return structBlock(
    Object.entries(bound).map(([key, member]) => ({
      name: isArray ? null : key,
      value: boundBlock(member as Bound, `${what}, element ${key}`, least, most),
    })),
  );
}

/** Rules of all three: integer leaves; the bound is an integer scalar, or a struct of them shaped alike. */
function requireSecureSum(type: FunctionType): void {
  const [value, bound] = argumentTypes(type);
  const member = memberOf(value);
  if (!isSecureSumCompatible(member)) {
    throw new FederatedTypeError(
      'type.secure_sum_incompatible',
      `A secure sum takes integers of known shape, or structs of them; floats must be clipped and quantised first.\n  expected: integer tensors\n${explainUnfit(member, isSecureSumCompatible)}`,
      { expected: 'integer tensors', given: compactNotation(member) },
    );
  }
  if (bound === undefined || !boundFits(bound, member)) {
    const expected = `an integer scalar, or a struct of them with the names of ${compactNotation(member)}`;
    const given = bound === undefined ? 'nothing' : compactNotation(bound);
    throw new FederatedTypeError(
      'type.not_assignable',
      `The bound of a secure sum does not fit its value.\n  expected: ${expected}\n  given:    ${given}`,
      { expected, given },
    );
  }
}

function boundFits(bound: Type, member: Type): boolean {
  if (bound.kind !== 'struct' || member.kind !== 'struct') return isIntegerScalar(bound);
  return (
    bound.elements.length === member.elements.length &&
    bound.elements.every(({ name, type }, index) => {
      const counterpart = member.elements[index];
      return (
        counterpart !== undefined && name === counterpart.name && boundFits(type, counterpart.type)
      );
    })
  );
}

function isIntegerScalar(type: Type): boolean {
  return type.kind === 'tensor' && isIntegerDType(type.dtype) && type.shape?.length === 0;
}
