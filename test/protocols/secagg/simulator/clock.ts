/** @file Virtual time: what is to happen, in the order of its time, and nothing in between. */

export class VirtualClock {
  /** Milliseconds since the simulation began. */
  now = 0;
  readonly #events: Event[] = [];
  #scheduled = 0;

  /** @param delay in milliseconds, 0 or more. What has the same time happens in the order given. */
  after(delay: number, action: () => void): void {
    const event = { time: this.now + delay, order: this.#scheduled, action };
    this.#scheduled += 1;
    const events = this.#events;
    let place = events.length;
    events.push(event);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!before(event, events[parent]!)) break;
      events[place] = events[parent]!;
      place = parent;
    }
    events[place] = event;
  }

  /**
   * Lets everything happen that is scheduled, and what that leads to.
   * @returns whether it came to an end within the limits
   */
  run({ events: most, time: latest }: { readonly events: number; readonly time: number }): boolean {
    for (let count = 0; this.#events.length > 0; count += 1) {
      const event = this.#take();
      if (count >= most || event.time > latest) return false;
      this.now = event.time;
      event.action();
    }
    return true;
  }

  /** Nothing of what is scheduled will happen. */
  clear(): void {
    this.#events.length = 0;
  }

  #take(): Event {
    const events = this.#events;
    const first = events[0]!;
    const last = events.pop()!;
    if (events.length === 0) return first;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= events.length) break;
      if (child + 1 < events.length && before(events[child + 1]!, events[child]!)) child += 1;
      if (!before(events[child]!, last)) break;
      events[place] = events[child]!;
      place = child;
    }
    events[place] = last;
    return first;
  }
}

interface Event {
  readonly time: number;
  readonly order: number;
  readonly action: () => void;
}

function before(left: Event, right: Event): boolean {
  return left.time < right.time || (left.time === right.time && left.order < right.order);
}
