/**
 * @file Counts what a piece of code allocates in arrays and buffers, by the sizes it asks for: the
 * same on every machine, and before the memory is there. An allocation beyond `LARGEST` is refused.
 */

/** Bytes of one allocation that no decoder has a reason for. */
const LARGEST = 2 ** 26;

export class AllocationRefused extends Error {}

/** Bytes that `run` asked for. @throws AllocationRefused, and what `run` throws */
export function allocatedBy(run: () => void): number {
  let total = 0;
  const restore = CONSTRUCTORS.map(([name, elementBytes]) => {
    const original: object = Reflect.get(globalThis, name);
    const counting: object = new Proxy(original, {
      construct(target, args: unknown[], newTarget): object {
        const bytes = sizeOf(args[0]) * elementBytes;
        if (bytes > LARGEST) throw new AllocationRefused(`${bytes} bytes for one ${name}`);
        total += bytes;
        // What extends the constructor stays itself, and the constructor does not become a proxy.
        return Reflect.construct(
          target as new () => object,
          args,
          newTarget === counting ? (target as new () => object) : newTarget,
        );
      },
    });
    Reflect.set(globalThis, name, counting);
    return () => Reflect.set(globalThis, name, original);
  });
  try {
    run();
  } finally {
    for (const undo of restore) undo();
  }
  return total;
}

/** Elements that a constructor's first argument asks for; a view of a buffer has none of its own. */
function sizeOf(argument: unknown): number {
  if (typeof argument === 'number') return argument;
  if (typeof argument !== 'object' || argument === null || argument instanceof ArrayBuffer)
    return 0;
  return 'length' in argument ? Number(argument.length) : 0;
}

/** By name, with the bytes of an element. */
const CONSTRUCTORS = [
  ['Array', 8],
  ['ArrayBuffer', 1],
  ['Uint8Array', 1],
  ['Uint16Array', 2],
  ['Uint32Array', 4],
  ['Int32Array', 4],
  ['Float64Array', 8],
  ['BigInt64Array', 8],
  ['BigUint64Array', 8],
] as const;
