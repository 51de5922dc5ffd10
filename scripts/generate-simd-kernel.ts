/**
 * @file Assembles `protocols/residues/kernel/simd-kernel.wat` into `simd-kernel-binary.ts` beside it, so
 * that neither a build step nor a fetched file stands between the package and its kernel.
 *
 *     tsx scripts/generate-simd-kernel.ts            writes the file
 *     tsx scripts/generate-simd-kernel.ts --check    fails if it is not what it would write
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import wabt from 'wabt';

const folder = 'protocols/residues/kernel';
const root = join(import.meta.dirname, '..');
const source = join(root, folder, 'simd-kernel.wat');
const output = join(root, folder, 'simd-kernel-binary.ts');
/** Browsers may refuse to compile a larger module synchronously on their main thread. */
const SYNCHRONOUS_LIMIT = 4096;

const generated = moduleText(await assemble());

if (!process.argv.includes('--check')) {
  writeFileSync(output, generated);
} else if (readFileSync(output, 'utf8') !== generated) {
  console.error(
    `${folder}/simd-kernel-binary.ts does not match simd-kernel.wat. Run: npx tsx scripts/generate-simd-kernel.ts`,
  );
  process.exitCode = 1;
}

async function assemble(): Promise<Uint8Array> {
  const { parseWat } = await wabt();
  const module = parseWat('simd-kernel.wat', readFileSync(source, 'utf8'), { simd: true });
  try {
    module.resolveNames();
    module.validate();
    const { buffer } = module.toBinary({});
    if (buffer.length >= SYNCHRONOUS_LIMIT) {
      throw new Error(`the kernel has ${buffer.length} bytes, not below ${SYNCHRONOUS_LIMIT}`);
    }
    return buffer;
  } finally {
    module.destroy();
  }
}

function moduleText(binary: Uint8Array): string {
  return `/**
 * @file The WebAssembly module of \`simd-kernel.wat\`, ${binary.length} bytes in base64.
 * Written by scripts/generate-simd-kernel.ts.
 */

export const SIMD_KERNEL_BASE64 =
  '${Buffer.from(binary).toString('base64')}';
`;
}
