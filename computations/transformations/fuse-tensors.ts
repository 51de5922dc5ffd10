/**
 * @file Makes one tensor computation of several: the calls of a body that nothing else stands
 * between become one kernel graph, so that they are one replay, and a function that consists of
 * such calls becomes a compiled computation itself.
 */

import {
  type BuildingBlock,
  type Compiled,
  call,
  compiled,
  type Lambda,
  type Reference,
  reference,
  selection,
  structBlock,
} from '../building-blocks.ts';
import { freeReferences, replaceReferences } from '../free-references.ts';
import type { KernelGraph } from '../tensors/graph.ts';
import { func, isIdentical, structOf, type Type, tensorLeaves } from '../types/index.ts';
import { allNames, type Body, bodyOf, inOrderOfNeed, type Local, mapBodies } from './bodies.ts';
import type { TransformationOptions } from './call-dominant.ts';
import { composeGraphs, type TensorSource } from './compose-graphs.ts';
import { NameSource } from './names.ts';
import { isPure } from './purity.ts';
import { structuralKey } from './structural-key.ts';
import { isTensors, leavesOf, namedParts, partLeaves } from './tensor-leaves.ts';

/**
 * @param node in call-dominant form.
 * @returns a block of the same type and meaning. `toCallDominant` drops what is not needed any more.
 */
export function fuseTensorComputations(
  node: BuildingBlock,
  { isPureIntrinsic }: TransformationOptions,
): BuildingBlock {
  const names = new NameSource(allNames(node));
  const isPureLocal = ({ value }: Local): boolean => isPure(value, isPureIntrinsic);
  return mapBodies(node, (body) => fuseBody(body, names, isPureLocal), fuseFunction);
}

/** A call of a compiled computation, as a local of a body. */
interface TensorCall {
  readonly name: string;
  readonly fn: Compiled;
  readonly argument: BuildingBlock | null;
}

function tensorCallOf({ name, value }: Local): TensorCall | null {
  if (value.kind !== 'call' || value.function.kind !== 'compiled') return null;
  return { name, fn: value.function, argument: value.argument };
}

/** The function as one compiled computation, if it consists of nothing else. */
function fuseFunction(node: Lambda): BuildingBlock {
  const { locals, result } = bodyOf(node.result);
  const calls = locals.flatMap((local) => tensorCallOf(local) ?? []);
  const [only] = calls;
  if (only === undefined || calls.length < locals.length) return node;
  if (calls.length === 1 && handsOn(node, only, result)) return only.fn;
  const { parameter, type } = node;
  if (parameter === null || type.parameter === null) return node;
  if (!isTensors(type.parameter) || !isTensors(type.result)) return node;
  const fused = fuse(calls, [reference(parameter, type.parameter)], [result]);
  // Tensors that are handed in for nothing, or only handed on, would go through the backend.
  if (fused === null || fused.hasIdleInput) return node;
  return compiled(fused.name, fused.graph, func(type.parameter, type.result));
}

/** True for `(x -> f(x))` where f has exactly this type. */
function handsOn({ parameter, type }: Lambda, only: TensorCall, result: BuildingBlock): boolean {
  const { name, fn, argument } = only;
  const returnsIt = result.kind === 'reference' && result.name === name;
  const takesAll =
    parameter === null
      ? argument === null
      : argument?.kind === 'reference' && argument.name === parameter;
  return returnsIt && takesAll && isIdentical(fn.type, type);
}

/** Puts one call in the place of those that can be made at the same time. */
function fuseBody(body: Body, names: NameSource, isPureLocal: (local: Local) => boolean): Body {
  const { groups, after } = stagesOf(body, isPureLocal);
  const replacements = new Map<string, BuildingBlock>();
  const gone = new Set<string>();
  const made: Local[] = [];
  for (const group of groups) {
    const inGroup = new Set(group.map(({ name }) => name));
    const outside = body.locals.filter(({ name }) => !inGroup.has(name)).map(({ value }) => value);
    const used = new Set([...outside, body.result].flatMap((each) => [...freeReferences(each)]));
    const needed = group.filter(({ name }) => used.has(name));
    const results = needed.map(({ name, fn }) => reference(name, fn.type.result));
    const inputs = namedParts(group.flatMap(({ argument }) => argument ?? [])).filter(
      (part) => ![...freeReferences(part)].some((name) => inGroup.has(name)),
    );
    const fused = fuse(group, inputs, results);
    if (fused === null) continue;
    const value = callFused(fused, inputs, results);
    const name = names.fresh();
    made.push({ name, value });
    needed.forEach((each, index) => {
      const whole = reference(name, value.type);
      replacements.set(each.name, needed.length === 1 ? whole : selection(whole, index));
    });
    for (const each of inGroup) gone.add(each);
  }
  if (made.length === 0) return body;
  const locals = [...body.locals.filter(({ name }) => !gone.has(name)), ...made].map((local) => ({
    name: local.name,
    value: replaceReferences(local.value, replacements),
  }));
  return {
    locals: inOrderOfNeed(locals, after),
    result: replaceReferences(body.result, replacements),
  };
}

interface Stages {
  /** Tensor computations that can be one, in the order of the body; two or more in each. */
  readonly groups: readonly (readonly TensorCall[])[];
  /** For each impure local, the one before it. */
  readonly after: ReadonlyMap<string, readonly string[]>;
}

/**
 * Divides the tensor computations of a body by the number of other calls, one after the other, that
 * must be made before them. Those that only others need wait for them.
 */
function stagesOf({ locals, result }: Body, isPureLocal: (local: Local) => boolean): Stages {
  const after = new Map<string, readonly string[]>();
  /** Number of other calls, one after the other, until the value of a local is there. */
  const stages = new Map<string, number>();
  let impure: string | null = null;
  for (const local of locals) {
    const { name, value } = local;
    const stage = Math.max(0, ...[...freeReferences(value)].map((each) => stages.get(each) ?? 0));
    // Named data is there from the start.
    if (tensorCallOf(local) !== null || value.kind !== 'call') {
      stages.set(name, stage);
      continue;
    }
    const before = impure === null || isPureLocal(local) ? 0 : (stages.get(impure) ?? 0);
    stages.set(name, Math.max(stage, before) + 1);
    if (isPureLocal(local)) continue;
    if (impure !== null) after.set(name, [impure]);
    impure = name;
  }

  const users = new Map<string, Local[]>();
  for (const local of locals) {
    for (const name of freeReferences(local.value)) {
      users.set(name, [...(users.get(name) ?? []), local]);
    }
  }
  const groups = new Map<number, TensorCall[]>();
  for (const local of locals.toReversed()) {
    const tensorCall = tensorCallOf(local);
    if (tensorCall === null) continue;
    const later = users.get(local.name) ?? [];
    const waits =
      later.every((user) => tensorCallOf(user) !== null) && !freeReferences(result).has(local.name);
    const stage = waits
      ? Math.min(...later.map(({ name }) => stages.get(name) ?? 0))
      : (stages.get(local.name) ?? 0);
    if (waits && later.length > 0) stages.set(local.name, stage);
    const chosen = stages.get(local.name) ?? 0;
    groups.set(chosen, [tensorCall, ...(groups.get(chosen) ?? [])]);
  }
  return { groups: [...groups.values()].filter((group) => group.length > 1), after };
}

interface Fused {
  readonly name: string;
  readonly graph: KernelGraph;
  /** True if an input is not needed by any of the calls, or a result comes from none. */
  readonly hasIdleInput: boolean;
}

/**
 * One graph for several calls.
 * @param inputs blocks whose leaves, in order, are its parameters.
 * @param results blocks whose leaves, in order, are its results.
 * @returns `null` if no single graph can say it.
 */
function fuse(
  calls: readonly TensorCall[],
  inputs: readonly BuildingBlock[],
  results: readonly BuildingBlock[],
): Fused | null {
  if (!inputs.every(({ type }) => isTensors(type))) return null;
  const parameters = inputs.flatMap(partLeaves);
  const indices = new Map(parameters.map((leaf, index) => [structuralKey(leaf), index]));
  const callIndices = new Map(calls.map(({ name }, index) => [name, index]));
  const used = new Set<number>();
  const leavesOfNamed = new Map<string, readonly BuildingBlock[]>();
  const indexOf = (named: Reference, leaf: number): number => {
    const leaves = leavesOfNamed.get(named.name) ?? partLeaves(named);
    leavesOfNamed.set(named.name, leaves);
    return indices.get(structuralKey(leaves[leaf] ?? named)) ?? -1;
  };
  const sourcesOf = (node: BuildingBlock): readonly TensorSource[] | null => {
    const leaves = leavesOf(node);
    if (leaves === null) return null;
    return leaves.map((leaf): TensorSource => {
      if (leaf.kind === 'constant') return leaf;
      const of = callIndices.get(leaf.of.name);
      if (of !== undefined) return { kind: 'result', call: of, index: leaf.index };
      const index = indexOf(leaf.of, leaf.index);
      used.add(index);
      return { kind: 'parameter', index };
    });
  };
  const given = calls.map(({ argument }) => (argument === null ? [] : sourcesOf(argument)));
  const returned = results.map(sourcesOf);
  if (given.includes(null) || returned.includes(null) || used.has(-1)) return null;
  const sources = returned.flatMap((each) => each ?? []);
  const hasIdleInput =
    used.size < parameters.length || sources.some(({ kind }) => kind !== 'result');
  const graph = composeGraphs({
    parameters: inputs.flatMap(({ type }) => tensorLeaves(type)),
    calls: calls.map(({ fn }, index) => ({ graph: fn.graph, inputs: given[index] ?? [] })),
    results: sources,
  });
  if (graph === null) return null;
  return { name: nameOf(calls), graph, hasIdleInput };
}

/** A call of what several calls were fused into; with several results it returns a struct of them. */
function callFused(
  { name, graph }: Fused,
  inputs: readonly BuildingBlock[],
  results: readonly BuildingBlock[],
): BuildingBlock {
  const argument = together(inputs);
  const [only] = results;
  const result: Type =
    results.length === 1 && only !== undefined
      ? only.type
      : structOf(results.map(({ type }) => ({ name: null, type })));
  return call(compiled(name, graph, func(argument?.type ?? null, result)), argument);
}

function together(inputs: readonly BuildingBlock[]): BuildingBlock | null {
  const [only] = inputs;
  if (inputs.length < 2) return only ?? null;
  return structBlock(inputs.map((value) => ({ name: null, value })));
}

const LONGEST_NAME = 80;

function nameOf(calls: readonly TensorCall[]): string {
  const names = [...new Set(calls.map(({ fn }) => fn.name))];
  const name = names.join('+');
  return name.length <= LONGEST_NAME
    ? name
    : `${names[0]}+…+${names.at(-1)}`.slice(0, LONGEST_NAME);
}
