/** @file What a server that otherwise follows the protocol changes in messages to some clients. */

import {
  Bitmap,
  generateX25519KeyPair,
  type SecAggAgreement,
  type ServerMessage,
  toHex,
} from '../../../../protocols/index.ts';
import type { Chooser } from './chooser.ts';
import type { Meddling } from './server-host.ts';
import type { World } from './world.ts';

export function createMeddling(world: World): Meddling {
  const chooser = world.chooser.fork('meddling');
  const { plan } = world;
  const often = chooser.pick([0.05, 0.2, 0.6]);
  const victims = new Set(chooser.some([...Array(plan.clients).keys()], chooser.pick([0.3, 1])));
  const last = new Map<ServerMessage['kind'], ServerMessage>();
  return (client, message) => {
    const another = last.get(message.kind);
    last.set(message.kind, message);
    if (!victims.has(client) || !chooser.chance(often)) return message;
    const change = chooser.weighted<Change>([
      [8, ALTERATIONS[message.kind] as Change],
      [1, () => undefined],
      [1, () => (another === undefined ? message : { ...another, client })],
      [1, (given) => withOtherHeading(given, chooser)],
    ]);
    const changed = change(message, { chooser, world });
    world.say('server', () => `changes '${message.kind}' to client ${client}`);
    return changed;
  };
}

interface Circumstances {
  readonly chooser: Chooser;
  readonly world: World;
}

type Change = (message: ServerMessage, circumstances: Circumstances) => ServerMessage | undefined;

function withOtherHeading(message: ServerMessage, chooser: Chooser): ServerMessage {
  if (message.kind === 'announcement') return { ...message, client: message.client + 1 };
  return {
    ...message,
    ...chooser.pick([
      { session: chooser.bytes(32) },
      { round: message.round + 1 },
      { client: message.client + 1 },
    ]),
  };
}

const ALTERATIONS: {
  readonly [kind in ServerMessage['kind']]: (
    message: Extract<ServerMessage, { readonly kind: kind }>,
    circumstances: Circumstances,
  ) => ServerMessage;
} = {
  announcement: (message, { chooser }) => ({
    ...message,
    agreement: { ...message.agreement, ...otherAgreement(message.agreement, chooser) },
  }),

  commitment: (message, { chooser }) => ({
    ...message,
    ...chooser.pick([
      { root: chooser.bytes(32) },
      { advertised: withFlips(message.advertised, chooser) },
      { advertised: Bitmap.of(message.advertised.size, [message.client]) },
      { advertised: new Bitmap(message.advertised.size) },
    ]),
  }),

  neighbourhood(message, { chooser, world }) {
    const { entries, choosers, proof } = message;
    const [place, other] = [chooser.below(entries.length), chooser.below(entries.length)];
    const { channelKey, maskKey, signature } = entries[other] ?? generated(world);
    const made = generated(world);
    const changeOne = (change: Partial<(typeof entries)[number]>): typeof entries =>
      entries.map((entry, i) => (i === place ? { ...entry, ...change } : entry));
    return {
      ...message,
      ...chooser.pick([
        { entries: entries.filter((_, i) => i !== place) },
        { entries: [] },
        { entries: changeOne({ channelKey, maskKey, signature }) },
        { entries: changeOne({ channelKey: made.channelKey }) },
        { entries: changeOne({ maskKey: made.maskKey }) },
        { entries: changeOne(made) },
        { entries: changeOne({ maskKey: new Uint8Array(32) }) },
        { choosers: withFlips(choosers, chooser) },
        { choosers: Bitmap.of(choosers.size, Array(choosers.size).keys()) },
        { proof: proof.slice(1) },
        { proof: [...proof, chooser.bytes(32)] },
      ]),
    };
  },

  'dealt-shares'(message, { chooser }) {
    const { present, shares } = message;
    const garbled = shares.map((share) => ({
      ...share,
      sealed: share.sealed.map((byte) => (chooser.chance(0.02) ? byte ^ 1 : byte)),
    }));
    const fewer = withFlips(present, chooser);
    return {
      ...message,
      ...chooser.pick([
        { present: fewer },
        // As many as before, but of others.
        {
          present: Bitmap.of(present.size, [...present.places()].slice(1)),
          shares: shares.slice(1),
        },
        { shares: garbled },
        { shares: [...shares].reverse() },
        { shares: shares.slice(1) },
        {
          shares: shares.map((share) => ({
            ...share,
            commitments: share.commitments.slice().fill(0),
          })),
        },
      ]),
    };
  },

  'survivor-set'(message, { chooser }) {
    const { alive, included, client } = message;
    const without = alive.places().filter((place) => place !== client);
    return {
      ...message,
      ...chooser.pick([
        { alive: withFlips(alive, chooser) },
        { alive: Bitmap.of(alive.size, without), included: included.slice(0, without.length) },
        { alive: Bitmap.of(alive.size, Array(alive.size).keys()) },
        { alive: new Bitmap(alive.size), included: [] },
        { alive: new Bitmap(alive.size + 1) },
        { included: [...included].reverse() },
        { included: included.map((tag) => tag.map((byte) => byte ^ 1)) },
      ]),
    };
  },

  confirmations(message, { chooser }) {
    const { from, statements } = message;
    const kept = chooser.sample([...from.places().keys()], chooser.below(statements.length + 1));
    return {
      ...message,
      ...chooser.pick([
        {
          from: Bitmap.of(
            from.size,
            kept.map((i) => from.places()[i]!),
          ),
          statements: kept.map((i) => statements[i]!),
        },
        { statements: [...statements].reverse() },
        { statements: statements.map((statement) => statement.map((byte) => byte ^ 1)) },
        { from: withFlips(from, chooser) },
        { from: new Bitmap(from.size), statements: [] },
      ]),
    };
  },
};

function otherAgreement(agreement: SecAggAgreement, chooser: Chooser): Partial<SecAggAgreement> {
  const { threshold, clients, neighbours, vectors, cohort, inDegreeLimit } = agreement;
  return chooser.pick<Partial<SecAggAgreement>>([
    { threshold: 1 },
    { threshold: threshold - 1 },
    { threshold: threshold + 1 },
    { neighbours: neighbours - 1 },
    { inDegreeLimit: inDegreeLimit + 1 },
    { clients: clients - 1, neighbours: clients - 2 },
    { model: 'semi-honest', rosterHash: new Uint8Array(0), cohort: new Bitmap(0) },
    { rosterHash: chooser.bytes(32) },
    { cohort: withFlips(cohort, chooser) },
    { vectors: vectors.map((vector) => ({ ...vector, modulus: 2n })) },
    { vectors: vectors.map((vector) => ({ ...vector, id: `${vector.id}'` })) },
    { vectors: [] },
    { session: new Uint8Array(3) },
  ]);
}

function withFlips(bitmap: Bitmap, chooser: Chooser): Bitmap {
  const odd = new Set(chooser.some([...Array(bitmap.size).keys()], chooser.pick([0.1, 0.5])));
  if (odd.size === 0 && bitmap.size > 0) odd.add(chooser.below(bitmap.size));
  const places = [...Array(bitmap.size).keys()].filter(
    (place) => bitmap.has(place) !== odd.has(place),
  );
  return Bitmap.of(bitmap.size, places);
}

/** Keys of the server's own. */
function generated({ rng, evidence }: World): {
  readonly channelKey: Uint8Array;
  readonly maskKey: Uint8Array;
  readonly signature: Uint8Array;
} {
  const channelKey = generateX25519KeyPair(rng).publicKey;
  const maskKey = generateX25519KeyPair(rng).publicKey;
  for (const key of [channelKey, maskKey]) evidence.ownKeys.add(toHex(key));
  return { channelKey, maskKey, signature: new Uint8Array(64) };
}
