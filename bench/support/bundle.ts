/**
 * @file Bundles scripts of this folder into one JavaScript file each: `bundle.ts <folder> <script.ts> …`.
 * Node starts these in a third of the time that it takes to translate the sources, which counts with fifty
 * processes, and without the translator in its memory. Run as a process of its own, so that the bundler
 * is not in the memory of what is measured either.
 */

import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { sourceAliases } from '../../vitest.config.ts';

const [outDir = '', ...scripts] = process.argv.slice(2);
// The package is optional, and may not be there.
const external = ['@tensorflow/tfjs-node'];
for (const script of scripts) {
  await build({
    root: fileURLToPath(new URL('../..', import.meta.url)),
    configFile: false,
    logLevel: 'warn',
    resolve: { alias: sourceAliases() },
    ssr: { external },
    build: {
      ssr: fileURLToPath(new URL(script, import.meta.url)),
      outDir,
      emptyOutDir: false,
      target: 'node20',
      minify: false,
      rolldownOptions: { external },
    },
  });
}
