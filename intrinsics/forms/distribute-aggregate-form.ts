/**
 * @file Distribute-aggregate form: a round as five functions on placed values. Two of them do
 * nothing but communicate, so that a system that is not this one can carry them out. After
 * TensorFlow Federated's `DistributeAggregateForm` (backends/mapreduce/forms.py).
 */

import {
  type BuildingBlock,
  type Lambda,
  lambda,
  reference,
  selection,
} from '../../computations/building-blocks.ts';
import type { AnyComputation } from '../../computations/computation.ts';
import { freeReferences } from '../../computations/free-references.ts';
import { type Local, toCallDominant } from '../../computations/transformations/index.ts';
import {
  containsType,
  type FunctionType,
  structOf,
  type Type,
} from '../../computations/types/index.ts';
import { INTRINSIC_PURITY } from '../compile.ts';
import { callPart, requireOnlyIntrinsics, requirePartResult } from './parts.ts';
import {
  blockOf,
  type Communication,
  localReference,
  neededFor,
  partOf,
  type Round,
  takeApart,
  together,
} from './round.ts';

/**
 * A computation `(<S@SERVER,{D}@CLIENTS> -> <S@SERVER,X@SERVER>)` in parts. `T` is what the server
 * keeps for later; `T`, `B` and `A` are structs of placed values.
 */
export interface DistributeAggregateForm {
  readonly typeSignature: FunctionType;
  /** `(S@SERVER -> <B@SERVER,T@SERVER>)` */
  readonly serverPrepare: Lambda;
  /** `(B@SERVER -> B@CLIENTS)`: broadcasts. */
  readonly serverToClientBroadcast: Lambda;
  /** `(<{D}@CLIENTS,B@CLIENTS> -> A@CLIENTS)` */
  readonly clientWork: Lambda;
  /** `(<T@SERVER,A@CLIENTS> -> A@SERVER)`: aggregations. */
  readonly clientToServerAggregation: Lambda;
  /** `(<T@SERVER,A@SERVER> -> <S@SERVER,X@SERVER>)` */
  readonly serverResult: Lambda;
}

/**
 * @param node a computation. Its intrinsics stay what they are, composite ones too.
 * @throws FormError naming the part that does not fit.
 */
export function toDistributeAggregateForm(
  computation: AnyComputation | BuildingBlock,
): DistributeAggregateForm {
  const round = takeApart(blockOf(computation), 'distribute-aggregate form');
  const { state, data, broadcasts, aggregations, result } = round;
  const sent = placedIn(broadcasts, 'server', round);
  const aggregated = placedIn(aggregations, 'clients', round);
  const received = broadcasts.map(({ local }) => localReference(local));
  const totals = aggregations.map(({ local }) => localReference(local));
  const kept = [state, ...keptAtServer(sent, totals, round)];

  const work = struct([data.type, together(received).type]);
  const later = struct([together(kept).type, together(aggregated).type]);
  const last = struct([together(kept).type, together(totals).type]);
  const given = (names: readonly BuildingBlock[]): ReadonlySet<string> =>
    new Set(names.flatMap((each) => [...freeReferences(each)]));
  return {
    typeSignature: round.type,
    serverPrepare: partOf(
      state,
      neededFor([...sent, ...kept], round, given([state])),
      together([together(sent), together(kept)]),
    ),
    serverToClientBroadcast: partOf(
      { name: 'sent', type: together(sent).type },
      [
        ...elements(sent, reference('sent', together(sent).type)),
        ...calls(broadcasts, sent, round),
      ],
      together(received),
    ),
    clientWork: partOf(
      { name: 'work', type: work },
      [
        { name: data.name, value: selection(reference('work', work), 0) },
        ...elements(received, selection(reference('work', work), 1)),
        ...neededFor(aggregated, round, given([data, ...received])),
      ],
      together(aggregated),
    ),
    clientToServerAggregation: partOf(
      { name: 'aggregated', type: later },
      [
        ...elements(aggregated, selection(reference('aggregated', later), 1)),
        ...calls(aggregations, aggregated, round),
      ],
      together(totals),
    ),
    serverResult: partOf(
      { name: 'totals', type: last },
      [
        ...elements(kept, selection(reference('totals', last), 0)),
        ...elements(totals, selection(reference('totals', last), 1)),
        ...neededFor([result], round, given([...kept, ...totals])),
      ],
      result,
    ),
  };
}

/**
 * The computation that a form describes, of the type that the form states.
 * @throws FormError `form.part` naming the part whose type does not fit the others, or that does
 *   more than it may.
 */
export function fromDistributeAggregateForm(form: DistributeAggregateForm): BuildingBlock {
  requireOnlyIntrinsics(
    form.serverToClientBroadcast,
    'serverToClientBroadcast',
    ({ broadcast }) => broadcast !== null,
  );
  requireOnlyIntrinsics(
    form.clientToServerAggregation,
    'clientToServerAggregation',
    ({ aggregation, signature }) => aggregation !== null || !mentionsPlacement(signature),
  );
  const { parameter, result } = form.typeSignature;
  const argument = reference('round', parameter ?? structOf([]));
  const prepared = callPart(form.serverPrepare, 'serverPrepare', selection(argument, 0));
  const [sent, kept] = [selection(prepared, 0), selection(prepared, 1)];
  const received = callPart(form.serverToClientBroadcast, 'serverToClientBroadcast', sent);
  const work = together([selection(argument, 1), received]);
  const worked = callPart(form.clientWork, 'clientWork', work);
  const totals = callPart(
    form.clientToServerAggregation,
    'clientToServerAggregation',
    together([kept, worked]),
  );
  const last = callPart(form.serverResult, 'serverResult', together([kept, totals]));
  requirePartResult(last, 'serverResult', result);
  return toCallDominant(lambda('round', argument.type, last), INTRINSIC_PURITY);
}

/** The values at a place that calls take, each once. */
function placedIn(
  communications: readonly Communication[],
  placement: 'clients' | 'server',
  round: Round,
): readonly BuildingBlock[] {
  const names = new Set(communications.flatMap(({ argument }) => [...freeReferences(argument)]));
  return [round.state, round.data, ...round.locals.map(localReference)].filter(
    ({ name, type }) =>
      names.has(name) && type.kind === 'federated' && type.placement === placement,
  );
}

/** What the server computes before the broadcast and needs again after the aggregation. */
function keptAtServer(
  sent: readonly BuildingBlock[],
  totals: readonly BuildingBlock[],
  round: Round,
): readonly BuildingBlock[] {
  const before = neededFor(sent, round).filter(({ value }) => value.type.kind === 'federated');
  const names = new Set([...before, ...totalsOf(totals, round)].map(({ name }) => name));
  const after = neededFor([round.result], round, names).map(({ value }) => value);
  const used = new Set([round.result, ...after].flatMap((each) => [...freeReferences(each)]));
  return before.filter(({ name }) => used.has(name)).map(localReference);
}

function totalsOf(totals: readonly BuildingBlock[], { locals }: Round): readonly Local[] {
  const names = new Set(totals.flatMap((each) => [...freeReferences(each)]));
  return locals.filter(({ name }) => names.has(name));
}

/** The calls themselves, with what they need that has no placement. */
function calls(
  communications: readonly Communication[],
  taken: readonly BuildingBlock[],
  round: Round,
): readonly Local[] {
  const names = new Set(taken.flatMap((each) => [...freeReferences(each)]));
  return neededFor(
    communications.map(({ local }) => localReference(local)),
    round,
    names,
  );
}

/** Binds names to the elements of a struct. */
function elements(names: readonly BuildingBlock[], source: BuildingBlock): readonly Local[] {
  return names.flatMap((each, index) =>
    each.kind === 'reference' ? [{ name: each.name, value: selection(source, index) }] : [],
  );
}

function struct(types: readonly Type[]): Type {
  return structOf(types.map((type) => ({ name: null, type })));
}

function mentionsPlacement(type: Type): boolean {
  return containsType(type, ({ kind }) => kind === 'federated');
}
