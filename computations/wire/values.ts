/**
 * @file Values between processes as `tensorflow_federated.v0.Value` messages and back: data, with the
 * type that it shows, or a building block. A peer may send anything, so what is read is counted: a
 * few bytes can stand for an element of a sequence that takes kilobytes.
 */

import { create } from '@bufbuild/protobuf';
import type { BuildingBlock } from '../building-blocks.ts';
import {
  compactNotation,
  type FederatedType,
  federated,
  type MaterializedValue,
  requireAssignable,
  sequence,
  structOf,
  type TensorValue,
  type Type,
  tensorOfShape,
  ValueError,
} from '../types/index.ts';
import { fromArrayMessage, toArrayMessage } from './arrays.ts';
import { type DecodeBlockOptions, fromComputationMessage } from './codec.ts';
import { toComputationMessage } from './encode-blocks.ts';
import { decodeFault, MAX_NODES, nodesOf, required, requireFewNodes, tooLarge } from './faults.ts';
import type { Array as ArrayMessage } from './gen/federated_language/proto/array_pb.ts';
import {
  type Value_Federated,
  type Value_Sequence,
  type Value as ValueMessage,
  ValueSchema,
} from './gen/tensorflow_federated/proto/v0/executor_pb.ts';
import { fromTypeMessage, toTypeMessage } from './types.ts';

/** What a message brings: data that was checked against its type, or a building block. */
export type ReceivedValue =
  | { readonly kind: 'data'; readonly value: MaterializedValue; readonly type: Type }
  | { readonly kind: 'block'; readonly block: BuildingBlock };

export interface DecodeValueOptions extends DecodeBlockOptions {
  /**
   * The most tensors and structs that a value may consist of, however few bytes stand for them.
   * @default 4,194,304
   */
  readonly maxNodes?: number;
}

/**
 * Tensors of numbers are not copied: the message shows the same memory, until it is encoded.
 * @param value readable any number of times: sequences are arrays.
 * @param type its type, which gives the names of struct elements and the types of sequences.
 * @throws ValueError `value.wrong_structure` for data that does not have the type's structure, or a
 *   sequence that is no array.
 */
export function toValueMessage(value: MaterializedValue, type: Type): ValueMessage {
  if (value.kind === 'tensor' && type.kind === 'tensor') {
    return create(ValueSchema, {
      value: { case: 'array', value: toArrayMessage(value, 'content') },
    });
  }
  if (value.kind === 'struct' && type.kind === 'struct') {
    requireSame(value.elements.length, type.elements.length, type);
    const element = type.elements.map(({ name, type: inner }, i) => ({
      name: name ?? '',
      value: toValueMessage(value.elements[i] as MaterializedValue, inner),
    }));
    return create(ValueSchema, { value: { case: 'struct', value: { element } } });
  }
  if (value.kind === 'sequence' && type.kind === 'sequence') {
    if (!Array.isArray(value.elements)) {
      throw new ValueError(
        'value.wrong_structure',
        `A sequence of type ${compactNotation(type)} is sent as a whole: read it into an array before.`,
      );
    }
    const element = value.elements.map((one: MaterializedValue) => ({
      flatValue: flatten(one, type.element, []),
    }));
    const elementType = toTypeMessage(type.element);
    return create(ValueSchema, { value: { case: 'sequence', value: { elementType, element } } });
  }
  if (value.kind === 'federated' && type.kind === 'federated') {
    const { type: variant } = toTypeMessage(type);
    return create(ValueSchema, {
      value: {
        case: 'federated',
        value: {
          ...(variant.case === 'federated' && { type: variant.value }),
          value: value.members.map((member) => toValueMessage(member, type.member)),
        },
      },
    });
  }
  throw wrongStructure(value.kind, type);
}

/** A building block as a value; a literal is data and better sent as such. */
export function blockToValueMessage(block: BuildingBlock): ValueMessage {
  return create(ValueSchema, {
    value: { case: 'computation', value: toComputationMessage(block) },
  });
}

/**
 * @throws GraphError `graph.decode` for a message without sense, `graph.too_large` beyond the limits,
 *   or what `decodeBlock` throws.
 * @throws FederatedTypeError for members or elements that do not have the type stated.
 */
export function fromValueMessage(
  message: ValueMessage,
  options: DecodeValueOptions = {},
): ReceivedValue {
  if (message.value.case === 'computation') {
    return { kind: 'block', block: fromComputationMessage(message.value.value, options) };
  }
  const { maxNodes = MAX_NODES, maxDepth = MAX_DEPTH } = options;
  return { kind: 'data', ...new DataReader({ maxNodes, maxDepth }).read(message, 0) };
}

interface TypedData {
  readonly value: MaterializedValue;
  readonly type: Type;
}

/** Reads the data of one message, within limits. */
class DataReader {
  readonly #limits: Required<Pick<DecodeValueOptions, 'maxNodes' | 'maxDepth'>>;
  #nodes = 0;

  constructor(limits: Required<Pick<DecodeValueOptions, 'maxNodes' | 'maxDepth'>>) {
    this.#limits = limits;
  }

  /** @param depth how many values it stands in. */
  read({ value: given }: ValueMessage, depth: number): TypedData {
    if (depth > this.#limits.maxDepth) {
      throw tooLarge(`values are nested more than ${this.#limits.maxDepth} deep (maxDepth)`);
    }
    this.#count(1);
    switch (given.case) {
      case 'array': {
        const value = fromArrayMessage(given.value);
        return { value, type: tensorOfShape(value.dtype, value.shape) };
      }
      case 'struct': {
        const inner = given.value.element.map(({ name, value }) => ({
          name: name === '' ? null : name,
          ...this.read(required(value, 'the value of a struct element'), depth + 1),
        }));
        return {
          value: { kind: 'struct', elements: inner.map(({ value }) => value) },
          type: structOf(inner.map(({ name, type }) => ({ name, type }))),
        };
      }
      case 'sequence':
        return this.#readSequence(given.value);
      case 'federated':
        return this.#readFederated(given.value, depth);
      case 'computation':
        throw decodeFault('a computation stands within data');
      default:
        throw decodeFault('a value is empty, or of a kind that is not known');
    }
  }

  #readSequence({ elementType, element }: Value_Sequence): TypedData {
    const member = fromTypeMessage(required(elementType, 'the element type of a sequence'));
    const type = sequence(member);
    this.#count(nodesOf(member) * element.length);
    const elements = element.map(({ flatValue }) => {
      const arrays = flatValue[Symbol.iterator]();
      const value = unflatten(arrays, member);
      if (!arrays.next().done) throw decodeFault('an element of a sequence has too many tensors');
      return value;
    });
    return { value: { kind: 'sequence', elements }, type };
  }

  #readFederated({ type: stated, value }: Value_Federated, depth: number): TypedData {
    const message = required(stated, 'the type of a federated value');
    const type = fromTypeMessage({
      $typeName: 'federated_language.Type',
      type: { case: 'federated', value: message },
    }) as FederatedType;
    if (type.allEqual && value.length !== 1) {
      throw decodeFault(`an all-equal value has ${value.length} members`);
    }
    const members = value.map((member) => {
      const { value: data, type: given } = this.read(member, depth + 1);
      requireAssignable(type.member, given, 'A member of a federated value');
      return data;
    });
    return {
      value: { kind: 'federated', members },
      type: federated(type.member, type.placement, type.allEqual),
    };
  }

  #count(nodes: number): void {
    this.#nodes += nodes;
    requireFewNodes(this.#nodes, this.#limits.maxNodes);
  }
}

/** The tensors of an element of a sequence, in order. */
function flatten(value: MaterializedValue, type: Type, into: ArrayMessage[]): ArrayMessage[] {
  if (value.kind === 'tensor' && type.kind === 'tensor') {
    into.push(toArrayMessage(value, 'content'));
  } else if (value.kind === 'struct' && type.kind === 'struct') {
    requireSame(value.elements.length, type.elements.length, type);
    for (const [i, { type: inner }] of type.elements.entries()) {
      flatten(value.elements[i] as MaterializedValue, inner, into);
    }
  } else {
    throw wrongStructure(value.kind, type);
  }
  return into;
}

function unflatten(arrays: Iterator<ArrayMessage>, type: Type): MaterializedValue {
  if (type.kind === 'struct') {
    return {
      kind: 'struct',
      elements: type.elements.map(({ type: inner }) => unflatten(arrays, inner)),
    };
  }
  const { value: message, done } = arrays.next();
  if (done) throw decodeFault('an element of a sequence has too few tensors');
  const tensor: TensorValue = fromArrayMessage(message);
  const given = tensorOfShape(tensor.dtype, tensor.shape);
  requireAssignable(type, given, 'A tensor in an element of a sequence');
  return tensor;
}

function requireSame(given: number, expected: number, type: Type): void {
  if (given === expected) return;
  throw new ValueError(
    'value.wrong_structure',
    `A value of type ${compactNotation(type)} has ${expected} elements; got ${given}.`,
  );
}

function wrongStructure(given: string, type: Type): ValueError {
  return new ValueError(
    'value.wrong_structure',
    `A ${given} is no value of type ${compactNotation(type)}.`,
  );
}

const MAX_DEPTH = 500;
