/**
 * @file What is sent to executors in other processes, as messages: those of a value that goes to many
 * are the same one, and are encoded once.
 */

import type { BuildingBlock } from '../../../computations/building-blocks.ts';
import type { MaterializedValue, Type } from '../../../computations/types/index.ts';
import {
  blockToValueMessage,
  encodeValueMessage,
  joinPieces,
  toValueMessage,
  type Value as ValueMessage,
} from '../../../computations/wire/index.ts';
import { SharedTensorValue } from '../../leaf/shared-tensor.ts';
import { tallyNow } from '../../watching/value-size.ts';
import { shareEncoding } from './message-codec.ts';

/** The message of a block. */
export function messageOfBlock(block: BuildingBlock): ValueMessage {
  let message = blockMessages.get(block);
  if (message === undefined) {
    message = blockToValueMessage(block);
    shareEncoding(message);
    blockMessages.set(block, message);
  }
  return message;
}

// Building blocks are immutable.
const blockMessages = new WeakMap<BuildingBlock, ValueMessage>();

/**
 * The message of data that can be read any number of times. Only values of shared tensors are known to
 * stay what they are as long as somebody holds them.
 */
export function messageOf(value: MaterializedValue, type: Type): ValueMessage {
  if (!isShared(value)) return toValueMessage(value, type);
  let known = dataMessages.get(value);
  if (known === undefined || known.type !== type) {
    known = { type, message: toValueMessage(value, type) };
    shareEncoding(known.message);
    dataMessages.set(value, known);
  }
  return known.message;
}

/** Whether a value is better kept until something needs it than sent by itself. */
export function isSmall(value: MaterializedValue): boolean {
  let total = 0;
  tallyNow(value, (_dtype, elements, bytes) => {
    // Texts have bytes beside their own.
    total += bytes + elements;
  });
  return total <= SMALL_BYTES;
}

/** The bytes of a message, which share no memory with what it was made of. */
export function smallMessageBytes(message: ValueMessage): Uint8Array {
  let bytes = smallBytes.get(message);
  if (bytes === undefined) {
    bytes = joinPieces(encodeValueMessage(message));
    smallBytes.set(message, bytes);
  }
  return bytes;
}

const smallBytes = new WeakMap<ValueMessage, Uint8Array>();

const SMALL_BYTES = 32 * 1024;

function isShared(value: MaterializedValue): boolean {
  switch (value.kind) {
    case 'tensor':
      return value instanceof SharedTensorValue;
    case 'struct':
      return value.elements.every(isShared);
    case 'federated':
      return value.members.every(isShared);
    default:
      return false;
  }
}

const dataMessages = new WeakMap<
  MaterializedValue,
  { readonly type: Type; readonly message: ValueMessage }
>();
