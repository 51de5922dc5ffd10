/**
 * @file A Merkle tree over a fixed list of leaves, with one proof for several of them.
 *
 * The shape is that of RFC 9162, section 2.1 (a node without a sibling is carried up unchanged).
 * Leaves, inner nodes and roots are hashed under labels of their own, so that no leaf passes for a
 * node, and the root binds the number of leaves, so that one tree does not pass for another's part.
 */

import { sha256 } from '#crypto';
import { concatBytes, utf8 } from '../crypto/bytes.ts';
import { ProtocolError } from '../errors.ts';

/** A leaf and where it stands. */
export interface MerkleEntry {
  /** From 0. */
  readonly index: number;
  readonly leaf: Uint8Array;
}

/** A tree that is built once, by whoever proves to many. */
export interface MerkleTree {
  readonly leafCount: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
  /**
   * The hashes of 32 bytes that lead from the leaves at `indices` to the root: level by level from
   * the leaves up, from left to right, each once and only those that the leaves do not give.
   * @param indices Strictly ascending, at least one.
   * @throws ProtocolError `invalid-argument`
   */
  prove(indices: readonly number[]): readonly Uint8Array[];
}

/**
 * Hashes `leaves` (1 to 2^30 of them) into a tree: twice as many hashes as leaves.
 * @throws ProtocolError `invalid-argument` where there is no leaf.
 */
export function merkleTree(leaves: readonly Uint8Array[]): MerkleTree {
  if (!isLeafCount(leaves.length)) {
    throw new ProtocolError(
      'invalid-argument',
      `a Merkle tree has 1 to 2^30 leaves, got ${leaves.length}`,
    );
  }
  const levels = [leaves.map(hashLeaf)];
  for (let level = levels[0]!; level.length > 1; levels.push(level)) level = levelAbove(level);
  return {
    leafCount: leaves.length,
    root: hashRoot(leaves.length, levels.at(-1)![0]!),
    prove: (indices) => prove(levels, indices),
  };
}

/** The root of the tree over `leaves`, 32 bytes. Build a `merkleTree` to prove from it too. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  return merkleTree(leaves).root;
}

/** One proof from a tree that is built for it. Build a `merkleTree` to prove more than once. */
export function merkleProof(
  leaves: readonly Uint8Array[],
  indices: readonly number[],
): readonly Uint8Array[] {
  return merkleTree(leaves).prove(indices);
}

/**
 * Whether `entries` are leaves of the tree of `leafCount` leaves that has this root. Never throws:
 * everything but the root may come from a stranger. False for no entry, for entries that are not
 * strictly ascending, and for a proof that holds more hashes than it needs.
 */
export function merkleProofHolds(
  root: Uint8Array,
  leafCount: number,
  entries: readonly MerkleEntry[],
  proof: readonly Uint8Array[],
): boolean {
  if (!isLeafCount(leafCount) || !areIndices(entries.map(indexOf), leafCount)) return false;
  let used = 0;
  let known = entries.map(({ index, leaf }): KnownHash => ({ index, hash: hashLeaf(leaf) }));
  for (let width = leafCount; width > 1; width = (width + 1) >> 1) {
    const above: KnownHash[] = [];
    for (let at = 0; at < known.length; at++) {
      const { index, hash } = known[at]!;
      const sibling = index ^ 1;
      if (sibling >= width) {
        above.push({ index: index >> 1, hash });
        continue;
      }
      let siblingHash: Uint8Array | undefined;
      if (known[at + 1]?.index === sibling) {
        at += 1;
        siblingHash = known[at]!.hash;
      } else {
        siblingHash = proof[used];
        used += 1;
      }
      if (siblingHash === undefined) return false;
      const pair = sibling > index ? hashNode(hash, siblingHash) : hashNode(siblingHash, hash);
      above.push({ index: index >> 1, hash: pair });
    }
    known = above;
  }
  return used === proof.length && sameBytes(hashRoot(leafCount, known[0]!.hash), root);
}

interface KnownHash {
  readonly index: number;
  readonly hash: Uint8Array;
}

function prove(
  levels: readonly (readonly Uint8Array[])[],
  indices: readonly number[],
): readonly Uint8Array[] {
  const leafCount = levels[0]!.length;
  if (!areIndices(indices, leafCount)) {
    throw new ProtocolError(
      'invalid-argument',
      `a proof is for at least one leaf, named in strictly ascending order from 0 to ${leafCount - 1}`,
    );
  }
  const proof: Uint8Array[] = [];
  let known = indices;
  for (const level of levels) {
    const above: number[] = [];
    for (let at = 0; at < known.length; at++) {
      const index = known[at]!;
      const sibling = index ^ 1;
      if (known[at + 1] === sibling) at += 1;
      else if (sibling < level.length) proof.push(level[sibling]!.slice());
      above.push(index >> 1);
    }
    known = above;
  }
  return proof;
}

function levelAbove(level: readonly Uint8Array[]): Uint8Array[] {
  const above: Uint8Array[] = [];
  for (let index = 0; index < level.length; index += 2) {
    const right = level[index + 1];
    above.push(right === undefined ? level[index]! : hashNode(level[index]!, right));
  }
  return above;
}

function hashLeaf(leaf: Uint8Array): Uint8Array {
  return sha256(concatBytes(LEAF, leaf));
}

function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concatBytes(NODE, left, right));
}

function hashRoot(leafCount: number, top: Uint8Array): Uint8Array {
  const count = new Uint8Array(4);
  new DataView(count.buffer).setUint32(0, leafCount);
  return sha256(concatBytes(ROOT, count, top));
}

function isLeafCount(count: number): boolean {
  return Number.isInteger(count) && count >= 1 && count <= LARGEST_LEAF_COUNT;
}

/** At least one index, each below `leafCount` and above the one before. */
function areIndices(indices: readonly number[], leafCount: number): boolean {
  return (
    indices.length > 0 &&
    indices.every(
      (index, at) =>
        Number.isInteger(index) && index > (at === 0 ? -1 : indices[at - 1]!) && index < leafCount,
    )
  );
}

function indexOf(entry: MerkleEntry): number {
  return entry.index;
}

/** Everything compared here is public. */
function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}

/** Far below 2^31, where the operators on bits would turn negative. */
const LARGEST_LEAF_COUNT = 2 ** 30;
const LEAF = utf8('fedloom/merkle/leaf/');
const NODE = utf8('fedloom/merkle/node/');
const ROOT = utf8('fedloom/merkle/root/');
