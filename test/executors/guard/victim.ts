/** @file A guarded client as a curious server has it before it, and what every attack on it must come to. */

import { int32 } from 'fedloom';
import { afterEach, beforeEach, expect } from 'vitest';
import {
  type BuildingBlock,
  type Compiled,
  call,
  compiled,
  data,
  literal,
} from '../../../computations/building-blocks.ts';
import { type Backend, GraphBuilder, loadBackend } from '../../../computations/tensors/index.ts';
import { func, sequence, structOf, type Type } from '../../../computations/types/index.ts';
import type { ExecutorValue } from '../../../executors/executor.ts';
import type {
  AuditEntry,
  GuardingExecutor,
  GuardPolicyOptions,
} from '../../../executors/guard/index.ts';
import { maskingState } from '../../../executors/secure/masking-operators.ts';
import { roundSetupCodec } from '../../../executors/secure/round-setup.ts';
import { addConstant, INT, int, plain, unnamed } from '../blocks.ts';
import { failureOf, printed, SESSION, TERM } from '../secure/parties.ts';
import { BYTES, guardOf, participant, secretOf } from './support.ts';

export const SECRET = data('secret', INT);
export const ROWS = sequence(int32(1));

let backend: Backend;
/** The client that a test attacks. */
export let guard: GuardingExecutor;
/** What its log says. */
export let audit: AuditEntry[];

/** Makes a new client for each test of a file. */
export function describeVictim(): void {
  beforeEach(async () => {
    backend = await loadBackend();
    make();
  });

  afterEach(() => guard.close());
}

/** Another client, of another policy. */
export function make(policy: GuardPolicyOptions = {}, leaf = {}): void {
  audit = [];
  guard = guardOf({ backend, audit, leaf: { policy, ...leaf } });
}

/** `(int32 -> <int32,int32>)` */
export const pairOf = compiledOf(INT, structOf([unnamed(INT), unnamed(INT)]), (_, [x]) => [x, x]);

/** Puts syntax in, as the server does. */
export function put(node: BuildingBlock): Promise<ExecutorValue> {
  return guard.createValue(node, node.type);
}

export async function read(node: BuildingBlock): Promise<unknown> {
  using value = await put(node);
  return plain(await value.compute());
}

/** The request is refused by the rule, the log says so, the secret is nowhere, the client goes on. */
export async function refusedBy(rule: string, attempt: Promise<unknown>): Promise<Error> {
  const error = await failureOf(attempt);
  expect(error).toMatchObject({ rule });
  expect(audit.filter((entry) => entry.kind === 'refused').map((entry) => entry.rule)).toContain(
    rule,
  );
  await expectUnharmed(error);
  return error;
}

export async function expectUnharmed(...errors: unknown[]): Promise<void> {
  const told = [...errors.map(printed), JSON.stringify(audit)].join('\n');
  expect(told).not.toContain(String(secretOf(0)));
  expect(await read(call(addConstant(2), literal(int(3), INT)))).toBe(5);
}

/** The first step of masking, in a cohort of so many. */
export function advertise(clients = 3): Promise<ExecutorValue> {
  const setup = roundSetupCodec.encode({
    session: SESSION,
    name: 'clients/0',
    clients,
    terms: [{ ...TERM, length: 3, bound: 100_000n }],
  });
  const result = structOf([unnamed(maskingState.type), unnamed(BYTES)]);
  return participant('clients/0', guard).call('masking_advertise', [setup], result);
}

/** A tensor computation of one parameter, made by hand. */
export function compiledOf(
  parameter: Type,
  result: Type,
  body: (builder: GraphBuilder, parameters: readonly number[]) => readonly (number | undefined)[],
): Compiled {
  const builder = new GraphBuilder();
  const x = builder.parameter(parameter as never);
  const results = body(builder, [x]);
  return compiled('made_by_hand', builder.build(results as number[]), func(parameter, result));
}
