/**
 * @file Takes back the promise that a map's results are all equal where nothing asks for it, so that
 * there is one kind of map at the clients. After TensorFlow Federated's `normalize_all_equal_bit`,
 * except that signatures stay what they are: what a broadcast makes is all-equal by its type.
 */

import { type BuildingBlock, reference } from '../../computations/building-blocks.ts';
import { freeReferences, replaceReferences } from '../../computations/free-references.ts';
import { type Body, type Local, mapBodies } from '../../computations/transformations/index.ts';
import { intrinsicCallOf, isPlaced, MAPS, mapCall, provenanceOf } from './maps.ts';

/**
 * @param node in call-dominant form.
 * @returns a block of the same type and meaning.
 */
export function normalizeAllEqual(node: BuildingBlock): BuildingBlock {
  return mapBodies(node, normalizeBody);
}

function normalizeBody({ locals, result }: Body): Body {
  /** Names whose values are asked to be all equal. */
  const asked = new Set(freeReferences(result));
  const relaxed = new Set<string>();
  for (const local of locals.toReversed()) {
    const isAsked = asked.has(local.name) || !isAllEqualMap(local);
    if (!isAsked) relaxed.add(local.name);
    if (isAsked && asksForAllEqual(local)) {
      for (const name of freeReferences(local.value)) asked.add(name);
    }
  }
  if (relaxed.size === 0) return { locals, result };
  const replacements = new Map<string, BuildingBlock>();
  const normalized = locals.map(({ name, value }) => {
    const replaced = replaceReferences(value, replacements);
    const map = relaxed.has(name) ? intrinsicCallOf(replaced, MAPS) : null;
    const [fn, source] = map?.args ?? [];
    if (map === null || fn === undefined || source === undefined || !isPlaced(source)) {
      return { name, value: replaced };
    }
    const plain = mapCall(fn, source, { provenance: provenanceOf(map.intrinsic) });
    replacements.set(name, reference(name, plain.type));
    return { name, value: plain };
  });
  return { locals: normalized, result };
}

function isAllEqualMap({ value }: Local): boolean {
  return intrinsicCallOf(value, ALL_EQUAL_MAPS) !== null;
}

/** Intrinsics take client values that may differ, except for the map that promises the same. */
function asksForAllEqual(local: Local): boolean {
  const { value } = local;
  return value.kind !== 'call' || value.function.kind !== 'intrinsic' || isAllEqualMap(local);
}

const ALL_EQUAL_MAPS: ReadonlySet<string> = new Set(['federated_map_all_equal']);
