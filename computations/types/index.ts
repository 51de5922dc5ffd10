/** @file The type system: types, their notation and rules, and values as plain data. */

export * from './assignability.ts';
export * from './compact.ts';
export * from './concrete.ts';
export * from './convert.ts';
export * from './difference.ts';
export * from './dtypes.ts';
export * from './errors.ts';
export * from './infer.ts';
export * from './parse.ts';
export type * from './plain.ts';
export * from './predicates.ts';
export * from './types.ts';
export * from './values.ts';
