/**
 * @file Soundness of the disclosure report, as a property: a random computation runs on two inputs
 * that differ at one client only. What leaves at the points that the report derives from the change
 * is, in the second run, replaced by what left in the first. Then nothing else that leaves may
 * differ, nor any result: the change shows where the report says, and nowhere else.
 */

import fc from 'fast-check';
import { disclosure, printIndented, TensorValue } from 'fedloom';
import { expect } from 'vitest';
import { typecheckBlock } from '../../../computations/typecheck.ts';
import { intrinsicTypeRule } from '../../../intrinsics/table.ts';
import {
  describePlain,
  describeTrails,
  type Observatory,
  type ObservedInput,
} from './observed-run.ts';
import { randomComputation } from './random-computations.ts';
import { changeOf, type Draw, dataOf } from './random-data.ts';
import { SECRET } from './random-functions.ts';

const CLIENTS = 3;

export interface Tally {
  /** Changes that the report derives something from, and that showed. */
  shown: number;
  /** Changes of which the report says that they show nowhere. */
  hidden: number;
}

export async function requireNonInterference(
  observatory: Observatory,
  draw: Draw,
  tally: Tally,
): Promise<void> {
  const { block, clients } = randomComputation(draw);
  typecheckBlock(block, { intrinsicTypeRule });
  const report = disclosure(block);
  const input = inputFor(draw, clients);
  const changed = changeInput(draw, clients, input);
  if (changed === null) return;

  const listed = report.entries.filter(
    ({ kind, from }) =>
      kind === 'disclosure' && from.some((name) => changed.touched.includes(name)),
  );
  const points = new Set(
    listed.flatMap(({ via, source }) => (via === 'returned' || !source ? [] : [source.line])),
  );
  const before = await observatory.run(block, toArgument(input));
  const after = await observatory.run(block, toArgument(changed.input), { run: before, points });

  const context = `${printIndented(block)}\n${report}`;
  const trails = [await describeTrails(before), await describeTrails(after)].map(withoutResult);
  expect(trails[1], context).toEqual(trails[0]);
  const handedOver = new Set(
    listed.flatMap(({ via, at }) => (via === 'returned' ? [at ?? ''] : [])),
  );
  const results = [before.result, after.result].map((result) => without(result, handedOver));
  expect(results[1], context).toEqual(results[0]);
  if (listed.length > 0) tally.shown += 1;
  else tally.hidden += 1;
}

/** The result is compared on its own, element by element. */
function withoutResult(trails: Map<string, string>): Record<string, string> {
  return Object.fromEntries([...trails].filter(([key]) => !key.startsWith('0 ')));
}

/** @param at paths of elements that may differ. */
function without(result: unknown, at: ReadonlySet<string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(result as object).flatMap(([name, value]: [string, unknown]) =>
      at.has(name) ? [] : [[name, describePlain(value)]],
    ),
  );
}

interface Input {
  readonly clients: { readonly [name: string]: readonly unknown[] };
  readonly secrets: readonly number[];
}

function inputFor(
  draw: Draw,
  clients: { readonly [name: string]: Parameters<typeof dataOf>[1] },
): Input {
  const each = Array.from({ length: CLIENTS });
  return {
    clients: Object.fromEntries(
      Object.entries(clients).map(([name, type]) => [name, each.map(() => dataOf(draw, type))]),
    ),
    secrets: each.map(() => draw(fc.nat, { max: 96 })),
  };
}

function changeInput(
  draw: Draw,
  clients: { readonly [name: string]: Parameters<typeof dataOf>[1] },
  input: Input,
): { readonly input: Input; readonly touched: readonly string[] } | null {
  const client = draw(fc.nat, { max: CLIENTS - 1 });
  const what = draw(fc.constantFrom, ...Object.keys(clients), ...Object.keys(clients), SECRET);
  if (what === SECRET) {
    const secrets = input.secrets.map((value, i) => (i === client ? (value + 41) % 97 : value));
    return { input: { ...input, secrets }, touched: [`data(${SECRET})`] };
  }
  const [type, data] = [clients[what], input.clients[what]];
  if (type === undefined || data === undefined) return null;
  const change = changeOf(draw, type, data[client], what);
  if (change === null) return null;
  const changed = { ...input.clients, [what]: data.with(client, change.data) };
  return { input: { ...input, clients: changed }, touched: change.touched };
}

function toArgument({ clients, secrets }: Input): ObservedInput {
  const scalar = (value: number) => new TensorValue('int32', [], Int32Array.of(value));
  return {
    argument: { ...clients, s: 11, e: 13 },
    secrets: secrets.map(scalar),
    nothing: scalar(0),
  };
}
