import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, sha256, toHex, utf8 } from '../../../protocols/index.ts';
import {
  type MerkleEntry,
  merkleProof,
  merkleProofHolds,
  merkleRoot,
  merkleTree,
} from '../../../protocols/secagg/merkle.ts';

const someLeaves = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 40 });

const leavesAndIndices = someLeaves.chain((leaves) =>
  fc.tuple(
    fc.constant(leaves),
    fc
      .subarray(
        leaves.map((_, index) => index),
        { minLength: 1 },
      )
      .map((indices) => indices.sort((left, right) => left - right)),
  ),
);

const entriesAt = (leaves: readonly Uint8Array[], indices: readonly number[]): MerkleEntry[] =>
  indices.map((index) => ({ index, leaf: leaves[index]! }));

const numbered = (count: number) => Array.from({ length: count }, (_, at) => utf8(`leaf ${at}`));

const flipped = (bytes: Uint8Array, bit: number) =>
  bytes.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));

describe('a Merkle tree', () => {
  it('hashes leaves, nodes and the root under labels of their own', () => {
    const label = (kind: string) => utf8(`fedloom/merkle/${kind}/`);
    const [a, b, c] = numbered(3).map((leaf) => sha256(concatBytes(label('leaf'), leaf)));
    const left = sha256(concatBytes(label('node'), a!, b!));
    const top = sha256(concatBytes(label('node'), left, c!));
    const root = sha256(concatBytes(label('root'), Uint8Array.of(0, 0, 0, 3), top));
    expect(toHex(merkleRoot(numbered(3)))).toBe(toHex(root));
  });

  it('proves any of its leaves, with one proof', () => {
    fc.assert(
      fc.property(leavesAndIndices, ([leaves, indices]) => {
        const proof = merkleProof(leaves, indices);
        const entries = entriesAt(leaves, indices);
        expect(merkleProofHolds(merkleRoot(leaves), leaves.length, entries, proof)).toBe(true);
      }),
    );
  });

  it('gives the same root and proofs when it is built once', () => {
    const leaves = numbered(11);
    const tree = merkleTree(leaves);
    expect(tree.leafCount).toBe(11);
    expect(tree.root).toEqual(merkleRoot(leaves));
    expect(tree.prove([2, 3, 10])).toEqual(merkleProof(leaves, [2, 3, 10]));
  });

  it('needs no hash to prove every leaf, and one a level to prove one of 2^k', () => {
    expect(merkleProof(numbered(13), [...numbered(13).keys()])).toEqual([]);
    expect(merkleProof(numbered(64), [17])).toHaveLength(6);
    expect(merkleProof(numbered(1), [0])).toEqual([]);
  });

  it('shares hashes between the leaves of one proof', () => {
    const apart = [100, 101, 102, 103].reduce(
      (total, index) => total + merkleProof(numbered(1000), [index]).length,
      0,
    );
    expect(merkleProof(numbered(1000), [100, 101, 102, 103])).toHaveLength(8);
    expect(apart).toBe(40);
  });

  it('changes its root with any leaf, their order and their number', () => {
    fc.assert(
      fc.property(someLeaves, someLeaves, (one, other) => {
        const same = one.map(toHex).join() === other.map(toHex).join();
        const alike = one.length === other.length && same;
        expect(toHex(merkleRoot(one)) === toHex(merkleRoot(other))).toBe(alike);
      }),
    );
  });

  it('hands out copies of its hashes', () => {
    const tree = merkleTree(numbered(5));
    tree.prove([0])[0]!.fill(0);
    const entry = { index: 0, leaf: utf8('leaf 0') };
    expect(merkleProofHolds(tree.root, 5, [entry], tree.prove([0]))).toBe(true);
  });
});

describe('a Merkle proof that does not hold', () => {
  const leaves = numbered(13);
  const root = merkleRoot(leaves);
  const indices = [1, 4, 5, 12];
  const entries = entriesAt(leaves, indices);
  const proof = merkleProof(leaves, indices);
  const holds = (changed: {
    root?: Uint8Array;
    count?: number;
    entries?: readonly MerkleEntry[];
    proof?: readonly Uint8Array[];
  }) =>
    merkleProofHolds(
      changed.root ?? root,
      changed.count ?? leaves.length,
      changed.entries ?? entries,
      changed.proof ?? proof,
    );

  it('holds as it was made', () => expect(holds({})).toBe(true));

  it('has a flipped bit anywhere', () => {
    fc.assert(
      fc.property(leavesAndIndices, fc.nat(), fc.nat(), ([some, at], which, bit) => {
        const good = merkleProof(some, at);
        const given = entriesAt(some, at);
        const top = merkleRoot(some);
        expect(merkleProofHolds(flipped(top, bit % 256), some.length, given, good)).toBe(false);
        if (good.length > 0) {
          const bad = good.map((hash, i) =>
            i === which % good.length ? flipped(hash, bit % 256) : hash,
          );
          expect(merkleProofHolds(top, some.length, given, bad)).toBe(false);
        }
        const { index, leaf } = given[which % given.length]!;
        const longer = concatBytes(leaf, Uint8Array.of(bit & 255));
        const lied = given.map((entry) =>
          entry.index === index ? { index, leaf: longer } : entry,
        );
        expect(merkleProofHolds(top, some.length, lied, good)).toBe(false);
      }),
    );
  });

  it('names a leaf at another place', () => {
    fc.assert(
      fc.property(leavesAndIndices, fc.nat(39), ([some, at], place) => {
        const distinct = some.map((leaf, i) => concatBytes(leaf, Uint8Array.of(i)));
        fc.pre(place < some.length && place !== at[0]);
        const moved = [{ index: place, leaf: distinct[at[0]!]! }];
        for (const claimed of [at[0]!, place]) {
          const good = merkleProof(distinct, [claimed]);
          expect(merkleProofHolds(merkleRoot(distinct), some.length, moved, good)).toBe(false);
        }
      }),
    );
  });

  it('states another number of leaves', () => {
    for (let count = -1; count <= 40; count++) {
      expect(holds({ count })).toBe(count === leaves.length);
    }
    for (const count of [Number.NaN, Number.POSITIVE_INFINITY, 13.5, 2 ** 31, 2 ** 32, 2 ** 53]) {
      expect(holds({ count })).toBe(false);
    }
  });

  it('repeats an index, is out of order, or has an index that is none', () => {
    expect(holds({ entries: [] })).toBe(false);
    expect(holds({ entries: [], proof: [] })).toBe(false);
    expect(holds({ entries: [entries[0]!, entries[0]!, ...entries.slice(1)] })).toBe(false);
    expect(holds({ entries: [...entries].reverse() })).toBe(false);
    for (const index of [-1, 13, 0.5, Number.NaN, 2 ** 32, 2 ** 32 + 12]) {
      const last = { index, leaf: leaves[12]! };
      expect(holds({ entries: [...entries.slice(0, 3), last] })).toBe(false);
    }
  });

  it('misses a hash, has one too many, in another order or of another length', () => {
    expect(holds({ proof: proof.slice(1) })).toBe(false);
    expect(holds({ proof: proof.slice(0, -1) })).toBe(false);
    expect(holds({ proof: [] })).toBe(false);
    expect(holds({ proof: [...proof, proof[0]!] })).toBe(false);
    expect(holds({ proof: [...proof, new Uint8Array(32)] })).toBe(false);
    expect(holds({ proof: [...proof].reverse() })).toBe(false);
    expect(holds({ proof: [proof[0]!.slice(1), ...proof.slice(1)] })).toBe(false);
    expect(holds({ proof: [concatBytes(proof[0]!, new Uint8Array(1)), ...proof.slice(1)] })).toBe(
      false,
    );
  });

  it('has a root that is a part of the root, or longer', () => {
    expect(holds({ root: root.slice(0, 31) })).toBe(false);
    expect(holds({ root: new Uint8Array(0) })).toBe(false);
    expect(holds({ root: concatBytes(root, new Uint8Array(1)) })).toBe(false);
  });

  it('passes an inner node off as a leaf (second preimage)', () => {
    const four = numbered(4);
    const hash = (kind: string, ...parts: Uint8Array[]) =>
      sha256(concatBytes(utf8(`fedloom/merkle/${kind}/`), ...parts));
    const children = four.map((leaf) => hash('leaf', leaf));
    const inner = [
      concatBytes(children[0]!, children[1]!),
      concatBytes(children[2]!, children[3]!),
    ];
    expect(merkleRoot(inner)).not.toEqual(merkleRoot(four));
    const right = hash('node', children[2]!, children[3]!);
    const left = hash('node', children[0]!, children[1]!);
    for (const leaf of [inner[0]!, left]) {
      for (const count of [2, 4]) {
        const entry = { index: 0, leaf };
        expect(merkleProofHolds(merkleRoot(four), count, [entry], [right])).toBe(false);
      }
    }
  });

  it('passes a part of the tree off as the tree', () => {
    const eight = numbered(8);
    const upper = merkleRoot(eight.slice(0, 4));
    const entry = { index: 0, leaf: eight[0]! };
    const whole = merkleProof(eight, [0]);
    expect(merkleProofHolds(upper, 8, [entry], whole.slice(0, 2))).toBe(false);
    expect(merkleProofHolds(merkleRoot(eight), 4, [entry], whole.slice(0, 2))).toBe(false);
    expect(merkleRoot([eight[0]!])).not.toEqual(merkleRoot([eight[0]!, eight[0]!]));
  });

  it('is anything at all', () => {
    const numbers = fc.oneof(fc.integer(), fc.double(), fc.nat(20));
    const bytes = fc.uint8Array({ maxLength: 40 });
    fc.assert(
      fc.property(
        bytes,
        numbers,
        fc.array(fc.record({ index: numbers, leaf: bytes }), { maxLength: 5 }),
        fc.array(fc.oneof(bytes, fc.uint8Array({ minLength: 32, maxLength: 32 }))),
        (top, count, given, hashes) => {
          expect(merkleProofHolds(top, count, given, hashes)).toBe(false);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('a Merkle tree refuses', () => {
  it('to have no leaf', () => {
    expect(() => merkleRoot([])).toThrow(/\[invalid-argument\].*got 0/);
  });

  it.each([
    { indices: [] },
    { indices: [1, 1] },
    { indices: [2, 1] },
    { indices: [-1] },
    { indices: [5] },
    { indices: [0.5] },
    { indices: [Number.NaN] },
  ])('to prove $indices of five leaves', ({ indices }) => {
    expect(() => merkleProof(numbered(5), indices)).toThrow(/\[invalid-argument\].*from 0 to 4/);
  });
});
