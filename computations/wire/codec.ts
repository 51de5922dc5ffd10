/**
 * @file Types, tensors, kernel graphs and building blocks as bytes, and back from bytes that may
 * come from anyone. Equal values have equal bytes, so that a hash of them names the value.
 */

import { type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { BuildingBlock } from '../building-blocks.ts';
import type { KernelGraph } from '../tensors/graph.ts';
import { typecheckGraph } from '../tensors/typecheck.ts';
import { type TypecheckOptions, typecheckBlock } from '../typecheck.ts';
import { GraphError, type TensorValue, type Type } from '../types/index.ts';
import { type ArrayForm, fromArrayMessage, toArrayMessage } from './arrays.ts';
import { readComputation } from './decode-blocks.ts';
import { toComputationMessage } from './encode-blocks.ts';
import { parseMessage } from './faults.ts';
import { ArraySchema } from './gen/federated_language/proto/array_pb.ts';
import {
  type Computation as ComputationMessage,
  ComputationSchema,
  TypeSchema,
} from './gen/federated_language/proto/computation_pb.ts';
import { KernelGraphSchema } from './gen/fedloom/v1/kernel_graph_pb.ts';
import { fromGraphMessage, toGraphMessage } from './kernel-graphs.ts';
import { fromTypeMessage, toTypeMessage } from './types.ts';

export interface DecodeLimits {
  /**
   * The longest message that is read, in bytes. Reading a hostile one takes up to 60 times as much
   * memory.
   * @default 16 MiB
   */
  readonly maxBytes?: number;
  /**
   * How deep messages may be nested. A building block within another takes two to three
   * levels. Far above the default, the stack may not hold them.
   * @default 500
   */
  readonly maxDepth?: number;
}

export interface DecodeBlockOptions extends DecodeLimits, TypecheckOptions {}

export function encodeType(type: Type): Uint8Array {
  return toBinary(TypeSchema, toTypeMessage(type));
}

/** @throws GraphError or FederatedTypeError if the bytes are no type. */
export function decodeType(bytes: Uint8Array, limits: DecodeLimits = {}): Type {
  return decode(TypeSchema, bytes, limits, fromTypeMessage);
}

/** @param form where the elements stand; `list` is what other implementations read. */
export function encodeTensor(tensor: TensorValue, form: ArrayForm = 'content'): Uint8Array {
  return toBinary(ArraySchema, toArrayMessage(tensor, form));
}

/** @throws GraphError `graph.decode` if the bytes are no tensor. */
export function decodeTensor(bytes: Uint8Array, limits: DecodeLimits = {}): TensorValue {
  return decode(ArraySchema, bytes, limits, fromArrayMessage);
}

/** The canonical bytes of a building block. */
export function encodeBlock(node: BuildingBlock): Uint8Array {
  return toBinary(ComputationSchema, toComputationMessage(node));
}

/**
 * A building block from outside, type-checked anew.
 * @throws GraphError `graph.decode` for bytes that are no message of the form, `graph.too_large`
 *   beyond the limits, or what `typecheckGraph` throws for a graph that may not run.
 * @throws FederatedTypeError if its types do not fit, or a name is not bound.
 */
export function decodeBlock(bytes: Uint8Array, options: DecodeBlockOptions = {}): BuildingBlock {
  return decode(ComputationSchema, bytes, options, (message) =>
    fromComputationMessage(message, options),
  );
}

/** Like `decodeBlock`, for a message that is part of another one. */
export function fromComputationMessage(
  message: ComputationMessage,
  options: DecodeBlockOptions = {},
): BuildingBlock {
  const node = readComputation(message, options.maxDepth ?? MAX_DEPTH);
  typecheckBlock(node, options);
  return node;
}

/** The canonical bytes of a kernel graph. */
export function encodeGraph(graph: KernelGraph, name = ''): Uint8Array {
  return toBinary(KernelGraphSchema, toGraphMessage(graph, name));
}

/** @throws GraphError if the bytes are no graph, or one that may not run. */
export function decodeGraph(
  bytes: Uint8Array,
  options: DecodeLimits & Pick<TypecheckOptions, 'graphLimits'> = {},
): KernelGraph {
  return decode(KernelGraphSchema, bytes, options, (message) => {
    const graph = fromGraphMessage(message);
    typecheckGraph(graph, options.graphLimits);
    return graph;
  });
}

/** SHA-256 of the canonical bytes, in hexadecimal: equal for equal building blocks. */
export function contentHash(node: BuildingBlock): string {
  const known = hashes.get(node);
  if (known !== undefined) return known;
  const hash = bytesToHex(sha256(encodeBlock(node)));
  hashes.set(node, hash);
  return hash;
}

function decode<S extends DescMessage, T>(
  schema: S,
  bytes: Uint8Array,
  limits: DecodeLimits,
  read: (message: MessageShape<S>) => T,
): T {
  const { maxBytes = MAX_BYTES, maxDepth = MAX_DEPTH } = limits;
  if (bytes.length > maxBytes) {
    throw new GraphError(
      'graph.too_large',
      `The message has ${bytes.length} bytes; at most ${maxBytes} are read (maxBytes).`,
    );
  }
  return read(parseMessage(schema, bytes, maxDepth));
}

// Building blocks are immutable, so a hash is computed once.
const hashes = new WeakMap<BuildingBlock, string>();

const MAX_BYTES = 16 * 2 ** 20;
const MAX_DEPTH = 500;
