/** @file How the compliance suite runs a computation on an executor. */

import { expect } from 'vitest';
import type { BuildingBlock } from '../../computations/building-blocks.ts';
import type { MaterializedValue, Type } from '../../computations/types/index.ts';
import type { Executor, ExecutorInput } from '../../executors/executor.ts';
import { plain } from '../executors/blocks.ts';

/** Makes an executor that the suite closes. */
export type Make = (clients?: number) => Promise<Executor>;

/** Calls a computation on data and brings the result out as plain data; disposes every handle. */
export async function run(
  executor: Executor,
  fn: BuildingBlock,
  argument?: MaterializedValue,
): Promise<unknown> {
  const type = fn.type;
  if (type.kind !== 'function') throw new TypeError('run takes a function');
  using callee = await executor.createValue(fn, type);
  if (argument === undefined || type.parameter === null) {
    using result = await executor.createCall(callee);
    return plain(await result.compute());
  }
  using given = await executor.createValue(argument, type.parameter);
  using result = await executor.createCall(callee, given);
  return plain(await result.compute());
}

/** Puts data in, checks the type that it got, and brings it out as plain data. */
export async function roundTrip(
  executor: Executor,
  value: ExecutorInput,
  type: Type,
): Promise<unknown> {
  using handle = await executor.createValue(value, type);
  expect(String(handle.type)).toBe(String(type));
  return plain(await handle.compute());
}
