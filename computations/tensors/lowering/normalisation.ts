/** @file Batch normalisation: the native kernel takes images only, and a parameter for each channel. */

import { shapeSize } from '../graph.ts';
import type { LoweringRule } from './rule.ts';

/** Sees every axis but the last as the rows of one image. */
export const batchNormalisation: LoweringRule = (node) => {
  const { x, ...parameters } = node.inputs();
  if (node.target.name !== 'native' || x === undefined) return null;
  const shape = node.shape(x);
  const channels = shape.at(-1);
  const each = Object.values(parameters).every((id) => node.shape(id).length === 1);
  if (shape.length === 4 || channels === undefined || !each) return null;
  const image = node.reshape(x, [1, shapeSize(shape.slice(0, -1)), 1, channels]);
  const normal = node.emit('FusedBatchNorm', { x: image, ...parameters }, node.attributes);
  return [node.reshape(normal, shape)];
};
