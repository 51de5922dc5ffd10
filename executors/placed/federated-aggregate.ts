/**
 * @file `federated_aggregate` `(<{T}@CLIENTS,U,(<U,T> -> U),(<U,U> -> U),(U -> R)> -> R@SERVER)`.
 * Values are accumulated at the server in the order of the clients, never in the order in which
 * they arrive, so that a result does not depend on timing. All clients are folded here, so nothing
 * is left to merge. Without clients the result is the report of zero. Clients that were lost are left
 * out where the stack drops them; elsewhere they fail the aggregation.
 */

import type { FunctionType } from '../../computations/types/index.ts';
import type { Executor, ExecutorValue, RequestOptions } from '../executor.ts';
import type { Lost } from '../lost-client.ts';
import { TargetNode, type ValueNode } from '../value-tree.ts';
import { readInOrder } from './client-work.ts';
import { FederatedNode } from './federated-node.ts';
import {
  asFunction,
  asPlaced,
  asStruct,
  type Federation,
  placedResult,
  sendFunction,
} from './federation.ts';
import { LostMember, settleDropped } from './lost-clients.ts';

export async function aggregate(
  { server, site, options, lower }: Federation,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const [value, zero, accumulate, , report] = asStruct(argument, URI).elements;
  const source = asPlaced(value, 'clients', URI);
  const step = asFunction(accumulate, URI);
  const last = asFunction(report, URI);
  if (zero === undefined) throw new RangeError(`${URI} takes a zero.`);

  const stepAtServer = await sendFunction(step, server);
  let total: TargetNode | null = null;
  let lastAtServer: ExecutorValue | null = null;
  const missing: Lost[] = [];
  try {
    total = await lower(zero);
    for await (const term of readInOrder(source.members, site, URI, options)) {
      if (term instanceof LostMember) {
        missing.push(term.loss);
        continue;
      }
      const arrived = await server.createValue(term, source.placed.member, options);
      const next = await accumulateOne(server, stepAtServer, total, arrived, options);
      total.release();
      total = next;
    }
    const count = source.members.length;
    settleDropped(
      { uri: URI, numberOf: site.numberOf, count, missing },
      site.losses ?? {},
      options,
    );
    lastAtServer = await sendFunction(last, server);
    const result = await server.createCall(lastAtServer, total.handle, options);
    return new FederatedNode(placedResult(type, URI), { members: [result], missing });
  } finally {
    stepAtServer[Symbol.dispose]();
    lastAtServer?.[Symbol.dispose]();
    total?.release();
  }
}

const URI = 'federated_aggregate';

/** One step; disposes the term, not the total. */
async function accumulateOne(
  server: Executor,
  step: ExecutorValue,
  total: TargetNode,
  term: ExecutorValue,
  options: RequestOptions,
): Promise<TargetNode> {
  let pair: ExecutorValue;
  try {
    pair = await server.createStruct([
      { name: null, value: total.handle },
      { name: null, value: term },
    ]);
  } finally {
    term[Symbol.dispose]();
  }
  try {
    return new TargetNode(await server.createCall(step, pair, options));
  } finally {
    pair[Symbol.dispose]();
  }
}
