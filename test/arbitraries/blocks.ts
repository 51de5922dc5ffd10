/** @file fast-check arbitraries of closed, well-typed building blocks. */

import fc from 'fast-check';
import {
  type BuildingBlock,
  block,
  call,
  data,
  intrinsic,
  lambda,
  literal,
  placement,
  reference,
  selection,
  structBlock,
} from '../../computations/building-blocks.ts';
import {
  containsType,
  func,
  isIdentical,
  structOf,
  type Type,
  toMaterialized,
} from '../../computations/types/index.ts';
import { dataType, plainDataOf, unplacedType } from './types.ts';

interface Bound {
  readonly name: string;
  readonly type: Type;
}

/** A building block of a type, whose free names are among those of the scope. */
export function blockOfType(
  type: Type,
  depth = 3,
  scope: readonly Bound[] = [],
): fc.Arbitrary<BuildingBlock> {
  const leaves: fc.Arbitrary<BuildingBlock>[] = [];
  if (type.kind === 'placement') {
    leaves.push(fc.constantFrom('clients', 'server').map(placement));
  } else if (type.kind === 'function') {
    leaves.push(
      fc.constantFrom('federated_sum', 'some_intrinsic').map((uri) => intrinsic(uri, type)),
    );
  } else {
    leaves.push(fc.webUrl().map((uri) => data(uri, type)));
  }
  if (holdsData(type)) {
    leaves.push(plainDataOf(type).map((value) => literal(toMaterialized(value, type, 'x'), type)));
  }
  // The innermost binding of a name hides the others.
  const visible = scope.filter(
    (bound, i) => scope.findLastIndex(({ name }) => name === bound.name) === i,
  );
  for (const bound of visible) {
    if (isIdentical(bound.type, type)) leaves.push(fc.constant(reference(bound.name, bound.type)));
  }
  if (depth === 0) return fc.oneof(...leaves);

  const inner = (of: Type, more: readonly Bound[] = []): fc.Arbitrary<BuildingBlock> =>
    blockOfType(of, depth - 1, [...scope, ...more]);
  const composed: fc.Arbitrary<BuildingBlock>[] = [
    // let a=…,b=… in …
    fc.tuple(localName, unplacedType, localName, unplacedType).chain(([a, aType, b, bType]) =>
      fc
        .tuple(
          inner(aType),
          inner(bType, [{ name: a, type: aType }]),
          inner(type, [
            { name: a, type: aType },
            { name: b, type: bType },
          ]),
        )
        .map(([aValue, bValue, result]) =>
          block(
            [
              { name: a, value: aValue },
              { name: b, value: bValue },
            ],
            result,
          ),
        ),
    ),
    // (x -> …)(…) and ( -> …)()
    fc.option(unplacedType).chain((parameter) => {
      const fn = inner(func(parameter, type));
      return parameter === null
        ? fn.map((each) => call(each))
        : fc.tuple(fn, inner(parameter)).map(([each, argument]) => call(each, argument));
    }),
    // <…,…>[1]
    fc.tuple(fc.option(fc.constantFrom('p', 'q')), unplacedType).chain(([name, other]) => {
      const source = structOf([
        { name: null, type: other },
        { name, type },
      ]);
      return inner(source).map((each) => selection(each, 1));
    }),
  ];
  if (type.kind === 'struct') {
    composed.push(
      fc
        .tuple(...type.elements.map((element) => inner(element.type)))
        .map((values) =>
          structBlock(values.map((value, i) => ({ name: type.elements[i]?.name ?? null, value }))),
        ),
    );
  }
  if (type.kind === 'function') {
    const { parameter, result } = type;
    composed.push(
      parameter === null
        ? inner(result).map((body) => lambda(null, null, body))
        : localName.chain((name) =>
            inner(result, [{ name, type: parameter }]).map((body) => lambda(name, parameter, body)),
          ),
    );
  }
  return fc.oneof(...leaves, ...composed);
}

/** A closed building block of some type. */
export const anyBlock: fc.Arbitrary<BuildingBlock> = fc
  .oneof(
    unplacedType,
    dataType,
    fc.tuple(fc.option(unplacedType), unplacedType).map(([p, r]): Type => func(p, r)),
  )
  .chain((type) => blockOfType(type));

const localName = fc.constantFrom('x', 'y', 'fc_f_symbol_0');

function holdsData(type: Type): boolean {
  return !containsType(
    type,
    (inner) =>
      ['function', 'placement', 'abstract', 'federated'].includes(inner.kind) ||
      (inner.kind === 'tensor' && (inner.shape?.includes(null) ?? true)),
  );
}
