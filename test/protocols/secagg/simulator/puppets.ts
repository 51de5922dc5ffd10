/** @file Corrupt clients in the hands of a server that lies: all their secrets, and any message. */

import {
  ByteWriter,
  ed25519Sign,
  generateX25519KeyPair,
  hkdfSha256,
  type Rng,
  type SealedShare,
  type SecretBytes,
  toHex,
  type X25519KeyPair,
  x25519SharedSecret,
} from '../../../../protocols/index.ts';
import type { NeighbourKeys } from '../../../../protocols/secagg/messages.ts';
import {
  advertisementStatement,
  type PairChannel,
  pairChannel,
  pairKeys,
  shareCommitment,
} from '../../../../protocols/secagg/statements.ts';

export class Puppet {
  readonly client: number;
  readonly signingKey: SecretBytes;
  readonly #channel: X25519KeyPair;
  readonly #mask: X25519KeyPair;
  readonly #advertised = new Map<string, NeighbourKeys>();
  readonly #channels = new Map<string, PairChannel>();

  constructor(client: number, signingKey: SecretBytes, rng: Rng) {
    this.client = client;
    this.signingKey = signingKey;
    this.#channel = generateX25519KeyPair(rng);
    this.#mask = generateX25519KeyPair(rng);
  }

  /** Its public keys, which whoever pulls its strings has the secrets of. */
  get keys(): readonly Uint8Array[] {
    return [this.#channel.publicKey, this.#mask.publicKey];
  }

  /** What its pairwise masks with somebody come from. */
  maskSecretWith(maskKey: Uint8Array): SecretBytes {
    return x25519SharedSecret(this.#mask.secretKey, maskKey);
  }

  /** Its keys, signed for whatever agreement. */
  advertise(agreed: Uint8Array): NeighbourKeys {
    const place = toHex(agreed);
    let keys = this.#advertised.get(place);
    if (keys === undefined) {
      const [channelKey, maskKey] = [this.#channel.publicKey, this.#mask.publicKey];
      const statement = advertisementStatement(agreed, this.client, channelKey, maskKey);
      const signature = ed25519Sign(this.signingKey, statement);
      keys = { client: this.client, channelKey, maskKey, signature };
      this.#advertised.set(place, keys);
    }
    return keys;
  }

  /** Shares of nothing in particular, as good as any other to their holder. */
  dealTo(peer: NeighbourKeys, transcript: Uint8Array): SealedShare {
    const [maskShare, selfShare] = ['mask-key', 'self-mask'].map((kind) => {
      const value = hkdfSha256(transcript, {
        info: new ByteWriter().text(kind).uint16(this.client).uint16(peer.client).finish(),
        length: 32,
      }).reveal();
      value[0]! &= 0x3f;
      return value;
    }) as [Uint8Array, Uint8Array];
    const plaintext = new ByteWriter()
      .uint16(this.client)
      .uint16(peer.client)
      .raw(maskShare)
      .raw(selfShare)
      .finish();
    const commit = (kind: 'mask-key' | 'self-mask', share: Uint8Array): Uint8Array =>
      shareCommitment(transcript, kind, this.client, peer.client, share);
    return {
      sealed: this.channelTo(peer, transcript).seal(plaintext),
      commitments: new ByteWriter()
        .raw(commit('mask-key', maskShare))
        .raw(commit('self-mask', selfShare))
        .finish(),
    };
  }

  channelTo(peer: NeighbourKeys, transcript: Uint8Array): PairChannel {
    const place = `${peer.client} ${toHex(transcript)}`;
    let channel = this.#channels.get(place);
    if (channel === undefined) {
      const secret = x25519SharedSecret(this.#channel.secretKey, peer.channelKey);
      channel = pairChannel(
        pairKeys(secret, transcript, this.client, peer.client),
        this.client,
        peer.client,
      );
      this.#channels.set(place, channel);
    }
    return channel;
  }
}
