/** @file Calls of operators on a party's executor. Nothing else of a party is touched. */

import { intrinsic } from '../../computations/building-blocks.ts';
import {
  func,
  structOf,
  type TensorType,
  TensorValue,
  type Type,
  uint8,
} from '../../computations/types/index.ts';
import type { Executor, ExecutorValue, RequestOptions } from '../executor.ts';
import type { Participant } from './protocol.ts';

/** Bytes of any length: keys, ciphertexts, encoded messages. */
export const BYTES: TensorType<'uint8'> = uint8(null);

export function bytesValue(bytes: Uint8Array): TensorValue<'uint8'> {
  return new TensorValue('uint8', [bytes.length], bytes);
}

/** @param options come along with each request. */
export function participant(
  name: string,
  executor: Executor,
  options: RequestOptions = {},
): Participant {
  const call = async (
    uri: string,
    args: readonly (Uint8Array | ExecutorValue)[],
    result: Type,
  ): Promise<ExecutorValue> => {
    const temporary: ExecutorValue[] = [];
    const keep = (value: ExecutorValue): ExecutorValue => {
      temporary.push(value);
      return value;
    };
    try {
      const values: ExecutorValue[] = [];
      for (const arg of args) {
        values.push(
          arg instanceof Uint8Array
            ? keep(await executor.createValue(bytesValue(arg), BYTES, options))
            : arg,
        );
      }
      const types = values.map(({ type }) => type);
      const [only] = values;
      const parameter =
        only === undefined
          ? null
          : types.length === 1
            ? only.type
            : structOf(types.map((type) => ({ name: null, type })));
      const type = func(parameter, result);
      const operator = keep(await executor.createValue(intrinsic(uri, type), type, options));
      if (only === undefined) return await executor.createCall(operator, undefined, options);
      const argument =
        values.length === 1
          ? only
          : keep(await executor.createStruct(values.map((value) => ({ name: null, value }))));
      return await executor.createCall(operator, argument, options);
    } finally {
      for (const value of temporary) value[Symbol.dispose]();
    }
  };

  const read = async (value: ExecutorValue): Promise<Uint8Array> => {
    try {
      const bytes = await value.compute(options);
      if (bytes.kind !== 'tensor' || !(bytes.data instanceof Uint8Array)) {
        throw new TypeError(`${name} returned a ${bytes.kind} where bytes were expected.`);
      }
      return bytes.data;
    } finally {
      value[Symbol.dispose]();
    }
  };

  return {
    name,
    within: (others) => participant(name, executor, others),
    call,
    read,
    request: async (uri, args) => read(await call(uri, args, BYTES)),
    async split(value) {
      const elements: ExecutorValue[] = [];
      try {
        const count = value.type.kind === 'struct' ? value.type.elements.length : 0;
        for (let i = 0; i < count; i++) elements.push(await executor.createSelection(value, i));
        return elements;
      } catch (error) {
        for (const element of elements) element[Symbol.dispose]();
        throw error;
      } finally {
        value[Symbol.dispose]();
      }
    },
  };
}

/** What a step of a protocol leaves at a party, and what it sends to the server. */
export interface KeptAndSent {
  readonly kept: ExecutorValue;
  readonly sent: Uint8Array;
}

/** Splits the result of an operator that returns a state and bytes, and reads the bytes. */
export async function keptAndSent(party: Participant, value: ExecutorValue): Promise<KeptAndSent> {
  const [kept, sent] = await party.split(value);
  try {
    return { kept: kept as ExecutorValue, sent: await party.read(sent as ExecutorValue) };
  } catch (error) {
    kept?.[Symbol.dispose]();
    throw error;
  }
}
