/** @file An executor that tells which operators it is asked for, before it passes them on. */

import type { Executor } from '../../../executors/executor.ts';

export function watched(leaf: Executor, asked: (uri: string) => void): Executor {
  return {
    createValue(value, type, options) {
      if ('kind' in value && value.kind === 'intrinsic') asked(value.uri);
      return leaf.createValue(value, type, options);
    },
    createCall: (fn, argument, options) => leaf.createCall(fn, argument, options),
    createStruct: (elements) => leaf.createStruct(elements),
    createSelection: (source, index) => leaf.createSelection(source, index),
    close: () => leaf.close(),
  };
}
