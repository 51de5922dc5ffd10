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
import {
  atEachClient,
  gatherFromEach,
  type Site,
  substituteAt,
  type WorkGate,
} from './client-work.ts';
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
import { LostMember, lostOf } from './lost-clients.ts';

export async function select(
  federation: Federation,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const uri = 'federated_select';
  const keys = asPlaced(asStruct(argument, uri).elements[0], 'clients', uri);
  const members = await selectAtClients(federation, keys.members, argument);
  return new FederatedNode(placedResult(type, uri), { members });
}

/**
 * The rows that clients ask for, at each of them.
 * @param keys what they ask for, in their order.
 * @throws ExecutionError `execution.key_out_of_range`, unless such a client is lost.
 */
export async function selectAtClients(
  { clients, server, site, options }: Pick<Federation, 'clients' | 'server' | 'site' | 'options'>,
  keys: readonly ExecutorValue[],
  argument: ValueNode,
): Promise<ExecutorValue[]> {
  const uri = 'federated_select';
  const request = await readRowRequest(argument, uri, options);
  const keysOfClients = await readKeys(keys, request, site, options);
  const distinct = [
    ...new Set(keysOfClients.flatMap((wanted) => (isLost(wanted) ? [] : [...wanted]))),
  ];
  const rows = await computeRows(server, request, distinct, options);
  const work = {
    what: uri,
    type: sequence(request.rowType),
    lostBefore: (client: number) => {
      const wanted = keysOfClients[client];
      return wanted !== undefined && isLost(wanted) ? wanted : undefined;
    },
  };
  return atEachClient(clients, site, work, options, (client, index, gate) => {
    const elements = (keysOfClients[index] as Keys).map((key) => rowOf(rows, key));
    return client.createValue({ kind: 'sequence', elements }, work.type, gate.options);
  });
}

type Keys = readonly number[];

/** What each client asks for, or that it was lost. */
async function readKeys(
  members: readonly ExecutorValue[],
  { maxKey }: RowRequest,
  site: Site,
  options: RequestOptions,
): Promise<(Keys | LostMember)[]> {
  const uri = 'federated_select';
  const substitute = substituteAt(site, uri, KEYS, options);
  const read = await gatherFromEach<ExecutorValue, Keys | LostMember>(
    members,
    site,
    uri,
    options,
    async (member, _client, passed) => lostOf(member) ?? toKeys(await member.compute(passed)),
    substitute,
  );
  return read.map((wanted, client) => {
    if (isLost(wanted)) return wanted;
    const error = wrongKey(wanted, maxKey, site.numberOf(client));
    if (error === undefined) return wanted;
    if (substitute === undefined) throw error;
    return substitute(error, client);
  });
}

function isLost(wanted: Keys | LostMember): wanted is LostMember {
  return wanted instanceof LostMember;
}

export async function secureSelect(
  { clients, server, site, options }: Federation,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const uri = 'federated_secure_select';
  const keys = asPlaced(asStruct(argument, uri).elements[0], 'clients', uri);
  const request = await readRowRequest(argument, uri, options);
  const all = keysUpTo(request.maxKey);
  const rows = await computeRows(server, request, all, options);
  const elements = all.map((key) => rowOf(rows, key));
  const placed = placedResult(type, uri);
  const work = {
    what: uri,
    type: placed.member,
    lostBefore: (client: number) => lostOf(keys.members[client]),
  };
  const results = await atEachClient(clients, site, work, options, (client, index, gate) =>
    pickAtClient(client, { keys, ...request }, index, elements, gate),
  );
  return new FederatedNode(placed, { members: results });
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

export function toKeys(keys: MaterializedValue): readonly number[] {
  if (keys.kind !== 'tensor') throw new TypeError(`Keys are int32[N]; got a ${keys.kind}.`);
  return Array.from(keys.data, Number);
}

/** What is wrong with the keys of a client, if anything is. */
export function wrongKey(
  keys: readonly number[],
  maxKey: number,
  client: number,
): ExecutionError | undefined {
  const wrong = keys.find((key) => key < 0 || key > maxKey);
  if (wrong === undefined) return undefined;
  return new ExecutionError(
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
const KEYS = int32(null);

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
