/**
 * @file What a client checks where clients choose their neighbours: Bell et al. 2020, section 4,
 * rounds 1 and 2. The server binds itself to all keys; then clients choose; then it opens the keys.
 */

import { Bitmap, type Neighbourhood, type NeighbourKeys } from 'fedloom/protocols';
import { agreementHash } from '../../../../protocols/secagg/agreement.ts';
import { merkleTree } from '../../../../protocols/secagg/merkle.ts';
import { advertisementStatement } from '../../../../protocols/secagg/statements.ts';
import type { StagedRound } from '../staged.ts';
import {
  type ClientRefusal,
  changed,
  flipped,
  freshKey,
  instead,
  signedKeys,
  VICTIM,
} from './client-refusal.ts';

const shape = 'chosen';

export const COMMITMENT_REFUSALS: readonly ClientRefusal[] = [
  ...[-1, 1].map(
    (more): ClientRefusal => ({
      check: `who advertised is told over the cohort (${more} clients more)`,
      shape,
      at: 'choose-neighbours',
      told: instead('commitment', (message) => ({
        ...message,
        advertised: Bitmap.of(
          message.advertised.size + more,
          message.advertised.places().slice(0, -1),
        ),
      })),
      code: 'wrong-set',
    }),
  ),
  {
    check: 'it is counted among those who advertised',
    shape,
    at: 'choose-neighbours',
    told: instead('commitment', (message) => ({
      ...message,
      advertised: Bitmap.of(message.advertised.size, message.advertised.places().slice(1)),
    })),
    code: 'own-key-missing',
  },
  {
    check: 'enough advertised for the graph among them to be secure',
    shape,
    options: { clients: 20, corruptRate: 0.2, securityBits: 8, minimumClients: 6, neighbours: 8 },
    at: 'choose-neighbours',
    // Four of nine may be corrupt, which leaves five: enough for the threshold, not for a sum.
    told: instead('commitment', (message) => ({
      ...message,
      advertised: Bitmap.of(20, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
    })),
    code: 'too-few-clients',
  },
  {
    check: 'enough advertised for the threshold',
    shape,
    options: { minimumClients: 1 },
    at: 'choose-neighbours',
    told: instead('commitment', (message) => ({
      ...message,
      advertised: Bitmap.of(message.advertised.size, [VICTIM]),
    })),
    code: 'too-few-clients',
  },
  {
    check: 'it chooses only where clients choose (complete graph)',
    shape: 'complete',
    at: 'share-keys',
    told: instead('neighbourhood', ({ session, round, client }) => ({
      kind: 'commitment',
      session,
      round,
      client,
      advertised: Bitmap.of(5, [0, 1, 2, 3, 4]),
      root: new Uint8Array(32),
    })),
    step: 'choose-neighbours',
    code: 'wrong-step',
  },
];

export const CHOSEN_KEY_REFUSALS: readonly ClientRefusal[] = [
  {
    check: 'the server bound itself to the keys before they were opened',
    shape,
    at: 'choose-neighbours',
    told: instead('commitment', ({ session, round: number, client }, round) => ({
      kind: 'neighbourhood',
      session,
      round: number,
      client,
      entries: [1, 2, 3, 4].map((other) => ({ client: other, ...signedKeys(round, other) })),
      choosers: new Bitmap(4),
      proof: [],
    })),
    step: 'share-keys',
    code: 'not-committed',
  },
  {
    check: 'the keys of its neighbours are those that the server is bound to, although signed',
    shape,
    at: 'share-keys',
    told: instead('neighbourhood', (message, round) => {
      const { client } = message.entries[0]!;
      return {
        ...message,
        entries: changed(message.entries, client, () => signedKeys(round, client)),
      };
    }),
    code: 'not-committed',
  },
  {
    check: 'its own keys are those that the server is bound to',
    shape,
    at: 'share-keys',
    before: (round) => {
      // The tree has other keys of the victim, which it never advertised.
      round.to('choose-neighbours');
      const own = signedKeys(round, VICTIM);
      round.server.peek().keys.set(VICTIM, own);
      const commitment = round.message(VICTIM, 'commitment');
      const { root } = treeOf(round);
      round.answerAll([VICTIM]);
      const choice = round.answer(VICTIM, { ...commitment, root });
      round.deliver(VICTIM, choice);
      round.advance();
    },
    code: 'not-committed',
  },
  {
    check: 'the proof is one of the root it was told',
    shape,
    at: 'share-keys',
    told: instead('neighbourhood', (message) => ({
      ...message,
      proof: message.proof.map((hash, i) => (i === 0 ? flipped(hash) : hash)),
    })),
    code: 'not-committed',
  },
  {
    check: 'the proof holds nothing else',
    shape,
    at: 'share-keys',
    told: instead('neighbourhood', (message) => ({
      ...message,
      proof: [...message.proof, new Uint8Array(32)],
    })),
    code: 'not-committed',
  },
  {
    check: 'all that it chose are there',
    shape,
    at: 'share-keys',
    told: instead('neighbourhood', (message, round) =>
      without(message, chosenOnly(message, round)),
    ),
    code: 'neighbour-missing',
  },
  {
    check: 'nobody is there whom it did not choose and who did not choose it',
    shape,
    options: { seed: 'somebody chose the victim only' },
    at: 'share-keys',
    told: instead('neighbourhood', (message, round) => {
      const { client, place } = chooserOnly(message, round);
      const choosers = message.choosers.places().filter((other) => other !== place);
      if (message.entries[place]!.client !== client) throw new Error('another place');
      return { ...message, choosers: Bitmap.of(message.entries.length, choosers) };
    }),
    code: 'unexpected-neighbour',
  },
  {
    check: 'nobody is there who did not advertise',
    shape,
    at: 'share-keys',
    before: (round) => {
      // Client 8 is silent; later the server has it choose the victim all the same.
      round.answerAll([8]);
      round.advance();
    },
    told: instead('neighbourhood', (message, round) => ({
      ...message,
      entries: [...message.entries, { client: 8, ...signedKeys(round, 8) }],
      choosers: Bitmap.of(message.entries.length + 1, [
        ...message.choosers.places(),
        message.entries.length,
      ]),
    })),
    code: 'unexpected-neighbour',
  },
  ...[-1, 1].map(
    (more): ClientRefusal => ({
      check: `who chose it is told over its neighbours (${more} marks more)`,
      shape,
      at: 'share-keys',
      told: instead('neighbourhood', (message) => ({
        ...message,
        choosers: new Bitmap(message.entries.length + more),
      })),
      code: 'wrong-set',
    }),
  ),
  {
    check: 'not too many chose it',
    shape,
    options: { agreement: { inDegreeLimit: 1 } },
    at: 'share-keys',
    code: 'too-many-choosers',
  },
  {
    check:
      'as many as the threshold, with itself, hold its shares: who only chose it does not count',
    shape,
    options: { seed: 'somebody chose the victim only' },
    at: 'share-keys',
    told: instead('neighbourhood', (message, round) => {
      const mine = new Set(chosenBy(round));
      const { threshold } = round.cohort.agreement;
      const kept = message.entries.filter(({ client }) => mine.has(client)).slice(0, threshold - 2);
      const others = message.entries.filter(({ client }) => !mine.has(client));
      const entries = [...kept, ...others].sort((a, b) => a.client - b.client);
      return { ...message, entries, choosers: new Bitmap(entries.length) };
    }),
    code: 'too-few-clients',
  },
  {
    check: 'everyone signed its keys, although the server is bound to others',
    shape,
    at: 'share-keys',
    before: (round) => {
      // The server itself makes keys for client 1 and puts them into the tree.
      round.to('choose-neighbours');
      const forged = { ...signedKeys(round, 1), channelKey: freshKey() };
      round.server.peek().keys.set(1, forged);
      const { root } = treeOf(round);
      for (const client of round.messages.keys()) {
        const commitment = round.message(client, 'commitment');
        round.deliver(client, round.answer(client, { ...commitment, root }));
      }
      round.advance();
      if (!round.message(VICTIM, 'neighbourhood').entries.some(({ client }) => client === 1)) {
        throw new Error('client 1 is no neighbour of the victim; take another seed');
      }
    },
    code: 'bad-signature',
    offender: 'client-1',
  },
];

/** The tree over the keys that the server has. */
function treeOf(round: StagedRound): ReturnType<typeof merkleTree> {
  const { keys } = round.server.peek();
  const agreed = agreementHash(round.cohort.agreement);
  const leaves = [...keys]
    .sort(([a], [b]) => a - b)
    .map(([client, { channelKey, maskKey }]) =>
      advertisementStatement(agreed, client, channelKey, maskKey),
    );
  return merkleTree(leaves);
}

function chosenBy(round: StagedRound): readonly number[] {
  const { content } = round.states.get(VICTIM)!.peek();
  if (content.stage !== 'chosen') throw new Error(`the victim is at ${content.stage}`);
  return content.chosen;
}

/** A client that the victim chose, that did not choose the victim. */
function chosenOnly(message: Neighbourhood, round: StagedRound): number {
  const mine = new Set(chosenBy(round));
  return found(message, (entry, i) => mine.has(entry.client) && !message.choosers.has(i)).client;
}

/** A client that chose the victim and that the victim did not choose. */
function chooserOnly(
  message: Neighbourhood,
  round: StagedRound,
): { readonly client: number; readonly place: number } {
  const mine = new Set(chosenBy(round));
  const { client } = found(
    message,
    (entry, i) => !mine.has(entry.client) && message.choosers.has(i),
  );
  return { client, place: message.entries.findIndex((entry) => entry.client === client) };
}

function found(
  { entries }: Neighbourhood,
  holds: (entry: NeighbourKeys, place: number) => boolean,
): NeighbourKeys {
  const entry = entries.find(holds);
  if (entry === undefined) throw new Error(`no such entry; take another seed`);
  return entry;
}

/** The neighbourhood as if one client were not in it. */
function without(message: Neighbourhood, client: number): Neighbourhood {
  const entries = message.entries.filter((entry) => entry.client !== client);
  const choosers = message.choosers
    .places()
    .map((place) => message.entries[place]!.client)
    .flatMap((chooser) => {
      const place = entries.findIndex((entry) => entry.client === chooser);
      return place < 0 ? [] : [place];
    });
  return { ...message, entries, choosers: Bitmap.of(entries.length, choosers) };
}
