/** @file Kernels that reduce or scan along axes. */

import type { DType } from '../../types/dtypes.ts';
import { shapeSize } from '../graph.ts';
import {
  type KernelCall,
  type KernelDefinition,
  type KernelTable,
  NUMERIC,
  spec,
} from './definition.ts';

/** A reduction along the axes of attribute `axisName`; all axes if it is left out. */
function reduction(
  accepts: readonly DType[],
  options: {
    readonly result?: DType;
    readonly axisName?: string;
    /** True for a reduction that is nothing without elements. */
    readonly needsElements?: boolean;
  } = {},
): KernelDefinition {
  const axisName = options.axisName ?? 'axis';
  return {
    inputs: ['x'],
    attributes: { [axisName]: 'ints?', keepDims: 'flag?' },
    infer: (call) => {
      const x = call.typed('x', accepts);
      const shape = reducedShape(call, x.shape, axisName);
      const ofNothing = shapeSize(x.shape) === 0 && shapeSize(shape) > 0;
      call.require(!(options.needsElements && ofNothing), 'the axis is empty');
      return [spec(options.result ?? x.dtype, shape)];
    },
  };
}

export function reducedAxes(call: KernelCall, rank: number, axisName: string): ReadonlySet<number> {
  const given = call.has(axisName) ? call.ints(axisName) : [...Array(rank).keys()];
  const axes = new Set(given.map((axis) => call.axis(axis, rank)));
  call.require(axes.size === given.length, 'an axis is named twice');
  return axes;
}

function reducedShape(
  call: KernelCall,
  shape: readonly number[],
  axisName: string,
): readonly number[] {
  const axes = reducedAxes(call, shape.length, axisName);
  return call.flag('keepDims')
    ? shape.map((size, axis) => (axes.has(axis) ? 1 : size))
    : shape.filter((_, axis) => !axes.has(axis));
}

const argument: KernelDefinition = {
  inputs: ['x'],
  attributes: { axis: 'ints' },
  infer: (call) => {
    const x = call.typed('x', NUMERIC);
    const axes = call.ints('axis').map((axis) => call.axis(axis, x.shape.length));
    call.require(axes.length === 1, 'it takes one axis');
    call.require(x.shape[axes[0] ?? 0] !== 0, 'the axis is empty');
    return [
      spec(
        'int32',
        x.shape.filter((_, axis) => axis !== axes[0]),
      ),
    ];
  },
};

const scan: KernelDefinition = {
  inputs: ['x'],
  attributes: { axis: 'int', exclusive: 'flag?', reverse: 'flag?' },
  infer: (call) => {
    const x = call.typed('x', NUMERIC);
    call.axis(call.int('axis'), x.shape.length);
    return [x];
  },
};

export const REDUCTIONS: KernelTable = {
  Sum: reduction(NUMERIC),
  Prod: reduction(NUMERIC),
  Mean: reduction(NUMERIC, { result: 'float32' }),
  Max: reduction(NUMERIC, { axisName: 'reductionIndices', needsElements: true }),
  Min: reduction(NUMERIC, { needsElements: true }),
  All: reduction(['bool']),
  Any: reduction(['bool']),
  ArgMax: argument,
  ArgMin: argument,
  Cumsum: scan,
  Cumprod: scan,
  Softmax: {
    inputs: ['logits'],
    attributes: { dim: 'int' },
    infer: (call) => {
      const logits = call.typed('logits', ['float32']);
      const dim = call.axis(call.int('dim'), logits.shape.length);
      call.require(dim === logits.shape.length - 1, 'it works along the last axis only');
      return [logits];
    },
    flops: (_, outputs) => 5 * shapeSize(outputs[0]?.shape ?? []),
  },
  TopK: {
    inputs: ['x'],
    attributes: { k: 'int', sorted: 'flag?' },
    infer: (call) => {
      const x = call.typed('x', NUMERIC);
      const last = x.shape.at(-1) ?? call.fail('it needs at least one axis');
      const k = call.int('k');
      call.require(k >= 0 && k <= last, `k=${k} is not within the last axis of size ${last}`);
      const shape = [...x.shape.slice(0, -1), k];
      return [spec(x.dtype, shape), spec('int32', shape)];
    },
  },
  UnsortedSegmentSum: {
    inputs: ['x', 'segmentIds'],
    attributes: { numSegments: 'int' },
    infer: (call) => {
      const x = call.typed('x', NUMERIC);
      const ids = call.typed('segmentIds', ['int32']);
      call.require(
        ids.shape.length === 1 && ids.shape[0] === x.shape[0],
        'segmentIds must have one entry for each row',
      );
      return [spec(x.dtype, [call.int('numSegments'), ...x.shape.slice(1)])];
    },
  },
};
