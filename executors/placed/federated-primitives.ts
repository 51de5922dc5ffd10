/**
 * @file The intrinsics that a federating executor implements itself; the compiler reduces all
 * others to these. Here are those that map, move and combine placed values.
 */

import type { FunctionType, MaterializedValue } from '../../computations/types/index.ts';
import type { Executor, ExecutorValue, RequestOptions } from '../executor.ts';
import { breathe } from '../interruption.ts';
import { forMany } from '../leaf/shared-tensor.ts';
import { StructNode, type ValueNode } from '../value-tree.ts';
import { atEachClient, type WorkGate } from './client-work.ts';
import { aggregate } from './federated-aggregate.ts';
import { FederatedNode } from './federated-node.ts';
import { secureSelect, select } from './federated-select.ts';
import {
  asFunction,
  asPlaced,
  asStruct,
  atServer,
  type Federation,
  type FunctionNode,
  type Primitive,
  placedResult,
  sendFunction,
} from './federation.ts';
import { type LostMember, lostOf } from './lost-clients.ts';

export const PRIMITIVES: ReadonlyMap<string, Primitive> = new Map<string, Primitive>([
  ['federated_aggregate', aggregate],
  ['federated_apply', applyAtServer],
  ['federated_broadcast', broadcast],
  ['federated_eval_at_clients', evaluateAtClients],
  ['federated_eval_at_server', evaluateAtServer],
  ['federated_map', mapAtClients],
  ['federated_map_all_equal', mapAtClients],
  ['federated_secure_select', secureSelect],
  ['federated_select', select],
  ['federated_value_at_clients', valueAtClients],
  ['federated_value_at_server', valueAtServer],
  ['federated_zip_at_clients', zipAtClients],
  ['federated_zip_at_server', zipAtServer],
]);

async function mapAtClients(
  { clients, site, options }: Federation,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const uri = 'federated_map';
  const [fn, value] = asStruct(argument, uri).elements;
  const mapper = asFunction(fn, uri);
  const { members } = asPlaced(value, 'clients', uri);
  const placed = placedResult(type, uri);
  const work = {
    what: uri,
    type: placed.member,
    lostBefore: (index: number) => lostOf(members[index]),
  };
  const results = await atEachClient(clients, site, work, options, (client, index, gate) =>
    callAt(client, mapper, members[index], gate.options, gate),
  );
  return new FederatedNode(placed, { members: results });
}

async function evaluateAtClients(
  { clients, site, options }: Federation,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const uri = 'federated_eval_at_clients';
  const fn = asFunction(argument, uri);
  const placed = placedResult(type, uri);
  const work = { what: uri, type: placed.member };
  const results = await atEachClient(clients, site, work, options, (client, _index, gate) =>
    callAt(client, fn, undefined, gate.options, gate),
  );
  return new FederatedNode(placed, { members: results });
}

async function applyAtServer(
  { server, options }: Federation,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const uri = 'federated_apply';
  const [fn, value] = asStruct(argument, uri).elements;
  const result = await callAt(server, asFunction(fn, uri), atServer(value, uri), options);
  return new FederatedNode(placedResult(type, uri), { members: [result] });
}

async function evaluateAtServer(
  { server, options }: Federation,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const uri = 'federated_eval_at_server';
  const result = await callAt(server, asFunction(argument, uri), undefined, options);
  return new FederatedNode(placedResult(type, uri), { members: [result] });
}

async function broadcast(
  federation: Federation,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const uri = 'federated_broadcast';
  const value = await atServer(argument, uri).compute(federation.options);
  return sendToClients(federation, value, type, uri);
}

async function valueAtClients(
  federation: Federation,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const uri = 'federated_value_at_clients';
  const lowered = await federation.lower(argument);
  try {
    return await sendToClients(
      federation,
      await lowered.handle.compute(federation.options),
      type,
      uri,
    );
  } finally {
    lowered.release();
  }
}

async function valueAtServer(
  federation: Federation,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  // Unplaced values live in the server's executor already.
  const owner = await federation.lower(argument);
  return new FederatedNode(placedResult(type, 'federated_value_at_server'), {
    members: [owner.handle],
    owner,
  });
}

async function zipAtClients(
  { clients, site, options }: Federation,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const uri = 'federated_zip_at_clients';
  const source = zipSource(asStruct(argument, uri), 'clients', uri);
  const placed = placedResult(type, uri);
  const work = {
    what: uri,
    type: placed.member,
    lostBefore: (index: number) => lostIn(source, index),
  };
  const members = await atEachClient(clients, site, work, options, (client, index) =>
    zipAt(client, source, index),
  );
  return new FederatedNode(placed, { members });
}

async function zipAtServer(
  { server }: Federation,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const uri = 'federated_zip_at_server';
  const member = await zipAt(server, zipSource(asStruct(argument, uri), 'server', uri), 0);
  return new FederatedNode(placedResult(type, uri), { members: [member] });
}

/** Calls a function at an executor, on a value there or on none. */
async function callAt(
  executor: Executor,
  fn: FunctionNode,
  argument: ExecutorValue | undefined,
  options: RequestOptions,
  gate?: WorkGate,
): Promise<ExecutorValue> {
  const callee = await sendFunction(fn, executor);
  try {
    await breathe();
    gate?.pass();
    return await executor.createCall(callee, argument, options);
  } finally {
    callee[Symbol.dispose]();
  }
}

async function sendToClients(
  { clients, site, options }: Federation,
  common: MaterializedValue,
  type: FunctionType,
  uri: string,
): Promise<ValueNode> {
  const placed = placedResult(type, uri);
  const shared = forMany(common);
  const work = { what: uri, type: placed.member };
  const members = await atEachClient(clients, site, work, options, (client, _index, gate) =>
    client.createValue(shared, placed.member, gate.options),
  );
  return new FederatedNode(placed, { members, common });
}

/** A struct whose leaves, however deep, are values at one placement. */
type ZipSource = FederatedNode | ZipStruct;

interface ZipStruct {
  readonly names: readonly (string | null)[];
  readonly elements: readonly ZipSource[];
}

function zipSource(node: ValueNode, placement: string, uri: string): ZipSource {
  if (!(node instanceof StructNode)) return asPlaced(node, placement, uri);
  return {
    names: node.type.kind === 'struct' ? node.type.elements.map(({ name }) => name) : [],
    elements: node.elements.map((element) => zipSource(element, placement, uri)),
  };
}

/** The first of a participant's values that is lost. */
function lostIn(source: ZipSource, index: number): LostMember | undefined {
  if (source instanceof FederatedNode) return lostOf(source.members[index]);
  for (const element of source.elements) {
    const lost = lostIn(element, index);
    if (lost !== undefined) return lost;
  }
  return undefined;
}

/** Makes the struct of one participant; inner structs are handed over and disposed. */
async function zipAt(executor: Executor, source: ZipSource, index: number): Promise<ExecutorValue> {
  if (source instanceof FederatedNode) return memberAt(source, index);
  const temporary: ExecutorValue[] = [];
  try {
    const elements: { name: string | null; value: ExecutorValue }[] = [];
    for (const [i, element] of source.elements.entries()) {
      const value = await zipAt(executor, element, index);
      if (!(element instanceof FederatedNode)) temporary.push(value);
      elements.push({ name: source.names[i] ?? null, value });
    }
    return await executor.createStruct(elements);
  } finally {
    for (const value of temporary) value[Symbol.dispose]();
  }
}

function memberAt({ members, type }: FederatedNode, index: number): ExecutorValue {
  const member = members[index];
  if (member === undefined) throw new RangeError(`${String(type)} has no member ${index}.`);
  return member;
}
