/**
 * @file The bytes of a graph, its hash, and its size. The encoding is canonical: equal graphs give
 * equal bytes. Layout: the magic `FLKG`, the length of a JSON text as uint32 (little-endian), the
 * JSON text with everything but the data of constants, then the data of the constants in order.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { type DataOfDType, type DType, isDType } from '../types/dtypes.ts';
import { GraphError } from '../types/errors.ts';
import {
  type AttributeValue,
  type GraphConstant,
  isInputList,
  type KernelGraph,
  type KernelNode,
  shapeSize,
} from './graph.ts';
import { isSizeExpression } from './sizes.ts';

/** The canonical bytes of a graph; `decodeGraph` reads them. */
export function encodeGraph(graph: KernelGraph): Uint8Array<ArrayBuffer> {
  const blobs = graph.constants.map(constantBytes);
  const header = new TextEncoder().encode(
    JSON.stringify({
      version: graph.version,
      kernelSet: graph.kernelSet,
      unknowns: graph.unknowns,
      parameters: graph.parameters.map(({ dtype, shape, unknowns }) => [dtype, shape, unknowns]),
      constants: graph.constants.map(({ dtype, shape }, index) => [
        dtype,
        shape,
        blobs[index]?.length ?? 0,
      ]),
      nodes: graph.nodes.map(encodeNode),
      results: graph.results,
    }),
  );
  const total = 8 + header.length + blobs.reduce((sum, blob) => sum + blob.length, 0);
  const bytes = new Uint8Array(total);
  bytes.set(MAGIC);
  new DataView(bytes.buffer).setUint32(4, header.length, true);
  bytes.set(header, 8);
  let position = 8 + header.length;
  for (const blob of blobs) {
    bytes.set(blob, position);
    position += blob.length;
  }
  return bytes;
}

/**
 * The graph that bytes encode. Its form is checked here, its types by `typecheckGraph`.
 * @throws GraphError `graph.decode`
 */
export function decodeGraph(bytes: Uint8Array): KernelGraph {
  if (bytes.length < 8 || MAGIC.some((byte, index) => bytes[index] !== byte)) {
    throw new GraphError('graph.decode', 'These bytes are no kernel graph (wrong magic).');
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(4, true);
  if (8 + length > bytes.length) throw new GraphError('graph.decode', 'The graph is cut short.');
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, 8 + length));
    return decodeHeader(JSON.parse(text), bytes.subarray(8 + length));
  } catch (error) {
    if (error instanceof GraphError) throw error;
    throw new GraphError('graph.decode', `The graph cannot be decoded: ${String(error)}`, {
      cause: error,
    });
  }
}

/** SHA-256 of the canonical bytes, in hex. */
export function graphHash(graph: KernelGraph): string {
  const known = hashes.get(graph);
  if (known !== undefined) return known;
  const hash = bytesToHex(sha256(encodeGraph(graph)));
  hashes.set(graph, hash);
  return hash;
}

/** Number of bytes of the canonical encoding. */
export function graphBytes(graph: KernelGraph): number {
  return encodeGraph(graph).length;
}

/** How large a graph is. */
export interface GraphSize {
  readonly parameters: number;
  readonly constants: number;
  readonly nodes: number;
  /** Bytes of the data of constants. */
  readonly constantBytes: number;
  /** Bytes of the whole encoding. */
  readonly bytes: number;
}

export function graphSize(graph: KernelGraph): GraphSize {
  return {
    parameters: graph.parameters.length,
    constants: graph.constants.length,
    nodes: graph.nodes.length,
    constantBytes: graph.constants.reduce((sum, c) => sum + constantBytes(c).length, 0),
    bytes: graphBytes(graph),
  };
}

const MAGIC = [0x46, 0x4c, 0x4b, 0x47];
// Graphs are immutable, so a hash is computed once.
const hashes = new WeakMap<KernelGraph, string>();

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

function encodeNode({ kernel, inputs, attributes, outputs }: KernelNode): Json {
  const sorted = <T>(record: Readonly<Record<string, T>>): [string, T][] =>
    Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    kernel,
    isInputList(inputs) ? [...inputs] : Object.fromEntries(sorted(inputs)),
    Object.fromEntries(
      sorted(attributes).map(([name, value]) => [name, encodeAttribute(value)] as const),
    ),
    outputs.map(({ dtype, shape }) => [dtype, shape.map(encodeAttribute)]),
  ];
}

// JSON has neither infinities nor -0, and a size must not look like a list.
function encodeAttribute(value: AttributeValue): Json {
  if (typeof value === 'number') {
    const plain = Number.isFinite(value) && !Object.is(value, -0);
    return plain ? value : { number: Object.is(value, -0) ? '-0' : String(value) };
  }
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (isSizeExpression(value)) return { size: [value.constant, ...value.factors] };
  return (value as readonly AttributeValue[]).map(encodeAttribute);
}

function decodeHeader(header: unknown, blobs: Uint8Array): KernelGraph {
  const { version, kernelSet, unknowns, parameters, constants, nodes, results } = record(header);
  let position = 0;
  const graph: KernelGraph = {
    version: number(version),
    kernelSet: number(kernelSet),
    unknowns: number(unknowns),
    parameters: list(parameters).map((entry) => {
      const [dtype, shape, indices] = list(entry);
      return {
        kind: 'tensor',
        dtype: dtypeOf(dtype),
        shape: list(shape).map((size) => (size === null ? null : number(size))),
        unknowns: list(indices).map(number),
      };
    }),
    constants: list(constants).map((entry) => {
      const [dtype, shape, length] = list(entry);
      const size = number(length);
      const blob = blobs.subarray(position, position + size);
      if (size < 0 || blob.length !== size) throw malformed('a constant is cut short');
      position += size;
      return decodeConstant(dtypeOf(dtype), list(shape).map(number), blob);
    }),
    nodes: list(nodes).map(decodeNode),
    results: list(results).map(number),
  };
  if (position !== blobs.length) throw malformed('there are bytes after the last constant');
  return graph;
}

function decodeNode(entry: unknown): KernelNode {
  const [kernel, inputs, attributes, outputs] = list(entry);
  return {
    kernel: text(kernel),
    inputs: Array.isArray(inputs)
      ? inputs.map(number)
      : Object.fromEntries(Object.entries(record(inputs)).map(([name, id]) => [name, number(id)])),
    attributes: Object.fromEntries(
      Object.entries(record(attributes)).map(([name, value]) => [name, decodeAttribute(value, 0)]),
    ),
    outputs: list(outputs).map((output) => {
      const [dtype, shape] = list(output);
      return {
        dtype: dtypeOf(dtype),
        shape: list(shape).map((size) => {
          const value = decodeAttribute(size, 0);
          if (typeof value === 'number' || isSizeExpression(value)) return value;
          throw malformed('a size is no number');
        }),
      };
    }),
  };
}

const MAX_DEPTH = 8;

function decodeAttribute(value: unknown, depth: number): AttributeValue {
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') {
    return value;
  }
  if (depth > MAX_DEPTH) throw malformed('an attribute is nested too deeply');
  if (Array.isArray(value)) return value.map((item) => decodeAttribute(item, depth + 1));
  const { number: special, size } = record(value);
  if (special !== undefined) {
    if (special !== '-0' && special !== 'Infinity' && special !== '-Infinity') {
      throw malformed('a number is not known');
    }
    return Number(special);
  }
  const [constant, ...factors] = list(size).map(number);
  return { kind: 'size', constant: constant ?? 0, factors };
}

function constantBytes({ dtype, data }: GraphConstant): Uint8Array {
  if (dtype === 'string') return new TextEncoder().encode(JSON.stringify(data));
  const array = data as Exclude<DataOfDType<DType>, readonly string[]>;
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function decodeConstant(dtype: DType, shape: readonly number[], blob: Uint8Array): GraphConstant {
  if (dtype === 'string') {
    const data = list(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(blob))).map(text);
    if (data.length !== shapeSize(shape)) throw malformed('a constant has the wrong size');
    return { dtype, shape, data };
  }
  const Constructor = ARRAYS[dtype];
  // Both sides are little-endian, as every platform that runs WebAssembly is.
  if (blob.length !== shapeSize(shape) * Constructor.BYTES_PER_ELEMENT) {
    throw malformed('a constant has the wrong size');
  }
  return { dtype, shape, data: new Constructor(blob.slice().buffer) };
}

const ARRAYS = {
  bool: Uint8Array,
  uint8: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  float32: Float32Array,
} as const;

function malformed(reason: string): GraphError {
  return new GraphError('graph.decode', `The graph cannot be decoded: ${reason}.`);
}

function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw malformed('a list is expected');
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw malformed('an object is expected');
}

function number(value: unknown): number {
  if (typeof value === 'number') return value;
  throw malformed('a number is expected');
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  throw malformed('a text is expected');
}

function dtypeOf(value: unknown): DType {
  if (typeof value === 'string' && isDType(value)) return value;
  throw malformed('a dtype is expected');
}
