/**
 * @file A graph at known sizes, lowered for a device and laid out as steps: which kernel runs
 * where, on which values, and which values are freed after it.
 */

import { GraphBuilder, inlineGraph } from '../builder.ts';
import {
  type ConcreteSpec,
  inputIds,
  isInputList,
  type KernelGraph,
  type KernelNode,
  mapInputs,
  shapeSize,
  type ValueId,
  valueSpecs,
} from '../graph.ts';
import type { HostKernel } from '../host/arrays.ts';
import { HOST_KERNELS, hostKernel, inputOrder } from '../host/index.ts';
import type { ConcreteAttributes } from '../kernels/definition.ts';
import { estimateFlops, kernelDefinition } from '../kernels/index.ts';
import { lowerGraph } from '../lowering/index.ts';
import { simplifyGraph } from '../simplify.ts';
import type { BoundKernel, Device } from './device.ts';
import { Storage, StoredTensor } from './storage.ts';

export type Step = {
  readonly kernel: string;
  /** Ids of the inputs: in the order of the kernel table for host steps. */
  readonly inputs: readonly ValueId[];
  /** Names of the inputs for device steps; `null` for a list. */
  readonly names: readonly string[] | null;
  readonly attributes: ConcreteAttributes;
  readonly outputs: readonly ConcreteSpec[];
  /** Id of the first output. */
  readonly firstOutput: ValueId;
  /** Values that no later step and no result needs. */
  readonly frees: readonly ValueId[];
} & (
  | { readonly kind: 'host'; readonly run: HostKernel }
  | { readonly kind: 'bound'; readonly run: BoundKernel }
  | { readonly kind: 'device' | 'alias' }
);

export interface Plan {
  /** What the steps run on. */
  readonly device: Device;
  readonly parameters: readonly ConcreteSpec[];
  /** Values that are the same in every run, by id; `undefined` for all others. */
  readonly constants: readonly (StoredTensor | undefined)[];
  readonly steps: readonly Step[];
  readonly results: readonly ValueId[];
}

export interface PlanOptions {
  /**
   * Graphs whose values have no more elements than this in all run on the host, if the host has
   * all their kernels to the same bits: a call into a backend costs more than so little work.
   */
  readonly tinyElements: number;
  /** Another device, for graphs with much work; its tensors and the main device's are one family. */
  readonly large?: LargeGraphs;
}

export interface LargeGraphs {
  readonly device: Device;
  /** Floating point operations a kernel, on average over a graph, from which the device runs it. */
  readonly flopsPerKernel: number;
}

export const DEFAULT_PLAN_OPTIONS: PlanOptions = { tinyElements: 2048 };

/** @throws GraphError if the graph does not type-check at these parameter types */
export function makePlan(
  graph: KernelGraph,
  parameters: readonly ConcreteSpec[],
  main: Device,
  options: PlanOptions,
): Plan {
  const concrete = specialize(graph, parameters);
  const { large } = options;
  const device =
    large !== undefined && workPerKernel(concrete) >= large.flopsPerKernel ? large.device : main;
  const lowered = simplifyGraph(
    lowerGraph(concrete, {
      name: device.name,
      has: (kernel) => device.has(kernel) || HOST_KERNELS[kernel] !== undefined,
    }),
  );
  const tiny = isTiny(concrete, options);
  return layOut(tiny ? simplifyGraph(concrete) : lowered, device, tiny);
}

/** Drops the constants of a plan. */
export function releasePlan(plan: Plan): void {
  for (const constant of plan.constants) constant?.dispose();
}

/** The graph with every size known; all types are derived anew. */
function specialize(graph: KernelGraph, parameters: readonly ConcreteSpec[]): KernelGraph {
  const builder = new GraphBuilder();
  const inputs = parameters.map((spec) => builder.parameter(spec));
  return builder.build(inlineGraph(builder, graph, inputs));
}

/** Floating point operations on average over the kernels that do something. */
function workPerKernel(graph: KernelGraph): number {
  const specs = valueSpecs(graph) as readonly ConcreteSpec[];
  const kernels = graph.nodes.filter(
    ({ kernel }) => !ALIASES.has(kernel) && !ALWAYS_HOST.has(kernel),
  );
  const flops = kernels.map(({ kernel, inputs, attributes, outputs }) =>
    estimateFlops(
      kernel,
      mapInputs(inputs, (id) => specs[id] as ConcreteSpec),
      attributes as ConcreteAttributes,
      outputs as readonly ConcreteSpec[],
    ),
  );
  return flops.reduce((sum, each) => sum + each, 0) / Math.max(1, kernels.length);
}

function isTiny(graph: KernelGraph, { tinyElements }: PlanOptions): boolean {
  const specs = valueSpecs(graph) as readonly ConcreteSpec[];
  return (
    specs.reduce((sum, { shape }) => sum + shapeSize(shape), 0) <= tinyElements &&
    graph.nodes.every((node) => {
      const inputs = inputIds(node.inputs).map((id) => specs[id] as ConcreteSpec);
      return hostKernel(node.kernel, inputs, node.attributes as ConcreteAttributes) !== undefined;
    })
  );
}

function layOut(graph: KernelGraph, device: Device, tiny: boolean): Plan {
  const specs = valueSpecs(graph) as readonly ConcreteSpec[];
  const constants: Constants = new Map();
  const firstConstant = graph.parameters.length;
  graph.constants.forEach(({ dtype, shape, data }, index) => {
    const storage = new Storage(device, dtype, data, null);
    constants.set(firstConstant + index, new StoredTensor(storage, shape));
  });
  const steps: Omit<Step, 'frees'>[] = [];
  let next = firstConstant + graph.constants.length;
  for (const node of graph.nodes) {
    const firstOutput = next;
    next += node.outputs.length;
    const step = makeStep(node, firstOutput, specs, device, tiny);
    if (!fold(step, constants, specs, device)) steps.push(step);
  }
  return {
    device,
    parameters: specs.slice(0, firstConstant),
    constants: Array.from({ length: next }, (_, id) => constants.get(id)),
    steps: withFrees(steps, graph.results, constants),
    results: graph.results,
  };
}

type Constants = Map<ValueId, StoredTensor>;

/**
 * Computes a step whose inputs are all constants, once and for all runs. The host does it, so only
 * kernels that it has to the same bits are folded, and only where the result is no large tensor
 * made from a small one (a Fill is: it saves making it anew each time).
 */
function fold(
  step: Omit<Step, 'frees'>,
  constants: Constants,
  specs: readonly ConcreteSpec[],
  device: Device,
): boolean {
  if (!step.inputs.every((id) => constants.has(id))) return false;
  const given = step.inputs.map((id) => specs[id] as ConcreteSpec);
  const run = hostKernel(step.kernel, given, step.attributes);
  if (run === undefined || kernelDefinition(step.kernel).pure === false) return false;
  const size = step.outputs.reduce((sum, { shape }) => sum + shapeSize(shape), 0);
  if (size > FOLDED_ELEMENTS) return false;
  const inputs = step.inputs.map((id) => (constants.get(id) as StoredTensor).host());
  const order = inputOrder(step.kernel);
  const named = step.names;
  const positional =
    order === 'list' || named === null
      ? inputs
      : order.flatMap((name) => inputs[named.indexOf(name)] ?? []);
  run(positional, step.attributes, step.outputs).forEach((data, output) => {
    const { dtype, shape } = step.outputs[output] as ConcreteSpec;
    const storage = new Storage(device, dtype, data, null);
    constants.set(step.firstOutput + output, new StoredTensor(storage, shape));
  });
  return true;
}

/** Larger results are computed in each run, so that a plan does not hold much memory. */
const FOLDED_ELEMENTS = 2 ** 20;

type HostStep = Extract<Step, { kind: 'host' }>;

function makeStep(
  node: KernelNode,
  firstOutput: ValueId,
  specs: readonly ConcreteSpec[],
  device: Device,
  tiny: boolean,
): Omit<Step, 'frees'> {
  const attributes = node.attributes as ConcreteAttributes;
  const outputs = node.outputs as readonly ConcreteSpec[];
  const base = { kernel: node.kernel, attributes, outputs, firstOutput };
  if (ALIASES.has(node.kernel)) {
    return { ...base, kind: 'alias', inputs: inputIds(node.inputs), names: null };
  }
  const given = inputIds(node.inputs).map((id) => specs[id] as ConcreteSpec);
  const onHost = tiny || ALWAYS_HOST.has(node.kernel);
  const run = onHost ? hostKernel(node.kernel, given, attributes) : HOST_KERNELS[node.kernel];
  if (run !== undefined) {
    const order = inputOrder(node.kernel);
    const { inputs } = node;
    const ids =
      order === 'list' || isInputList(inputs)
        ? inputIds(inputs)
        : order.flatMap((name) => inputs[name] ?? []);
    return { ...base, kind: 'host', run, inputs: ids, names: null } as Omit<HostStep, 'frees'>;
  }
  const bound = bind(node, specs, device);
  if (bound !== null) return bound(base);
  const names = isInputList(node.inputs) ? null : Object.keys(node.inputs);
  return { ...base, kind: 'device', inputs: inputIds(node.inputs), names };
}

/** A step that the device runs by a call of its own, if it has one for this node. */
function bind(
  { kernel, inputs, attributes, outputs }: KernelNode,
  specs: readonly ConcreteSpec[],
  device: Device,
) {
  const order = inputOrder(kernel);
  if (
    device.bind === undefined ||
    order === 'list' ||
    isInputList(inputs) ||
    outputs.length !== 1
  ) {
    return null;
  }
  const ids = order.flatMap((name) => inputs[name] ?? []);
  const given = ids.map((id) => specs[id] as ConcreteSpec);
  const output = outputs[0] as ConcreteSpec;
  const run = device.bind(kernel, given, attributes as ConcreteAttributes, output);
  if (run === null) return null;
  return (base: Pick<Step, 'kernel' | 'attributes' | 'outputs' | 'firstOutput'>) =>
    ({ ...base, kind: 'bound', run, inputs: ids, names: null }) as Omit<Step, 'frees'>;
}

/** Kernels that only give their input another shape. */
const ALIASES: ReadonlySet<string> = new Set(['Reshape', 'ExpandDims', 'Identity', 'fl.Reshape']);
const ALWAYS_HOST: ReadonlySet<string> = new Set(['Fill']);

function withFrees(
  steps: readonly Omit<Step, 'frees'>[],
  results: readonly ValueId[],
  constants: ReadonlyMap<ValueId, unknown>,
): readonly Step[] {
  const needed = new Set(results);
  const finished: Step[] = [];
  for (let index = steps.length - 1; index >= 0; index--) {
    const step = steps[index] as Omit<Step, 'frees'>;
    const touched = [...step.inputs, ...step.outputs.map((_, output) => step.firstOutput + output)];
    const frees: ValueId[] = [];
    for (const id of touched) {
      if (needed.has(id) || constants.has(id)) continue;
      needed.add(id);
      frees.push(id);
    }
    finished.push({ ...step, frees } as Step);
  }
  return finished.reverse();
}
