/**
 * @file Merges the maps and zips of a body: consecutive maps, maps of zips, and tensor computations
 * on the same value become one map each. What lies between two other calls of the body (aggregations,
 * broadcasts) is a stage; nothing is merged across stages, and the other calls stay what they are.
 */

import {
  type BuildingBlock,
  block,
  type Lambda,
  lambda,
  reference,
  selection,
  structBlock,
} from '../../computations/building-blocks.ts';
import { freeReferences, replaceReferences } from '../../computations/free-references.ts';
import {
  allNames,
  type Body,
  inOrderOfNeed,
  isPure,
  type Local,
  mapBodies,
  NameSource,
  Normalizer,
  type TransformationOptions,
} from '../../computations/transformations/index.ts';
import { federated, structOf } from '../../computations/types/index.ts';
import {
  isPlaced,
  MAPS,
  type MapOptions,
  mapCall,
  type Placed,
  type Provenance,
  ZIPS,
  zipCall,
} from './maps.ts';
import { MemberGraph, type MemberValue, type Source } from './member-graph.ts';
import { stagesOf } from './stages.ts';

/**
 * @param node in call-dominant form.
 * @returns a block of the same meaning. `toCallDominant` drops what is not needed any more. Where
 *   nothing asks for an all-equal value at the clients, maps are plain `federated_map`s.
 */
export function mergeMaps(
  node: BuildingBlock,
  { isPureIntrinsic }: TransformationOptions,
): BuildingBlock {
  const names = new NameSource(allNames(node));
  const isPureLocal = ({ value }: Local): boolean => isPure(value, isPureIntrinsic);
  return mapBodies(node, (body) => {
    if (!body.locals.some(isMapOrZip)) return body;
    const graph = new MemberGraph(body, isPureLocal, new Normalizer(isPureIntrinsic, names));
    return new MapMerger(body, graph, isPureLocal, names).merge();
  });
}

function isMapOrZip({ value }: Local): boolean {
  if (value.kind !== 'call' || value.function.kind !== 'intrinsic') return false;
  return MAPS.has(value.function.uri) || ZIPS.has(value.function.uri);
}

/** A map or zip that something else needs, as an expression on members. */
/** Of a map that stands for several: the origin if they agree on it, and the place of the first. */
function commonProvenance(group: readonly Output[]): Provenance {
  const provenances = group.map(({ value }) => value.provenance);
  const [first = {}] = provenances;
  if (provenances.every(({ origin }) => origin === first.origin)) return first;
  return first.source === undefined ? {} : { source: first.source };
}

interface Output {
  readonly value: MemberValue;
  readonly expression: BuildingBlock;
  /** True if it must be known to be the same at all clients. */
  readonly allEqual: boolean;
  readonly stage: number;
}

class MapMerger {
  readonly #body: Body;
  readonly #graph: MemberGraph;
  readonly #names: NameSource;
  readonly #others: readonly Local[];
  readonly #isPureLocal: (local: Local) => boolean;
  readonly #made: Local[] = [];
  readonly #replacements = new Map<string, BuildingBlock>();
  /** Pure calls whose results were kept by a map that is not all-equal: no use where one must be. */
  readonly #keptUnequal = new Set<string>();

  constructor(
    body: Body,
    graph: MemberGraph,
    isPureLocal: (local: Local) => boolean,
    names: NameSource,
  ) {
    this.#body = body;
    this.#graph = graph;
    this.#names = names;
    this.#isPureLocal = isPureLocal;
    this.#others = body.locals.filter(({ name }) => graph.value(name) === undefined);
  }

  merge(): Body {
    const { stages, after } = stagesOf(this.#body, this.#graph, this.#isPureLocal);
    const outputs = this.#outputs(stages);
    const pending = outputs.filter((output) => !this.#rearrange(output));
    const waiting = new Set(pending);
    for (const alike of atOneStage(pending)) {
      for (const group of this.#connected(alike)) {
        for (const output of group) waiting.delete(output);
        this.#makeMap(group, [...waiting]);
      }
    }
    const locals = [...this.#others, ...this.#made].map(({ name, value }) => ({
      name,
      value: replaceReferences(value, this.#replacements),
    }));
    return {
      locals: inOrderOfNeed(locals, after),
      result: replaceReferences(this.#body.result, this.#replacements),
    };
  }

  /** What the other calls and the result need of the maps and zips. */
  #outputs(stages: ReadonlyMap<string, number>): readonly Output[] {
    const { result } = this.#body;
    const asIs = [result, ...this.#others.filter(takesAllEqual).map(({ value }) => value)];
    const allEqual = new Set(asIs.flatMap((each) => [...freeReferences(each)]));
    const needed = new Set(
      [result, ...this.#others.map(({ value }) => value)].flatMap((each) => [
        ...freeReferences(each),
      ]),
    );
    return this.#graph.values
      .filter(({ local }) => needed.has(local.name))
      .map((value) => ({
        value,
        expression: this.#graph.write(value.meaning),
        allEqual:
          value.type.placement === 'clients' &&
          value.type.allEqual &&
          allEqual.has(value.local.name),
        stage: stages.get(value.local.name) ?? 0,
      }));
  }

  /** Makes an output that needs no call at the participants. @returns false if it needs one. */
  #rearrange(output: Output): boolean {
    const { value, expression, allEqual } = output;
    if (this.#callsFor([expression], output).length > 0) return false;
    const source =
      expression.kind === 'reference' ? this.#sourceOf(expression.name, output) : undefined;
    if (source !== undefined) {
      this.#replacements.set(value.local.name, source.value);
      return true;
    }
    const zipped = allEqual || isEmptyStruct(expression) ? null : this.#asZip(expression);
    if (zipped !== null) {
      this.#bind(value, zipCall(zipped, value.type, value.provenance));
      return true;
    }
    this.#makeMap([output], []);
    return true;
  }

  /** A struct of sources as the argument of a zip, or `null` if the expression is more than that. */
  #asZip(expression: BuildingBlock): BuildingBlock | null {
    if (expression.kind === 'reference') {
      return this.#graph.source(expression.name)?.value ?? null;
    }
    if (expression.kind !== 'struct' || isEmptyStruct(expression)) return null;
    const elements: { readonly name: string | null; readonly value: BuildingBlock }[] = [];
    for (const { name, value } of expression.elements) {
      const element = this.#asZip(value);
      if (element === null) return null;
      elements.push({ name, value: element });
    }
    return structBlock(elements);
  }

  /**
   * The outputs that become one map: those that need a call in common, and those that compute
   * tensors from a source in common.
   */
  #connected(outputs: readonly Output[]): readonly (readonly Output[])[] {
    const groups: { members: Output[]; ties: Set<string> }[] = [];
    for (const output of outputs) {
      const calls = this.#callsFor([output.expression], output);
      const ties = new Set(calls.map(({ name }) => name));
      if (calls.some(({ value }) => value.kind === 'call' && value.function.kind === 'compiled')) {
        for (const { name } of this.#sourcesFor([output.expression], calls, output)) {
          ties.add(name);
        }
      }
      const joined = groups.filter((group) => [...group.ties].some((tie) => ties.has(tie)));
      const members = [...joined.flatMap((group) => group.members), output];
      for (const group of joined) {
        for (const tie of group.ties) ties.add(tie);
        groups.splice(groups.indexOf(group), 1);
      }
      groups.push({ members, ties });
    }
    return groups.map(({ members }) => members);
  }

  /**
   * One map that makes all outputs of a group.
   * @param waiting outputs that are made later. Calls that they share with the group are made here,
   *   and their results kept for them.
   */
  #makeMap(group: readonly Output[], waiting: readonly Output[]): void {
    const [first] = group;
    if (first === undefined) return;
    const { placement } = first.value.type;
    const calls = this.#callsFor(
      group.map(({ expression }) => expression),
      first,
    );
    const outputOf = new Map(
      group.flatMap(({ value, expression }) =>
        expression.kind === 'reference' ? [[expression.name, value] as const] : [],
      ),
    );
    const later = this.#neededLater(calls, waiting, placement);
    const shared = later.filter(({ name }) => !outputOf.has(name));
    const results = [
      ...group.map(({ expression }) => expression),
      ...shared.map(({ name, value }) => reference(name, value.type)),
    ];
    const sources = this.#sourcesFor(results, calls, first);
    const fn = this.#mapper(sources, calls, results);
    const options = { allEqual: first.allEqual, provenance: commonProvenance(group) };
    const map = mapCall(fn, this.#together(sources, placement), options);
    if (results.length === 1) this.#bind(first.value, map);
    else this.#bindEach(group, shared, map, options);
    for (const { name } of later) {
      const output = outputOf.get(name);
      const made = output === undefined ? undefined : this.#replacements.get(output.local.name);
      if (made !== undefined && isPlaced(made)) this.#keep(made, name, calls);
    }
  }

  /** Binds the elements of what a map makes to its outputs, and keeps the others for later. */
  #bindEach(
    group: readonly Output[],
    shared: readonly Local[],
    map: BuildingBlock,
    options: MapOptions,
  ): void {
    const whole = reference(this.#names.fresh(), map.type);
    this.#made.push({ name: whole.name, value: map });
    if (!isPlaced(whole)) throw new TypeError('A map makes a placed value.');
    const select = (index: number, provenance = options.provenance): BuildingBlock =>
      mapCall(this.#selector(whole, index), whole, {
        ...options,
        ...(provenance === undefined ? {} : { provenance }),
      });
    group.forEach(({ value }, index) => {
      this.#bind(value, select(index, value.provenance));
    });
    shared.forEach((call, index) => {
      const element = select(group.length + index);
      const value = reference(this.#names.fresh(), element.type);
      this.#made.push({ name: value.name, value: element });
      if (isPlaced(value)) this.#keep(value, call.name, shared);
    });
  }

  #bind(value: MemberValue, call: BuildingBlock): void {
    const name = this.#names.fresh();
    this.#made.push({ name, value: call });
    this.#replacements.set(value.local.name, reference(name, call.type));
  }

  /** Keeps the result of a call for outputs that are made later. */
  #keep(value: Placed, name: string, calls: readonly Local[]): void {
    this.#graph.addSource({ value, name });
    const call = calls.find((each) => each.name === name);
    const isUnequal = value.type.placement === 'clients' && !value.type.allEqual;
    if (isUnequal && call !== undefined && this.#isPureLocal(call)) this.#keptUnequal.add(name);
  }

  /** What the members of a name come from, for an output; nothing if it is better computed again. */
  #sourceOf(name: string, { allEqual }: Pick<Output, 'allEqual'>): Source | undefined {
    return allEqual && this.#keptUnequal.has(name) ? undefined : this.#graph.source(name);
  }

  /** The calls on members that expressions need, in order. */
  #callsFor(expressions: readonly BuildingBlock[], output: Output): readonly Local[] {
    const { type } = output.value;
    const used = new Set(expressions.flatMap((each) => [...freeReferences(each)]));
    const needed: Local[] = [];
    for (const local of this.#graph.calls(type.placement).locals.toReversed()) {
      if (!used.has(local.name) || this.#sourceOf(local.name, output) !== undefined) continue;
      needed.push(local);
      for (const name of freeReferences(local.value)) used.add(name);
    }
    return needed.reverse();
  }

  /** The values whose members are used; the anchor, if none is. */
  #sourcesFor(
    expressions: readonly BuildingBlock[],
    calls: readonly Local[],
    output: Output,
  ): readonly Source[] {
    const names = new Set(
      [...calls.map(({ value }) => value), ...expressions].flatMap((each) => [
        ...freeReferences(each),
      ]),
    );
    const sources = [...names].flatMap((name) => this.#sourceOf(name, output) ?? []);
    return sources.length === 0 ? [output.value.anchor] : sources;
  }

  /** Those of the calls whose results other outputs use directly. */
  #neededLater(
    calls: readonly Local[],
    waiting: readonly Output[],
    placement: string,
  ): readonly Local[] {
    const here = new Set(calls);
    const later = waiting.filter(({ value }) => value.type.placement === placement);
    const used = new Set<string>();
    for (const output of later) {
      const { expression } = output;
      const others = this.#callsFor([expression], output).filter((call) => !here.has(call));
      for (const each of [expression, ...others.map((call) => call.value)]) {
        for (const name of freeReferences(each)) used.add(name);
      }
    }
    return calls.filter(({ name }) => used.has(name));
  }

  /** The function on the members of the sources. */
  #mapper(
    sources: readonly Source[],
    calls: readonly Local[],
    results: readonly BuildingBlock[],
  ): Lambda {
    const [only] = sources;
    const members = sources.map(({ value }) => value.type.member);
    const type =
      only !== undefined && sources.length === 1
        ? only.value.type.member
        : structOf(members.map((member) => ({ name: null, type: member })));
    const parameter = reference(this.#names.fresh(), type);
    const locals = sources.map(({ name }, index) => ({
      name,
      value: sources.length === 1 ? parameter : selection(parameter, index),
    }));
    const [single] = results;
    const result =
      single !== undefined && results.length === 1
        ? single
        : structBlock(results.map((value) => ({ name: null, value })));
    return lambda(parameter.name, type, block([...locals, ...calls], result));
  }

  #together(sources: readonly Source[], placement: string): Placed {
    const [only] = sources;
    if (only !== undefined && sources.length === 1) return only.value;
    const values = structBlock(sources.map(({ value }) => ({ name: null, value })));
    const member = structOf(sources.map(({ value }) => ({ name: null, type: value.type.member })));
    const type = federated(member, placement, placement === 'server');
    const zip = zipCall(values, type);
    const name = this.#names.fresh();
    this.#made.push({ name, value: zip });
    return { ...reference(name, type), type };
  }

  #selector({ type: { member } }: Placed, index: number): Lambda {
    const parameter = reference(this.#names.fresh(), member);
    return lambda(parameter.name, member, selection(parameter, index));
  }
}

/** True for a call that may take an all-equal value as such: only those of intrinsics say that they do not. */
function takesAllEqual({ value }: Local): boolean {
  return (
    value.kind !== 'call' ||
    value.function.kind !== 'intrinsic' ||
    value.function.uri === 'federated_map_all_equal'
  );
}

function isEmptyStruct(node: BuildingBlock): boolean {
  return node.kind === 'struct' && node.elements.length === 0;
}

/** Outputs that could be one map, earlier stages first; at a stage, those that must stay all-equal. */
function atOneStage(outputs: readonly Output[]): readonly (readonly Output[])[] {
  const groups: Output[][] = [];
  const isAlike = (a: Output, b: Output): boolean =>
    a.stage === b.stage &&
    a.allEqual === b.allEqual &&
    a.value.type.placement === b.value.type.placement;
  for (const output of outputs) {
    const group = groups.find(([first]) => first !== undefined && isAlike(first, output));
    if (group === undefined) groups.push([output]);
    else group.push(output);
  }
  const rank = ([first]: readonly Output[]): number =>
    first === undefined ? 0 : 2 * first.stage + (first.allEqual ? 0 : 1);
  return groups.sort((a, b) => rank(a) - rank(b));
}
