/**
 * @file How work is interrupted: it looks at a signal between its steps, waits only as long as the
 * signal allows, and gives the event loop a turn now and then, without which no signal would come.
 */

/** Waiting that ends when a signal is aborted. One listener serves any number of waits. */
export class Interruption {
  readonly #signal: AbortSignal | undefined;
  readonly #aborted: Promise<never> | null;
  #stop: () => void = () => {};

  /** @param signal without one nothing is ever interrupted. */
  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
    if (signal === undefined) {
      this.#aborted = null;
      return;
    }
    this.#aborted = new Promise((_, reject) => {
      const abort = (): void => reject(signal.reason);
      if (signal.aborted) abort();
      else {
        this.#stop = onAbort(signal, abort);
      }
    });
    // It need not be waited for.
    this.#aborted.catch(() => {});
  }

  /**
   * What `work` resolves to, unless the signal is aborted before.
   * @param discard frees a result that comes too late.
   * @throws the signal's reason
   */
  async within<T>(work: Promise<T>, discard: (late: T) => void = () => {}): Promise<T> {
    if (this.#aborted === null) return work;
    try {
      return await Promise.race([work, this.#aborted]);
    } catch (error) {
      if (this.#signal?.aborted) work.then(discard, () => {});
      throw error;
    }
  }

  /** Ends the use of the signal. */
  [Symbol.dispose](): void {
    this.#stop();
  }
}

/** Who waits on each signal: there can be thousands, of which the signal sees one listener. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back when a signal is aborted.
 * @returns what ends that.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let callbacks = waiting.get(signal);
  if (callbacks === undefined) {
    const all = new Set<() => void>();
    waiting.set(signal, all);
    signal.addEventListener(
      'abort',
      () => {
        for (const each of all) each();
      },
      { once: true },
    );
    callbacks = all;
  }
  callbacks.add(callback);
  const registered = callbacks;
  return () => registered.delete(callback);
}

/** A single wait; see `Interruption.within`. */
export async function interruptible<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  discard?: (late: T) => void,
): Promise<T> {
  if (signal === undefined) return work;
  using interruption = new Interruption(signal);
  return await interruption.within(work, discard);
}

/**
 * The elements of an iterable, until the signal is aborted: also while an element is awaited that
 * never comes. The iterable is told to stop when the consumer stops.
 * @throws the signal's reason
 */
export async function* interruptibleElements<T>(
  elements: Iterable<T> | AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T> {
  if (signal === undefined) {
    yield* elements;
    return;
  }
  const isAsync = Symbol.asyncIterator in elements;
  const iterator = isAsync ? elements[Symbol.asyncIterator]() : elements[Symbol.iterator]();
  let finished = false;
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = iterator.next();
      const { done, value } = isAsync
        ? await interruptible(Promise.resolve(next), signal)
        : (next as IteratorResult<T>);
      if (done) {
        finished = true;
        return;
      }
      yield value;
    }
  } catch (error) {
    // An iterable that failed itself is over; one that was interrupted is not.
    finished = !signal.aborted;
    throw error;
  } finally {
    if (!finished) await stopIterator(iterator, signal);
  }
}

/** Waits for the iterator to end, but not for one that is in the middle of an endless wait. */
async function stopIterator(
  iterator: Iterator<unknown> | AsyncIterator<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const ending = Promise.resolve(iterator.return?.());
  if (signal.aborted) ending.catch(() => {});
  else await ending;
}

/**
 * Lets timers, signals and messages have their turn if they had none for a while. Work that only
 * ever waits for what is there already would otherwise keep them waiting until it is done.
 * @returns `null` where there is no need to wait.
 */
export function breathe(): Promise<void> | null {
  if (turn === null) {
    if (performance.now() - lastTurn < LONGEST_TURN_MS) return null;
    turn = new Promise<void>(nextTurn).then(() => {
      turn = null;
      lastTurn = performance.now();
    });
  }
  return turn;
}

/** Long enough to cost nothing, short enough for a progress bar to move smoothly. */
const LONGEST_TURN_MS = 15;

let lastTurn = 0;
let turn: Promise<void> | null = null;

function nextTurn(resolve: () => void): void {
  if (typeof setImmediate === 'function') setImmediate(resolve);
  else setTimeout(resolve);
}
