/** @file Types as `federated_language.Type` messages and back. */

import { create } from '@bufbuild/protobuf';
import {
  abstract,
  federated,
  func,
  placementType,
  sequence,
  structOf,
  type Type,
  tensorOfShape,
} from '../types/index.ts';
import { fromDataType, toDataType } from './dtypes.ts';
import { decodeFault, required, sizeOf } from './faults.ts';
import {
  AbstractTypeSchema,
  type FederatedType as FederatedTypeMessage,
  FederatedTypeSchema,
  FunctionTypeSchema,
  PlacementTypeSchema,
  SequenceTypeSchema,
  StructTypeSchema,
  type TensorType as TensorTypeMessage,
  TensorTypeSchema,
  type Type as TypeMessage,
  TypeSchema,
} from './gen/federated_language/proto/computation_pb.ts';

export function toTypeMessage(type: Type): TypeMessage {
  return create(TypeSchema, { type: variantOf(type) });
}

/**
 * @throws GraphError `graph.decode` for a message that stands for no type of ours.
 * @throws FederatedTypeError `type.invalid` for a type that cannot be formed.
 */
export function fromTypeMessage(message: TypeMessage): Type {
  const { type } = message;
  switch (type.case) {
    case 'tensor':
      return fromTensorType(type.value);
    case 'struct':
      return structOf(
        type.value.element.map(({ name, value }) => ({
          name: name === '' ? null : name,
          type: fromTypeMessage(required(value, 'the type of a struct element')),
        })),
      );
    case 'sequence':
      return sequence(fromTypeMessage(required(type.value.element, 'the element of a sequence')));
    case 'function': {
      const { parameter, result } = type.value;
      return func(
        parameter === undefined ? null : fromTypeMessage(parameter),
        fromTypeMessage(required(result, 'the result of a function')),
      );
    }
    case 'federated':
      return fromFederatedType(type.value);
    case 'placement':
      return placementType;
    case 'abstract':
      return abstract(type.value.label);
    default:
      throw decodeFault('a type is empty, or of a kind that is not known');
  }
}

function variantOf(type: Type): TypeMessage['type'] {
  switch (type.kind) {
    case 'tensor': {
      const dims = (type.shape ?? []).map((size) => BigInt(size ?? UNKNOWN_SIZE));
      const value = create(TensorTypeSchema, {
        dtype: toDataType(type.dtype),
        dims,
        unknownRank: type.shape === null,
      });
      return { case: 'tensor', value };
    }
    case 'struct': {
      const element = type.elements.map(({ name, type: inner }) => ({
        name: name ?? '',
        value: toTypeMessage(inner),
      }));
      return { case: 'struct', value: create(StructTypeSchema, { element }) };
    }
    case 'sequence': {
      const element = toTypeMessage(type.element);
      return { case: 'sequence', value: create(SequenceTypeSchema, { element }) };
    }
    case 'function': {
      const value = create(FunctionTypeSchema, {
        ...(type.parameter === null ? {} : { parameter: toTypeMessage(type.parameter) }),
        result: toTypeMessage(type.result),
      });
      return { case: 'function', value };
    }
    case 'federated': {
      const value = create(FederatedTypeSchema, {
        placement: { placement: { case: 'value', value: { uri: type.placement } } },
        allEqual: type.allEqual,
        member: toTypeMessage(type.member),
      });
      return { case: 'federated', value };
    }
    case 'placement':
      return { case: 'placement', value: create(PlacementTypeSchema) };
    case 'abstract':
      return { case: 'abstract', value: create(AbstractTypeSchema, { label: type.label }) };
  }
}

function fromTensorType({ dtype, dims, unknownRank }: TensorTypeMessage): Type {
  if (unknownRank && dims.length > 0) {
    throw decodeFault('a tensor type has sizes, but an unknown rank');
  }
  const shape = dims.map((size) =>
    size === BigInt(UNKNOWN_SIZE) ? null : sizeOf(size, 'a dimension of a tensor type'),
  );
  return tensorOfShape(fromDataType(dtype), unknownRank ? null : shape);
}

function fromFederatedType({ placement, allEqual, member }: FederatedTypeMessage): Type {
  const place = placement?.placement;
  if (place?.case !== 'value') {
    throw decodeFault('a federated type is not placed at a known placement');
  }
  const memberType = fromTypeMessage(required(member, 'the member of a federated type'));
  return federated(memberType, place.value.uri, allEqual);
}

const UNKNOWN_SIZE = -1;
