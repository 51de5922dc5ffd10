/** @file What a worker thread of `unmaskingThreads` runs: it expands the masks it is given. */

import { parentPort } from 'node:worker_threads';
import { cloneError } from '../../executors/cloned-error.ts';
import { expandMaskPart, SecretBytes } from '../../protocols/index.ts';
import type { ExpandRequest, ExpandResponse } from './unmasking-threads.ts';

if (parentPort === null) throw new Error('This module runs on a worker thread only.');
const port = parentPort;

port.on('message', ({ id, part }: ExpandRequest) => {
  try {
    const correction = expandMaskPart({
      ...part,
      masks: part.masks.map(({ seed, sign }) => ({ seed: new SecretBytes(seed), sign })),
    });
    const response: ExpandResponse = { id, correction };
    const transfer = correction.lane === 'wide' ? [] : [correction.values.buffer as ArrayBuffer];
    port.postMessage(response, transfer);
  } catch (error) {
    port.postMessage({ id, error: cloneError(error) } satisfies ExpandResponse);
  }
});
