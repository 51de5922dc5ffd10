/**
 * @file What honest clients did, seen from inside: what they sent, which shares they gave away and on
 * what grounds. It knows everything, so it takes nobody's word for anything.
 */

import {
  Bitmap,
  type ClientMessage,
  type Neighbourhood,
  type RevealedShares,
  type SecretBytes,
  type SharedSecrets,
  toHex,
} from '../../../../protocols/index.ts';
import type {
  AdvertisedState,
  ConfirmedState,
  MaskedState,
  SharedState,
} from '../../../../protocols/secagg/client/state.ts';
import { pairChannel } from '../../../../protocols/secagg/statements.ts';
import type { MaskedView } from './knowledge.ts';
import type { Plan } from './plan.ts';

/** What must never happen. */
export type Rule =
  | 'wrong-sum'
  | 'uncaught-throw'
  | 'unnamed-end'
  | 'unfinished'
  | 'false-blame'
  | 'false-accusation'
  | 'both-kinds'
  | 'no-such-share'
  | 'too-few-behind'
  | 'two-messages'
  | 'too-many-rounds'
  | 'exposure'
  | 'small-sum'
  | 'two-sums'
  | 'secret-sent'
  | 'secret-left'
  | 'hang';

export interface Violation {
  readonly rule: Rule;
  readonly text: string;
}

export type Kind = 'mask key' | 'self mask';

/** A client shared its secrets under this transcript. */
export interface Dealing {
  readonly client: number;
  readonly transcript: string;
  readonly threshold: number;
  readonly maskKey: string;
  readonly holders: readonly number[];
}

export class Evidence {
  readonly violations: Violation[] = [];
  readonly dealings: Dealing[] = [];
  /** Whether somebody took a message for real that was altered on its way, or that nobody sent. */
  tampered = false;
  /** Keys of channels and masks whose secret the adversary made, in hexadecimal. */
  readonly ownKeys = new Set<string>();
  readonly #plan: Plan;
  readonly #corrupt: ReadonlySet<number>;
  /** Points of the shares that the adversary has. */
  readonly #shares = new Map<string, Set<number>>();
  readonly #sent = new Map<string, Buffer>();
  readonly #served = new Set<string>();
  readonly #rounds = new Map<number, number>();
  /** What no message may have in it. */
  readonly #secrets = new Map<number, Uint8Array[]>();
  /** What only the last message may have in it. */
  readonly #shareSecrets = new Map<number, Uint8Array[]>();
  /** By holder and transcript: the shares that it holds, by dealer. */
  readonly #held = new Map<string, ReadonlyMap<number, ShareValues>>();
  readonly #given = new Map<string, Kind>();
  readonly #confirmed = new Set<string>();
  readonly #views: View[] = [];

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#corrupt = new Set(plan.corrupt);
  }

  breach(rule: Rule, text: string): void {
    this.violations.push({ rule, text });
  }

  /** An honest client made this message; whether it ever arrives makes no difference here. */
  sent(client: number, message: ClientMessage, bytes: Uint8Array): void {
    const { kind } = message;
    const step = stepOf(client, message);
    const before = this.#sent.get(step);
    if (before !== undefined && !before.equals(bytes)) {
      this.breach('two-messages', `client ${client} made two different messages "${kind}"`);
    }
    const searched = Buffer.from(bytes);
    this.#sent.set(step, searched);
    const secrets = this.#secrets.get(client) ?? [];
    const shares = kind === 'revealed-shares' ? [] : (this.#shareSecrets.get(client) ?? []);
    for (const secret of [...secrets, ...shares]) {
      if (searched.indexOf(secret) >= 0) {
        this.breach('secret-sent', `"${kind}" of client ${client} has a secret of it in clear`);
      }
    }
  }

  /** Whether an honest client made this very message. */
  wasSent(client: number, message: ClientMessage, bytes: Uint8Array): boolean {
    return this.#sent.get(stepOf(client, message))?.equals(bytes) ?? false;
  }

  /** The server made this message for a client. */
  served(client: number, bytes: Uint8Array): void {
    this.#served.add(`${client} ${toHex(bytes)}`);
  }

  /** An honest client took a message for one of the server's. */
  accepted(client: number, bytes: Uint8Array): void {
    if (!this.#served.has(`${client} ${toHex(bytes)}`)) this.tampered = true;
  }

  advertised({ client, channelSecret, maskSecret }: AdvertisedState): void {
    keep(this.#secrets, client, [channelSecret, maskSecret]);
    const rounds = (this.#rounds.get(client) ?? 0) + 1;
    this.#rounds.set(client, rounds);
    if (rounds > this.#plan.mostRounds) {
      this.breach('too-many-rounds', `client ${client} takes part in ${rounds} rounds`);
    }
  }

  /** @param neighbourhood what it was told of its partners' keys */
  shared(
    state: SharedState,
    { entries }: Neighbourhood,
    { shares }: SharedSecrets,
    maskKey: Uint8Array,
  ): void {
    const { client, partners, agreement } = state;
    const readable = new Set(
      entries
        .filter(({ channelKey }) => this.ownKeys.has(toHex(channelKey)))
        .map((entry) => entry.client),
    );
    const transcript = toHex(state.transcript);
    keep(this.#secrets, client, [state.selfSeed, ...partners.map(({ keys }) => keys)]);
    keep(this.#shareSecrets, client, [state.ownSelfShare]);
    const holders = partners.filter(({ holder }) => holder);
    this.dealings.push({
      client,
      transcript,
      threshold: agreement.threshold,
      maskKey: toHex(maskKey),
      holders: holders.map((holder) => holder.client),
    });
    for (const [i, holder] of holders.entries()) {
      if (!readable.has(holder.client)) continue;
      const opened = pairChannel(holder.keys, holder.client, client).open(shares[i]!.sealed);
      if (opened === undefined) continue;
      this.#learn(transcript, client, 'mask key', holder.client);
      this.#learn(transcript, client, 'self mask', holder.client);
    }
  }

  /**
   * @param before what it had when it masked with those of its partners in `present`
   * @param context what it bound the masks to
   */
  masked(before: SharedState, present: Bitmap, after: MaskedState, context: string): void {
    const { client, partners, agreement } = before;
    const transcript = toHex(before.transcript);
    const there = partners.filter((_, i) => present.has(i));
    const ownKey = this.dealings.find(
      (dealing) => dealing.client === client && dealing.transcript === transcript,
    )!.maskKey;
    this.#views.push({
      client,
      round: `${toHex(agreement.session)} ${agreement.round}`,
      transcript,
      pairs: there.map(({ maskKey }) => {
        const keys = [ownKey, toHex(maskKey)];
        return { id: [transcript, context, ...keys.sort()].join(), keys };
      }),
    });
    for (const dealer of after.dealers) {
      const shares = [dealer.maskShare, dealer.selfShare].filter((share) => share !== undefined);
      keep(this.#shareSecrets, client, shares);
      const dealt = this.#sent.get(
        stepOf(dealer.client, { ...before.agreement, kind: 'shared-secrets' }),
      );
      if (shares.some((share) => (dealt?.indexOf(share.reveal()) ?? -1) >= 0)) {
        this.breach('secret-sent', `client ${dealer.client} dealt a share in clear`);
      }
    }
    const held = after.dealers.map(({ client: dealer, maskShare, selfShare }) => {
      const values = { 'mask key': textOf(maskShare), 'self mask': textOf(selfShare) };
      return [dealer, values] as const;
    });
    const own = { 'mask key': undefined, 'self mask': textOf(after.ownSelfShare) };
    this.#held.set(`${client} ${transcript}`, new Map([...held, [client, own]]));
  }

  confirmed(state: ConfirmedState): void {
    for (const statement of statementsOf(state)) {
      this.#confirmed.add(`${statement} by ${state.client}`);
    }
  }

  /** @param alive those whom the client was told to be alive, as far as it holds their shares */
  revealed(
    before: MaskedState | ConfirmedState,
    alive: ReadonlySet<number>,
    { shares }: RevealedShares,
  ): void {
    const { client } = before;
    const transcript = toHex(before.transcript);
    this.#checkGrounds(before, alive);
    const held = this.#held.get(`${client} ${transcript}`) ?? new Map<number, ShareValues>();
    // Wherever in the message a share is, it is given away.
    const given = new Set(shares.map(toHex));
    const unknown = new Set(given);
    for (const [dealer, values] of held) {
      const kinds = KINDS.filter((kind) => given.has(values[kind] ?? 'nothing'));
      // One who deals the same share twice has given both kinds away itself.
      const certain = values['mask key'] !== values['self mask'];
      for (const kind of kinds) {
        unknown.delete(values[kind] ?? 'nothing');
        this.#give(client, dealer, transcript, kind, certain);
      }
    }
    if (unknown.size > 0) {
      this.breach(
        'no-such-share',
        `client ${client} gave ${unknown.size} things that are no shares`,
      );
    }
  }

  /** Whether the adversary can put the secret of a dealing together. */
  knows({ transcript, client, threshold }: Dealing, kind: Kind): boolean {
    return (this.#shares.get(shareKey(transcript, client, kind))?.size ?? 0) >= threshold;
  }

  /** All masked vectors of each round, with what the adversary knows of their masks. */
  views(): MaskedView[][] {
    const knownKeys = new Set(this.ownKeys);
    const seeds = new Set<string>();
    for (const dealing of this.dealings) {
      if (this.knows(dealing, 'mask key')) knownKeys.add(dealing.maskKey);
      if (this.knows(dealing, 'self mask')) seeds.add(`${dealing.transcript} ${dealing.client}`);
    }
    const rounds = new Map<string, MaskedView[]>();
    for (const { client, round, transcript, pairs } of this.#views) {
      const view = {
        client,
        selfMaskKnown: seeds.has(`${transcript} ${client}`),
        unknownPairs: pairs
          .filter(({ keys }) => !keys.some((key) => knownKeys.has(key)))
          .map(({ id }) => id),
      };
      const views = rounds.get(round);
      if (views === undefined) rounds.set(round, [view]);
      else views.push(view);
    }
    return [...rounds.values()];
  }

  /** A release of shares needs a set that is large enough and others who took it for the same. */
  #checkGrounds(before: MaskedState | ConfirmedState, alive: ReadonlySet<number>): void {
    const { client, agreement, holders } = before;
    const transcript = toHex(before.transcript);
    const { threshold } = agreement;
    const complete = agreement.graph === 'complete';
    const least = complete ? Math.max(threshold, this.#plan.minimumClients) : threshold;
    const tooFew = (what: string): void =>
      this.breach(
        'too-few-behind',
        `client ${client} gave shares away with ${what} below ${least}`,
      );
    if (complete && alive.size < least) tooFew(`${alive.size} survivors`);
    if (complete && !alive.has(client)) {
      this.breach(
        'both-kinds',
        `client ${client} gave a share of its self mask although it is lost`,
      );
    }
    if (!complete && agreement.model !== 'active') {
      const left = 1 + holders.filter((holder) => alive.has(holder.client)).length;
      if (left < least) tooFew(`${left} neighbours left`);
    }
    if (before.stage !== 'confirmed') {
      if (agreement.model === 'active') tooFew('no confirmation');
      return;
    }
    const confirming = complete ? [...alive] : holders.map((holder) => holder.client);
    const statement = complete ? statementsOf(before)[0]! : ackStatement(transcript, client);
    const behind = new Set(
      confirming.filter(
        (other) =>
          other === client ||
          this.#corrupt.has(other) ||
          this.#confirmed.has(`${statement} by ${other}`),
      ),
    ).add(client);
    if (behind.size < least) tooFew(`${behind.size} clients that confirmed`);
  }

  #give(client: number, dealer: number, transcript: string, kind: Kind, certain: boolean): void {
    this.#learn(transcript, dealer, kind, client);
    if (!certain) return;
    const place = `${client} of ${dealer} under ${transcript}`;
    const before = this.#given.get(place);
    if (before !== undefined && before !== kind) {
      this.breach('both-kinds', `client ${client} gave both kinds of shares of client ${dealer}`);
    }
    this.#given.set(place, kind);
  }

  #learn(transcript: string, dealer: number, kind: Kind, holder: number): void {
    const key = shareKey(transcript, dealer, kind);
    const points = this.#shares.get(key);
    if (points === undefined) this.#shares.set(key, new Set([holder + 1]));
    else points.add(holder + 1);
  }
}

interface View {
  readonly client: number;
  readonly round: string;
  readonly transcript: string;
  readonly pairs: readonly { readonly id: string; readonly keys: readonly string[] }[];
}

/** In hexadecimal. */
type ShareValues = { readonly [kind in Kind]: string | undefined };

function stepOf(
  client: number,
  { session, round, kind }: Pick<ClientMessage, 'session' | 'round' | 'kind'>,
): string {
  return `${client} ${toHex(session)} ${round} ${kind}`;
}

function keep(
  kept: Map<number, Uint8Array[]>,
  client: number,
  secrets: readonly SecretBytes[],
): void {
  const copies = secrets.map((secret) => secret.reveal().slice());
  kept.set(client, [...(kept.get(client) ?? []), ...copies]);
}

/** What a client's confirmation says, in a form of the simulator's own. */
function statementsOf(state: ConfirmedState): string[] {
  const transcript = toHex(state.transcript);
  if (state.agreement.graph === 'complete') {
    return [`survivors ${toHex(Bitmap.of(state.places, state.alive).bytes)} under ${transcript}`];
  }
  const doubted = new Set(state.unproven);
  return state.alive
    .map((place) => state.dealers[place]!.client)
    .filter((dealer) => !doubted.has(dealer))
    .map((dealer) => ackStatement(transcript, dealer));
}

function ackStatement(transcript: string, dealer: number): string {
  return `client ${dealer} is alive under ${transcript}`;
}

function shareKey(transcript: string, dealer: number, kind: Kind): string {
  return `${kind} of ${dealer} under ${transcript}`;
}

function textOf(secret: SecretBytes | undefined): string | undefined {
  return secret === undefined ? undefined : toHex(secret.reveal());
}

const KINDS: readonly Kind[] = ['mask key', 'self mask'];
