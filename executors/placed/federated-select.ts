/**
 * @file `federated_select` and `federated_secure_select`
 * `(<{int32[N]}@CLIENTS,int32@SERVER,T@SERVER,(<T,int32> -> U)> -> {U*}@CLIENTS)`. In the plain form
 * the server reads the keys and sends each client its rows. In the secure form every client gets all
 * rows and picks its own, so that no key leaves a client.
 */

import { intrinsic } from '../../computations/building-blocks.ts';
import {
  ExecutionError,
  type FunctionType,
  int32,
  type MaterializedValue,
  sequence,
  TensorValue,
  type Type,
} from '../../computations/types/index.ts';
import type { Executor, ExecutorValue, RequestOptions } from '../executor.ts';
import { breathe } from '../interruption.ts';
import { selectByKeysType } from '../leaf/sequence.ts';
import type { ValueNode } from '../value-tree.ts';
import { atEachChild, gatherFromEach, type WorkGate } from './client-work.ts';
import { FederatedNode } from './federated-node.ts';
import {
  asFunction,
  asPlaced,
  asStruct,
  atServer,
  type Federation,
  type FunctionNode,
  placedResult,
  sendFunction,
} from './federation.ts';

export async function select(
  { clients, server, site, options }: Federation,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const uri = 'federated_select';
  const request = await readRequest(argument, uri, options);
  const keysOfClients = await gatherFromEach(request.keys.members, site, uri, options, (member) =>
    keysOf(member, options),
  );
  for (const [client, keys] of keysOfClients.entries()) {
    requireKeys(keys, request.maxKey, site.first + client);
  }
  const distinct = [...new Set(keysOfClients.flatMap((keys) => [...keys]))];
  const rows = await computeRows(server, request, distinct, options);
  const sendRows = (client: Executor, index: number): Promise<ExecutorValue> => {
    const elements = Array.from(keysOfClients[index] ?? [], (key) => rowOf(rows, key));
    return client.createValue({ kind: 'sequence', elements }, sequence(request.rowType), options);
  };
  const results = await atEachChild(clients, site, uri, options, sendRows);
  return new FederatedNode(placedResult(type, uri), { members: results });
}

export async function secureSelect(
  { clients, server, site, options }: Federation,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const uri = 'federated_secure_select';
  const request = await readRequest(argument, uri, options);
  const all = keysUpTo(request.maxKey);
  const rows = await computeRows(server, request, all, options);
  const elements = all.map((key) => rowOf(rows, key));
  const results = await atEachChild(clients, site, uri, options, (client, index, gate) =>
    pickAtClient(client, request, index, elements, gate),
  );
  return new FederatedNode(placedResult(type, uri), { members: results });
}

/** What the server cuts rows from, and how. */
export interface RowRequest {
  /** The largest key. */
  readonly maxKey: number;
  /** The value at the server that rows are cut from. */
  readonly source: ExecutorValue;
  readonly slice: FunctionNode;
  readonly rowType: Type;
}

interface SelectRequest extends RowRequest {
  readonly keys: FederatedNode;
}

async function readRequest(
  argument: ValueNode,
  uri: string,
  options: RequestOptions,
): Promise<SelectRequest> {
  const keys = asPlaced(asStruct(argument, uri).elements[0], 'clients', uri);
  return { keys, ...(await readRowRequest(argument, uri, options)) };
}

/** The part of the argument that the server has. */
export async function readRowRequest(
  argument: ValueNode,
  uri: string,
  options: RequestOptions = {},
): Promise<RowRequest> {
  const [, maxKeyNode, sourceNode, sliceNode] = asStruct(argument, uri).elements;
  const slice = asFunction(sliceNode, uri);
  const source = atServer(sourceNode, uri);
  const maxKey = await atServer(maxKeyNode, uri).compute(options);
  if (maxKey.kind !== 'tensor' || slice.type.kind !== 'function') {
    throw new TypeError(`${uri} takes a scalar as the largest key, and a function.`);
  }
  return { maxKey: Number(maxKey.scalar()), source, slice, rowType: slice.type.result };
}

async function keysOf(member: ExecutorValue, options: RequestOptions): Promise<readonly number[]> {
  return toKeys(await member.compute(options));
}

export function toKeys(keys: MaterializedValue): readonly number[] {
  if (keys.kind !== 'tensor') throw new TypeError(`Keys are int32[N]; got a ${keys.kind}.`);
  return Array.from(keys.data, Number);
}

/** @throws ExecutionError `execution.key_out_of_range` */
export function requireKeys(keys: readonly number[], maxKey: number, client: number): void {
  const wrong = keys.find((key) => key < 0 || key > maxKey);
  if (wrong === undefined) return;
  throw new ExecutionError(
    'execution.key_out_of_range',
    `Client ${client} asks for the key ${wrong} in federated_select; keys go from 0 to ${maxKey}, both included.`,
  );
}

export function keysUpTo(maxKey: number): readonly number[] {
  return Array.from({ length: Math.max(0, maxKey + 1) }, (_, key) => key);
}

/** The row of each key, as data; each is computed once, at the server. */
export async function computeRows(
  server: Executor,
  { source, slice }: RowRequest,
  keys: readonly number[],
  options: RequestOptions = {},
): Promise<ReadonlyMap<number, MaterializedValue>> {
  const rows = new Map<number, MaterializedValue>();
  const callee = await sendFunction(slice, server);
  try {
    for (const key of keys) {
      rows.set(key, await computeRow(server, callee, source, key, options));
      await breathe();
    }
  } finally {
    callee[Symbol.dispose]();
  }
  return rows;
}

async function computeRow(
  server: Executor,
  slice: ExecutorValue,
  source: ExecutorValue,
  key: number,
  options: RequestOptions,
): Promise<MaterializedValue> {
  using atKey = await server.createValue(new TensorValue('int32', [], Int32Array.of(key)), KEY);
  using argument = await server.createStruct([
    { name: null, value: source },
    { name: null, value: atKey },
  ]);
  using row = await server.createCall(slice, argument, options);
  return await row.compute(options);
}

const KEY = int32();

async function pickAtClient(
  client: Executor,
  { keys, rowType }: SelectRequest,
  index: number,
  elements: readonly MaterializedValue[],
  gate: WorkGate,
): Promise<ExecutorValue> {
  const { options } = gate;
  const own = keys.members[index];
  if (own === undefined) throw new RangeError(`No keys for client ${index}.`);
  const type = selectByKeysType(keys.placed.member, rowType);
  using rows = await client.createValue({ kind: 'sequence', elements }, sequence(rowType), options);
  gate.pass();
  using argument = await client.createStruct([
    { name: null, value: own },
    { name: null, value: rows },
  ]);
  using pick = await client.createValue(intrinsic('select_by_keys', type), type);
  gate.pass();
  return await client.createCall(pick, argument, options);
}

export function rowOf(
  rows: ReadonlyMap<number, MaterializedValue>,
  key: number,
): MaterializedValue {
  const row = rows.get(key);
  if (row === undefined) throw new RangeError(`No row was computed for the key ${key}.`);
  return row;
}
