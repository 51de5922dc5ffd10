/**
 * @file The maps and zips of a body, seen from one participant: a zip is a struct, a map is a call,
 * and all of them together are one computation on the members of the values that the others make.
 * Selections, zips and functions that only rearrange structs disappear in it.
 */

import { type BuildingBlock, reference, selection } from '../../computations/building-blocks.ts';
import {
  type Body,
  Calls,
  type Local,
  type Meaning,
  type Normalizer,
  plain,
  structuralKey,
} from '../../computations/transformations/index.ts';
import type { FederatedType } from '../../computations/types/index.ts';
import {
  intrinsicCallOf,
  isPlaced,
  MAPS,
  type Placed,
  type Provenance,
  provenanceOf,
  ZIPS,
} from './maps.ts';

/** A placed value from outside the maps, of which the members are taken. */
export interface Source {
  readonly value: Placed;
  /** What the member is called in the member computation. */
  readonly name: string;
}

/** A map or zip as a computation on members. */
export interface MemberValue {
  readonly local: Local;
  readonly type: FederatedType;
  readonly meaning: Meaning;
  /** A source that it was made of, even where its members do not depend on any. */
  readonly anchor: Source;
  /** Of the map or zip. */
  readonly provenance: Provenance;
}

export class MemberGraph {
  readonly #normalizer: Normalizer;
  readonly #values = new Map<string, MemberValue>();
  readonly #sources = new Map<string, Source>();
  readonly #sourcesByKey = new Map<string, Source>();
  readonly #calls = new Map<string, Calls>();

  /**
   * @param body in call-dominant form.
   * @param isPureLocal says which maps may be moved, merged or dropped.
   */
  constructor(body: Body, isPureLocal: (local: Local) => boolean, normalizer: Normalizer) {
    this.#normalizer = normalizer;
    for (const local of body.locals) {
      const value = isPureLocal(local) ? this.#read(local) : null;
      if (value !== null) this.#values.set(local.name, value);
    }
  }

  /** The map or zip that is bound to a name. */
  value(name: string): MemberValue | undefined {
    return this.#values.get(name);
  }

  /** Every map and zip, in the order of the body. */
  get values(): readonly MemberValue[] {
    return [...this.#values.values()];
  }

  /** The source with this name in the member computation. */
  source(name: string): Source | undefined {
    return this.#sources.get(name);
  }

  /** The calls of the member computation at a placement, in order. */
  calls(placement: string): Calls {
    const known = this.#calls.get(placement) ?? new Calls();
    this.#calls.set(placement, known);
    return known;
  }

  write(meaning: Meaning): BuildingBlock {
    return this.#normalizer.write(meaning);
  }

  /** Makes the result of a call of the member computation a value from outside. */
  addSource(source: Source): void {
    this.#sources.set(source.name, source);
    this.#sourcesByKey.set(structuralKey(source.value), source);
  }

  #read(local: Local): MemberValue | null {
    const { type } = local.value;
    if (type.kind !== 'federated') return null;
    return this.#readMap(local, type) ?? this.#readZip(local, type);
  }

  #readMap(local: Local, type: FederatedType): MemberValue | null {
    const map = intrinsicCallOf(local.value, MAPS);
    const [fn, value] = map?.args ?? [];
    if (map === null || fn === undefined || value === undefined || !isPlaced(value)) return null;
    const calls = this.calls(type.placement);
    const { meaning: argument, anchor } = this.#member(value);
    const mapper = this.#normalizer.evaluate(fn, null, calls);
    const parameter = fn.type.kind === 'function' ? fn.type.parameter : null;
    const given = parameter === null ? argument : this.#normalizer.named(argument, parameter);
    const meaning = this.#normalizer.named(
      this.#normalizer.apply(mapper, given, calls),
      type.member,
    );
    return { local, type, meaning, anchor, provenance: provenanceOf(map.intrinsic) };
  }

  #readZip(local: Local, type: FederatedType): MemberValue | null {
    const { value } = local;
    if (value.kind !== 'call' || value.function.kind !== 'intrinsic') return null;
    if (!ZIPS.has(value.function.uri) || value.argument === null) return null;
    const zipped = this.#zip(value.argument);
    if (zipped === null) return null;
    const meaning = this.#normalizer.named(zipped.meaning, type.member);
    const provenance = provenanceOf(value.function);
    return { local, type, meaning, anchor: zipped.anchor, provenance };
  }

  #zip(node: BuildingBlock): { readonly meaning: Meaning; readonly anchor: Source } | null {
    if (isPlaced(node)) return this.#member(node);
    if (node.type.kind !== 'struct') return null;
    const elements: { readonly name: string | null; readonly value: Meaning }[] = [];
    let anchor: Source | null = null;
    for (const [index, { name }] of node.type.elements.entries()) {
      const element = node.kind === 'struct' ? node.elements[index]?.value : selection(node, index);
      const inner = element === undefined ? null : this.#zip(element);
      if (inner === null) return null;
      anchor ??= inner.anchor;
      elements.push({ name, value: inner.meaning });
    }
    return anchor === null ? null : { meaning: { kind: 'struct', elements }, anchor };
  }

  #member(value: Placed): { readonly meaning: Meaning; readonly anchor: Source } {
    const known = value.kind === 'reference' ? this.#values.get(value.name) : undefined;
    if (known !== undefined) return known;
    const key = structuralKey(value);
    const source = this.#sourcesByKey.get(key) ?? { value, name: this.#normalizer.names.fresh() };
    this.addSource(source);
    return { meaning: plain(reference(source.name, value.type.member)), anchor: source };
  }
}
