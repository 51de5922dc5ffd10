import { afterEach, expect, it, vi } from 'vitest';
import { createSimdKernel } from '../../../protocols/residues/kernel/simd-kernel.ts';
import { SIMD_KERNEL_BASE64 } from '../../../protocols/residues/kernel/simd-kernel-binary.ts';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

/** The package as it finds its platform now. */
async function loadAnew() {
  const { wordKernel } = await import('../../../protocols/residues/kernel/index.ts');
  return { wordKernel, ...(await import('../../../protocols/index.ts')) };
}

/** Everything that reaches the kernel from outside, for values in both lanes. */
async function results() {
  const protocols = await loadAnew();
  const { aesCtrKeystream, applyMasks, zeroResidues, packResidues, unpackResidues } = protocols;
  const { addPacked, addInPlace, subtractInPlace, isCanonical, toBigInts } = protocols;
  const outcome = [2n ** 20n, 1_000_003n, 2n ** 45n, 2n ** 45n + 59n].map((modulus) => {
    const residues = zeroResidues(modulus, 20_001);
    const keystream = aesCtrKeystream(new Uint8Array(16), new Uint8Array(16));
    applyMasks(residues, [{ keystream, sign: -1 }]);
    const packed = packResidues(residues);
    addPacked(residues, packed);
    addInPlace(residues, unpackResidues(packed, modulus, 20_001));
    subtractInPlace(residues, zeroResidues(modulus, 20_001));
    expect(isCanonical(residues)).toBe(true);
    return toBigInts(residues);
  });
  return { name: protocols.wordKernel().name, outcome };
}

it('uses SIMD where it is there, and plain JavaScript with the same results elsewhere', async () => {
  const onSimd = await results();
  vi.resetModules();
  vi.stubGlobal('WebAssembly', undefined);
  const onPlain = await results();
  expect([onSimd.name, onPlain.name]).toEqual(['simd', 'plain']);
  onSimd.outcome.forEach((values, i) => {
    expect(values.every((value, k) => value === onPlain.outcome[i]![k])).toBe(true);
  });
});

it('chooses once', async () => {
  const { wordKernel } = await loadAnew();
  const first = wordKernel();
  vi.stubGlobal('WebAssembly', undefined);
  expect(wordKernel()).toBe(first);
});

it('does without where the module does not compile', () => {
  class RefusingModule extends WebAssembly.Module {
    constructor() {
      // A byte more than there may be: a compile error, as of an engine without SIMD.
      super(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 255));
    }
  }
  const { Instance } = WebAssembly;
  expect(createSimdKernel({ Module: RefusingModule, Instance })).toBeUndefined();
  expect(createSimdKernel(undefined)).toBeUndefined();
});

it('is small enough to be compiled synchronously in a browser', () => {
  expect(atob(SIMD_KERNEL_BASE64).length).toBeLessThan(4096);
});

it('refuses to take an ordinary array for words, which it would leave unmasked', () => {
  const kernel = createSimdKernel(WebAssembly)!;
  const forged = { lane: 'u32', modulus: 16n, values: new Float64Array(3) };
  // @ts-expect-error: what a caller in JavaScript can do
  expect(() => kernel.applyMasks(forged, [])).toThrow(/mismatched-residues/);
  // @ts-expect-error: likewise
  expect(() => kernel.applyMasks({ ...forged, values: [1, 2, 3] }, [])).toThrow(
    /mismatched-residues/,
  );
});
