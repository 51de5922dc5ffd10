import { describe, expect, it } from 'vitest';
import {
  fromHex,
  generateRecipientKeys,
  open,
  receivingChannel,
  type SealedEnvelope,
  seal,
  sendingChannel,
  toHex,
  utf8,
} from '../../../protocols/index.ts';
import { SESSION, seeded } from '../support.ts';

const binding = { info: utf8('info'), aad: utf8('aad') };

function flip(bytes: Uint8Array, index: number): Uint8Array {
  const changed = bytes.slice();
  changed[index]! ^= 1;
  return changed;
}

describe('HPKE', () => {
  it('gives the vector of RFC 9180, A.1.1', async () => {
    const info = fromHex('4f6465206f6e2061204772656369616e2055726e');
    const aad = fromHex('436f756e742d30');
    const plaintext = fromHex('4265617574792069732074727574682c20747275746820626561757479');
    const recipient = await generateRecipientKeys(() =>
      fromHex('6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037'),
    );
    expect(toHex(recipient.publicKey)).toBe(
      '3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d',
    );
    const sealed = await seal(recipient.publicKey, {
      info,
      aad,
      plaintext,
      rng: () => fromHex('7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234'),
    });
    expect(toHex(sealed.encapsulatedKey)).toBe(
      '37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431',
    );
    expect(toHex(sealed.ciphertext)).toBe(
      'f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a',
    );
    expect(await open(recipient, { info, aad, sealed })).toEqual(plaintext);
  });

  it('opens only with everything as it was sealed', async () => {
    const recipient = await generateRecipientKeys(seeded('recipient'));
    const other = await generateRecipientKeys(seeded('other'));
    const sealed = await seal(recipient.publicKey, { ...binding, plaintext: utf8('text') });
    const refused = [
      () => open(other, { ...binding, sealed }),
      () => open(recipient, { ...binding, aad: utf8('aae'), sealed }),
      () => open(recipient, { ...binding, info: utf8('infp'), sealed }),
      () =>
        open(recipient, {
          ...binding,
          sealed: { ...sealed, ciphertext: flip(sealed.ciphertext, 0) },
        }),
      () =>
        open(recipient, {
          ...binding,
          sealed: { ...sealed, encapsulatedKey: flip(sealed.encapsulatedKey, 3) },
        }),
      () =>
        open(recipient, {
          ...binding,
          sealed: { ...sealed, encapsulatedKey: new Uint8Array(32) },
        }),
      () =>
        open(recipient, {
          ...binding,
          sealed: { ...sealed, ciphertext: new Uint8Array(0) },
        }),
    ];
    for (const attempt of refused) await expect(attempt()).rejects.toThrow(/open-failed/);
  });

  it('tells the sender by its key where the sender authenticates', async () => {
    const [recipient, sender, impostor] = await Promise.all(
      ['recipient', 'sender', 'impostor'].map((name) => generateRecipientKeys(seeded(name))),
    );
    const plaintext = utf8('text');
    const senderPublicKey = sender!.publicKey;
    const sealedBy = (senderKeys = sender!) =>
      seal(recipient!.publicKey, { ...binding, plaintext, senderKeys });
    const sealed = await sealedBy();
    expect(await open(recipient!, { ...binding, sealed, senderPublicKey })).toEqual(plaintext);
    await expect(
      open(recipient!, { ...binding, sealed: await sealedBy(impostor!), senderPublicKey }),
    ).rejects.toThrow(/open-failed/);
    const anonymous = await seal(recipient!.publicKey, { ...binding, plaintext });
    await expect(
      open(recipient!, { ...binding, sealed: anonymous, senderPublicKey }),
    ).rejects.toThrow(/open-failed/);
  });

  it('refuses low-order and short recipient keys', async () => {
    await expect(seal(new Uint8Array(32), { ...binding, plaintext: utf8('x') })).rejects.toThrow(
      /low-order-key/,
    );
    await expect(seal(new Uint8Array(31), { ...binding, plaintext: utf8('x') })).rejects.toThrow(
      /invalid-key-length/,
    );
  });
});

describe('a sealed channel', () => {
  const up = { session: SESSION, from: 'clients/0', to: 'aggregator/0' };

  async function ends() {
    const aggregator = await generateRecipientKeys(seeded('aggregator'));
    const client = await generateRecipientKeys(seeded('client'));
    return {
      aggregator,
      client,
      sender: sendingChannel(up, { recipientPublicKey: aggregator.publicKey }),
      receiver: receivingChannel(up, { recipientKeys: aggregator }),
    };
  }

  it('carries messages in order, and over gaps', async () => {
    const { sender, receiver } = await ends();
    const messages = await Promise.all(['a', 'b', 'c'].map((text) => sender.seal(utf8(text))));
    expect(messages.map(({ sequence }) => sequence)).toEqual([0, 1, 2]);
    expect(await receiver.open(messages[0]!)).toEqual(utf8('a'));
    expect(await receiver.open(messages[2]!)).toEqual(utf8('c'));
    await expect(receiver.open(messages[1]!)).rejects.toThrow(/replayed-message/);
  });

  it('refuses a replay, also one that overtakes the first', async () => {
    const { sender, receiver } = await ends();
    const message = await sender.seal(utf8('a'));
    const outcomes = await Promise.allSettled([receiver.open(message), receiver.open(message)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await expect(receiver.open(message)).rejects.toThrow(/replayed-message/);
  });

  it('refuses a message renumbered, and stays open for the true one', async () => {
    const { sender, receiver } = await ends();
    const message = await sender.seal(utf8('a'));
    await expect(receiver.open({ ...message, sequence: 99 })).rejects.toThrow(/open-failed/);
    await expect(receiver.open({ ...message, sequence: -1 })).rejects.toThrow(/replayed-message/);
    expect(await receiver.open(message)).toEqual(utf8('a'));
  });

  it('refuses a message of another sender, recipient, direction or session', async () => {
    const { sender, aggregator, client } = await ends();
    const message = await sender.seal(utf8('a'));
    const attempts: [typeof up, typeof client, Partial<SealedEnvelope>][] = [
      [{ ...up, from: 'clients/1' }, aggregator, {}],
      [{ ...up, from: 'clients/1' }, aggregator, { from: 'clients/1' }],
      [{ ...up, to: 'server' }, aggregator, { to: 'server' }],
      [{ ...up, session: new Uint8Array(32) }, aggregator, {}],
      [{ ...up, from: up.to, to: up.from }, client, { from: up.to, to: up.from }],
      [{ ...up, from: up.to, to: up.from }, aggregator, { from: up.to, to: up.from }],
    ];
    for (const [channel, recipientKeys, changes] of attempts) {
      const receiver = receivingChannel(channel, { recipientKeys });
      await expect(receiver.open({ ...message, ...changes })).rejects.toThrow(
        /wrong-channel|open-failed/,
      );
    }
  });
});
