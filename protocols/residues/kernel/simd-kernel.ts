/**
 * @file The kernel in WebAssembly SIMD: carries chunks of residues into the 256 KiB of
 * `simd-kernel.wat`, has them worked on there, and carries them back.
 *
 * A chunk is as long as one read of a keystream, so that target, operand and packed values stay in a
 * second-level cache. For a power of two all masks are added to one chunk of the target before the next
 * is touched, a tenth faster than mask by mask.
 * What a call used is overwritten before it returns: it held masks, or values that were to be masked.
 */

import { KEYSTREAM_CHUNK as CHUNK } from '../../crypto/interface.ts';
import { ProtocolError } from '../../errors.ts';
import { bitsPerValue, isPowerOfTwo, TWO_32, TWO_64 } from '../modulus.ts';
import { HOST_IS_LITTLE_ENDIAN, readKeystream } from './keystream-words.ts';
import { SIMD_KERNEL_BASE64 } from './simd-kernel-binary.ts';
import type { Mask, WordKernel, WordResidues } from './word-kernel.ts';

/** What the kernel needs of the `WebAssembly` namespace. */
export interface WebAssemblyEngine {
  readonly Module: new (binary: BufferSource) => WebAssembly.Module;
  readonly Instance: new (module: WebAssembly.Module) => WebAssembly.Instance;
}

/**
 * The kernel, or nothing where there is no WebAssembly or no SIMD in it, a content security policy
 * forbids it, or the host does not store words as WebAssembly does.
 */
export function createSimdKernel(engine: WebAssemblyEngine | undefined): SimdKernel | undefined {
  if (engine === undefined || !HOST_IS_LITTLE_ENDIAN) return undefined;
  const binary = Uint8Array.from(atob(SIMD_KERNEL_BASE64), (byte) => byte.charCodeAt(0));
  try {
    const { exports } = new engine.Instance(new engine.Module(binary));
    return new SimdKernel(exports as KernelExports);
  } catch {
    return undefined;
  }
}

/** The functions of `simd-kernel.wat` that there are for each width of a lane. */
interface LaneFunctions {
  add(bytes: number): void;
  subtract(bytes: number): void;
  addModulo(bytes: number, modulus: bigint): void;
  subtractModulo(bytes: number, modulus: bigint): void;
  accept(words: number, modulus: bigint): number;
  firstNotBelow(count: number, modulus: bigint): number;
  pack(count: number, bits: number): void;
  unpack(count: number, bits: number): void;
}

type ForWidth<Width extends 32 | 64> = {
  [Name in keyof LaneFunctions as `${Name}${Width}`]: LaneFunctions[Name];
};

type KernelExports = ForWidth<32> &
  ForWidth<64> & {
    readonly memory: WebAssembly.Memory;
    keepBits(bytes: number, mask: bigint): void;
  };

/** What a vector's lane and modulus make of the work on it. */
interface Plan {
  readonly functions: LaneFunctions;
  readonly wordBytes: 4 | 8;
  readonly modulus: bigint;
  readonly bits: number;
  /** For R = 2^k words may wrap around; `keptBits` are then taken of them, unless that is all. */
  readonly wraps: boolean;
  readonly keptBits: bigint | undefined;
}

export class SimdKernel implements WordKernel {
  readonly name = 'simd';
  readonly #functions: Readonly<Record<WordResidues['lane'], LaneFunctions>>;
  readonly #keepBits: KernelExports['keepBits'];
  readonly #memory: Uint8Array;
  #busy = false;

  constructor(exports: KernelExports) {
    this.#memory = new Uint8Array(exports.memory.buffer);
    this.#keepBits = exports.keepBits;
    this.#functions = {
      u32: {
        add: exports.add32,
        subtract: exports.subtract32,
        addModulo: exports.addModulo32,
        subtractModulo: exports.subtractModulo32,
        accept: exports.accept32,
        firstNotBelow: exports.firstNotBelow32,
        pack: exports.pack32,
        unpack: exports.unpack32,
      },
      u64: {
        add: exports.add64,
        subtract: exports.subtract64,
        addModulo: exports.addModulo64,
        subtractModulo: exports.subtractModulo64,
        accept: exports.accept64,
        firstNotBelow: exports.firstNotBelow64,
        pack: exports.pack64,
        unpack: exports.unpack64,
      },
    };
  }

  /** Whether it is called from within a call: a keystream is foreign code. Then it must not be used. */
  get busy(): boolean {
    return this.#busy;
  }

  /** The memory it works in, all zero between calls. */
  get memory(): Uint8Array {
    return this.#memory;
  }

  applyMasks(target: WordResidues, masks: readonly Mask[]): void {
    const plan = this.#planFor(target);
    if (!plan.wraps) {
      for (const mask of masks) this.#maskByRejection(target, plan, mask);
      return;
    }
    this.#updateChunks(target, plan, (bytes) => {
      for (const { keystream, sign } of masks) {
        this.#memory.set(readKeystream(keystream, bytes), OPERAND);
        this.#combine(plan, sign, bytes);
      }
    });
  }

  add(target: WordResidues, addend: WordResidues): void {
    this.#combineVectors(target, addend, 1);
  }

  subtract(target: WordResidues, subtrahend: WordResidues): void {
    this.#combineVectors(target, subtrahend, -1);
  }

  reduce(target: WordResidues): void {
    const plan = this.#planFor(target);
    if (plan.keptBits !== undefined) this.#updateChunks(target, plan, () => {});
  }

  firstNotBelow(residues: WordResidues): number {
    const plan = this.#planFor(residues);
    if (plan.modulus === TWO_32 || plan.modulus === TWO_64) return NONE;
    return this.#searchChunks(residues, (chunk) => {
      this.#memory.set(chunk, OPERAND);
      return this.#firstInOperand(plan, chunk.length);
    });
  }

  pack(residues: WordResidues, packed: Uint8Array): void {
    const { functions, wordBytes, bits } = this.#planFor(residues);
    this.#forChunks(residues, (chunk, start) => {
      this.#memory.set(chunk, OPERAND);
      functions.pack(chunk.length / wordBytes, bits);
      this.#store(PACKED, packedPart(packed, start, wordBytes, bits));
    });
  }

  unpack(packed: Uint8Array, target: WordResidues): number {
    const plan = this.#planFor(target);
    return this.#searchChunks(target, (chunk, start) => {
      const excess = this.#unpackToOperand(plan, packed, start, chunk.length);
      if (excess === NONE) this.#store(OPERAND, chunk);
      return excess;
    });
  }

  addPacked(target: WordResidues, packed: Uint8Array): number {
    const plan = this.#planFor(target);
    if (!plan.wraps) {
      // All are checked before the first is added.
      const excess = this.#searchChunks(target, (chunk, start) =>
        this.#unpackToOperand(plan, packed, start, chunk.length),
      );
      if (excess !== NONE) return excess;
    }
    this.#updateChunks(target, plan, (bytes, start) => {
      this.#unpackToOperand(plan, packed, start, bytes);
      this.#combine(plan, 1, bytes);
    });
    return NONE;
  }

  #planFor({ lane, modulus, values }: WordResidues): Plan {
    const functions = this.#functions[lane];
    const wordBytes = lane === 'u32' ? 4 : 8;
    // From JavaScript anything may come, and an ordinary array has no bytes: it would not be masked.
    if (!ArrayBuffer.isView(values) || values.BYTES_PER_ELEMENT !== wordBytes) {
      throw new ProtocolError(
        'mismatched-residues',
        `residues in the lane ${lane} are in a typed array of ${8 * wordBytes}-bit words`,
      );
    }
    const wraps = isPowerOfTwo(modulus);
    const bits = bitsPerValue(modulus);
    const mask = modulus - 1n;
    const keptBits =
      !wraps || bits === 8 * wordBytes ? undefined : lane === 'u32' ? (mask << 32n) | mask : mask;
    return { functions, wordBytes, modulus, bits, wraps, keptBits };
  }

  /**
   * Mask by mask: how far a read of one reaches depends on its words. Reads never more words than values
   * are missing, and so ends where the last one is found.
   */
  #maskByRejection(target: WordResidues, plan: Plan, { keystream, sign }: Mask): void {
    const { functions, wordBytes, modulus } = plan;
    const values = bytesOf(target.values);
    this.#exclusively(values.length, () => {
      for (let next = 0; next < values.length; ) {
        const wanted = Math.min(CHUNK, values.length - next);
        this.#memory.set(readKeystream(keystream, wanted), PACKED);
        const drawn = functions.accept(wanted / wordBytes, modulus) * wordBytes;
        const chunk = values.subarray(next, next + drawn);
        this.#memory.set(chunk, TARGET);
        this.#combine(plan, sign, drawn);
        this.#store(TARGET, chunk);
        next += drawn;
      }
    });
  }

  #combineVectors(target: WordResidues, operand: WordResidues, sign: 1 | -1): void {
    const plan = this.#planFor(target);
    this.#planFor(operand);
    const operandBytes = bytesOf(operand.values);
    this.#updateChunks(target, plan, (bytes, start) => {
      this.#memory.set(operandBytes.subarray(start, start + bytes), OPERAND);
      this.#combine(plan, sign, bytes);
    });
  }

  /** Carries the target through its region by chunks, for `work` to add to, and brings it below R. */
  #updateChunks(
    target: WordResidues,
    { keptBits }: Plan,
    work: (bytes: number, start: number) => void,
  ): void {
    this.#forChunks(target, (chunk, start) => {
      this.#memory.set(chunk, TARGET);
      work(chunk.length, start);
      if (keptBits !== undefined) this.#keepBits(chunk.length, keptBits);
      this.#store(TARGET, chunk);
    });
  }

  /** Hands on the bytes of the values by chunks. */
  #forChunks(residues: WordResidues, work: (chunk: Uint8Array, start: number) => void): void {
    this.#searchChunks(residues, (chunk, start) => {
      work(chunk, start);
      return NONE;
    });
  }

  /** The same until `find` returns a position within its chunk; returns the one within the vector. */
  #searchChunks(
    { values }: WordResidues,
    find: (chunk: Uint8Array, start: number) => number,
  ): number {
    const bytes = bytesOf(values);
    return this.#exclusively(bytes.length, () => {
      for (let start = 0; start < bytes.length; start += CHUNK) {
        const found = find(bytes.subarray(start, start + CHUNK), start);
        if (found !== NONE) return start / values.BYTES_PER_ELEMENT + found;
      }
      return NONE;
    });
  }

  /** Has the memory to itself for work on a vector of `bytes`, and overwrites what that used. */
  #exclusively<Result>(bytes: number, work: () => Result): Result {
    const used = Math.min(bytes, CHUNK);
    this.#busy = true;
    try {
      return work();
    } finally {
      for (const region of [TARGET, OPERAND, PACKED]) this.#memory.fill(0, region, region + used);
      this.#busy = false;
    }
  }

  #store(region: number, into: Uint8Array): void {
    into.set(this.#memory.subarray(region, region + into.length));
  }

  /** target += sign * operand, below R only if R is no power of two. */
  #combine({ wraps, functions, modulus }: Plan, sign: 1 | -1, bytes: number): void {
    if (wraps) {
      if (sign === 1) functions.add(bytes);
      else functions.subtract(bytes);
    } else if (sign === 1) functions.addModulo(bytes, modulus);
    else functions.subtractModulo(bytes, modulus);
  }

  #unpackToOperand(plan: Plan, packed: Uint8Array, start: number, bytes: number): number {
    const { functions, wordBytes, bits, wraps } = plan;
    const part = packedPart(packed, start, wordBytes, bits);
    this.#memory.set(part, PACKED);
    functions.unpack(bytes / wordBytes, bits);
    return wraps ? NONE : this.#firstInOperand(plan, bytes);
  }

  #firstInOperand({ functions, wordBytes, modulus }: Plan, bytes: number): number {
    const count = bytes / wordBytes;
    const found = functions.firstNotBelow(count, modulus);
    return found === count ? NONE : found;
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: WordResidues['values']): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** The packed form of the chunk of values that starts at byte `start`: a whole number of bytes in. */
function packedPart(
  packed: Uint8Array,
  start: number,
  wordBytes: number,
  bits: number,
): Uint8Array {
  const chunkLength = ((CHUNK / wordBytes) * bits) / 8;
  const from = (start / CHUNK) * chunkLength;
  return packed.subarray(from, from + chunkLength);
}

// As in simd-kernel.wat.
const TARGET = 0;
const OPERAND = 0x10000;
const PACKED = 0x20000;
const NONE = -1;
