/**
 * @file Who shares and masks with whom (Bell et al. 2020, eprint 2020/704).
 *
 * Against a server that follows the protocol it is a regular graph that the server draws; against
 * one that does not, every client draws its own neighbours once the others' keys are fixed.
 */

import { aesCtrKeystream } from '#crypto';
import { drawBytes } from '../crypto/checks.ts';
import { KEYSTREAM_CHUNK, type Rng } from '../crypto/interface.ts';
import { ProtocolError } from '../errors.ts';

/**
 * A ring in which every client is joined to the `neighbours / 2` nearest on each side (a Harary
 * graph), with the clients placed around it in an order that `permutationKey` draws uniformly; or
 * everyone joined to everyone, where `neighbours` is `clients - 1`.
 * @param clients Numbered from 0.
 * @param neighbours Even, from 2, unless the graph is complete.
 * @param permutationKey 32 bytes, unpredictable until the corrupt clients are settled.
 * @returns The neighbours of a client in ascending order, without itself.
 * @throws ProtocolError `invalid-argument`, `invalid-key-length`; the function that is returned
 * throws `out-of-range` for a number that is no client's.
 */
export function regularGraph(
  clients: number,
  neighbours: number,
  permutationKey: Uint8Array,
): (client: number) => readonly number[] {
  if (!Number.isInteger(clients) || clients < 1 || clients > MOST_CLIENTS) {
    throw new ProtocolError('invalid-argument', `a graph has 1 to 2^31 clients, got ${clients}`);
  }
  const complete = neighbours === clients - 1;
  const ring = Number.isInteger(neighbours / 2) && neighbours >= 2 && neighbours < clients;
  if (!complete && !ring) {
    throw new ProtocolError(
      'invalid-argument',
      `${clients} clients on a ring have an even number of neighbours below ${clients}, or all ` +
        `${clients - 1}; got ${neighbours}`,
    );
  }
  const order = permutation(clients, permutationKey);
  const placeOf = new Uint32Array(clients);
  for (let place = 0; place < clients; place++) placeOf[order[place]!] = place;
  return (client) => {
    if (!Number.isInteger(client) || client < 0 || client >= clients) {
      throw new ProtocolError(
        'out-of-range',
        `clients are numbered 0 to ${clients - 1}, got ${client}`,
      );
    }
    if (complete) return Array.from({ length: neighbours }, (_, at) => at + Number(at >= client));
    const place = placeOf[client]!;
    const found: number[] = [];
    for (let distance = 1; distance <= neighbours / 2; distance++) {
      found.push(order[(place + distance) % clients]!);
      found.push(order[(place - distance + clients) % clients]!);
    }
    return found.sort(ascending);
  };
}

/**
 * Draws `count` of the candidates other than `self`, every set of that size as likely as any other.
 * @param candidates Distinct; `self` may be among them.
 * @returns In ascending order.
 * @throws ProtocolError `invalid-argument` where a candidate is named twice or there are too few.
 */
export function chooseNeighbours(
  self: number,
  candidates: readonly number[],
  count: number,
  rng: Rng,
): readonly number[] {
  if (!areDistinct(candidates)) {
    throw new ProtocolError('invalid-argument', 'a candidate is named twice');
  }
  const own = candidates.indexOf(self);
  const others = own < 0 ? candidates.length : candidates.length - 1;
  if (!Number.isInteger(count) || count < 0 || count > others) {
    throw new ProtocolError(
      'invalid-argument',
      `cannot choose ${count} neighbours among ${others} other clients`,
    );
  }
  const below = uniformIntegers((length) => drawBytes(rng, length), 4 * count);
  // Floyd's sampling: after the step for `last`, every set of its size among 0..last is as likely.
  const chosen = new Set<number>();
  for (let last = others - count; last < others; last++) {
    const drawn = below(last + 1);
    chosen.add(chosen.has(drawn) ? last : drawn);
  }
  return Array.from(chosen, (at) => candidates[own < 0 || at < own ? at : at + 1]!).sort(ascending);
}

/** A uniform order of 0..count-1, by Fisher and Yates's shuffle with AES-256 in counter mode. */
function permutation(count: number, key: Uint8Array): Uint32Array {
  if (key.length !== PERMUTATION_KEY_LENGTH) {
    throw new ProtocolError(
      'invalid-key-length',
      `the key of a permutation has ${PERMUTATION_KEY_LENGTH} bytes, got ${key.length}`,
    );
  }
  const stream = aesCtrKeystream(key, new Uint8Array(16));
  const below = uniformIntegers(
    (length) => stream.read(length),
    Math.min(KEYSTREAM_CHUNK, 4 * count),
  );
  const order = Uint32Array.from({ length: count }, (_, client) => client);
  for (let left = count - 1; left > 0; left--) {
    const drawn = below(left + 1);
    const moved = order[left]!;
    order[left] = order[drawn]!;
    order[drawn] = moved;
  }
  return order;
}

/**
 * Exactly uniform integers below bounds of at most 2^32: words of 32 bits, of which those in the
 * incomplete last run of the bound are passed over.
 * @param batch How many bytes to ask for at a time; a multiple of 4.
 */
function uniformIntegers(
  read: (length: number) => Uint8Array,
  batch: number,
): (bound: number) => number {
  let words: DataView = new DataView(new ArrayBuffer(0));
  let offset = 0;
  return (bound) => {
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      if (offset === words.byteLength) {
        const bytes = read(batch);
        words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        offset = 0;
      }
      const word = words.getUint32(offset);
      offset += 4;
      if (word < limit) return word % bound;
    }
  };
}

function areDistinct(numbers: readonly number[]): boolean {
  const rising = numbers.every((number, at) => at === 0 || number > numbers[at - 1]!);
  return rising || new Set(numbers).size === numbers.length;
}

function ascending(left: number, right: number): number {
  return left - right;
}

const PERMUTATION_KEY_LENGTH = 32;
const MOST_CLIENTS = 2 ** 31;
