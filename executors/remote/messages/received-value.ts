/**
 * @file What an executor in another process says that a value is, as data of the type that it must
 * have. A peer of another make leaves out how many participants agree, and a hostile one sends what
 * it likes.
 */

import {
  CardinalityError,
  compactNotation,
  ExecutionError,
  type FederatedType,
  type FederatedValue,
  type MaterializedValue,
  type Type,
} from '../../../computations/types/index.ts';
import {
  type DecodeValueOptions,
  fromValueMessage,
  type Value as ValueMessage,
} from '../../../computations/wire/index.ts';
import type { Cardinalities } from '../../executor.ts';
import { checkValue } from '../../watching/check-value.ts';

/**
 * @param type what the value must be.
 * @throws ExecutionError `execution.wrong_value` for anything else.
 * @throws GraphError for a message without sense, or beyond the limits.
 */
export function receivedValue(
  message: ValueMessage | undefined,
  type: Type,
  cardinalities: Cardinalities,
  limits?: DecodeValueOptions,
): MaterializedValue {
  if (message === undefined) throw wrongValue(type, 'nothing');
  const received = fromValueMessage(message, limits);
  if (received.kind === 'block') throw wrongValue(type, `a ${received.block.kind} block`);
  const { value } = received;
  const complete = completed(value, received.type, type, cardinalities);
  return checkValue(complete, type, (place, problem) =>
    wrongValue(type, `one that ${place === '' ? '' : `at ${place} `}${problem}`),
  );
}

/**
 * Whether placed data has as many members as there are participants.
 * @throws CardinalityError `cardinality.mismatch`
 */
export function requireMembers(
  value: MaterializedValue,
  type: Type,
  cardinalities: Cardinalities,
): void {
  if (value.kind === 'struct' && type.kind === 'struct') {
    for (const [i, { type: inner }] of type.elements.entries()) {
      const element = value.elements[i];
      if (element !== undefined) requireMembers(element, inner, cardinalities);
    }
  }
  if (value.kind !== 'federated' || type.kind !== 'federated') return;
  const expected = type.allEqual ? 1 : cardinalities[type.placement];
  const given = value.members.length;
  if (expected === undefined || given === expected) return;
  throw new CardinalityError(
    'cardinality.mismatch',
    `A value of type ${compactNotation(type)} has ${expected} members in this executor; got ${given}.`,
  );
}

/** Placed values with a member for each participant, or with one, as their types have it. */
function completed(
  value: MaterializedValue,
  given: Type,
  type: Type,
  cardinalities: Cardinalities,
): MaterializedValue {
  if (value.kind === 'struct' && type.kind === 'struct' && given.kind === 'struct') {
    if (!type.elements.some(({ type: inner }) => holdsPlaced(inner))) return value;
    return {
      kind: 'struct',
      elements: value.elements.map((element, i) => {
        const [inner, due] = [given.elements[i]?.type, type.elements[i]?.type];
        if (inner === undefined || due === undefined) return element;
        return completed(element, inner, due, cardinalities);
      }),
    };
  }
  if (value.kind === 'federated' && type.kind === 'federated' && given.kind === 'federated') {
    return completedMembers(value, given, type, cardinalities);
  }
  return value;
}

function completedMembers(
  { members }: FederatedValue,
  given: FederatedType,
  type: FederatedType,
  cardinalities: Cardinalities,
): FederatedValue {
  if (given.placement !== type.placement) {
    throw wrongValue(type, `one at ${given.placement.toUpperCase()}`);
  }
  const [first] = members;
  if (type.allEqual) {
    if (first === undefined) throw wrongValue(type, 'one without members');
    return { kind: 'federated', members: [first] };
  }
  const count = cardinalities[type.placement] ?? members.length;
  if (given.allEqual && first !== undefined) {
    return { kind: 'federated', members: new Array<MaterializedValue>(count).fill(first) };
  }
  if (members.length !== count) throw wrongValue(type, `one of ${members.length} members`);
  return { kind: 'federated', members };
}

function holdsPlaced(type: Type): boolean {
  return (
    type.kind === 'federated' ||
    (type.kind === 'struct' && type.elements.some(({ type: inner }) => holdsPlaced(inner)))
  );
}

function wrongValue(type: Type, what: string): ExecutionError {
  return new ExecutionError(
    'execution.wrong_value',
    `An executor in another process was asked for a value of type ${compactNotation(type)}, and sent ${what}.`,
  );
}
