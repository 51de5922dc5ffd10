/** @file Shapes of sliding windows: convolutions and pooling over images in NHWC layout. */

import type { KernelCall } from './definition.ts';

export interface ConvolutionShape {
  readonly outShape: readonly number[];
  readonly filterShape: readonly number[];
  readonly depthwise: boolean;
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** Padding before and after, for rows and for columns. */
  readonly padding: readonly [readonly [number, number], readonly [number, number]];
}

/** The shape of a convolution of `x` [N,H,W,C] with `filter` [h,w,C,D] ([h,w,C,m] if depthwise). */
export function convolutionShape(
  call: KernelCall,
  x: readonly number[],
  filter: readonly number[],
  depthwise: boolean,
): ConvolutionShape {
  const [batch, height, width, channels] = x;
  const [rows, columns, inner, outer] = filter;
  if (batch === undefined || height === undefined || width === undefined || x.length !== 4) {
    return call.fail('the image must have four axes (batch, height, width, channels)');
  }
  if (rows === undefined || columns === undefined || outer === undefined || filter.length !== 4) {
    return call.fail('the filter must have four axes');
  }
  call.require([...x, ...filter].every(isPositive), 'no axis may be empty');
  call.require(channels === inner, `the image has ${channels} channels, the filter ${inner}`);
  call.text('dataFormat', ['NHWC', 'channelsLast'], 'NHWC');
  const strides = pair(call, 'strides');
  const dilations = call.has('dilations') ? pair(call, 'dilations') : ([1, 1] as const);
  call.require(
    String(strides) === '1,1' || String(dilations) === '1,1',
    'either strides or dilations must be 1',
  );
  const vertical = window(call, height, rows, strides[0], dilations[0], 1);
  const horizontal = window(call, width, columns, strides[1], dilations[1], 2);
  return {
    outShape: [
      batch,
      vertical.size,
      horizontal.size,
      depthwise ? outer * (channels as number) : outer,
    ],
    filterShape: filter,
    depthwise,
    strides,
    dilations,
    padding: [vertical.padding, horizontal.padding],
  };
}

/** The shape of pooling `x` [N,H,W,C]. */
export function poolShape(call: KernelCall, x: readonly number[]): readonly number[] {
  const [rows, columns] = poolWindows(call, x);
  return [x[0] as number, rows.size, columns.size, x[3] as number];
}

/** The windows of a pool along one axis of the image. */
export interface PoolWindows {
  /** Number of windows. */
  readonly size: number;
  /** Before and after the image; less than a window each. */
  readonly padding: readonly [number, number];
  readonly filter: number;
  readonly stride: number;
  /** For each window, the share of it that is inside the image. */
  readonly shares: readonly number[];
}

/** The windows of a pool over `x` [N,H,W,C], along rows and along columns. */
export function poolWindows(
  call: KernelCall,
  x: readonly number[],
): readonly [PoolWindows, PoolWindows] {
  const [batch, height, width] = x;
  if (batch === undefined || height === undefined || width === undefined || x.length !== 4) {
    return call.fail('the image must have four axes (batch, height, width, channels)');
  }
  call.require(x.every(isPositive), 'no axis may be empty');
  const filters = pair(call, 'filterSize');
  const strides = pair(call, 'strides');
  const along = (extent: number, axis: 0 | 1): PoolWindows => {
    const [filter, stride] = [filters[axis], strides[axis]];
    const { size, padding } = window(call, extent, filter, stride, 1, axis + 1);
    const shares = Array.from({ length: size }, (_, position) => {
      const start = position * stride - padding[0];
      return (Math.min(start + filter, extent) - Math.max(start, 0)) / filter;
    });
    call.require(
      shares.every((share) => share > 0),
      'a window lies outside of the image',
    );
    return { size, padding, filter, stride, shares };
  };
  return [along(height, 0), along(width, 1)];
}

interface Window {
  readonly size: number;
  readonly padding: readonly [number, number];
}

function window(
  call: KernelCall,
  size: number,
  filter: number,
  stride: number,
  dilation: number,
  axis: number,
): Window {
  const extent = (filter - 1) * dilation + 1;
  const pad = call.attribute('pad');
  let padding: readonly [number, number];
  let count: number;
  if (pad === 'same') {
    count = Math.ceil(size / stride);
    const total = Math.max(0, (count - 1) * stride + extent - size);
    padding = [Math.floor(total / 2), total - Math.floor(total / 2)];
  } else if (pad === 'valid') {
    count = Math.ceil((size - extent + 1) / stride);
    padding = [0, 0];
  } else {
    padding = explicitPadding(call, axis);
    count = round(call, (size - extent + padding[0] + padding[1]) / stride + 1);
  }
  call.require(count >= 1, 'the window is larger than the image');
  return { size: count, padding };
}

function explicitPadding(call: KernelCall, axis: number): readonly [number, number] {
  const pad = call.attribute('pad');
  const entry = Array.isArray(pad) ? (pad[axis] as unknown) : [pad, pad];
  if (
    Array.isArray(entry) &&
    entry.length === 2 &&
    entry.every((n) => Number.isSafeInteger(n) && n >= 0)
  ) {
    return [entry[0], entry[1]];
  }
  return call.fail("pad must be 'same', 'valid', an integer, or a pair for each axis");
}

function round(call: KernelCall, size: number): number {
  const mode = call.text('dimRoundingMode', ['floor', 'round', 'ceil', 'trunc'], 'trunc');
  return Math[mode as 'floor' | 'round' | 'ceil' | 'trunc'](size);
}

/** Two positive integers; a single one counts twice. */
function pair(call: KernelCall, name: string): readonly [number, number] {
  const given = call.ints(name);
  const [first, second = first] = given;
  if (!isPositive(first) || !isPositive(second) || given.length > 2) {
    return call.fail(`${name} must be one or two positive integers`);
  }
  return [first, second];
}

function isPositive(value: number | undefined): value is number {
  return value !== undefined && Number.isSafeInteger(value) && value > 0;
}
