/**
 * @file Constants as messages. `federated_language.Literal` holds a tensor only; so a struct becomes
 * a struct of literals, and a sequence becomes data whose content is a `fedloom.v1.SequenceLiteral`.
 */

import { create, toBinary } from '@bufbuild/protobuf';
import type { BuildingBlock, Literal } from '../building-blocks.ts';
import { literal, structBlock } from '../building-blocks.ts';
import {
  compactNotation,
  type MaterializedValue,
  type SequenceType,
  type SequenceValue,
  type TensorValue,
  type Type,
  ValueError,
} from '../types/index.ts';
import { fromArrayMessage, toArrayMessage } from './arrays.ts';
import { decodeFault, MAX_NODES, nodesOf, requireFewNodes } from './faults.ts';
import {
  type Computation as ComputationMessage,
  DataSchema,
  LiteralSchema,
} from './gen/federated_language/proto/computation_pb.ts';
import { type SequenceLiteral, SequenceLiteralSchema } from './gen/fedloom/v1/literal_pb.ts';

export const SEQUENCE_LITERAL_URL = 'type.fedloom.dev/fedloom.v1.SequenceLiteral';

/** The same constant as a struct block of literals of tensors and sequences. */
export function splitLiteral({ value, type }: Literal): BuildingBlock {
  if (value.kind !== 'struct' || type.kind !== 'struct') return literal(value, type);
  return structBlock(
    type.elements.map((element, i) => ({
      name: element.name,
      value: splitLiteral(literal(value.elements[i] as MaterializedValue, element.type)),
    })),
  );
}

/**
 * @param node a literal of a tensor or a sequence.
 * @throws ValueError `value.wrong_structure` if it is placed, or a sequence that is no array.
 */
export function literalVariant({ value, type }: Literal): ComputationMessage['computation'] {
  if (value.kind === 'tensor') {
    const message = create(LiteralSchema, { value: toArrayMessage(value, 'list') });
    return { case: 'literal', value: message };
  }
  if (value.kind === 'sequence' && type.kind === 'sequence') {
    const content = {
      typeUrl: SEQUENCE_LITERAL_URL,
      value: toBinary(SequenceLiteralSchema, toSequenceLiteral(value, type)),
    };
    const data = create(DataSchema, { data: { case: 'content', value: content } });
    return { case: 'data', value: data };
  }
  throw new ValueError(
    'value.wrong_structure',
    `A literal of type ${compactNotation(type)} cannot be sent; a literal is a tensor, a sequence, or a struct of these.`,
  );
}

/**
 * @throws GraphError `graph.decode` unless the tensors are those of elements of the type,
 *   `graph.too_large` if a few bytes stand for very many structs.
 */
export function fromSequenceLiteral(message: SequenceLiteral, type: Type): SequenceValue {
  if (type.kind !== 'sequence') {
    throw decodeFault(`the content of a sequence has type ${compactNotation(type)}`);
  }
  requireFewNodes(nodesOf(type.element) * message.elements.length, MAX_NODES);
  const elements = message.elements.map(({ tensors }) => {
    const rest = tensors.map(fromArrayMessage);
    const element = assemble(type.element, rest);
    if (rest.length > 0) throw decodeFault('an element of a sequence has too many tensors');
    return element;
  });
  return { kind: 'sequence', elements };
}

function toSequenceLiteral(value: SequenceValue, type: SequenceType): SequenceLiteral {
  if (!Array.isArray(value.elements)) {
    throw new ValueError(
      'value.wrong_structure',
      `A sequence that is a constant of a computation must be an array to be sent (${compactNotation(type)}); pass other iterables as arguments.`,
    );
  }
  const elements = (value.elements as readonly MaterializedValue[]).map((element) => ({
    tensors: leaves(element).map((tensor) => toArrayMessage(tensor, 'content')),
  }));
  return create(SequenceLiteralSchema, { elements });
}

function leaves(value: MaterializedValue): readonly TensorValue[] {
  if (value.kind === 'tensor') return [value];
  if (value.kind === 'struct') return value.elements.flatMap(leaves);
  throw new ValueError('value.wrong_structure', `An element of a sequence holds a ${value.kind}.`);
}

/** The value of a type whose tensors are taken from the front of a list. */
function assemble(type: Type, rest: TensorValue[]): MaterializedValue {
  if (type.kind === 'struct') {
    return {
      kind: 'struct',
      elements: type.elements.map((element) => assemble(element.type, rest)),
    };
  }
  const tensor = rest.shift();
  if (tensor === undefined) throw decodeFault('an element of a sequence lacks a tensor');
  return tensor;
}
