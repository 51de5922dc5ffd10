/** @file Which parameters of a kernel graph each of its results can depend on, its sizes included. */

import {
  type AttributeValue,
  inputIds,
  type KernelGraph,
  type Size,
  type TensorSpec,
  type ValueId,
  valueSpecs,
} from '../../computations/tensors/index.ts';

/** For each result, the indices of the parameters that it was computed from. */
export function dependenciesOf(graph: KernelGraph): readonly ReadonlySet<number>[] {
  const known = cache.get(graph);
  if (known !== undefined) return known;
  const dependencies = trace(graph);
  cache.set(graph, dependencies);
  return dependencies;
}

// Graphs are immutable.
const cache = new WeakMap<KernelGraph, readonly ReadonlySet<number>[]>();

function trace(graph: KernelGraph): readonly ReadonlySet<number>[] {
  // An unknown size is that of every parameter which has it.
  const sizes = Array.from({ length: graph.unknowns }, (_, unknown) =>
    graph.parameters.flatMap(({ unknowns }, i) => (unknowns.includes(unknown) ? [i] : [])),
  );
  const specs = valueSpecs(graph);
  const values: ReadonlySet<number>[] = [
    ...graph.parameters.map((_, i) => new Set([i])),
    ...graph.constants.map(() => NONE),
  ];
  for (const node of graph.nodes) {
    const found = new Set(inputIds(node.inputs).flatMap((id) => [...(values[id] ?? NONE)]));
    for (const attribute of Object.values(node.attributes)) addSizes(attribute, sizes, found);
    for (const output of node.outputs) {
      const own = new Set(found);
      addSizes(output.shape, sizes, own);
      values.push(own);
    }
  }
  return graph.results.map((id) => resultDependencies(id, values, specs, sizes));
}

function resultDependencies(
  id: ValueId,
  values: readonly ReadonlySet<number>[],
  specs: readonly TensorSpec[],
  sizes: readonly (readonly number[])[],
): ReadonlySet<number> {
  const found = new Set(values[id] ?? NONE);
  addSizes(specs[id]?.shape ?? [], sizes, found);
  return found;
}

/** Adds the parameters whose sizes an attribute or a shape is a form in. */
function addSizes(
  value: AttributeValue | Size | undefined,
  sizes: readonly (readonly number[])[],
  found: Set<number>,
): void {
  if (typeof value !== 'object') return;
  if (!('kind' in value)) {
    for (const inner of value) addSizes(inner, sizes, found);
    return;
  }
  value.factors.forEach((factor, unknown) => {
    if (factor !== 0) for (const parameter of sizes[unknown] ?? []) found.add(parameter);
  });
}

const NONE: ReadonlySet<number> = new Set();
