/**
 * @file `federated_aggregate` over a tree. In order, the accumulator goes from child to child: each
 * starts from what the one before it returned. So the additions are the same ones in the same order
 * as without a tree, and a sum of floats has the same bits for any tree. Merged, all children start
 * from zero at once. Either way one value a child comes up, and the server reports. Each child says
 * whom it left out; whether enough are left is decided for all of them.
 */

import { lambda, reference } from '../../computations/building-blocks.ts';
import {
  type FunctionType,
  func,
  type MaterializedValue,
  struct,
  type Type,
  atServer as typeAtServer,
} from '../../computations/types/index.ts';
import type { Executor, ExecutorValue, RequestOptions } from '../executor.ts';
import type { Lost } from '../lost-client.ts';
import type { ValueNode } from '../value-tree.ts';
import { asCounted, gatherFromEach } from './client-work.ts';
import type { ComposedNode } from './composed-node.ts';
import {
  CHILDREN,
  type Composition,
  callAtChild,
  membersOf,
  structAtChild,
} from './composition.ts';
import { FederatedNode } from './federated-node.ts';
import {
  asComposed,
  asFunction,
  asStruct,
  FunctionNode,
  placedResult,
  sendFunction,
} from './federation.ts';
import { settleDropped } from './lost-clients.ts';

export async function aggregate(
  composition: Composition,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const [value, zeroNode, accumulate, merge, report] = asStruct(argument, URI).elements;
  if (zeroNode === undefined) throw new RangeError(`${URI} takes a zero.`);
  const plan = planOf(asComposed(value, URI), asFunction(accumulate, URI), asFunction(merge, URI));
  const last = asFunction(report, URI);
  const { server, lower, options, losses, clientCount } = composition;

  const lowered = await lower(zeroNode);
  let zero: MaterializedValue;
  try {
    zero = await lowered.handle.compute(options);
  } finally {
    lowered.release();
  }
  const { total, missing } =
    composition.aggregation === 'merge'
      ? await mergeChildren(composition, plan, zero)
      : await passThroughChildren(composition, plan, zero);
  settleDropped({ uri: URI, numberOf: asCounted, count: clientCount, missing }, losses, options);
  using atServer = await server.createValue(total, plan.stateType, options);
  using lastAtServer = await sendFunction(last, server);
  const result = await server.createCall(lastAtServer, atServer, options);
  return new FederatedNode(placedResult(type, URI), { members: [result], missing });
}

const URI = 'federated_aggregate';

/** What clients add up to, and who of them is left out. */
interface Total {
  readonly total: MaterializedValue;
  readonly missing: readonly Lost[];
}

/** An aggregation at the children: that of the caller, but for the zero, and without a report. */
interface Plan {
  readonly value: ComposedNode;
  readonly accumulate: FunctionNode;
  readonly merge: FunctionNode;
  readonly identity: FunctionNode;
  /** The type of what is accumulated. */
  readonly stateType: Type;
  readonly type: FunctionType;
}

function planOf(value: ComposedNode, accumulate: FunctionNode, merge: FunctionNode): Plan {
  const stateType = stateTypeOf(accumulate);
  const identity = new FunctionNode(lambda('state', stateType, reference('state', stateType)));
  const argument = struct([value.type, stateType, accumulate.type, merge.type, identity.type]);
  const type = func(argument, typeAtServer(stateType));
  return { value, accumulate, merge, identity, stateType, type };
}

/** The accumulator's type where it goes in: what zero, and every result of a step, fits. */
function stateTypeOf({ type }: FunctionNode): Type {
  const parameter = type.kind === 'function' ? type.parameter : null;
  const state = parameter?.kind === 'struct' ? parameter.elements[0] : undefined;
  if (state === undefined) throw new TypeError(`${String(type)} is no function that accumulates.`);
  return state.type;
}

/** Each child goes on from where the one before it stopped. */
async function passThroughChildren(
  { executors, counts, below }: Composition,
  plan: Plan,
  zero: MaterializedValue,
): Promise<Total> {
  let total = zero;
  const missing: Lost[] = [];
  for (const [i, child] of executors.entries()) {
    if (counts[i] === 0) continue;
    const next = await aggregateAtChild(child, plan, i, total, below);
    total = next.total;
    missing.push(...next.missing);
  }
  return { total, missing };
}

/** All children start from zero; their results are merged in the order of the children. */
async function mergeChildren(
  composition: Composition,
  plan: Plan,
  zero: MaterializedValue,
): Promise<Total> {
  const { executors, counts, server, options, below } = composition;
  const filled = executors.flatMap((child, i) => (counts[i] === 0 ? [] : [{ child, i }]));
  const [first, ...others] = await gatherFromEach(filled, CHILDREN, URI, options, ({ child, i }) =>
    aggregateAtChild(child, plan, i, zero, below),
  );
  if (first === undefined) return { total: zero, missing: [] };
  using mergeAtServer = await sendFunction(plan.merge, server);
  let total = await server.createValue(first.total, plan.stateType, options);
  try {
    for (const other of others) {
      const next = await mergeTwo(mergeAtServer, total, other.total, plan, composition);
      total[Symbol.dispose]();
      total = next;
    }
    const missing = [first, ...others].flatMap((part) => part.missing);
    return { total: await total.compute(options), missing };
  } finally {
    total[Symbol.dispose]();
  }
}

async function mergeTwo(
  merge: ExecutorValue,
  total: ExecutorValue,
  other: MaterializedValue,
  { stateType }: Plan,
  { server, options }: Composition,
): Promise<ExecutorValue> {
  using arrived = await server.createValue(other, stateType, options);
  using pair = await structAtChild(server, total, arrived);
  return await server.createCall(merge, pair, options);
}

async function aggregateAtChild(
  child: Executor,
  { value, accumulate, merge, identity, stateType, type }: Plan,
  index: number,
  zero: MaterializedValue,
  options: RequestOptions,
): Promise<Total> {
  using start = await child.createValue(zero, stateType, options);
  using step = await sendFunction(accumulate, child);
  using merging = await sendFunction(merge, child);
  using last = await sendFunction(identity, child);
  const part = value.parts[index] as ExecutorValue;
  using argument = await structAtChild(child, part, start, step, merging, last);
  using result = await callAtChild(child, URI, type, argument, { options });
  const [total] = membersOf(await result.compute(options));
  return { total: total as MaterializedValue, missing: result.missing ?? [] };
}
