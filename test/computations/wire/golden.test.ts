import { describe, expect, it } from 'vitest';
import {
  type BuildingBlock,
  block,
  call,
  compiled,
  intrinsic,
  lambda,
  literal,
  reference,
  structBlock,
} from '../../../computations/building-blocks.ts';
import type { KernelGraph } from '../../../computations/tensors/graph.ts';
import {
  atClients,
  atServer,
  float32,
  func,
  struct,
  TensorValue,
} from '../../../computations/types/index.ts';
import { contentHash, decodeBlock, encodeBlock } from '../../../computations/wire/index.ts';

// (x -> (let d=federated_map(<comp#double,x>) in <federated_sum(d),0.5>)), with every kind of field.
const graph: KernelGraph = {
  version: 1,
  kernelSet: 1,
  unknowns: 1,
  parameters: [{ kind: 'tensor', dtype: 'float32', shape: [null, 2], unknowns: [0] }],
  constants: [{ dtype: 'float32', shape: [], data: new Float32Array([2]) }],
  nodes: [
    {
      kernel: 'Multiply',
      inputs: { a: 0, b: 1 },
      attributes: {},
      outputs: [{ dtype: 'float32', shape: [{ kind: 'size', constant: 0, factors: [1] }, 2] }],
    },
    {
      kernel: 'Sum',
      inputs: { x: 2 },
      attributes: { axis: [0], keepDims: false },
      outputs: [{ dtype: 'float32', shape: [2] }],
    },
  ],
  results: [3],
};

function computation(): BuildingBlock {
  const placed = atClients(float32(null, 2));
  const mapped = atClients(float32(2));
  const double = compiled('double', graph, func(float32(null, 2), float32(2)));
  const map = intrinsic('federated_map', func(struct([double.type, placed]), mapped));
  const sum = intrinsic('federated_sum', func(mapped, atServer(float32(2))));
  const argument = structBlock([
    { name: null, value: double },
    { name: null, value: reference('x', placed) },
  ]);
  const result = structBlock([
    { name: 'sum', value: call(sum, reference('d', mapped)) },
    {
      name: null,
      value: literal(new TensorValue('float32', [], new Float32Array([0.5])), float32()),
    },
  ]);
  return lambda('x', placed, block([{ name: 'd', value: call(map, argument) }], result));
}

// These bytes are what workers and stored programs hold. If they change, that is a change of the
// format: raise the version of the graph, or say in the changelog that old bytes are not read.
const BYTES = [
  'ClQKUgoiOiAKCxIJCgdjbGllbnRzGhEiDwgBEgv///////////8BAhIsEioKIAoDc3VtEhk6FwoKEggKBnNlcnZl',
  'chABGgciBQgBEgECCgYSBCICCAEirAYKAXgSpgYKLBIqCiAKA3N1bRIZOhcKChIICgZzZXJ2ZXIQARoHIgUIARIB',
  'AgoGEgQiAggBKvUFCo8ECgFkEokEChg6FgoLEgkKB2NsaWVudHMaByIFCAESAQI67AMKewpoCmYKShJICiASHgoc',
  'ChEiDwgBEgv///////////8BAhIHIgUIARIBAgokEiI6IAoLEgkKB2NsaWVudHMaESIPCAESC////////////wEC',
  'Ehg6FgoLEgkKB2NsaWVudHMaByIFCAESAQIaDwoNZmVkZXJhdGVkX21hcBLsAgpKEkgKIBIeChwKESIPCAESC///',
  '/////////wECEgciBQgBEgECCiQSIjogCgsSCQoHY2xpZW50cxoRIg8IARIL////////////AQJCnQIK7QES6gEK',
  'HgocChEiDwgBEgv///////////8BAhIHIgUIARIBAhLHAQrEAQondHlwZS5mZWRsb29tLmRldi9mZWRsb29tLnYx',
  'Lktlcm5lbEdyYXBoEpgBCAEQARoGZG91YmxlIAEqEggBEgv///////////8BAhoBADILCAESAJIBBAAAAEA6JQoI',
  'TXVsdGlwbHkSDAoDCgFhCgUKAWIQASoLCAESAxIBAhICCAQ6PQoDU3VtEgcKBQoBeBACIhUKBGF4aXMSDSoLCgkZ',
  'AAAAAAAAAAAiDgoIa2VlcERpbXMSAggAKgYIARICCARCAQMKKxIpCiI6IAoLEgkKB2NsaWVudHMaESIPCAESC///',
  '/////////wECMgMKAXgS4AEKLBIqCiAKA3N1bRIZOhcKChIICgZzZXJ2ZXIQARoHIgUIARIBAgoGEgQiAggBQq8B',
  'CpIBCgNzdW0SigEKGToXCgoSCAoGc2VydmVyEAEaByIFCAESAQI6bQpKCjcKNQoYOhYKCxIJCgdjbGllbnRzGgci',
  'BQgBEgECEhk6FwoKEggKBnNlcnZlchABGgciBQgBEgECGg8KDWZlZGVyYXRlZF9zdW0SHwoYOhYKCxIJCgdjbGll',
  'bnRzGgciBQgBEgECMgMKAWQKGBIWCgQiAggBcg4KDAgBEgBqBgoEAAAAPw==',
].join('');
const HASH = '0cc5428a4147ef1c59eec15b07e54c24372724baccbe524cc0e8954ab79a0eb5';

describe('the wire format', () => {
  it('has not changed', () => {
    expect(Buffer.from(encodeBlock(computation())).toString('base64')).toBe(BYTES);
    expect(contentHash(computation())).toBe(HASH);
  });

  it('of before is read', () => {
    expect(decodeBlock(Uint8Array.from(Buffer.from(BYTES, 'base64')))).toEqual(computation());
  });
});
