/**
 * @file Merges operations on sequences: a map of a map becomes one map, and a reduction of a map
 * reduces with the function in it, so that an element goes through one tensor computation.
 */

import {
  type BuildingBlock,
  type Call,
  call,
  type Intrinsic,
  lambda,
  reference,
  selection,
  structBlock,
} from '../../computations/building-blocks.ts';
import {
  allNames,
  type Body,
  isPure,
  type Local,
  mapBodies,
  NameSource,
  type TransformationOptions,
} from '../../computations/transformations/index.ts';
import { type FunctionType, func, sequence, structOf } from '../../computations/types/index.ts';
import { type IntrinsicCall, intrinsicCallOf } from './maps.ts';

/**
 * @param node in call-dominant form.
 * @returns a block of the same type and meaning. `toCallDominant` writes out the merged functions.
 */
export function mergeSequenceMaps(
  node: BuildingBlock,
  { isPureIntrinsic }: TransformationOptions,
): BuildingBlock {
  const names = new NameSource(allNames(node));
  return mapBodies(node, (body) =>
    mergeBody(body, names, ({ value }) => isPure(value, isPureIntrinsic)),
  );
}

/** A `sequence_map` that others can take in; its own arguments are merged already. */
interface SequenceMap {
  readonly fn: BuildingBlock;
  readonly source: BuildingBlock;
}

function mergeBody(
  { locals, result }: Body,
  names: NameSource,
  isPureLocal: (local: Local) => boolean,
): Body {
  const maps = new Map<string, SequenceMap>();
  const mapOf = (node: BuildingBlock | undefined): SequenceMap | undefined =>
    node?.kind === 'reference' ? maps.get(node.name) : undefined;
  const merged = locals.map((local) => {
    if (!isPureLocal(local)) return local;
    const operation = intrinsicCallOf(local.value, OPERATIONS);
    if (operation === null) return local;
    const isMap = operation.intrinsic.uri === 'sequence_map';
    const [first, second] = operation.args;
    const source = isMap ? second : first;
    const before = mapOf(source);
    const value =
      before === undefined
        ? local.value
        : isMap
          ? mapOfMap(operation, before, names)
          : reductionOfMap(operation, before, names);
    const [fn, from] = isMap ? (intrinsicCallOf(value, OPERATIONS)?.args ?? []) : [];
    if (fn !== undefined && from !== undefined) maps.set(local.name, { fn, source: from });
    // An identity maps nothing.
    if (isMap && fn !== undefined && from !== undefined && isIdentity(fn)) {
      return { name: local.name, value: from };
    }
    return { name: local.name, value };
  });
  return { locals: merged, result };
}

const OPERATIONS: ReadonlySet<string> = new Set(['sequence_map', 'sequence_reduce']);

/** `map(g, map(f, s))` as `map((x -> g(f(x))), s)`. */
function mapOfMap(
  { intrinsic: mapped, args: [outer] }: IntrinsicCall,
  { fn, source }: SequenceMap,
  names: NameSource,
): BuildingBlock {
  const element = (fn.type as FunctionType).parameter;
  if (outer === undefined || element === null) throw new TypeError('A map takes a function.');
  const parameter = reference(names.fresh(), element);
  const composed = lambda(parameter.name, element, call(outer, call(fn, parameter)));
  return operation(mapped, [composed, source], sequence(composed.type.result));
}

/** `reduce(map(f, s), zero, g)` as `reduce(s, zero, (x -> g(<x[0],f(x[1])>)))`. */
function reductionOfMap(
  { intrinsic: reduced, args: [, zero, step] }: IntrinsicCall,
  { fn, source }: SequenceMap,
  names: NameSource,
): BuildingBlock {
  const element = (fn.type as FunctionType).parameter;
  if (zero === undefined || step === undefined || element === null) {
    throw new TypeError('A reduction takes a sequence, a zero and a function.');
  }
  const taken = (step.type as FunctionType).parameter;
  const [state] = taken?.kind === 'struct' ? taken.elements : [];
  if (state === undefined) throw new TypeError('A reduction takes a function of two parameters.');
  const parameter = reference(
    names.fresh(),
    structOf([
      { name: null, type: state.type },
      { name: null, type: element },
    ]),
  );
  const argument = structBlock([
    { name: null, value: selection(parameter, 0) },
    { name: null, value: call(fn, selection(parameter, 1)) },
  ]);
  const composed = lambda(parameter.name, parameter.type, call(step, argument));
  const { result } = reduced.type as FunctionType;
  return operation(reduced, [source, zero, composed], result);
}

/** The same intrinsic on other arguments. */
function operation(
  like: Intrinsic,
  args: readonly BuildingBlock[],
  result: FunctionType['result'],
): Call {
  const argument = structBlock(args.map((value) => ({ name: null, value })));
  return call({ ...like, type: func(argument.type, result) }, argument);
}

function isIdentity(fn: BuildingBlock): boolean {
  return (
    fn.kind === 'lambda' &&
    fn.parameter !== null &&
    fn.result.kind === 'reference' &&
    fn.result.name === fn.parameter
  );
}
