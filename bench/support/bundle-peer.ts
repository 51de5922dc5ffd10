/**
 * @file Bundles `peer-process.ts` into one JavaScript file: `bundle-peer.ts <folder>`. Node starts that in
 * a third of the time that it takes to translate the sources, which counts with fifty processes. Run as a
 * process of its own, so that the bundler is not in the memory of what is measured.
 */

import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { sourceAliases } from '../../vitest.config.ts';

const [outDir = ''] = process.argv.slice(2);
// The package is optional, and may not be there.
const external = ['@tensorflow/tfjs-node'];
await build({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  configFile: false,
  logLevel: 'warn',
  resolve: { alias: sourceAliases() },
  ssr: { external },
  build: {
    ssr: fileURLToPath(new URL('./peer-process.ts', import.meta.url)),
    outDir,
    target: 'node20',
    minify: false,
    rolldownOptions: { external },
  },
});
