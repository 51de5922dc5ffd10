/**
 * @file Transformations of building blocks: pure functions from tree to tree that keep the meaning.
 * What they must know of an intrinsic they are told; those that know intrinsics by name are in
 * `intrinsics/transformations`.
 */

export {
  allNames,
  type Body,
  bodyOf,
  inOrderOfNeed,
  type Local,
  mapBodies,
  toBlock,
} from './bodies.ts';
export { type TransformationOptions, toCallDominant } from './call-dominant.ts';
export { fuseTensorComputations } from './fuse-tensors.ts';
export { NameSource, withUniqueNames } from './names.ts';
export { bind, Calls, type Environment, type Meaning, Normalizer, plain } from './normalizer.ts';
export { type IntrinsicPurity, isPure } from './purity.ts';
export { structuralKey } from './structural-key.ts';
