/** @file Who plays a role: what it does for a server, and what not. */

import { generateIdentities, type guardPolicy, rosterIdentities } from 'fedloom';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Backend, loadBackend } from '../../../computations/tensors/index.ts';
import { type PlayedRole, roleLeaf } from '../../../executors/guard/role-leaf.ts';
import { CHANNEL_KEY_PAIR } from '../../../executors/secure/channel-operators.ts';
import { participant } from '../../../executors/secure/participant.ts';
import { roundSetupCodec } from '../../../executors/secure/round-setup.ts';
import { SESSION, TERM } from '../secure/parties.ts';

const { roster } = generateIdentities(['north', 'south', 'east']);
const played = generateIdentities(['aggregator', 'key_holder']);

let backend: Backend;
beforeAll(async () => {
  backend = await loadBackend();
});

let opened: ReturnType<typeof roleLeaf>[] = [];
afterEach(async () => {
  await Promise.all(opened.map((leaf) => leaf.close()));
  opened = [];
});

function play(role: PlayedRole, keyHolder: 'server' | 'key_holder' = 'key_holder') {
  const identities = rosterIdentities({
    roster,
    roles: played.roster,
    identities: played.identities.filter(({ client }) => client === role),
  });
  const leaf = roleLeaf({
    role,
    backend,
    identities,
    policy: { protocols: { paillier: { keyHolder } } },
    paillier: { modulusBits: 512, allowInsecureModulus: true },
  });
  opened.push(leaf);
  return { party: participant(`${role}/0`, leaf) };
}

const setupFor = (name: string, clients = 3) =>
  roundSetupCodec.encode({ session: SESSION, name, clients, terms: [TERM] });

describe('who plays a role', () => {
  test('signs under its own name only, and keeps its keys', async () => {
    const { party } = play('aggregator');
    const [keys, published] = await party.split(
      await party.call('channel_key_pair', [], CHANNEL_KEY_PAIR),
    );
    expect(await party.read(published!)).toHaveLength(32);
    const sign = (name: string) =>
      party.request('paillier_sign_channel_key', [keys!, setupFor(name)]);
    expect((await sign('aggregator/0')).length).toBeGreaterThan(96);
    for (const name of ['key_holder/0', 'clients/0', 'server/0']) {
      await expect(sign(name)).rejects.toThrow(/does not have the key with which/);
    }
    await expect(keys!.compute()).rejects.toMatchObject({ name: 'PolicyError' });
    keys![Symbol.dispose]();
  });

  test.each([
    ['aggregator', 'paillier_key_pair'],
    ['aggregator', 'paillier_collect'],
    ['aggregator', 'paillier_decrypt_inputs'],
    ['aggregator', 'paillier_encrypt_masked'],
    ['key_holder', 'channel_key_pair'],
    ['key_holder', 'paillier_keep_masks'],
    ['key_holder', 'paillier_encrypt_masked'],
  ] as const)("as %s does not do %s, which is another one's", async (role, uri) => {
    const { party } = play(role);
    await expect(party.request(uri, [new Uint8Array(1)])).rejects.toThrow(uri);
  });

  test('needs a policy that has the role', () => {
    const identities = rosterIdentities({ roster, roles: played.roster });
    const leaf = (role: PlayedRole, policy: NonNullable<Parameters<typeof guardPolicy>[0]>) =>
      roleLeaf({ role, backend, identities, policy });
    expect(() => leaf('aggregator', {})).toThrow(/allows no protocol with the role/);
    expect(() => leaf('key_holder', { protocols: { paillier: { keyHolder: 'server' } } })).toThrow(
      /lets the server hold the key/,
    );
  });
});

test('nobody is a client and a role, by name or by key', () => {
  const [north] = roster.members;
  expect(() => rosterIdentities({ roster, roles: roster })).toThrow(/twice/);
  const { identities } = generateIdentities(['aggregator']);
  const stranger = { roster, roles: played.roster, identities };
  expect(() => rosterIdentities(stranger)).toThrow(/another public key/);
  const known = rosterIdentities({ roster, roles: played.roster });
  expect(known.role?.('aggregator/0')?.publicKey).toEqual(played.roster.members[0]?.publicKey);
  expect(known.role?.('north/0')).toBeUndefined();
  expect(known.roster([]).members[0]?.publicKey).toEqual(north?.publicKey);
});
