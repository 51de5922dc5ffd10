/** @file Maps and zips of placed values: how to recognise them in a tree, and how to make them. */

import {
  type BuildingBlock,
  type Call,
  call,
  type Intrinsic,
  intrinsic,
  lambda,
  reference,
  type StructBlock,
  selection,
  structBlock,
} from '../../computations/building-blocks.ts';
import {
  type FederatedType,
  type FunctionType,
  federated,
  func,
  structOf,
  type Type,
} from '../../computations/types/index.ts';

export const MAPS: ReadonlySet<string> = new Set([
  'federated_apply',
  'federated_map',
  'federated_map_all_equal',
]);
export const ZIPS: ReadonlySet<string> = new Set([
  'federated_zip_at_clients',
  'federated_zip_at_server',
]);

/** A call of an intrinsic with its arguments in their places. */
export interface IntrinsicCall {
  readonly intrinsic: Intrinsic;
  readonly args: readonly BuildingBlock[];
}

/**
 * The call of an intrinsic of several arguments, if a block is one and gives them as a struct.
 * @param uris the intrinsics that are meant.
 */
export function intrinsicCallOf(
  node: BuildingBlock,
  uris: ReadonlySet<string>,
): IntrinsicCall | null {
  if (node.kind !== 'call' || node.function.kind !== 'intrinsic') return null;
  if (!uris.has(node.function.uri) || node.argument?.kind !== 'struct') return null;
  return {
    intrinsic: node.function,
    args: node.argument.elements.map(({ value }) => value),
  };
}

/** A placed value: a block whose type says where it is. */
export type Placed = BuildingBlock & { readonly type: FederatedType };

export function isPlaced(node: BuildingBlock): node is Placed {
  return node.type.kind === 'federated';
}

/** What a user wrote that an intrinsic comes from, and where: it outlives every transformation. */
export type Provenance = Pick<Intrinsic, 'origin' | 'source'>;

export function provenanceOf({ origin, source }: Intrinsic): Provenance {
  return {
    ...(origin === undefined ? {} : { origin }),
    ...(source === undefined ? {} : { source }),
  };
}

export interface MapOptions {
  /** Keeps the result all-equal, if the value is. */
  readonly allEqual?: boolean;
  /** Of the intrinsics that the map stands for. */
  readonly provenance?: Provenance;
}

/** Applies a function to a placed value where it is. */
export function mapCall(fn: BuildingBlock, value: Placed, options: MapOptions = {}): Call {
  const { member, placement, allEqual } = value.type;
  const result = (fn.type as FunctionType).result;
  const keeps = options.allEqual === true && allEqual;
  const uri =
    placement === 'server'
      ? 'federated_apply'
      : keeps
        ? 'federated_map_all_equal'
        : 'federated_map';
  const same = placement === 'server' || keeps;
  const taken = structOf([unnamed(fn.type), unnamed(federated(member, placement, same))]);
  const type = func(taken, federated(result, placement, same));
  const argument = structBlock([fn, value].map((each) => ({ name: null, value: each })));
  return call({ ...intrinsic(uri, type), ...options.provenance }, argument);
}

/**
 * Makes one placed struct of a struct of values placed alike.
 * @param type the type of the member of the result.
 */
export function zipCall(
  values: BuildingBlock,
  { member, placement }: FederatedType,
  provenance?: Provenance,
): Call {
  const server = placement === 'server';
  const uri = server ? 'federated_zip_at_server' : 'federated_zip_at_clients';
  const type = func(notAllEqual(values.type), federated(member, placement, server));
  return call({ ...intrinsic(uri, type), ...provenance }, values);
}

/**
 * The elements of a placed struct as a struct of placed values: the inverse of a zip.
 * @param names of the elements; by default those that they have.
 */
export function unzip(value: Placed, names?: readonly (string | null)[]): StructBlock {
  const { member } = value.type;
  const parameter = reference('arg', member);
  const elements = member.kind === 'struct' ? member.elements : [];
  return structBlock(
    elements.map(({ name }, index) => ({
      name: names === undefined ? name : (names[index] ?? null),
      value: mapCall(lambda('arg', member, selection(parameter, index)), value, { allEqual: true }),
    })),
  );
}

/** What a zip takes: client values that may differ. */
function notAllEqual(type: Type): Type {
  if (type.kind === 'federated') {
    return type.placement === 'clients' ? federated(type.member, 'clients', false) : type;
  }
  if (type.kind !== 'struct') return type;
  return structOf(
    type.elements.map(({ name, type: element }) => ({ name, type: notAllEqual(element) })),
  );
}

function unnamed(type: Type): { readonly name: null; readonly type: Type } {
  return { name: null, type };
}
