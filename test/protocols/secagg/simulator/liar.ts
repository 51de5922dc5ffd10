/**
 * @file A server that keeps to nothing. It has the corrupt clients' secrets, believes what it is
 * sent, and tells every honest client what its scheme says: which agreement, which keys, who shared,
 * who is alive and who confirmed it.
 */

import {
  type ClientMessage,
  generateX25519KeyPair,
  type NeighbourKeys,
  type SealedShare,
  type SecAggAgreement,
  type ServerMessage,
  toHex,
} from '../../../../protocols/index.ts';
import { agreementHash } from '../../../../protocols/secagg/agreement.ts';
import { SEALED_LENGTH, SIGNATURE_LENGTH } from '../../../../protocols/secagg/messages.ts';
import { TAG_LENGTH } from '../../../../protocols/secagg/statements.ts';
import type { Chooser } from './chooser.ts';
import type { Address, Network } from './network.ts';
import { Puppet } from './puppets.ts';
import { agreementFor } from './rounds.ts';
import { decodeFromClient, decodeFromServer, encode } from './wire.ts';
import type { World } from './world.ts';

/** What an honest client has sent, and what it was told. */
export interface Victim {
  readonly client: number;
  agreement: SecAggAgreement;
  agreed: Uint8Array;
  /** Whose keys it was shown, ascending, without itself. */
  partners: readonly number[];
  /** To whom it gives shares, ascending. */
  holders: readonly number[];
  /** From whom it was promised shares, ascending. */
  dealers: readonly number[];
  /** Those of its partners who shared, as it was told. */
  present: ReadonlySet<number>;
  /** Those who are alive, as it was told. */
  alive: readonly number[];
  transcript: Uint8Array;
  readonly answers: Answers;
}

export type Answers = {
  [kind in ClientMessage['kind']]?: Extract<ClientMessage, { readonly kind: kind }>;
};

/** What the liar tells one client in each stage. */
export interface Scheme {
  readonly name: string;
  /** The stages after the announcement; each gives what to tell a client, if anything. */
  readonly stages: readonly ((victim: Victim) => ServerMessage | undefined)[];
}

export class Liar {
  readonly world: World;
  readonly chooser: Chooser;
  readonly puppets: readonly Puppet[];
  readonly victims = new Map<number, Victim>();
  readonly #network: Network;
  readonly #impostors = new Map<number, NeighbourKeys>();
  #stage = -1;
  #waiting = new Set<number>();
  #scheme: Scheme = { name: 'none', stages: [] };

  constructor(world: World, network: Network) {
    this.world = world;
    this.#network = network;
    this.chooser = world.chooser.fork('liar');
    const { plan, identities, evidence, rng } = world;
    this.puppets = plan.corrupt.map(
      (client) => new Puppet(client, identities.signingKeys[client]!, rng),
    );
    for (const { keys } of this.puppets) for (const key of keys) evidence.ownKeys.add(toHex(key));
    network.attach('server', (from, bytes) => this.#receive(from, bytes));
  }

  /** @param createScheme is called once everybody is known. */
  start(createScheme: (liar: Liar) => Scheme): void {
    const { plan, rng } = this.world;
    const agreement = agreementFor(this.world, rng(32), 0);
    const { inDegreeLimit, threshold } = agreement;
    const others = this.chooser.weighted<SecAggAgreement>([
      [8, agreement],
      [1, { ...agreement, inDegreeLimit: Math.max(1, inDegreeLimit - 1) }],
      [1, { ...agreement, threshold: this.chooser.between(1, threshold - 1) }],
    ]);
    const often = this.chooser.pick([0.2, 1]);
    for (let client = 0; client < plan.clients; client += 1) {
      if (plan.corrupt.includes(client)) continue;
      const told = this.chooser.chance(often) ? others : agreement;
      this.victims.set(client, newVictim(client, told));
    }
    this.#scheme = createScheme(this);
    this.#say(() => `has the scheme '${this.#scheme.name}'`);
    this.#tell(({ client, agreement: told }) => ({
      kind: 'announcement',
      client,
      agreement: told,
    }));
  }

  /** What an honest client advertised, or a puppet does for the given client. */
  keysOf(client: number, victim: Victim): NeighbourKeys | undefined {
    const puppet = this.puppetOf(client);
    if (puppet !== undefined) return puppet.advertise(victim.agreed);
    const other = this.victims.get(client);
    const keys = other?.answers.advertisement;
    // A signature for another agreement is of no use.
    return keys === undefined || toHex(other!.agreed) !== toHex(victim.agreed)
      ? undefined
      : { client, channelKey: keys.channelKey, maskKey: keys.maskKey, signature: keys.signature };
  }

  /** Keys of the liar's own that it passes for those of another client, the same ones every time. */
  impostorOf(client: number): NeighbourKeys {
    let keys = this.#impostors.get(client);
    if (keys === undefined) {
      const { rng, evidence } = this.world;
      const [channelKey, maskKey] = [0, 0].map(() => generateX25519KeyPair(rng).publicKey) as [
        Uint8Array,
        Uint8Array,
      ];
      for (const key of [channelKey, maskKey]) evidence.ownKeys.add(toHex(key));
      keys = { client, channelKey, maskKey, signature: new Uint8Array(SIGNATURE_LENGTH) };
      this.#impostors.set(client, keys);
    }
    return keys;
  }

  puppetOf(client: number): Puppet | undefined {
    return this.puppets.find((puppet) => puppet.client === client);
  }

  /** The share that a client is given as one from a dealer: the dealer's own if there is one. */
  shareFor(dealer: number, victim: Victim): SealedShare {
    const puppet = this.puppetOf(dealer);
    if (puppet !== undefined) {
      return puppet.dealTo(this.keysOf(victim.client, victim)!, victim.transcript);
    }
    const from = this.victims.get(dealer);
    const place = from?.holders.indexOf(victim.client) ?? -1;
    return (
      from?.answers['shared-secrets']?.shares[place] ?? {
        sealed: this.chooser.bytes(SEALED_LENGTH),
        commitments: this.chooser.bytes(2 * TAG_LENGTH),
      }
    );
  }

  #tell(message: (victim: Victim) => ServerMessage | undefined): void {
    this.#stage += 1;
    const stage = this.#stage;
    this.#waiting = new Set();
    for (const victim of this.victims.values()) {
      const told = message(victim);
      if (told === undefined) continue;
      this.#waiting.add(victim.client);
      const bytes = encode(told);
      if (decodeFromServer(bytes) === undefined) throw new Error(`${told.kind} has no such form`);
      this.world.evidence.served(victim.client, bytes);
      this.#network.send('server', victim.client, bytes);
    }
    this.world.clock.after(this.world.plan.stageTimeout, () => this.#advance(stage));
  }

  #receive(from: Address, bytes: Uint8Array): void {
    const message = decodeFromClient(bytes);
    if (from === 'server' || message === undefined) return;
    const victim = this.victims.get(from);
    if (victim === undefined) return;
    // The first answer of a kind; whatever else comes can only be the same.
    const answers = victim.answers as { [kind: string]: ClientMessage };
    answers[message.kind] ??= message;
    this.#waiting.delete(from);
    const stage = this.#stage;
    if (this.#waiting.size === 0) this.world.clock.after(1, () => this.#advance(stage));
  }

  #advance(stage: number): void {
    if (this.#stage !== stage) return;
    const next = this.#scheme.stages[stage];
    if (next === undefined) {
      this.#stage += 1;
      this.#say(() => 'has all it can get');
    } else this.#tell(next);
  }

  #say(what: () => string): void {
    this.world.say('liar', what);
  }
}

function newVictim(client: number, agreement: SecAggAgreement): Victim {
  return {
    client,
    agreement,
    agreed: agreementHash(agreement),
    partners: [],
    holders: [],
    dealers: [],
    present: new Set(),
    alive: [],
    transcript: new Uint8Array(32),
    answers: {},
  };
}
