/**
 * @file Gives memory back at once instead of with the next collection. Engines count the bytes of typed
 * arrays against a limit of some 32 to 64 MB, and look through the whole heap whenever it is reached: a
 * loop that makes arrays and drops them spends most of its time on that.
 */

/**
 * Frees the memory; all that shows it is empty from then on. Only whoever has made it, or was given it for
 * good, may call this, and only for the whole of it: Node keeps small buffers together in one memory.
 * What cannot be freed (memory that WebAssembly or other threads use) stays as it is, as does all memory
 * where the engine has no means.
 */
export function freeMemory(memory: ArrayBufferLike): void {
  if (!(memory instanceof ArrayBuffer)) return;
  try {
    free?.(memory);
  } catch {
    // It belongs to a WebAssembly.Memory.
  }
}

const free: ((memory: ArrayBuffer) => void) | undefined =
  'transfer' in ArrayBuffer.prototype ? transferred : sentToNobody();

function transferred(memory: ArrayBuffer): void {
  (memory as ArrayBuffer & { transfer(length: number): unknown }).transfer(0);
}

/**
 * Before Node 22: memory that is handed over to a port whose other end is closed has no owner left, and is
 * freed. Until the port knows that, messages would wait, and the memory with them.
 */
function sentToNobody(): ((memory: ArrayBuffer) => void) | undefined {
  if (typeof MessageChannel !== 'function') return undefined;
  const { port1, port2 } = new MessageChannel();
  let isClosed = false;
  port1.addEventListener('close', () => {
    isClosed = true;
  });
  port2.close();
  return (memory) => {
    if (isClosed && memory.byteLength >= WORTH_BYTES) port1.postMessage(null, [memory]);
  };
}

/** Below it, handing over takes longer than collecting (measured with the 64 KiB of mask expansion). */
const WORTH_BYTES = 128 * 1024;
