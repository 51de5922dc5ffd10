/** @file What corrupt clients send instead of what they should. */

import {
  Bitmap,
  ByteWriter,
  type ClientMessage,
  type MaskedVectors,
  type RevealedShares,
  type SealedShare,
  type SharedSecrets,
} from '../../../../protocols/index.ts';
import type { ClientContent, SharedState } from '../../../../protocols/secagg/client/state.ts';
import { pairChannel, shareCommitment } from '../../../../protocols/secagg/statements.ts';
import type { Chooser } from './chooser.ts';
import { encode } from './wire.ts';

/** What a corrupt client does wrong, in one step or in several. */
export type Vice = keyof typeof VICES;

/**
 * The bytes that it sends, or nothing.
 * @param after the client's state behind this message, if it goes on
 */
export function misbehave(
  vices: readonly Vice[],
  message: ClientMessage,
  after: ClientContent | undefined,
  chooser: Chooser,
): Uint8Array | undefined {
  let altered: ClientMessage | Uint8Array | undefined = message;
  for (const vice of vices) {
    if (altered === undefined || altered instanceof Uint8Array) break;
    altered = VICES[vice](altered, { after, chooser });
  }
  return altered === undefined || altered instanceof Uint8Array ? altered : encode(altered);
}

export function drawVices(chooser: Chooser): Vice[] {
  const names = Object.keys(VICES) as Vice[];
  return chooser.sample(
    names,
    chooser.weighted([
      [5, 1],
      [3, 2],
      [1, 4],
    ]),
  );
}

interface Circumstances {
  readonly after: ClientContent | undefined;
  readonly chooser: Chooser;
}

type Alteration = (
  message: ClientMessage,
  circumstances: Circumstances,
) => ClientMessage | Uint8Array | undefined;

const VICES = {
  'falls silent': (message, { chooser }) => (chooser.chance(0.3) ? undefined : message),

  'sends garbage': (message, { chooser }) =>
    chooser.chance(0.3) ? chooser.bytes(chooser.between(0, 100)) : message,

  'speaks for another': (message, { chooser }) =>
    chooser.chance(0.3) ? { ...message, client: chooser.below(5) } : message,

  'speaks of another session': (message, { chooser }) =>
    chooser.chance(0.3)
      ? {
          ...message,
          ...chooser.pick([{ session: chooser.bytes(32) }, { round: message.round + 1 }]),
        }
      : message,

  'advertises what it did not sign': only('advertisement', (message, { chooser }) => ({
    ...message,
    ...chooser.pick([
      { signature: flip(message.signature, chooser) },
      { maskKey: flip(message.maskKey, chooser) },
      { signature: message.signature.length === 0 ? new Uint8Array(64) : new Uint8Array(0) },
    ]),
  })),

  'advertises one key twice': only('advertisement', (message) => ({
    ...message,
    maskKey: message.channelKey,
  })),

  'chooses whom it must not': only('neighbour-choice', (message, { chooser }) => {
    const { client, neighbours } = message;
    const others = neighbours.filter((other) => other !== 0);
    return {
      ...message,
      neighbours: chooser.pick([
        neighbours.slice(1),
        [],
        [...new Set([client, ...neighbours])].sort((a, b) => a - b),
        [...others, 65_000],
        [0, ...others].slice(0, neighbours.length),
      ]),
    };
  }),

  'deals shares of nothing': onShares((share, { seal, chooser }) => {
    const maskShare = flipLow(share.maskShare, chooser);
    return seal({ ...share, maskShare, selfShare: flipLow(share.selfShare, chooser) });
  }),

  'commits to other shares': onShares((share, { seal, chooser }) => ({
    sealed: seal(share).sealed,
    commitments: flip(share.commitments, chooser),
  })),

  'seals garbage': onShares((share, { chooser }) => ({
    sealed: flip(share.sealed, chooser),
    commitments: share.commitments,
  })),

  'seals for another': onShares((share, { seal, chooser }) =>
    seal({ ...share, ...chooser.pick([{ to: share.to + 1 }, { from: share.to }]) }),
  ),

  'gives both kinds as one': onShares((share, { seal }) =>
    seal({ ...share, maskShare: share.selfShare }),
  ),

  'commits to another seed': only('shared-secrets', (message, { chooser }) => ({
    ...message,
    seedCommitment: chooser.bytes(32),
  })),

  'deals too few': only('shared-secrets', (message) => ({
    ...message,
    shares: message.shares.slice(1),
  })),

  'pretends another context': onVectors((message, { chooser }) => ({
    ...message,
    contextHash: chooser.bytes(32),
  })),

  'sends noise': onVectors((message, { chooser }) => ({
    ...message,
    vectors: message.vectors.map((vector) => ({
      ...vector,
      packed: vector.packed.map((byte) => (chooser.chance(0.5) ? byte : chooser.below(256))),
    })),
  })),

  'sends other vectors': onVectors((message, { chooser }) => ({
    ...message,
    vectors: chooser.pick([
      [],
      [...message.vectors, ...message.vectors.slice(0, 1)],
      message.vectors.slice(1),
    ]),
  })),

  'complains of everybody': onVectors((message) => ({
    ...message,
    complaints: Bitmap.of(message.complaints.size, Array(message.complaints.size).keys()),
  })),

  'includes nobody': onVectors((message, { chooser }) => ({
    ...message,
    included: message.included.map((tag) => flip(tag, chooser)),
  })),

  'confirms nothing': only('confirmation', (message, { chooser }) => ({
    ...message,
    statements: message.statements.map((statement) =>
      chooser.chance(0.7) ? flip(statement, chooser) : statement,
    ),
  })),

  'gives wrong shares': onGiven((message, { chooser }) => ({
    ...message,
    shares: message.shares.map((share) => (chooser.chance(0.5) ? flipLow(share, chooser) : share)),
  })),

  'gives a wrong share of itself': onGiven((message, { chooser }) => ({
    ...message,
    shares: message.shares.map((share, i, all) =>
      i === all.length - 1 ? flipLow(share, chooser) : share,
    ),
  })),

  'gives no shares': onGiven((message) => ({
    ...message,
    given: new Bitmap(message.given.size),
    shares: [],
  })),

  'gives what is no share': onGiven((message) => ({
    ...message,
    shares: message.shares.map(() => new Uint8Array(32).fill(0xff)),
  })),
} as const satisfies { readonly [vice: string]: Alteration };

type OfKind<K extends ClientMessage['kind']> = Extract<ClientMessage, { readonly kind: K }>;

function only<K extends ClientMessage['kind']>(
  kind: K,
  alter: (message: OfKind<K>, circumstances: Circumstances) => ClientMessage,
): Alteration {
  return (message, circumstances) =>
    message.kind === kind ? alter(message as OfKind<K>, circumstances) : message;
}

function onVectors(
  alter: (message: MaskedVectors, circumstances: Circumstances) => ClientMessage,
): Alteration {
  return only('masked-vectors', alter);
}

function onGiven(
  alter: (message: RevealedShares, circumstances: Circumstances) => ClientMessage,
): Alteration {
  return only('revealed-shares', alter);
}

interface OpenShare {
  readonly from: number;
  readonly to: number;
  readonly maskShare: Uint8Array;
  readonly selfShare: Uint8Array;
  readonly sealed: Uint8Array;
  readonly commitments: Uint8Array;
}

interface Sealing {
  readonly chooser: Chooser;
  /** Seals the shares for their holder and commits to them, as an honest client would. */
  readonly seal: (share: OpenShare) => SealedShare;
}

/** Alters what some holders get, with the keys that the client has. */
function onShares(alter: (share: OpenShare, sealing: Sealing) => SealedShare): Alteration {
  return (message, { after, chooser }) => {
    if (message.kind !== 'shared-secrets' || after?.stage !== 'shared') return message;
    const holders = after.partners.filter(({ holder }) => holder);
    const likely = chooser.pick([0.3, 1]);
    const shares = message.shares.map((share, i) => {
      const holder = holders[i]!;
      if (!chooser.chance(likely)) return share;
      // What was sealed for the holder, opened as the holder does.
      const opened = pairChannel(holder.keys, holder.client, after.client).open(share.sealed);
      if (opened === undefined) return share;
      const open = {
        ...share,
        from: after.client,
        to: holder.client,
        maskShare: opened.slice(4, 36),
        selfShare: opened.slice(36, 68),
      };
      return alter(open, { chooser, seal: (wanted) => sealedFor(after, holder, wanted) });
    });
    return { ...message, shares } satisfies SharedSecrets;
  };
}

function sealedFor(
  { agreement, client, transcript }: SharedState,
  holder: SharedState['partners'][number],
  { from, to, maskShare, selfShare }: OpenShare,
): SealedShare {
  const plaintext = new ByteWriter().uint16(from).uint16(to).raw(maskShare).raw(selfShare).finish();
  const commit = (kind: 'mask-key' | 'self-mask', share: Uint8Array): Uint8Array =>
    shareCommitment(transcript, kind, client, holder.client, share);
  const commitments = new ByteWriter()
    .raw(commit('mask-key', maskShare))
    .raw(commit('self-mask', selfShare))
    .finish();
  return {
    sealed: pairChannel(holder.keys, client, holder.client).seal(plaintext),
    commitments: agreement.model === 'active' ? commitments : new Uint8Array(0),
  };
}

function flip(bytes: Uint8Array, chooser: Chooser): Uint8Array {
  const altered = bytes.slice();
  if (altered.length > 0) altered[chooser.below(altered.length)]! ^= 1 << chooser.below(8);
  return altered;
}

/** Another element of the field. */
function flipLow(share: Uint8Array, chooser: Chooser): Uint8Array {
  const altered = share.slice();
  altered[chooser.between(8, 24)]! ^= 1 << chooser.below(8);
  return altered;
}
