/**
 * @file The hash of a graph and its size. Both come from canonical bytes: equal graphs give equal
 * bytes. They are no wire form (that is `computations/wire`): JSON with everything but the data of
 * constants, then the data of the constants in order.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { DataOfDType, DType } from '../types/dtypes.ts';
import {
  type AttributeValue,
  type GraphConstant,
  isInputList,
  type KernelGraph,
  type KernelNode,
} from './graph.ts';
import { isSizeExpression } from './sizes.ts';

/** SHA-256 of the canonical bytes, in hex. */
export function graphHash(graph: KernelGraph): string {
  const known = hashes.get(graph);
  if (known !== undefined) return known;
  const hash = bytesToHex(sha256(canonicalBytes(graph)));
  hashes.set(graph, hash);
  return hash;
}

/** Number of bytes of the canonical encoding. */
export function graphBytes(graph: KernelGraph): number {
  return canonicalBytes(graph).length;
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

// Graphs are immutable, so a hash is computed once.
const hashes = new WeakMap<KernelGraph, string>();

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

function canonicalBytes(graph: KernelGraph): Uint8Array<ArrayBuffer> {
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
  const total = 4 + header.length + blobs.reduce((sum, blob) => sum + blob.length, 0);
  const bytes = new Uint8Array(total);
  new DataView(bytes.buffer).setUint32(0, header.length, true);
  bytes.set(header, 4);
  let position = 4 + header.length;
  for (const blob of blobs) {
    bytes.set(blob, position);
    position += blob.length;
  }
  return bytes;
}

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

function constantBytes({ dtype, data }: GraphConstant): Uint8Array {
  if (dtype === 'string') return new TextEncoder().encode(JSON.stringify(data));
  const array = data as Exclude<DataOfDType<DType>, readonly string[]>;
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
