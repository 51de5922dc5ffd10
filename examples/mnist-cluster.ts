/**
 * @file Federated averaging on MNIST with every client in a process of its own: each has its own files of
 * digits, dials in to the coordinator, and gives its update to a secure mean and to nothing else.
 *
 * Cuts the training set into files, and starts `fedloom up` with the program in `support/mnist-rounds.ts`.
 *
 *     npm run example mnist-cluster        fewer rounds:  ROUNDS=2 npm run example mnist-cluster
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readMnistFile } from './support/data.ts';
import { CLIENTS, CLIPPING_RANGE } from './support/mnist-rounds.ts';
import { heading, note } from './support/terminal.ts';

const IMAGES_PER_CLIENT = 600;

heading('Federated averaging on MNIST, a process each');
note(`  ${CLIENTS} clients with ${IMAGES_PER_CLIENT} images each; updates are summed by secAgg\n`);
const folder = mkdtempSync(join(tmpdir(), 'fedloom-mnist-'));
try {
  const program = fileURLToPath(new URL('./support/mnist-rounds.ts', import.meta.url));
  const fedloom = fileURLToPath(
    new URL('./runtime/cli/main.node.js', import.meta.resolve('fedloom')),
  );
  const { status } = spawnSync(
    process.execPath,
    [
      ...['--import', 'tsx', fedloom, 'up', program, '--clients', String(CLIENTS)],
      ...['--data', writeDigits(folder), '--clipping-range', String(CLIPPING_RANGE)],
    ],
    { stdio: 'inherit' },
  );
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** The digits of each client, in files of its own. @returns how `--data` names them. */
function writeDigits(to: string): string {
  const images = readMnistFile('train', 'images-idx3');
  const labels = readMnistFile('train', 'labels-idx1');
  const header = (source: Buffer, length: number): Buffer => {
    const copy = Buffer.from(source.subarray(0, length));
    copy.writeUInt32BE(IMAGES_PER_CLIENT, 4);
    return copy;
  };
  for (let client = 0; client < CLIENTS; client += 1) {
    const [first, end] = [client * IMAGES_PER_CLIENT, (client + 1) * IMAGES_PER_CLIENT];
    const own = images.subarray(16 + first * 784, 16 + end * 784);
    const path = join(to, `client-${client + 1}`);
    writeFileSync(`${path}-images.idx`, Buffer.concat([header(images, 16), own]));
    const shown = labels.subarray(8 + first, 8 + end);
    writeFileSync(`${path}-labels.idx`, Buffer.concat([header(labels, 8), shown]));
  }
  const path = join(to, 'client-{i}');
  return `digits=idx:${path}-images.idx,${path}-labels.idx`;
}
