/** @file A time limit that does not count against others the time in which this process was busy. */

/**
 * Time is counted in slices, so that a process which is busy itself (with the work of the clients
 * in a simulation, for example) does not take answers that lie there already for missing.
 * @param timeoutMs from 1 to 2^31 - 1.
 */
export function countdown(timeoutMs: number): { readonly expired: Promise<void>; stop(): void } {
  let timer: ReturnType<typeof setInterval> | undefined;
  const expired = new Promise<void>((resolve) => {
    let left = SLICES;
    timer = setInterval(() => {
      left -= 1;
      if (left === 0) resolve();
    }, timeoutMs / SLICES);
  });
  return { expired, stop: () => clearInterval(timer) };
}

const SLICES = 8;
