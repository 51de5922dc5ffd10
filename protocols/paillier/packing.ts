/**
 * @file Many values in one plaintext: where every value sits, how wide its slot is, and what a sum
 * of all clients can reach there, so that no slot ever carries into its neighbour.
 *
 * A value whose sum must be exact gets the bits of clients * maximum and a guard bit that stays 0
 * unless somebody cheated. Of a value modulo M every client packs x + M * t with t uniform below
 * clients * 2^40: the integer sum then tells the sum modulo M and, up to a statistical distance of
 * 2^-40, nothing about how often the values went round M.
 */

import { sha256 } from '#crypto';
import { bitLength, utf8 } from '../crypto/bytes.ts';
import type { Rng } from '../crypto/interface.ts';
import { uniformBelow } from '../crypto/random.ts';
import { ProtocolError } from '../errors.ts';
import {
  type IntegerVector,
  modulusForSum,
  residuesFrom,
  toBigInts,
} from '../residues/residues.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { writeUnsigned } from '../wire/unsigned.ts';
import { PaillierError } from './errors.ts';

/** Values whose sum must be exact. */
export interface PackedSum {
  readonly kind: 'sum';
  readonly length: number;
  /** The largest value a client may put in, for all elements or one for each. */
  readonly maximum: bigint | readonly bigint[];
}

/** Values in [0, modulus) whose sum is taken modulo it. */
export interface PackedModularSum {
  readonly kind: 'modular-sum';
  readonly length: number;
  readonly modulus: bigint;
}

export type PackedSegment = PackedSum | PackedModularSum;

export interface PackingOptions {
  readonly segments: readonly PackedSegment[];
  readonly clients: number;
  /** Of the key that the plan is for. */
  readonly modulusBits: number;
  /** -log2 of what a modular sum may leak of its multiple of the modulus. @default 40 */
  readonly hidingBits?: number;
}

/** Both sides make the same plan from the same options; `hash` says that they did. */
export interface PackingPlan {
  readonly segments: readonly PlannedSegment[];
  readonly clients: number;
  readonly modulusBits: number;
  /** How many plaintexts, and so ciphertexts, hold all values. */
  readonly plaintexts: number;
  readonly runs: readonly (readonly SlotRun[])[];
  /** 32 bytes. */
  readonly hash: Uint8Array;
}

export interface PlannedSegment {
  readonly segment: PackedSegment;
  readonly slotBits: number;
  /** What no honest sum exceeds. */
  readonly largestSum: bigint;
  /** Multiples of its modulus that a client adds to a value are below this; 1 for exact sums. */
  readonly multiples: bigint;
}

/** Consecutive values of one segment in one plaintext, the first in the lowest bits. */
export interface SlotRun {
  readonly segment: number;
  readonly start: number;
  readonly count: number;
  readonly bitOffset: number;
}

/** @throws PaillierError `invalid-plan` where a value does not fit the modulus, or makes no sense. */
export function createPackingPlan(options: PackingOptions): PackingPlan {
  const { clients, modulusBits, hidingBits = 40 } = options;
  if (!Number.isSafeInteger(clients) || clients < 1 || clients >= 2 ** 32) {
    throw new PaillierError('invalid-plan', `a sum has at least one client, got ${clients}`);
  }
  if (!Number.isSafeInteger(hidingBits) || hidingBits < 1 || hidingBits > 1024) {
    throw new PaillierError('invalid-plan', `hiding takes 1 to 1024 bits, got ${hidingBits}`);
  }
  // n has its top bit set, so every integer of one bit less is below n.
  const capacity = modulusBits - 1;
  const segments = options.segments.map((segment, i) => {
    const planned = planSegment(segment, clients, hidingBits, i);
    if (planned.slotBits > capacity) {
      throw new PaillierError(
        'invalid-plan',
        `the sum of ${clients} values of segment ${i} takes ${planned.slotBits} bits and a plaintext has ${capacity}; ` +
          'use a larger modulus, fewer clients or a smaller bound',
      );
    }
    return planned;
  });
  const runs = placeRuns(segments, capacity);
  const hash = hashOf(options, hidingBits);
  return { segments, clients, modulusBits, plaintexts: runs.length, runs, hash };
}

/**
 * One client's values as plaintexts.
 * @throws ProtocolError `invalid-length`, `not-an-integer`, `out-of-range`
 * @throws PaillierError `invalid-plaintext` for another number of segments
 */
export function packValues(
  plan: PackingPlan,
  inputs: readonly IntegerVector[],
  rng: Rng,
): bigint[] {
  if (inputs.length !== plan.segments.length) {
    throw new PaillierError(
      'invalid-plaintext',
      `the plan has ${plan.segments.length} segments, got ${inputs.length}`,
    );
  }
  const values = plan.segments.map((planned, i) => slotValues(planned, inputs[i]!, rng));
  return plan.runs.map((runs) => {
    let plaintext = 0n;
    for (const { segment, start, count, bitOffset } of runs) {
      const width = BigInt(plan.segments[segment]!.slotBits);
      let packed = 0n;
      for (let i = start + count - 1; i >= start; i -= 1) {
        packed = (packed << width) | values[segment]![i]!;
      }
      plaintext |= packed << BigInt(bitOffset);
    }
    return plaintext;
  });
}

/**
 * The sums in decrypted plaintexts, by segment.
 * @throws PaillierError `slot-overflow` where a slot holds more than honest clients can put there
 */
export function unpackSums(plan: PackingPlan, plaintexts: readonly bigint[]): bigint[][] {
  if (plaintexts.length !== plan.plaintexts) {
    throw new PaillierError(
      'invalid-plaintext',
      `the plan has ${plan.plaintexts} plaintexts, got ${plaintexts.length}`,
    );
  }
  const sums = plan.segments.map(({ segment }) => new Array<bigint>(segment.length).fill(0n));
  for (const [i, runs] of plan.runs.entries()) {
    let rest = plaintexts[i]!;
    for (const { segment, start, count } of runs) {
      const { slotBits, largestSum, segment: spec } = plan.segments[segment]!;
      const width = BigInt(slotBits);
      for (let element = start; element < start + count; element += 1) {
        const sum = BigInt.asUintN(slotBits, rest);
        rest >>= width;
        if (sum > largestSum) throw overflow(segment, element);
        sums[segment]![element] = spec.kind === 'sum' ? sum : sum % spec.modulus;
      }
    }
    if (rest !== 0n) throw overflow();
  }
  return sums;
}

function planSegment(
  segment: PackedSegment,
  clients: number,
  hidingBits: number,
  index: number,
): PlannedSegment {
  const refuse = (reason: string): PaillierError =>
    new PaillierError('invalid-plan', `segment ${index} ${reason}`);
  if (!Number.isSafeInteger(segment.length) || segment.length < 0) {
    throw refuse(`cannot have the length ${segment.length}`);
  }
  let largestValue: bigint;
  let multiples = 1n;
  if (segment.kind === 'sum') {
    const { maximum, length } = segment;
    if (typeof maximum !== 'bigint' && maximum.length !== length) {
      throw refuse(`has ${length} elements and ${maximum.length} maxima`);
    }
    const maxima = typeof maximum === 'bigint' ? [maximum] : maximum;
    if (maxima.some((bound) => bound < 0n)) throw refuse('has a maximum below 0');
    largestValue = 0n;
    for (const bound of maxima) if (bound > largestValue) largestValue = bound;
  } else {
    if (segment.modulus < 1n) throw refuse(`has the modulus ${segment.modulus}`);
    multiples = BigInt(clients) << BigInt(hidingBits);
    largestValue = segment.modulus * multiples - 1n;
  }
  const largestSum = largestValue * BigInt(clients);
  return { segment, slotBits: bitLength(largestSum) + GUARD_BITS, largestSum, multiples };
}

/** Fills plaintext after plaintext from the lowest bit; no value crosses from one to the next. */
function placeRuns(segments: readonly PlannedSegment[], capacity: number): SlotRun[][] {
  const plaintexts: SlotRun[][] = [];
  let used = capacity;
  for (const [segment, { segment: spec, slotBits }] of segments.entries()) {
    for (let start = 0; start < spec.length; ) {
      if (used + slotBits > capacity) {
        plaintexts.push([]);
        used = 0;
      }
      const count = Math.min(Math.floor((capacity - used) / slotBits), spec.length - start);
      plaintexts[plaintexts.length - 1]!.push({ segment, start, count, bitOffset: used });
      used += count * slotBits;
      start += count;
    }
  }
  return plaintexts;
}

function slotValues(
  { segment, multiples, largestSum }: PlannedSegment,
  input: IntegerVector,
  rng: Rng,
): bigint[] {
  if (input.length !== segment.length) {
    throw new ProtocolError(
      'invalid-length',
      `a segment has ${segment.length} values, got ${input.length}`,
    );
  }
  const maximum = segment.kind === 'sum' ? segment.maximum : segment.modulus - 1n;
  const values = toBigInts(residuesFrom(input, modulusForSum(largestSum, 1), maximum));
  if (segment.kind === 'sum') return values;
  return values.map((value) => value + segment.modulus * uniformBelow(rng, multiples));
}

function hashOf(
  { segments, clients, modulusBits }: PackingOptions,
  hidingBits: number,
): Uint8Array {
  const writer = new ByteWriter()
    .raw(utf8('fedloom packing plan v1'))
    .uint32(clients)
    .uint32(modulusBits)
    .uint32(hidingBits);
  for (const segment of segments) {
    writer.uint32(segment.length);
    if (segment.kind === 'modular-sum') {
      writeUnsigned(writer.uint8(0), segment.modulus);
    } else if (typeof segment.maximum === 'bigint') {
      writeUnsigned(writer.uint8(1), segment.maximum);
    } else {
      writer.uint8(2);
      for (const bound of segment.maximum) writeUnsigned(writer, bound);
    }
  }
  return sha256(writer.finish());
}

function overflow(segment?: number, element?: number): PaillierError {
  const where =
    segment === undefined ? 'the unused bits' : `element ${element} of segment ${segment}`;
  return new PaillierError(
    'slot-overflow',
    `the decrypted sum is larger at ${where} than honest clients can make it`,
  );
}

/** Stays 0 in every honest sum, and keeps a small excess in one slot from reaching the next. */
const GUARD_BITS = 1;
