/**
 * @file Map-reduce form: a round as functions without placement, for a system that maps, reduces
 * and broadcasts but knows nothing of federated computations. After TensorFlow Federated's
 * `MapReduceForm` (backends/mapreduce/forms.py), whose names the parts have.
 */

import {
  type BuildingBlock,
  call,
  intrinsic,
  lambda,
  type Reference,
  reference,
  selection,
} from '../../computations/building-blocks.ts';
import type { AnyComputation } from '../../computations/computation.ts';
import {
  fuseTensorComputations,
  type Local,
  toCallDominant,
} from '../../computations/transformations/index.ts';
import {
  atServer,
  type FederatedType,
  FormError,
  type FunctionType,
  federated,
  func,
  type StructType,
  structOf,
  type Type,
} from '../../computations/types/index.ts';
import { INTRINSIC_PURITY } from '../compile.ts';
import { intrinsicTypeRule } from '../table.ts';
import {
  intrinsicCallOf,
  isPlaced,
  mapCall,
  type Placed,
  unzip,
  zipCall,
} from '../transformations/maps.ts';
import { reduceIntrinsics } from '../transformations/reduce-intrinsics.ts';
import { memberLocals, membersOf } from './members.ts';
import { callPart, requirePartResult } from './parts.ts';
import {
  blockOf,
  localReference,
  neededFor,
  partOf,
  type Round,
  takeApart,
  together,
} from './round.ts';

/**
 * A computation `(<S@SERVER,{D}@CLIENTS> -> <S@SERVER,X@SERVER>)` in parts.
 *
 * The work of a client returns four values: one that is aggregated by `accumulate` and `merge`, and
 * one for each kind of secure sum. Each is a struct of what several aggregations of the kind take;
 * it is empty if the computation has none.
 */
export interface MapReduceForm {
  readonly typeSignature: FunctionType;
  /** `(S -> C)`: what is broadcast. */
  readonly prepare: BuildingBlock;
  /** `(<D,C> -> <A,B,M,R>)` */
  readonly work: BuildingBlock;
  /** `( -> U)` */
  readonly zero: BuildingBlock;
  /** `(<U,A> -> U)` */
  readonly accumulate: BuildingBlock;
  /** `(<U,U> -> U)` */
  readonly merge: BuildingBlock;
  /** `(U -> V)` */
  readonly report: BuildingBlock;
  /** `( -> bitwidths)`, as `federated_secure_sum_bitwidth` takes them. */
  readonly secureSumBitwidth: BuildingBlock;
  /** `( -> maxima)`, as `federated_secure_sum` takes them. */
  readonly secureSumMaxInput: BuildingBlock;
  /** `( -> moduli)`, as `federated_secure_modular_sum` takes them. */
  readonly secureModularSumModulus: BuildingBlock;
  /** `(<S,<V,B,M,R>> -> <S,X>)` */
  readonly update: BuildingBlock;
  /** The composite intrinsic that all plain aggregations were reduced from, if it is one. */
  readonly origin?: string;
}

const SECURE_SUMS = [
  'federated_secure_sum_bitwidth',
  'federated_secure_sum',
  'federated_secure_modular_sum',
] as const;
const KINDS = ['federated_aggregate', ...SECURE_SUMS] as const;
type Kind = (typeof KINDS)[number];

/**
 * @param computation a round, or its building block.
 * @throws FormError naming the part that does not fit.
 */
export function toMapReduceForm(computation: AnyComputation | BuildingBlock): MapReduceForm {
  const round = takeApart(reduceIntrinsics(blockOf(computation)), 'map-reduce form');
  const members = { locals: memberLocals(round) };
  const { state, data, broadcasts } = round;
  const aggregations = new Map(KINDS.map((kind) => [kind, aggregationsOf(kind, round)]));
  const ofKind = (kind: Kind): readonly Aggregation[] => aggregations.get(kind) ?? [];

  const sent = together(broadcasts.map(({ argument }) => membersOf(argument)));
  const worked = together(
    KINDS.map((kind) => together(ofKind(kind).map(({ value }) => membersOf(value)))),
  );
  const workType = structOf([unnamed(data.type.member), unnamed(sent.type)]);
  const totals = KINDS.map((kind) => together(ofKind(kind).map(({ total }) => membersOf(total))));
  const updateType = structOf([
    unnamed(state.type.member),
    unnamed(structOf(totals.map(({ type }) => unnamed(type)))),
  ]);
  const work = reference('work', workType);
  const update = reference('update', updateType);
  const bound = (kind: Kind): BuildingBlock =>
    part(null, [], together(ofKind(kind).map(({ args }) => args[1] as BuildingBlock)), members);

  const plain = ofKind('federated_aggregate');
  const origins = new Set(plain.map(({ origin }) => origin));
  const [origin] = origins.size === 1 ? origins : [undefined];
  return {
    typeSignature: round.type,
    prepare: part({ name: state.name, type: state.type.member }, [], sent, members),
    work: part(
      work,
      [
        { name: data.name, value: selection(work, 0) },
        ...broadcasts.map(({ local }, index) => ({
          name: local.name,
          value: selection(selection(work, 1), index),
        })),
      ],
      worked,
      members,
    ),
    ...foldOf(plain, members),
    secureSumBitwidth: bound('federated_secure_sum_bitwidth'),
    secureSumMaxInput: bound('federated_secure_sum'),
    secureModularSumModulus: bound('federated_secure_modular_sum'),
    update: part(
      update,
      [
        { name: state.name, value: selection(update, 0) },
        ...KINDS.flatMap((kind, place) =>
          ofKind(kind).map(({ total }, index) => ({
            name: total.name,
            value: selection(selection(selection(update, 1), place), index),
          })),
        ),
      ],
      membersOf(round.result),
      members,
    ),
    ...(origin === undefined ? {} : { origin }),
  };
}

/**
 * The computation that a form describes, of the type that the form states.
 * @throws FormError `form.part` naming the part whose type does not fit the others.
 */
export function fromMapReduceForm(form: MapReduceForm): BuildingBlock {
  const { parameter, result } = form.typeSignature;
  if (parameter?.kind !== 'struct' || result.kind !== 'struct') throw wrongSignature(form);
  const argument = reference('round', parameter);
  const [state, data] = [selection(argument, 0), selection(argument, 1)];
  if (!isPlaced(state) || !isPlaced(data)) throw wrongSignature(form);

  const member = reference('state', state.type.member);
  const prepared = mapCall(
    lambda('state', member.type, callPart(form.prepare, 'prepare', member)),
    state,
  ) as Placed;
  const sent = (prepared.type as FederatedType).member;
  const isNothing = sent.kind === 'struct' && sent.elements.length === 0;
  const received = isNothing
    ? together([])
    : call(
        intrinsic('federated_broadcast', func(prepared.type, federated(sent, 'clients', true))),
        prepared,
      );
  const workType = structOf([unnamed(data.type.member), unnamed(sent)]);
  const given = zipCall(
    together([data, received]),
    federated(workType, 'clients', false),
  ) as Placed;
  const work = reference('work', workType);
  const worked = mapCall(
    lambda('work', workType, callPart(form.work, 'work', work)),
    given,
  ) as Placed;

  const totals = together(KINDS.map((kind, index) => aggregated(form, kind, worked, index)));
  const memberTypes = structOf(
    totals.elements.map(({ value: { type } }) =>
      unnamed(type.kind === 'federated' ? type.member : type),
    ),
  );
  const updateType = structOf([unnamed(state.type.member), unnamed(memberTypes)]);
  const update = reference('update', updateType);
  const updated = mapCall(
    lambda('update', updateType, callPart(form.update, 'update', update)),
    zipCall(together([state, totals]), atServer(updateType)) as Placed,
  );
  const returned = reference('result', updated.type) as Placed;
  const whole = unzip(
    returned,
    result.elements.map(({ name }) => name),
  );
  requirePartResult(whole, 'update', result);
  const body = call(lambda('result', updated.type, whole), updated);
  return toCallDominant(lambda('round', parameter, body), INTRINSIC_PURITY);
}

/** One aggregation of a computation. */
interface Aggregation {
  readonly args: readonly BuildingBlock[];
  /** What is aggregated. */
  readonly value: BuildingBlock;
  readonly total: Reference;
  readonly origin: string | undefined;
}

function aggregationsOf(kind: Kind, { aggregations }: Round): readonly Aggregation[] {
  return aggregations
    .filter(({ intrinsic: { uri } }) => uri === kind)
    .map(({ local, intrinsic: { origin } }) => {
      const args = intrinsicCallOf(local.value, new Set([kind]))?.args ?? [];
      const [value] = args;
      if (value !== undefined) return { args, value, total: localReference(local), origin };
      throw new FormError(
        'form.unsupported_call',
        `The arguments of ${origin ?? kind} are not given one by one, so that its parts cannot be told.`,
        { part: kind },
      );
    });
}

type Members = Pick<Round, 'locals'>;

/** A function on members, with the tensor computations in it fused. */
function part(
  parameter: { readonly name: string; readonly type: Type } | null,
  given: readonly Local[],
  result: BuildingBlock,
  members: Members,
): BuildingBlock {
  const known = new Set([...given.map(({ name }) => name), parameter?.name ?? '']);
  const built = partOf(parameter, [...given, ...neededFor([result], members, known)], result);
  return toCallDominant(fuseTensorComputations(built, INTRINSIC_PURITY), INTRINSIC_PURITY);
}

/** Several plain aggregations as one, whose state is the struct of theirs. */
function foldOf(
  aggregations: readonly Aggregation[],
  members: Members,
): Pick<MapReduceForm, 'zero' | 'accumulate' | 'merge' | 'report'> {
  const folds = aggregations.map(({ args, value }) => {
    const [, zero, accumulate, merge, report] = args as readonly [
      BuildingBlock,
      BuildingBlock,
      BuildingBlock,
      BuildingBlock,
      BuildingBlock,
    ];
    const taken = (accumulate.type as FunctionType).parameter as StructType;
    const state = taken.elements[0]?.type ?? zero.type;
    return { zero, accumulate, merge, report, state, term: membersOf(value).type };
  });
  const states = structOf(folds.map(({ state }) => unnamed(state)));
  const terms = structOf(folds.map(({ term }) => unnamed(term)));
  const each = (
    name: string,
    types: readonly Type[],
    stepOf: (fold: (typeof folds)[number]) => BuildingBlock,
  ): BuildingBlock => {
    const [only] = types;
    const type = types.length === 1 && only ? only : structOf(types.map(unnamed));
    const parameter = reference(name, type);
    const steps = folds.map((fold, index) => {
      const parts = types.map((_, i) =>
        selection(types.length === 1 ? parameter : selection(parameter, i), index),
      );
      const [single] = parts;
      return call(
        stepOf(fold),
        parts.length === 1 && single !== undefined ? single : together(parts),
      );
    });
    return part({ name, type }, [], together(steps), members);
  };
  return {
    zero: part(null, [], together(folds.map(({ zero }) => zero)), members),
    accumulate: each('accumulated', [states, terms], ({ accumulate }) => accumulate),
    merge: each('merged', [states, states], ({ merge }) => merge),
    report: each('reported', [states], ({ report }) => report),
  };
}

/** What becomes of one kind of the results of the clients' work, at the server. */
function aggregated(form: MapReduceForm, kind: Kind, worked: Placed, index: number): BuildingBlock {
  const { member } = worked.type;
  const element = member.kind === 'struct' ? member.elements[index] : undefined;
  if (element === undefined) {
    throw new FormError(
      'form.part',
      `The part 'work' returns four values, one for each of ${KINDS.join(', ')}.\n  given:    ${String(member)}`,
      { part: 'work' },
    );
  }
  if (element.type.kind === 'struct' && element.type.elements.length === 0) return together([]);
  const parameter = reference('work', member);
  const value = mapCall(lambda('work', member, selection(parameter, index)), worked);
  if (kind !== 'federated_aggregate') {
    const [name, bound] = boundOf(form, kind);
    return aggregation(kind, [value, callPart(bound, name)], element.type);
  }
  const { accumulate, merge, report } = form;
  const zero = callPart(form.zero, 'zero');
  const term = reference('term', element.type);
  const next = callPart(accumulate, 'accumulate', together([zero, term]));
  requirePartResult(callPart(merge, 'merge', together([next, next])), 'merge', next.type);
  const reported = callPart(report, 'report', next);
  return aggregation(kind, [value, zero, accumulate, merge, report], reported.type, form.origin);
}

function boundOf(
  form: MapReduceForm,
  kind: Exclude<Kind, 'federated_aggregate'>,
): readonly [name: string, part: BuildingBlock] {
  switch (kind) {
    case 'federated_secure_sum_bitwidth':
      return ['secureSumBitwidth', form.secureSumBitwidth];
    case 'federated_secure_sum':
      return ['secureSumMaxInput', form.secureSumMaxInput];
    case 'federated_secure_modular_sum':
      return ['secureModularSumModulus', form.secureModularSumModulus];
  }
}

function aggregation(
  kind: Kind,
  args: readonly BuildingBlock[],
  result: Type,
  origin?: string,
): BuildingBlock {
  const argument = together(args);
  const node = intrinsic(kind, func(argument.type, atServer(result)));
  intrinsicTypeRule(kind, node.type);
  return call(origin === undefined ? node : { ...node, origin }, argument);
}

function wrongSignature({ typeSignature }: MapReduceForm): FormError {
  return new FormError(
    'form.signature',
    `The type of a form is that of a round.\n  expected: (<S@SERVER,{D}@CLIENTS> -> <S@SERVER,X@SERVER>)\n  given:    ${String(typeSignature)}`,
    { part: 'type signature' },
  );
}

function unnamed(type: Type): { readonly name: null; readonly type: Type } {
  return { name: null, type };
}
