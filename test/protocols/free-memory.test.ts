import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { freeMemory } from '../../protocols/free-memory.ts';

/** Some turns of the loop: before Node 22 the means is there a little after the file is loaded. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await setImmediate();
}

test('memory is given back at once, without a collection', async () => {
  await settle();
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  for (let i = 0; i < 64; i += 1) {
    const bytes = new Uint8Array(2 ** 20).fill(i);
    freeMemory(bytes.buffer);
    expect(bytes.length).toBe(0);
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  }
  expect(most).toBeLessThan(2 ** 23);
});

test('memory that others use, too, stays', async () => {
  await settle();
  const shared = new SharedArrayBuffer(8);
  freeMemory(shared);
  expect(shared.byteLength).toBe(8);
  const { buffer } = new WebAssembly.Memory({ initial: 1 });
  freeMemory(buffer);
  expect(buffer.byteLength).toBe(65_536);
});
