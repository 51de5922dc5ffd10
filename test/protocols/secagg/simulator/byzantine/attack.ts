/**
 * @file What a server and its corrupt clients can make of the answers to one way of lying: from the
 * shares that they get, which secrets, and from those and the masked vectors, whose sums.
 */

import {
  equalBytes,
  type Residues,
  reconstructSecret,
  type SecretBytes,
  sha256,
  unpackResidues,
  x25519PublicKey,
  x25519SharedSecret,
} from '../../../../../protocols/index.ts';
import { applyMasks } from '../../../../../protocols/masking/mask-kernel.ts';
import { addInPlace } from '../../../../../protocols/residues/arithmetic.ts';
import {
  maskOf,
  pairMaskSeed,
  selfMaskSeed,
} from '../../../../../protocols/secagg/mask-streams.ts';
import { seedCommitment } from '../../../../../protocols/secagg/statements.ts';
import { type AnswerBook, placeAmong, type Told } from './answers.ts';
import { type Clients, has, isWithin, membersOf, setOf, sizeOf } from './sets.ts';

/** What each honest client is told; nothing for one that gets no further than advertising. */
export type Lie = readonly (Told | undefined)[];

export type Kind = 'mask key' | 'self mask';

export interface Loot {
  /** The finest sums of honest clients' inputs that can be had. */
  readonly sums: readonly Clients[];
  /** Honest clients of whom both secrets are known. */
  readonly exposed: Clients;
}

export class Attacker {
  readonly #book: AnswerBook;
  /** Whether clients skip the consistency check. */
  readonly #unchecked: boolean;
  readonly #shares = new Map<string, Uint8Array>();
  readonly #secrets = new Map<string, SecretBytes | undefined>();

  constructor(book: AnswerBook, { unchecked = false }: { readonly unchecked?: boolean } = {}) {
    this.#book = book;
    this.#unchecked = unchecked;
  }

  loot(lie: Lie): Loot {
    const { honest, case: given } = this.#book;
    const points = this.#pointsOf(lie);
    const known = (kind: Kind): Clients =>
      setOf(
        membersOf(honest).filter(
          (client) =>
            lie[client] !== undefined &&
            this.secret(client, lie[client].keys, kind, points(client, kind)) !== undefined,
        ),
      );
    const [maskKeys, selfMasks] = [known('mask key'), known('self mask')];
    return {
      sums: sumsOf(lie, honest, maskKeys | given.corrupt, selfMasks),
      exposed: maskKeys & selfMasks,
    };
  }

  /** Takes the masks off the vectors of a sum, as the attacker would, and adds them up. */
  unmask(lie: Lie, sum: Clients): readonly number[] {
    const points = this.#pointsOf(lie);
    const { agreement } = this.#book;
    const [{ modulus, length, id }] = agreement.vectors as [(typeof agreement.vectors)[number]];
    let total: Residues | undefined;
    for (const client of membersOf(sum)) {
      const told = lie[client]!;
      const transcript = this.#book.transcriptOf(told.keys);
      const run = { session: agreement.session, round: agreement.round, transcript, vector: id };
      const pair = { ...run, contextHash: sha256(new Uint8Array(0)) };
      const answer = this.#book.mask(client, told, dealtTo(lie, client));
      if (answer.kind === 'refused') throw new Error(`client ${client} sent no vector`);
      const vector = unpackResidues(answer.message.vectors[0]!.packed, modulus, length);
      const seed = this.secret(client, told.keys, 'self mask', points(client, 'self mask'))!;
      const masks = [maskOf({ seed: selfMaskSeed(seed, run, client), sign: -1 })];
      for (const other of membersOf(told.present & ~(1 << client) & ~sum)) {
        const secret = this.#pairSecret(lie, client, other, points);
        const { seed: mask, sign } = pairMaskSeed(secret, pair, client, other);
        masks.push(maskOf({ seed: mask, sign: sign === 1 ? -1 : 1 }));
      }
      applyMasks(vector, masks);
      if (total === undefined) total = vector;
      else addInPlace(total, vector);
    }
    return Array.from(total!.values as ArrayLike<number | bigint>, Number);
  }

  /** Tries to put a secret together from the shares at some points, and looks whether it is one. */
  secret(client: number, keys: Clients, kind: Kind, points: Clients): SecretBytes | undefined {
    const place = `${kind} ${client} ${keys} ${points}`;
    if (!this.#secrets.has(place)) {
      this.#secrets.set(place, this.#reconstruct(client, keys, kind, points));
    }
    return this.#secrets.get(place);
  }

  #reconstruct(
    client: number,
    keys: Clients,
    kind: Kind,
    points: Clients,
  ): SecretBytes | undefined {
    const { threshold } = this.#book.case;
    if (sizeOf(points) < threshold) return undefined;
    const shares = membersOf(points).map((holder) => ({
      point: holder + 1,
      value: this.#shares.get(`${kind} ${client} ${keys} ${holder}`)!,
    }));
    const secret = reconstructSecret(shares, threshold);
    const shared = this.#book.share(client, keys);
    if (shared.kind === 'refused') return undefined;
    const right =
      kind === 'mask key'
        ? equalBytes(x25519PublicKey(secret), this.#book.keysOf(client).maskKey)
        : equalBytes(
            seedCommitment(shared.transcript, client, secret),
            shared.message.seedCommitment,
          );
    if (!right) throw new Error(`these are no shares of the ${kind} of client ${client}`);
    return secret;
  }

  /** Where the attacker has a share of a secret. */
  #pointsOf(lie: Lie): (client: number, kind: Kind) => Clients {
    const { honest, case: given } = this.#book;
    const points = new Map<string, Clients>();
    const add = (client: number, kind: Kind, holder: number): void => {
      const place = `${kind} ${client}`;
      points.set(place, (points.get(place) ?? 0) | (1 << holder));
    };
    for (const client of membersOf(honest)) {
      const told = lie[client];
      if (told === undefined) continue;
      for (const corrupt of membersOf(given.corrupt & told.keys)) {
        this.#openAsPuppet(client, told.keys, corrupt);
        for (const kind of KINDS) add(client, kind, corrupt);
      }
      const answer = this.#sharesFrom(lie, client, told);
      if (answer?.kind !== 'given') continue;
      for (const [owner, share] of answer.shares) {
        const kind = owner === client || has(told.alive, owner) ? 'self mask' : 'mask key';
        this.#shares.set(`${kind} ${owner} ${told.keys} ${client}`, share);
        if (has(honest, owner)) add(owner, kind, client);
      }
    }
    return (client, kind) => points.get(`${kind} ${client}`) ?? 0;
  }

  /** What a client gives away, with all signatures that there are for what it was told. */
  #sharesFrom(
    lie: Lie,
    client: number,
    told: Told,
  ): ReturnType<AnswerBook['unmaskSigned']> | undefined {
    if (told.alive === 0) return undefined;
    const dealt = dealtTo(lie, client);
    if (this.#unchecked) return this.#book.unmaskUnchecked(client, told, dealt);
    return this.#book.unmaskSigned(client, told, dealt, this.#signersOf(lie, told));
  }

  #signersOf(lie: Lie, { keys, alive }: Told): Clients {
    const signed = (client: number): boolean => {
      const other = lie[client];
      return (
        other !== undefined &&
        other.keys === keys &&
        other.alive === alive &&
        this.#book.confirm(client, other, dealtTo(lie, client)).kind === 'given'
      );
    };
    const signers = membersOf(this.#book.honest & alive).filter(signed);
    return setOf(signers) | (this.#book.case.corrupt & alive);
  }

  /** The shares that an honest client sealed for a corrupt one. */
  #openAsPuppet(client: number, keys: Clients, corrupt: number): void {
    if (this.#shares.has(`self mask ${client} ${keys} ${corrupt}`)) return;
    const shared = this.#book.share(client, keys);
    if (shared.kind === 'refused') return;
    const { sealed } = shared.message.shares[placeAmong(keys, client, corrupt)]!;
    const puppet = this.#book.puppets.get(corrupt)!;
    const opened = puppet.channelTo(this.#book.keysOf(client), shared.transcript).open(sealed);
    if (opened === undefined) throw new Error(`a share of client ${client} does not open`);
    this.#shares.set(`mask key ${client} ${keys} ${corrupt}`, opened.slice(4, 36));
    this.#shares.set(`self mask ${client} ${keys} ${corrupt}`, opened.slice(36, 68));
  }

  #pairSecret(
    lie: Lie,
    client: number,
    other: number,
    points: (client: number, kind: Kind) => Clients,
  ): SecretBytes {
    const puppet = this.#book.puppets.get(other);
    if (puppet !== undefined) return puppet.maskSecretWith(this.#book.keysOf(client).maskKey);
    // Either mask key will do.
    const known = (one: number, partner: number): SecretBytes | undefined => {
      const keys = lie[one]?.keys;
      if (keys === undefined) return undefined;
      const secret = this.secret(one, keys, 'mask key', points(one, 'mask key'));
      return secret && x25519SharedSecret(secret, this.#book.keysOf(partner).maskKey);
    };
    return (known(other, client) ?? known(client, other))!;
  }
}

/** Whose shares a client gets that it can open: those who were told of the same keys. */
export function dealtTo(lie: Lie, client: number): Clients {
  const { keys, present } = lie[client]!;
  return setOf(membersOf(present).filter((other) => other !== client && lie[other]?.keys === keys));
}

/**
 * The same as `learnableSums`, on sets.
 * @param maskKeys of whom the attacker knows the mask key
 */
export function sumsOf(
  lie: Lie,
  honest: Clients,
  maskKeys: Clients,
  selfMasks: Clients,
): Clients[] {
  const unknownWith = (client: number): Clients =>
    has(maskKeys, client) ? 0 : lie[client]!.present & ~(1 << client) & ~maskKeys;
  const mutual = (client: number, other: number): boolean =>
    lie[other] !== undefined &&
    lie[other].keys === lie[client]!.keys &&
    has(lie[other].present, client);
  const sums: Clients[] = [];
  let left = setOf(membersOf(honest).filter((client) => lie[client] !== undefined));
  while (left !== 0) {
    let sum = left & -left;
    let open = isWithin(sum, selfMasks);
    for (let fringe = sum; fringe !== 0; ) {
      const client = 31 - Math.clz32(fringe);
      fringe &= ~(1 << client);
      for (const other of membersOf(unknownWith(client))) {
        if (!mutual(client, other)) open = false;
        else if (!has(sum, other)) {
          sum |= 1 << other;
          fringe |= 1 << other;
          if (!has(selfMasks, other)) open = false;
        }
      }
    }
    left &= ~sum;
    if (open) sums.push(sum);
  }
  return sums;
}

export function describeLie(lie: Lie): string {
  return lie
    .map((told, client) =>
      told === undefined
        ? `${client}: nothing`
        : `${client}: keys ${membersOf(told.keys)} present ${membersOf(told.present)} alive ${membersOf(told.alive)}`,
    )
    .join('; ');
}

const KINDS: readonly Kind[] = ['mask key', 'self mask'];
