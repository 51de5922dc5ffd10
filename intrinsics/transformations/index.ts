/** @file Transformations of building blocks that know intrinsics by name. */

export { mapCall, zipCall } from './maps.ts';
export { mergeMaps } from './merge-maps.ts';
export { mergeSequenceMaps } from './merge-sequences.ts';
export { reduceIntrinsics } from './reduce-intrinsics.ts';
