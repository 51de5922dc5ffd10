/** @file A network that loses, delays, doubles, reorders, alters and makes up messages. */

import type { Chooser } from './chooser.ts';
import type { NetworkPlan } from './plan.ts';
import { decodeFromClient, decodeFromServer } from './wire.ts';
import type { World } from './world.ts';

/** A client by its number, or the server. */
export type Address = number | 'server';

export type Receiver = (from: Address, bytes: Uint8Array) => void;

export class Network {
  readonly #world: World;
  readonly #chooser: Chooser;
  readonly #receivers = new Map<Address, Receiver>();
  /** Everything that was ever sent, to be sent again. */
  readonly #log: Delivery[] = [];
  #quiet = false;

  constructor(world: World) {
    this.#world = world;
    this.#chooser = world.chooser.fork('network');
  }

  attach(address: Address, receiver: Receiver): void {
    this.#receivers.set(address, receiver);
  }

  /** From now on nothing arrives. */
  shutDown(): void {
    this.#quiet = true;
  }

  send(from: Address, to: Address, bytes: Uint8Array): void {
    const { loss, duplicate, forge } = this.#plan;
    const delivery = { from, to, bytes };
    this.#log.push(delivery);
    this.#say(delivery, 'is sent');
    if (this.#chooser.chance(loss)) this.#say(delivery, 'is lost');
    else this.#carry(delivery);
    if (this.#chooser.chance(duplicate)) this.#carry(delivery);
    if (this.#chooser.chance(forge)) this.#forge();
  }

  /** The same delivery once more, after a while: whoever was to get it was not there. */
  again(from: Address, to: Address, bytes: Uint8Array, delay: number): void {
    this.#deliver({ from, to, bytes }, delay);
  }

  get #plan(): NetworkPlan {
    return this.#world.plan.network;
  }

  #carry(delivery: Delivery): void {
    const { delay, late, flip } = this.#plan;
    const { stageTimeout } = this.#world.plan;
    const slow = this.#chooser.chance(late) ? this.#chooser.between(1, 3) * stageTimeout : 0;
    const duration = slow + this.#chooser.between(...delay);
    if (this.#chooser.chance(flip)) {
      this.#deliverForgery(
        { ...delivery, bytes: flipped(delivery.bytes, this.#chooser) },
        duration,
      );
    } else {
      this.#deliver(delivery, duration);
    }
  }

  /** Something that nobody sends now: an earlier message, perhaps to somebody else, or nonsense. */
  #forge(): void {
    const old = this.#chooser.pick(this.#log);
    const delay = this.#chooser.between(1, 2 * this.#world.plan.stageTimeout);
    // Who sent something once and saw no answer may well send it again, on a sealed transport too.
    if (this.#chooser.chance(0.5)) this.#deliver(old, delay);
    else this.#deliverForgery(this.#alter(old), delay);
  }

  #alter(old: Delivery): Delivery {
    const { bytes } = old;
    const kind = this.#chooser.pick([
      'redirect',
      'redirect',
      'flip',
      'truncate',
      'nonsense',
    ] as const);
    switch (kind) {
      case 'redirect': {
        const clients = [...this.#receivers.keys()].filter((address) => address !== 'server');
        const other = this.#chooser.pick(clients);
        return old.to === 'server' ? { ...old, from: other } : { ...old, to: other };
      }
      case 'flip':
        return { ...old, bytes: flipped(bytes, this.#chooser) };
      case 'truncate':
        return { ...old, bytes: bytes.slice(0, this.#chooser.below(bytes.length + 1)) };
      case 'nonsense': {
        const header = bytes.slice(0, this.#chooser.between(0, 5));
        const rest = this.#chooser.bytes(this.#chooser.between(0, 80));
        return { ...old, bytes: new Uint8Array([...header, ...rest]) };
      }
    }
  }

  #deliverForgery(delivery: Delivery, delay: number): void {
    // Without secrets of its own against a server that lies, a client relies on its transport.
    const sealed =
      this.#plan.sealed || (this.#world.plan.model !== 'active' && delivery.to !== 'server');
    if (sealed) this.#say(delivery, 'is found altered, and thrown away');
    else {
      this.#say(delivery, 'is altered');
      this.#deliver(delivery, delay);
    }
  }

  #deliver(delivery: Delivery, delay: number): void {
    this.#world.clock.after(delay, () => {
      if (this.#quiet) return;
      this.#say(delivery, 'arrives');
      this.#receivers.get(delivery.to)?.(delivery.from, delivery.bytes);
    });
  }

  #say({ from, to, bytes }: Delivery, what: string): void {
    this.#world.say(`${nameOf(from)} to ${nameOf(to)}`, () => `${describe(bytes)} ${what}`);
  }
}

interface Delivery {
  readonly from: Address;
  readonly to: Address;
  readonly bytes: Uint8Array;
}

export function nameOf(address: Address): string {
  return address === 'server' ? 'server' : `client ${address}`;
}

function flipped(bytes: Uint8Array, chooser: Chooser): Uint8Array {
  const altered = bytes.slice();
  if (altered.length === 0) return altered;
  for (let flips = chooser.between(1, 3); flips > 0; flips -= 1) {
    altered[chooser.below(altered.length)]! ^= 1 << chooser.below(8);
  }
  return altered;
}

function describe(bytes: Uint8Array): string {
  const message = decodeFromClient(bytes) ?? decodeFromServer(bytes);
  return `${message?.kind ?? 'no message'} (${bytes.length} bytes)`;
}
