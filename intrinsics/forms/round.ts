/**
 * @file A computation that is one round: the server sends something out, the clients work, the
 * server aggregates and updates its state. Here it is taken apart into the calls of each step.
 */

import {
  type BuildingBlock,
  call,
  type Intrinsic,
  type Lambda,
  lambda,
  type Reference,
  reference,
  type StructBlock,
  structBlock,
} from '../../computations/building-blocks.ts';
import type { AnyComputation } from '../../computations/computation.ts';
import { freeReferences } from '../../computations/free-references.ts';
import {
  allNames,
  bodyOf,
  isPure,
  type Local,
  NameSource,
  toBlock,
  toCallDominant,
} from '../../computations/transformations/index.ts';
import {
  compactNotation,
  type FederatedType,
  FormError,
  type FunctionType,
  type Type,
} from '../../computations/types/index.ts';
import { INTRINSIC_PURITY } from '../compile.ts';
import { INTRINSICS } from '../table.ts';

export interface Round {
  readonly type: FunctionType;
  /** Stands for the state at the server. */
  readonly state: Reference & { readonly type: FederatedType };
  /** Stands for the data of the clients. */
  readonly data: Reference & { readonly type: FederatedType };
  /** All calls, in order; they speak of `state` and `data` by name. */
  readonly locals: readonly Local[];
  /** The next state and the output. */
  readonly result: StructBlock;
  readonly broadcasts: readonly Communication[];
  readonly aggregations: readonly Communication[];
}

/** A call that moves values between places, and the name that its result is bound to. */
export interface Communication {
  readonly local: Local;
  readonly intrinsic: Intrinsic;
  readonly argument: BuildingBlock;
}

/**
 * @param form names the form in errors.
 * @throws FormError naming the part that does not fit.
 */
export function takeApart(node: BuildingBlock, form: string): Round {
  const { state, data } = requireSignature(node, form);
  const argument = structBlock([
    { name: null, value: state },
    { name: null, value: data },
  ]);
  const { locals, result } = bodyOf(toCallDominant(call(node, argument), INTRINSIC_PURITY));
  for (const local of locals) requireKnown(local, form);
  const communications = locals.flatMap((local) => communicationOf(local) ?? []);
  const round: Round = {
    type: node.type as FunctionType,
    state,
    data,
    locals,
    result: requireResult(result, state, form),
    broadcasts: communications.filter(isBroadcast),
    aggregations: communications.filter((each) => !isBroadcast(each)),
  };
  requireOrder(round, form);
  return round;
}

/**
 * The locals that blocks need, directly or through others, in order.
 * @param given names that are known: they, and what only they need, are left out.
 */
export function neededFor(
  nodes: readonly BuildingBlock[],
  { locals }: Pick<Round, 'locals'>,
  given: ReadonlySet<string> = new Set(),
): readonly Local[] {
  const used = new Set(nodes.flatMap((node) => [...freeReferences(node)]));
  const needed: Local[] = [];
  for (const local of locals.toReversed()) {
    if (!used.has(local.name) || given.has(local.name)) continue;
    needed.push(local);
    for (const name of freeReferences(local.value)) used.add(name);
  }
  return needed.reverse();
}

/** A function with this body, in call-dominant form. */
export function partOf(
  parameter: { readonly name: string; readonly type: Type } | null,
  locals: readonly Local[],
  result: BuildingBlock,
): Lambda {
  const body = toBlock({ locals, result });
  const part =
    parameter === null ? lambda(null, null, body) : lambda(parameter.name, parameter.type, body);
  return toCallDominant(part, INTRINSIC_PURITY) as Lambda;
}

/** The building block of a computation; a block is returned as it is. */
export function blockOf(computation: AnyComputation | BuildingBlock): BuildingBlock {
  return 'buildingBlock' in computation ? computation.buildingBlock : computation;
}

/** Values as a struct without names. */
export function together(values: readonly BuildingBlock[]): StructBlock {
  return structBlock(values.map((value) => ({ name: null, value })));
}

export function localReference({ name, value }: Local): Reference {
  return reference(name, value.type);
}

function requireSignature(node: BuildingBlock, form: string): Pick<Round, 'state' | 'data'> {
  const parameter = node.type.kind === 'function' ? node.type.parameter : null;
  const [state, data, ...others] =
    parameter?.kind === 'struct' ? parameter.elements.map(({ type }) => type) : [];
  if (
    state?.kind === 'federated' &&
    state.placement === 'server' &&
    data?.kind === 'federated' &&
    data.placement === 'clients' &&
    others.length === 0
  ) {
    const names = new NameSource(allNames(node));
    const nameOf = (wanted: string): string => (names.take(wanted) ? wanted : names.fresh());
    return {
      state: { ...reference(nameOf('state'), state), type: state },
      data: { ...reference(nameOf('data'), data), type: data },
    };
  }
  throw new FormError(
    'form.signature',
    `A computation in ${form} takes a state at the server and data of the clients.\n  expected: (<S@SERVER,{D}@CLIENTS> -> <S@SERVER,X@SERVER>)\n  given:    ${compactNotation(node.type)}`,
    { part: 'type signature' },
  );
}

function requireResult(result: BuildingBlock, state: Reference, form: string): StructBlock {
  const atServer =
    result.kind === 'struct' &&
    result.elements.length === 2 &&
    result.elements.every(
      ({ value: { type } }) => type.kind === 'federated' && type.placement === 'server',
    );
  if (atServer) return result;
  throw new FormError(
    'form.result',
    `A computation in ${form} returns its next state and one output, both at the server; zip an output of several parts.\n  expected: <${compactNotation(state.type)},X@SERVER>\n  given:    ${compactNotation(result.type)}`,
    { part: 'server result' },
  );
}

function requireKnown({ value }: Local, form: string): void {
  if (value.kind !== 'call') return;
  const { function: fn } = value;
  const known =
    isPure(value, INTRINSIC_PURITY.isPureIntrinsic) &&
    (fn.kind === 'compiled' || (fn.kind === 'intrinsic' && !BOTH_WAYS.has(fn.uri)));
  if (known) return;
  const called = fn.kind === 'intrinsic' ? fn.uri : `a function that is ${fn.kind}`;
  throw new FormError(
    'form.unsupported_call',
    `The computation calls ${called}, for which ${form} has no part: its parts are broadcasts, work at the clients, aggregations, and work at the server.`,
    { part: called },
  );
}

/** From the clients to the server and back within one call. */
const BOTH_WAYS: ReadonlySet<string> = new Set(['federated_select', 'federated_secure_select']);

function communicationOf(local: Local): Communication | null {
  const { value } = local;
  if (value.kind !== 'call' || value.function.kind !== 'intrinsic') return null;
  const definition = INTRINSICS.get(value.function.uri);
  const { argument, function: intrinsic } = value;
  if (argument === null || definition === undefined) return null;
  if (definition.aggregation === null && definition.broadcast === null) return null;
  return { local, intrinsic, argument };
}

function isBroadcast({ intrinsic }: Communication): boolean {
  return intrinsic.uri === 'federated_broadcast';
}

/** What is sent out must not depend on what was aggregated: that would be a second round. */
function requireOrder(round: Round, form: string): void {
  const aggregated = new Map(round.aggregations.map((each) => [each.local.name, each]));
  for (const { argument, local } of round.broadcasts) {
    for (const { name } of neededFor([argument], round)) {
      const before = aggregated.get(name)?.intrinsic;
      if (before === undefined) continue;
      throw new FormError(
        'form.broadcast_after_aggregation',
        `What is broadcast as ${compactNotation(local.value.type)} depends on the result of ${before.origin ?? before.uri}. In ${form} everything is broadcast before the aggregation; split the computation into two rounds.`,
        { part: 'broadcast' },
      );
    }
  }
}
