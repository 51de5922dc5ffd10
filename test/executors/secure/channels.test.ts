/**
 * @file Sealed channels between parties: who can open what, keys that are pinned, and keys that are
 * erased with the last handle on them.
 */

import { describe, expect, test } from 'vitest';
import type { OpaqueValue } from '../../../executors/leaf/opaque.ts';
import type { OperatorStruct } from '../../../executors/leaf/operator.ts';
import {
  channelKeyOperator,
  channelKeys,
  openFrom,
  type Route,
  requirePinnedKey,
  sealFor,
} from '../../../executors/secure/channel-operators.ts';
import {
  generateX25519KeyPair,
  randomBytes,
  type X25519KeyPair,
} from '../../../protocols/index.ts';
import { failureOf, SESSION } from './parties.ts';

const keys = generateX25519KeyPair(randomBytes);
const route: Route = { session: SESSION, from: 'clients/0', to: 'aggregator/0' };
const message = Uint8Array.of(1, 2, 3);
const seal = (changes: Partial<Route> = {}) =>
  sealFor({ ...route, ...changes }, keys.publicKey, message, randomBytes);

describe('a sealed message', () => {
  test('comes back on its own route, and is another one each time', async () => {
    const [first, second] = [await seal(), await seal()];
    expect(first).not.toEqual(second);
    expect(await openFrom(route, keys, first)).toEqual(message);
  });

  test.each<[string, Partial<Route>]>([
    ['from another party', { from: 'clients/1' }],
    ['for another party', { to: 'aggregator/1' }],
    ['of another session', { session: new Uint8Array(32) }],
  ])('%s does not open', async (_what, changes) => {
    expect(await failureOf(openFrom(route, keys, await seal(changes)))).toMatchObject({
      reason: 'open-failed',
      offender: 'clients/0',
    });
  });

  test('relabelled in its envelope does not open either (swap, reflection)', async () => {
    const from = new TextEncoder().encode('clients/1');
    const sealed = await seal({ from: 'clients/1' });
    const at = Buffer.from(sealed).indexOf(from);
    sealed[at + from.length - 1] = '0'.charCodeAt(0);
    expect(await failureOf(openFrom(route, keys, sealed))).toMatchObject({ reason: 'open-failed' });
  });

  test('for another recipient’s keys, or changed in any byte, does not open', async () => {
    const others = generateX25519KeyPair(randomBytes);
    const sealed = await seal();
    expect(await failureOf(openFrom(route, others, sealed))).toMatchObject({
      reason: 'open-failed',
    });
    for (let i = 0; i < sealed.length; i++) {
      const changed = sealed.slice();
      changed[i]! ^= 0x40;
      expect(await failureOf(openFrom(route, keys, changed))).toMatchObject({
        name: 'ProtocolAbortError',
        offender: 'clients/0',
      });
    }
  });

  test('to its own sender is none', async () => {
    const loop = { ...route, to: route.from };
    const sealed = await sealFor(loop, keys.publicKey, message, randomBytes);
    expect(await failureOf(openFrom(loop, keys, sealed))).toMatchObject({
      reason: 'malformed-message',
    });
  });
});

test('a pinned key is the only one', () => {
  expect(() => requirePinnedKey(message, undefined, 'somebody')).not.toThrow();
  expect(() => requirePinnedKey(message, message.slice(), 'somebody')).not.toThrow();
  expect(() => requirePinnedKey(message, Uint8Array.of(1, 2, 4), 'somebody')).toThrow(
    expect.objectContaining({ reason: 'wrong-key', offender: 'somebody' }),
  );
});

describe('the keys of a channel', () => {
  const make = async (injected?: X25519KeyPair): Promise<OpaqueValue> => {
    const environment = {
      type: null as never,
      random: (n: number) => randomBytes(n),
      context: new Uint8Array(0),
    };
    const made = await channelKeyOperator(injected).run(null, environment);
    return (made as OperatorStruct).elements[0] as OpaqueValue;
  };

  test('are erased with their last handle, if they were made for it', async () => {
    const value = await make();
    const held = channelKeys.unwrap(value);
    expect(held.keys.secretKey.erased).toBe(false);
    value.release();
    expect(held.keys.secretKey.erased).toBe(true);
  });

  test('stay their owner’s, if they were given', async () => {
    const given = generateX25519KeyPair(randomBytes);
    const value = await make(given);
    expect(channelKeys.unwrap(value).keys).toBe(given);
    value.release();
    expect(given.secretKey.erased).toBe(false);
  });
});
