/** @file An executor for a client that vanishes: its connection is lost at a step of the protocol. */

import type { Executor } from 'fedloom';

/** @param operator the URI at which the client is never heard of again. */
export function vanishing(leaf: Executor, operator: string): Executor {
  return {
    createValue: (value, type, options) =>
      'kind' in value && value.kind === 'intrinsic' && value.uri === operator
        ? Promise.reject(new Error('the connection was lost'))
        : leaf.createValue(value, type, options),
    createCall: (fn, argument, options) => leaf.createCall(fn, argument, options),
    createStruct: (elements) => leaf.createStruct(elements),
    createSelection: (source, index) => leaf.createSelection(source, index),
    close: () => leaf.close(),
  };
}
