/**
 * @file An all-equal value may stand where a client value is expected. Its data has one member then,
 * where the type says one for each client; here it gets them.
 */

import type { MaterializedValue, Type } from '../computations/types/index.ts';
import type { Cardinalities } from '../executors/executor.ts';

/**
 * @param given the type of the value.
 * @param expected the type that it stands for.
 * @returns the value as data of type `expected`.
 */
export function spreadAllEqual(
  value: MaterializedValue,
  given: Type,
  expected: Type,
  cardinalities: Cardinalities,
): MaterializedValue {
  if (given === expected) return value;
  if (given.kind === 'federated' && expected.kind === 'federated' && value.kind === 'federated') {
    const [common] = value.members;
    if (expected.allEqual || !given.allEqual || common === undefined) return value;
    const count = cardinalities[expected.placement] ?? 1;
    return { kind: 'federated', members: new Array<MaterializedValue>(count).fill(common) };
  }
  if (given.kind === 'struct' && expected.kind === 'struct' && value.kind === 'struct') {
    return {
      kind: 'struct',
      elements: value.elements.map((element, index) => {
        const from = given.elements[index]?.type;
        const to = expected.elements[index]?.type;
        return from && to ? spreadAllEqual(element, from, to, cardinalities) : element;
      }),
    };
  }
  return value;
}
