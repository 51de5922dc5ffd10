/**
 * @file The calls of a round without their placements: what the server does as a computation on the
 * state and the aggregates, what a client does as one on its data and what it received.
 */

import {
  type BuildingBlock,
  call,
  data,
  reference,
  structBlock,
} from '../../computations/building-blocks.ts';
import type { Local } from '../../computations/transformations/index.ts';
import { FormError } from '../../computations/types/index.ts';
import { intrinsicCallOf, MAPS, ZIPS } from '../transformations/maps.ts';
import type { Round } from './round.ts';

/**
 * The locals of a round, placed ones as what one participant computes. Those that communicate are
 * left out: their names stand for what is received.
 */
export function memberLocals({ locals, broadcasts, aggregations }: Round): readonly Local[] {
  const received = new Set([...broadcasts, ...aggregations].map(({ local }) => local.name));
  return locals
    .filter(({ name }) => !received.has(name))
    .map((local) => ({ name: local.name, value: memberOf(local.value) }));
}

/** A placed value, or a struct of placed values, as the member at one participant. */
export function membersOf(node: BuildingBlock): BuildingBlock {
  if (node.type.kind === 'federated' && node.kind === 'reference') {
    return reference(node.name, node.type.member);
  }
  if (node.kind !== 'struct') return node;
  return structBlock(node.elements.map(({ name, value }) => ({ name, value: membersOf(value) })));
}

function memberOf(node: BuildingBlock): BuildingBlock {
  if (node.type.kind !== 'federated') return node;
  // Named data is found where it is used.
  if (node.kind === 'data') return data(node.uri, node.type.member);
  if (node.kind !== 'call') return node;
  const map = intrinsicCallOf(node, MAPS);
  const [fn, value] = map?.args ?? [];
  if (fn !== undefined && value !== undefined) return call(fn, membersOf(value));
  const { function: intrinsic, argument } = node;
  if (intrinsic.kind === 'intrinsic' && argument !== null) {
    if (ZIPS.has(intrinsic.uri)) return membersOf(argument);
    if (intrinsic.uri.startsWith('federated_value_at_')) return argument;
    if (intrinsic.uri.startsWith('federated_eval_at_')) return call(argument);
  }
  const called = intrinsic.kind === 'intrinsic' ? intrinsic.uri : intrinsic.kind;
  throw new FormError(
    'form.unsupported_call',
    `A call of ${called} cannot be done member by member.`,
    {
      part: called,
    },
  );
}
