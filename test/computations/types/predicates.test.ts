import { describe, expect, it } from 'vitest';
import {
  dtypesOf,
  elementCount,
  hasStaticShape,
  isAverageCompatible,
  isOrderCompatible,
  isSecureSumCompatible,
  isSumCompatible,
  parseType,
  type TensorType,
  tensorLeaves,
} from '../../../computations/types/index.ts';

describe('predicates of the aggregations', () => {
  it.each([
    // type, sum, mean, min and max, secure sum
    ['int32', true, false, true, true],
    ['uint8[3]', true, false, true, true],
    ['int64[2,2]', true, false, true, true],
    ['float32', true, true, true, false],
    ['bool', false, false, false, false],
    ['string', false, false, false, false],
    ['int32[?]', false, false, false, false],
    ['int32[*]', false, false, false, false],
    ['<a=int32,b=<int64>>', true, false, true, true],
    ['<int32,float32>', true, false, true, false],
    ['<float32,bool>', false, false, false, false],
    ['<>', true, true, true, true],
    ['{int32}@CLIENTS', true, false, true, true],
    ['<{float32}@CLIENTS>', true, true, true, false],
    ['int32*', false, false, false, false],
    ['( -> int32)', false, false, false, false],
    ['placement', false, false, false, false],
    ['T', false, false, false, false],
  ])('%s', (notation, sum, mean, order, secure) => {
    const type = parseType(notation);
    expect(isSumCompatible(type)).toBe(sum);
    expect(isAverageCompatible(type)).toBe(mean);
    expect(isOrderCompatible(type)).toBe(order);
    expect(isSecureSumCompatible(type)).toBe(secure);
  });

  it('find tensors, their dtypes and sizes', () => {
    const type = parseType('{<a=int32[2,3],b=<float32[?],int32[*]>>}@CLIENTS');
    expect(tensorLeaves(type).map(String)).toEqual(['int32[2,3]', 'float32[?]', 'int32[*]']);
    expect(dtypesOf(type)).toEqual(['int32', 'float32']);
    expect(tensorLeaves(type).map(elementCount)).toEqual([6, null, null]);
    expect(tensorLeaves(type).map(hasStaticShape)).toEqual([true, false, false]);
    expect(elementCount(parseType('int32') as TensorType)).toBe(1);
  });
});
