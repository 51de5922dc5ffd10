/** @file The wire encoding: messages of federated_language, and kernel graphs inside them. */

export { type ArrayForm, fromArrayMessage, toArrayMessage } from './arrays.ts';
export {
  contentHash,
  type DecodeBlockOptions,
  type DecodeLimits,
  decodeBlock,
  decodeGraph,
  decodeTensor,
  decodeType,
  encodeBlock,
  encodeGraph,
  encodeTensor,
  encodeType,
  fromComputationMessage,
} from './codec.ts';
export { KERNEL_GRAPH_URL, toComputationMessage } from './encode-blocks.ts';
export * from './gen/tensorflow_federated/proto/v0/executor_pb.ts';
export { MAX_PARTS, partsOfMessage } from './message-budget.ts';
export { markReceived } from './received-memory.ts';
export { fromTypeMessage, toTypeMessage } from './types.ts';
export {
  encodeField,
  encodeValueMessage,
  joinPieces,
  type Pieces,
  piecesOf,
} from './value-bytes.ts';
export {
  blockToValueMessage,
  type DecodeValueOptions,
  fromValueMessage,
  type ReceivedValue,
  toValueMessage,
} from './values.ts';
