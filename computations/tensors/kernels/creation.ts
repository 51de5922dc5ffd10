/** @file Kernels that make a tensor from attributes alone. */

import type { DType } from '../../types/dtypes.ts';
import { DEVICE_DTYPES, type KernelTable, NUMERIC, spec } from './definition.ts';

export const CREATION: KernelTable = {
  Fill: {
    inputs: [],
    attributes: { shape: 'ints', value: 'number', dtype: 'dtype' },
    infer: (call) => {
      const dtype = call.text('dtype', DEVICE_DTYPES) as DType;
      const value = call.number('value');
      call.require(
        dtype === 'float32' ||
          (Number.isInteger(value) &&
            (dtype === 'int32' ? Math.abs(value) <= 2 ** 31 : value === 0 || value === 1)),
        `${value} is no ${dtype}`,
      );
      call.require(
        call.ints('shape').every((size) => size >= 0),
        'a size is negative',
      );
      return [spec(dtype, call.ints('shape'))];
    },
  },
  Range: {
    inputs: [],
    attributes: { start: 'number', stop: 'number', step: 'number', dtype: 'dtype?' },
    infer: (call) => {
      const [start, stop, step] = [call.number('start'), call.number('stop'), call.number('step')];
      const dtype = call.text('dtype', NUMERIC, 'float32') as DType;
      call.require(Number.isFinite(start) && Number.isFinite(stop) && step !== 0, 'bad bounds');
      const count = Math.max(0, Math.ceil((stop - start) / step));
      call.require(Number.isSafeInteger(count), 'bad bounds');
      // A step that points away from the end gives nothing; tfjs takes -1 as 1 there.
      const empty = start === stop || start < stop !== step > 0;
      return [spec(dtype, [empty ? 0 : count])];
    },
  },
  LinSpace: {
    inputs: [],
    attributes: { start: 'number', stop: 'number', num: 'int' },
    infer: (call) => {
      call.require(call.int('num') >= 1, 'num must be positive');
      call.number('start');
      call.number('stop');
      return [spec('float32', [call.int('num')])];
    },
  },
};
