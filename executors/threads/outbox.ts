/** @file Collects messages to another thread, and posts those of one moment together. */

import type { MaterializedValue } from '../../computations/types/index.ts';
import { ValueCloner } from './cloned-value.ts';
import type { ClonedValue, Port } from './messages.ts';

export class Outbox<Message> {
  readonly #port: Port;
  #messages: Message[] = [];
  #cloner = new ValueCloner();

  constructor(port: Port) {
    this.#port = port;
  }

  send(message: Message): void {
    this.#messages.push(message);
    if (this.#messages.length === 1) queueMicrotask(() => this.flush());
    // Large data goes at once, so that the receiver can begin with it.
    if (this.#cloner.bytes > MAX_BYTES) this.flush();
  }

  /** A clone of a value for the next message. */
  clone(value: MaterializedValue, stream: Parameters<ValueCloner['clone']>[1]): ClonedValue {
    return this.#cloner.clone(value, stream);
  }

  flush(): void {
    const messages = this.#messages;
    if (messages.length === 0) return;
    const { transfer } = this.#cloner;
    this.#messages = [];
    this.#cloner = new ValueCloner();
    this.#port.postMessage(messages, transfer);
  }
}

const MAX_BYTES = 2 ** 20;
