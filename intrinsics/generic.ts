/**
 * @file Arithmetic on values of any numeric type, without placement. Other intrinsics and programs
 * from outside use them; in TypeScript a `tensorComputation` says the same.
 */

import {
  compactNotation,
  explainUnfit,
  FederatedTypeError,
  type FunctionType,
  isAverageCompatible,
  isSumCompatible,
  type Type,
} from '../computations/types/index.ts';
import { argumentTypes, defineIntrinsic } from './definition.ts';
import { elementwise, zeros } from './local-arithmetic.ts';

export const GENERIC_ZERO = defineIntrinsic('generic_zero', 'T', {
  rule: (type) => requireNumeric(type, isSumCompatible),
  reduce: zeros,
});
export const GENERIC_PLUS = defineIntrinsic('generic_plus', '(<T,T> -> T)', {
  rule: (type) => requireNumeric(firstOf(type), isSumCompatible),
  reduce: (type) => elementwise('generic_plus', firstOf(type), 'add'),
});
export const GENERIC_MULTIPLY = defineIntrinsic('generic_multiply', '(<T,T> -> T)', {
  rule: (type) => requireNumeric(firstOf(type), isSumCompatible),
  reduce: (type) => elementwise('generic_multiply', firstOf(type), 'multiply'),
});
export const GENERIC_DIVIDE = defineIntrinsic('generic_divide', '(<T,T> -> T)', {
  rule: (type) => requireNumeric(firstOf(type), isAverageCompatible),
  reduce: (type) => elementwise('generic_divide', firstOf(type), 'divide'),
});

function firstOf(type: Type): Type {
  return argumentTypes(type as FunctionType)[0] ?? type;
}

function requireNumeric(type: Type, fits: (type: Type) => boolean): void {
  if (type.kind !== 'federated' && fits(type)) return;
  const given = compactNotation(type);
  throw new FederatedTypeError(
    'type.sum_incompatible',
    `Generic arithmetic takes unplaced numbers of known shape (a division, floats), or structs of them.\n${explainUnfit(type, fits)}`,
    { expected: 'numbers', given },
  );
}
