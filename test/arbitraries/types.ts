/** @file fast-check arbitraries of types, and of plain data that fits a type. */

import fc from 'fast-check';
import {
  abstract,
  compactNotation,
  type Dimension,
  DTYPES,
  type DType,
  federated,
  func,
  integerRange,
  isDType,
  placementType,
  type StructType,
  sequence,
  structOf,
  type TensorType,
  TensorValue,
  type Type,
  tensorOfShape,
} from '../../computations/types/index.ts';

/** Any tensor type; unknown ranks and sizes included. */
export const anyTensorType: fc.Arbitrary<TensorType> = fc
  .tuple(
    fc.constantFrom(...DTYPES),
    fc.option(
      fc.array(fc.option(fc.nat(4), { freq: 4 }) satisfies fc.Arbitrary<Dimension>, {
        maxLength: 3,
      }),
      { freq: 8 },
    ),
  )
  .map(([dtype, shape]) => tensorOfShape(dtype, shape));

/** A tensor type whose sizes are all known. */
export const staticTensorType: fc.Arbitrary<TensorType> = fc
  .tuple(fc.constantFrom(...DTYPES), fc.array(fc.nat(4), { maxLength: 3 }))
  .map(([dtype, shape]) => tensorOfShape(dtype, shape));

/** A label that reads back as an abstract type: no dtype, and not `placement`. */
export const abstractLabel: fc.Arbitrary<string> = fc
  .stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/)
  .filter((label) => label !== 'placement' && label !== 'str' && !isDType(label));

const elementName = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,6}$/);
const placementUri = fc.constantFrom('clients', 'server', 'aggregator');

/** A struct of the given types: unnamed, named, or mixed. */
export function structOfTypes(element: fc.Arbitrary<Type>): fc.Arbitrary<StructType> {
  return fc
    .uniqueArray(fc.tuple(fc.option(elementName), element), {
      maxLength: 4,
      selector: ([name]) => name ?? Symbol('unnamed'),
    })
    .map((elements) => structOf(elements.map(([name, type]) => ({ name, type }))));
}

function nested(
  leaf: fc.Arbitrary<Type>,
  maxDepth: number,
  wrap: (inner: fc.Arbitrary<Type>) => fc.Arbitrary<Type>[],
): fc.Arbitrary<Type> {
  let type = leaf;
  for (let depth = 0; depth < maxDepth; depth++) {
    type = fc.oneof({ arbitrary: leaf, weight: 2 }, ...wrap(type));
  }
  return type;
}

/** A type without placement, function or sequence. */
export const memberType: fc.Arbitrary<Type> = nested(
  fc.oneof({ arbitrary: anyTensorType, weight: 5 }, abstractLabel.map(abstract)),
  2,
  (inner) => [structOfTypes(inner)],
);

/** A type without placement or function: what a value at one place can have. */
export const unplacedType: fc.Arbitrary<Type> = nested(
  fc.oneof({ arbitrary: memberType, weight: 3 }, memberType.map(sequence)),
  1,
  (inner) => [structOfTypes(inner)],
);

/** Any type at all. */
export const anyType: fc.Arbitrary<Type> = nested(
  fc.oneof(
    { arbitrary: unplacedType, weight: 3 },
    fc.constant(placementType),
    fc
      .tuple(unplacedType, placementUri, fc.boolean())
      .map(([member, placement, allEqual]) => federated(member, placement, allEqual)),
  ),
  2,
  (inner) => [
    structOfTypes(inner),
    fc.tuple(fc.option(inner), inner).map(([parameter, result]) => func(parameter, result)),
  ],
);

/** Types that plain data can be given for: no functions, placements or abstract types. */
export const dataType: fc.Arbitrary<Type> = nested(
  fc.oneof({ arbitrary: staticTensorType, weight: 3 }, staticTensorType.map(sequence)),
  2,
  (inner) => [structOfTypes(inner)],
);

/** Types of data with placements at the top. */
export const placedDataType: fc.Arbitrary<Type> = fc
  .tuple(dataType, placementUri, fc.boolean())
  .map(([member, placement, allEqual]) =>
    federated(member, placement, allEqual || placement !== 'clients'),
  );

/** One element of a dtype, as the user sees it. */
export function elementOf(dtype: DType): fc.Arbitrary<unknown> {
  switch (dtype) {
    case 'bool':
      return fc.boolean();
    case 'uint8':
      return fc.integer({ min: 0, max: 255 });
    case 'int32':
      return fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    case 'int64':
      return fc.bigInt(integerRange('int64'));
    case 'float32':
      return fc.float();
    case 'string':
      return fc.string({ unit: 'grapheme' });
  }
}

/** A tensor of a type whose sizes are all known. */
export function tensorValueOf(type: TensorType): fc.Arbitrary<TensorValue> {
  const shape = (type.shape ?? []).map((size) => size ?? 0);
  const size = shape.reduce((product, n) => product * n, 1);
  return fc
    .array(elementOf(type.dtype), { minLength: size, maxLength: size })
    .map((elements) => new TensorValue(type.dtype, shape, storage(type.dtype, elements)));
}

/** Plain data that fits a type of `dataType` or `placedDataType`, in the form in which results come. */
export function plainDataOf(type: Type): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case 'tensor':
      return type.shape?.length === 0 ? elementOf(type.dtype) : tensorValueOf(type);
    case 'struct': {
      const members = fc.tuple(...type.elements.map((element) => plainDataOf(element.type)));
      return type.elements.every((element) => element.name === null)
        ? members
        : members.map((values) =>
            Object.fromEntries(
              values.map((value, i) => [type.elements[i]?.name ?? String(i), value]),
            ),
          );
    }
    case 'sequence':
      return fc.array(plainDataOf(type.element), { maxLength: 3 });
    case 'federated':
      return type.placement === 'clients' && !type.allEqual
        ? fc.array(plainDataOf(type.member), { maxLength: 3 })
        : plainDataOf(type.member);
    default:
      throw new Error(`No data for ${compactNotation(type)}.`);
  }
}

function storage(dtype: DType, elements: readonly unknown[]): TensorValue['data'] {
  switch (dtype) {
    case 'bool':
      return Uint8Array.from(elements, Number);
    case 'uint8':
      return Uint8Array.from(elements as readonly number[]);
    case 'int32':
      return Int32Array.from(elements as readonly number[]);
    case 'int64':
      return BigInt64Array.from(elements as readonly bigint[]);
    case 'float32':
      return Float32Array.from(elements as readonly number[]);
    case 'string':
      return elements as readonly string[];
  }
}
