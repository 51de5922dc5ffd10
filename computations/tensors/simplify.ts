/**
 * @file Makes a graph smaller without changing what it computes: aliases are removed, equal nodes
 * merged, constants that hold one value become Fill nodes, and what no result needs is dropped.
 */

import { attributeKey } from './attributes.ts';
import { GraphBuilder } from './builder.ts';
import {
  type GraphConstant,
  inputIds,
  isInputList,
  type KernelGraph,
  type KernelNode,
  mapInputs,
  type TensorSpec,
  type ValueId,
  valueSpecs,
} from './graph.ts';
import { kernelDefinition } from './kernels/index.ts';
import { equalSizes } from './sizes.ts';

/** The simplified graph. Parameters stay, used or not; a kernel that may fail by its data stays. */
export function simplifyGraph(graph: KernelGraph): KernelGraph {
  return dropUnused(mergeEqual(graph));
}

function mergeEqual(graph: KernelGraph): KernelGraph {
  const builder = new GraphBuilder();
  const specs = valueSpecs(graph);
  const ids: ValueId[] = graph.parameters.map((parameter) =>
    builder.parameter(parameter, parameter),
  );
  const seen = new Map<string, readonly ValueId[]>();
  // Casts of booleans: the boolean that each came from.
  const booleans = new Map<ValueId, ValueId>();
  const once = (key: string, make: () => readonly ValueId[]): readonly ValueId[] => {
    const known = seen.get(key);
    if (known !== undefined) return known;
    const made = make();
    seen.set(key, made);
    return made;
  };
  for (const constant of graph.constants) {
    const fill = asFill(constant);
    const [id] =
      fill === null
        ? [builder.constant(constant)]
        : once(nodeKey(fill), () => builder.node(fill.kernel, fill.inputs, fill.attributes));
    ids.push(id as ValueId);
  }
  for (const original of graph.nodes) {
    // 0 and 1 pass through any chain of casts unchanged, so the chain's first boolean is cast.
    const rename = (id: ValueId): ValueId => ids[id] as ValueId;
    const cast = original.kernel === 'Cast';
    const inputs = mapInputs(original.inputs, (id) =>
      cast ? (booleans.get(rename(id)) ?? rename(id)) : rename(id),
    );
    const node = { ...original, inputs };
    const alias = aliasOf(original, specs);
    if (alias !== null) {
      ids.push(ids[alias] as ValueId);
      continue;
    }
    const add = (): readonly ValueId[] => builder.node(node.kernel, node.inputs, node.attributes);
    const outputs = isPure(node) ? once(nodeKey(node), add) : add();
    const [source] = inputIds(inputs);
    if (cast && source !== undefined && builder.spec(source).dtype === 'bool') {
      booleans.set(outputs[0] as ValueId, source);
    }
    ids.push(...outputs);
  }
  return builder.build(graph.results.map((id) => ids[id] as ValueId));
}

function dropUnused(graph: KernelGraph): KernelGraph {
  const used = new Set<ValueId>(graph.results);
  const firstOutput = outputStarts(graph);
  const kept = graph.nodes.map(() => false);
  for (let index = graph.nodes.length - 1; index >= 0; index--) {
    const node = graph.nodes[index] as KernelNode;
    const start = firstOutput[index] ?? 0;
    const needed = !isPure(node) || node.outputs.some((_, output) => used.has(start + output));
    if (!needed) continue;
    kept[index] = true;
    for (const id of inputIds(node.inputs)) used.add(id);
  }
  const builder = new GraphBuilder();
  const ids: ValueId[] = graph.parameters.map((parameter) =>
    builder.parameter(parameter, parameter),
  );
  graph.constants.forEach((constant, index) => {
    const id = graph.parameters.length + index;
    ids.push(used.has(id) ? builder.constant(constant) : -1);
  });
  graph.nodes.forEach((node, index) => {
    if (!kept[index]) {
      ids.push(...node.outputs.map(() => -1));
      return;
    }
    const inputs = mapInputs(node.inputs, (id) => ids[id] as ValueId);
    ids.push(...builder.node(node.kernel, inputs, node.attributes));
  });
  return builder.build(graph.results.map((id) => ids[id] as ValueId));
}

/** The id of the first output of each node. */
export function outputStarts(graph: KernelGraph): readonly ValueId[] {
  let next = graph.parameters.length + graph.constants.length;
  return graph.nodes.map((node) => {
    const start = next;
    next += node.outputs.length;
    return start;
  });
}

function isPure(node: KernelNode): boolean {
  return kernelDefinition(node.kernel).pure !== false;
}

/** The id of the input that a node only hands on, or `null`. */
function aliasOf(node: KernelNode, specs: readonly TensorSpec[]): ValueId | null {
  if (!ALIASES.has(node.kernel)) return null;
  const [input] = inputIds(node.inputs);
  const given = specs[input ?? -1];
  const made = node.outputs[0];
  const same =
    given !== undefined &&
    made !== undefined &&
    given.dtype === made.dtype &&
    given.shape.length === made.shape.length &&
    given.shape.every((size, axis) => equalSizes(size, made.shape[axis] ?? -1));
  if (!same || input === undefined) return null;
  const identity = node.kernel !== 'Transpose' || isSorted(node.attributes.perm);
  return identity ? input : null;
}

const ALIASES = new Set(['Identity', 'Reshape', 'Cast', 'Transpose', 'fl.Reshape', 'fl.Cast']);

function isSorted(perm: unknown): boolean {
  return Array.isArray(perm) && perm.every((axis, position) => axis === position);
}

function nodeKey({ kernel, inputs, attributes }: Omit<KernelNode, 'outputs'>): string {
  const named = isInputList(inputs)
    ? inputs.join(',')
    : Object.keys(inputs)
        .sort()
        .map((name) => `${name}=${inputs[name]}`)
        .join(',');
  return `${kernel}(${named}){${attributeKey(attributes)}}`;
}

function asFill({ dtype, shape, data }: GraphConstant): Omit<KernelNode, 'outputs'> | null {
  if (dtype === 'string' || data.length === 0) return null;
  const first = data[0] as number | bigint;
  if (Number.isNaN(first)) return null;
  for (const value of data) if (!Object.is(value, first)) return null;
  return dtype === 'int64' || dtype === 'uint8'
    ? { kernel: 'fl.Fill', inputs: {}, attributes: { shape, value: String(first), dtype } }
    : { kernel: 'Fill', inputs: {}, attributes: { shape, value: Number(first), dtype } };
}
