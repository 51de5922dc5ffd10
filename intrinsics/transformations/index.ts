/** @file Transformations of building blocks that know intrinsics by name. */

export { mapCall, unzip, zipCall } from './maps.ts';
export { mergeMaps } from './merge-maps.ts';
export { mergeSequenceMaps } from './merge-sequences.ts';
export { normalizeAllEqual } from './normalize-all-equal.ts';
export { reduceIntrinsics } from './reduce-intrinsics.ts';
