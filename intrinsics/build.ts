/**
 * @file Builds calls of intrinsics: the one place where the arguments of the DSL functions become
 * building blocks, placed structs are zipped, and types are checked.
 */

import {
  type BuildingBlock,
  type Call,
  call,
  type Intrinsic,
  intrinsic,
  structBlock,
} from '../computations/building-blocks.ts';
import { callSite } from '../computations/call-site.ts';
import type { Operand } from '../computations/computation.ts';
import { currentTrace } from '../computations/trace.ts';
import {
  compactNotation,
  type FederatedType,
  FederatedTypeError,
  federated,
  func,
  type PlacementUri,
  type StructType,
  structOf,
  type Type,
} from '../computations/types/index.ts';
import { bindValue, toBlock } from '../computations/value.ts';
import { type IntrinsicDefinition, requireIntrinsicType } from './definition.ts';

/**
 * A call of an intrinsic. Client values are normalised to `{T}@CLIENTS` in the intrinsic's type, so
 * that an all-equal value is accepted wherever a client value is.
 */
export function intrinsicCall(
  definition: IntrinsicDefinition,
  args: readonly BuildingBlock[],
  result: Type,
  options: { readonly keepAllEqual?: boolean } = {},
): Call {
  const types = args.map(({ type }) => (options.keepAllEqual ? type : withoutAllEqual(type)));
  const [onlyType] = types;
  const [only] = args;
  const single = args.length === 1;
  const parameter =
    single && onlyType ? onlyType : structOf(types.map((type) => ({ name: null, type })));
  const type = func(parameter, result);
  requireIntrinsicType(definition, type);
  const argument =
    single && only ? only : structBlock(args.map((value) => ({ name: null, value })));
  return call(calledHere(definition.uri, type), argument, `The argument of ${definition.uri}`);
}

/** The same, bound in the current trace. */
export function bindIntrinsic<T extends Type>(
  definition: IntrinsicDefinition,
  args: readonly BuildingBlock[],
  result: Type,
  options: { readonly keepAllEqual?: boolean } = {},
): Operand<T> {
  const node = intrinsicCall(definition, args, result, options);
  return bindValue<T>(node, definition.uri);
}

/** A building block of federated type; a struct of values placed alike is zipped. */
export interface PlacedBlock {
  readonly node: BuildingBlock;
  readonly type: FederatedType;
}

/**
 * @param what names the argument in messages.
 * @throws FederatedTypeError `type.not_assignable` if it is placed elsewhere than `placement`.
 */
export function toPlaced(source: unknown, what: string, placement?: PlacementUri): PlacedBlock {
  currentTrace(what);
  const node = zipIfStruct(toBlock(source, what), what);
  const { type } = node;
  if (type.kind === 'federated' && (placement === undefined || type.placement === placement)) {
    return { node, type };
  }
  const member = type.kind === 'federated' ? type.member : type;
  const isMember = !(
    member.kind === 'function' ||
    member.kind === 'placement' ||
    containsFederated(member)
  );
  const expected =
    placement !== undefined && isMember
      ? compactNotation(federated(member, placement, placement !== 'clients'))
      : `a value at ${placement?.toUpperCase() ?? 'CLIENTS or SERVER'}`;
  const given = compactNotation(type);
  throw new FederatedTypeError(
    'type.not_assignable',
    `${what} must be placed at ${placement?.toUpperCase() ?? 'CLIENTS or SERVER'}.\n  expected: ${expected}\n  given:    ${given}${moveHint(type, placement)}`,
    { expected, given },
  );
}

/** The type of a zip: leaves lose their placement, the struct gets it. `null` if the leaves differ. */
export function zippedType(type: Type): FederatedType | null {
  const placements = new Set<PlacementUri>();
  const strip = (inner: Type): Type | null => {
    if (inner.kind === 'federated') {
      placements.add(inner.placement);
      return inner.member;
    }
    if (inner.kind !== 'struct') return null;
    const elements = inner.elements.map(({ name, type: element }) => ({
      name,
      type: strip(element),
    }));
    const stripped = elements.flatMap(({ name, type: element }) =>
      element === null ? [] : [{ name, type: element }],
    );
    return stripped.length === elements.length ? structOf(stripped) : null;
  };
  const member = strip(type);
  const [only] = placements;
  if (member === null || only === undefined || placements.size > 1) return null;
  return federated(member, only, only !== 'clients');
}

/** The call that zips a struct of values placed alike; anything else is returned as it is. */
function zipIfStruct(node: BuildingBlock, what: string): BuildingBlock {
  if (node.type.kind !== 'struct') return node;
  const zipped = zippedType(node.type);
  if (zipped === null) return node;
  const uri =
    zipped.placement === 'server' ? 'federated_zip_at_server' : 'federated_zip_at_clients';
  const zip = call(calledHere(uri, func(withoutAllEqual(node.type), zipped)), node, what);
  return toBlock(bindValue(zip, what), what);
}

/** An intrinsic that remembers where the user's code called it. */
function calledHere(uri: string, type: Type): Intrinsic {
  const source = callSite();
  return source === null ? intrinsic(uri, type) : { ...intrinsic(uri, type), source };
}

function withoutAllEqual(type: Type): Type {
  if (type.kind === 'federated') {
    return type.placement === 'clients' && type.allEqual
      ? federated(type.member, 'clients', false)
      : type;
  }
  if (type.kind === 'struct') {
    return structOf(
      type.elements.map(({ name, type: element }) => ({ name, type: withoutAllEqual(element) })),
    );
  }
  return type;
}

function containsFederated(type: Type): boolean {
  return (
    type.kind === 'federated' ||
    (type.kind === 'struct' && type.elements.some((element) => containsFederated(element.type)))
  );
}

/** What to do about a value that is not where it should be. */
function moveHint(type: Type, placement: PlacementUri | undefined): string {
  if (type.kind === 'struct' && containsFederated(type)) return mixedHint(type);
  if (type.kind !== 'federated')
    return '\n  The value has no placement; place it with federatedValue.';
  if (placement === 'clients')
    return '\n  A server value reaches the clients by federatedBroadcast.';
  if (placement === 'server')
    return '\n  Client values reach the server by an aggregation, such as federatedSum.';
  return '';
}

/** Of a struct that cannot be zipped: which part is where. */
function mixedHint(type: StructType): string {
  const places = type.elements.map(({ name, type: element }, index) => {
    const placements = placementsIn(element);
    const where = placements.length === 0 ? 'nowhere' : `at ${placements.join(' and ')}`;
    return `${name === null ? `[${index}]` : `.${name}`} is ${where}`;
  });
  return `\n  The values of a struct must be in one place: ${places.join(', ')}.\n  federatedBroadcast takes a server value to the clients, federatedValue places a constant.`;
}

function placementsIn(type: Type): readonly string[] {
  if (type.kind === 'federated') return [type.placement.toUpperCase()];
  if (type.kind !== 'struct') return [];
  return [...new Set(type.elements.flatMap((element) => placementsIn(element.type)))];
}
