/** @file What an intrinsic is: its URI, its type rule, what it discloses, and its reduction. */

import type { BuildingBlock } from '../computations/building-blocks.ts';
import {
  FederatedTypeError,
  type FunctionType,
  parseType,
  requireConcreteInstance,
  type Type,
} from '../computations/types/index.ts';

/** Whether an aggregation shows the aggregate's inputs to the server (`plain`) or not (`secure`). */
export type AggregationKind = 'plain' | 'secure';
/** Whether a broadcast shows the server what a client asked for (`plain`) or not (`secure`). */
export type BroadcastKind = 'plain' | 'secure';
/** Only calls of pure intrinsics may be cached, merged, reordered or dropped. */
export type Purity = 'pure' | 'random' | 'linear';

export interface IntrinsicDefinition {
  readonly uri: string;
  /** The generic signature in compact notation; abstract types stand for any type. */
  readonly signature: Type;
  readonly aggregation: AggregationKind | null;
  readonly broadcast: BroadcastKind | null;
  readonly purity: Purity;
  /** What the signature cannot say. Throws a FederatedTypeError that shows both sides. */
  readonly rule?: (type: FunctionType) => void;
  /**
   * For a composite intrinsic: a building block of the same type made of other intrinsics.
   * Primitives have none; executors implement them.
   */
  readonly reduce?: (type: FunctionType) => BuildingBlock;
}

/** @param signature generic signature in compact notation, e.g. `({T}@CLIENTS -> T@SERVER)`. */
export function defineIntrinsic(
  uri: string,
  signature: string,
  options: Partial<Omit<IntrinsicDefinition, 'uri' | 'signature'>> = {},
): IntrinsicDefinition {
  const parsed = parseType(signature);
  return { uri, signature: parsed, aggregation: null, broadcast: null, purity: 'pure', ...options };
}

/**
 * Throws unless `type` is a type that the intrinsic has.
 * @throws FederatedTypeError naming the intrinsic, with both compact types.
 */
export function requireIntrinsicType(definition: IntrinsicDefinition, type: Type): void {
  requireConcreteInstance(type, definition.signature, definition.uri);
  definition.rule?.(type as FunctionType);
}

/** The types of the elements of an intrinsic's argument, which is a struct. */
export function argumentTypes(type: FunctionType): readonly Type[] {
  const { parameter } = type;
  if (parameter === null) return [];
  return parameter.kind === 'struct'
    ? parameter.elements.map((element) => element.type)
    : [parameter];
}

/** The member type of a federated type. */
export function memberOf(type: Type | undefined): Type {
  if (type?.kind === 'federated') return type.member;
  throw new FederatedTypeError('type.wrong_kind', `Expected a placed value; got ${String(type)}.`);
}
