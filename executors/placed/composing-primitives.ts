/**
 * @file The intrinsics that a composing executor implements: how each is made of intrinsics of the
 * children. Those that happen at the server alone are the federating executor's.
 */

import { intrinsic } from '../../computations/building-blocks.ts';
import {
  type FederatedType,
  type FunctionType,
  federated,
  func,
  type MaterializedValue,
  sequence,
  struct,
} from '../../computations/types/index.ts';
import type { Executor, ExecutorValue } from '../executor.ts';
import { selectByKeysType } from '../leaf/sequence.ts';
import { forMany } from '../leaf/shared-tensor.ts';
import { StructNode, type ValueNode } from '../value-tree.ts';
import { asCounted, atEachChild, gatherFromEach, type Site } from './client-work.ts';
import { ComposedNode } from './composed-node.ts';
import { aggregate } from './composing-aggregate.ts';
import {
  CHILDREN,
  type Composition,
  callAtChild,
  membersOf,
  shareOut,
  structAtChild,
} from './composition.ts';
import {
  computeRows,
  keysUpTo,
  readRowRequest,
  rowOf,
  selectAtClients,
  toKeys,
  wrongKey,
} from './federated-select.ts';
import {
  asComposed,
  asFunction,
  asStruct,
  atServer,
  placedResult,
  sendFunction,
} from './federation.ts';

/** An intrinsic over a tree; see `Primitive`. */
export type ComposingPrimitive = (
  composition: Composition,
  argument: ValueNode,
  type: FunctionType,
) => Promise<ValueNode>;

export const COMPOSING_PRIMITIVES: ReadonlyMap<string, ComposingPrimitive> = new Map<
  string,
  ComposingPrimitive
>([
  ['federated_aggregate', aggregate],
  ['federated_broadcast', broadcast],
  ['federated_eval_at_clients', evaluateAtClients],
  ['federated_map', mapWith('federated_map')],
  ['federated_map_all_equal', mapWith('federated_map_all_equal')],
  ['federated_secure_select', secureSelect],
  ['federated_select', select],
  ['federated_value_at_clients', valueAtClients],
  ['federated_zip_at_clients', zipAtClients],
]);

function mapWith(uri: string): ComposingPrimitive {
  return async ({ executors, options, below }, argument, type) => {
    const [fn, value] = asStruct(argument, uri).elements;
    const mapper = asFunction(fn, uri);
    const { parts } = asComposed(value, uri);
    const results = await atEachChild(executors, CHILDREN, uri, options, async (child, i, gate) => {
      using atChild = await sendFunction(mapper, child);
      using both = await structAtChild(child, atChild, parts[i] as ExecutorValue);
      return await callAtChild(child, uri, type, both, { options: below, gate });
    });
    return new ComposedNode(placedResult(type, uri), results);
  };
}

async function evaluateAtClients(
  { executors, options, below }: Composition,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const uri = 'federated_eval_at_clients';
  const fn = asFunction(argument, uri);
  const results = await atEachChild(executors, CHILDREN, uri, options, async (child, _i, gate) => {
    using atChild = await sendFunction(fn, child);
    return await callAtChild(child, uri, type, atChild, { options: below, gate });
  });
  return new ComposedNode(placedResult(type, uri), results);
}

async function broadcast(
  composition: Composition,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const uri = 'federated_broadcast';
  const value = await atServer(argument, uri).compute(composition.options);
  return sendToClients(composition, value, placedResult(type, uri), uri);
}

async function valueAtClients(
  composition: Composition,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const uri = 'federated_value_at_clients';
  const lowered = await composition.lower(argument);
  try {
    const value = await lowered.handle.compute(composition.options);
    return await sendToClients(composition, value, placedResult(type, uri), uri);
  } finally {
    lowered.release();
  }
}

async function zipAtClients(
  { executors, options, below }: Composition,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const uri = 'federated_zip_at_clients';
  const source = asStruct(argument, uri);
  const parts = await atEachChild(executors, CHILDREN, uri, options, async (child, i) => {
    using tree = await partsAsStruct(child, source, i, uri);
    return await callAtChild(child, uri, type, tree, { options: below });
  });
  return new ComposedNode(placedResult(type, uri), parts);
}

/** As without a tree, the root computes each row once, and sends each client those it asked for. */
async function select(
  composition: Composition,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const uri = 'federated_select';
  const keys = asComposed(asStruct(argument, uri).elements[0], uri);
  const placed = placedResult(type, uri);
  if ((composition.losses.lostClients ?? 'fail') !== 'fail') {
    return composition.compose(await selectOneByOne(composition, keys, argument), placed);
  }
  const { executors, counts, server, options, below } = composition;
  const request = await readRowRequest(argument, uri);
  const read = await gatherFromEach(keys.parts, CHILDREN, uri, options, (part) =>
    part.compute(options),
  );
  const keysOfClients = read.flatMap(membersOf).map(toKeys);
  for (const [client, wanted] of keysOfClients.entries()) {
    const error = wrongKey(wanted, request.maxKey, client);
    if (error !== undefined) throw error;
  }
  const distinct = [...new Set(keysOfClients.flatMap((wanted) => [...wanted]))];
  const rows = await computeRows(server, request, distinct);
  const shares = shareOut(
    keysOfClients.map((wanted) => asSequence(wanted.map((key) => rowOf(rows, key)))),
    counts,
  );
  const parts = await atEachChild(executors, CHILDREN, uri, options, (child, i) =>
    child.createValue({ kind: 'federated', members: shares[i] ?? [] }, placed, below),
  );
  return new ComposedNode(placed, parts);
}

/** Where clients may be lost their keys are no data that a child could send, so each is asked apart. */
function selectOneByOne(
  { server, options, losses, clients, membersOf: membersAt }: Composition,
  keys: ComposedNode,
  argument: ValueNode,
): Promise<readonly ExecutorValue[]> {
  const site: Site = { placement: 'clients', numberOf: asCounted, losses };
  return selectAtClients({ server, options, site, clients: clients() }, membersAt(keys), argument);
}

/** As without a tree, every client gets all rows and picks its own: no key leaves it. */
async function secureSelect(
  { executors, server, options, below }: Composition,
  argument: ValueNode,
  type: FunctionType,
): Promise<ValueNode> {
  const uri = 'federated_secure_select';
  const keys = asComposed(asStruct(argument, uri).elements[0], uri);
  const request = await readRowRequest(argument, uri);
  const all = keysUpTo(request.maxKey);
  const rows = await computeRows(server, request, all);
  const everyRow = asSequence(all.map((key) => rowOf(rows, key)));

  const placed = placedResult(type, uri);
  const keyType = keys.placed.member;
  const rowsType = federated(sequence(request.rowType), placed.placement, true);
  const pickType = selectByKeysType(keyType, request.rowType);
  const zipped = federated(struct([keyType, rowsType.member]), placed.placement, false);
  const zipType = func(struct([keys.placed, rowsType]), zipped);
  const mapType = func(struct([pickType, zipped]), placed);
  const parts = await atEachChild(executors, CHILDREN, uri, options, async (child, i, gate) => {
    using sent = await child.createValue(
      { kind: 'federated', members: [everyRow] },
      rowsType,
      options,
    );
    gate.pass();
    using both = await structAtChild(child, keys.parts[i] as ExecutorValue, sent);
    using own = await callAtChild(child, 'federated_zip_at_clients', zipType, both, {
      options,
      gate,
    });
    using pick = await child.createValue(intrinsic('select_by_keys', pickType), pickType);
    using picking = await structAtChild(child, pick, own);
    return await callAtChild(child, 'federated_map', mapType, picking, { options: below, gate });
  });
  return new ComposedNode(placed, parts);
}

async function sendToClients(
  { executors, options, below }: Composition,
  common: MaterializedValue,
  placed: FederatedType,
  uri: string,
): Promise<ValueNode> {
  const shared: MaterializedValue = { kind: 'federated', members: [forMany(common)] };
  const parts = await atEachChild(executors, CHILDREN, uri, options, (child) =>
    child.createValue(shared, placed, below),
  );
  return new ComposedNode(placed, parts, common);
}

/** The struct of a zip at one child; inner structs are handed over and disposed. */
async function partsAsStruct(
  child: Executor,
  { type, elements }: StructNode,
  index: number,
  uri: string,
): Promise<ExecutorValue> {
  const names = type.kind === 'struct' ? type.elements : [];
  const inner: ExecutorValue[] = [];
  const values: { name: string | null; value: ExecutorValue }[] = [];
  try {
    for (const [i, element] of elements.entries()) {
      const name = names[i]?.name ?? null;
      if (element instanceof StructNode) {
        const value = await partsAsStruct(child, element, index, uri);
        inner.push(value);
        values.push({ name, value });
      } else {
        values.push({ name, value: asComposed(element, uri).parts[index] as ExecutorValue });
      }
    }
    return await child.createStruct(values);
  } finally {
    for (const value of inner) value[Symbol.dispose]();
  }
}

function asSequence(elements: readonly MaterializedValue[]): MaterializedValue {
  return { kind: 'sequence', elements };
}
