/**
 * @file What signatures, tags, commitments, keys and masks are bound to: whatever of it differs, they
 * differ; and what is said under one domain is never what is said under another.
 */

import { Bitmap, deterministicRng, randomFieldElement, SecretBytes, utf8 } from 'fedloom/protocols';
import { describe, expect, test } from 'vitest';
import { seedKeystream } from '../../../protocols/masking/mask-key.ts';
import { pairMaskSeed, selfMaskSeed } from '../../../protocols/secagg/mask-streams.ts';
import {
  advertisementStatement,
  pairChannel,
  pairKeys,
  type ShareKind,
  seedCommitment,
  shareCommitment,
  survivorsStatement,
  transcriptHash,
} from '../../../protocols/secagg/statements.ts';
import { secretsIn } from './secrets.ts';
import { SHAPES, type Shape, StagedRound } from './staged.ts';

const bytes = (fill: number, length = 32) => new Uint8Array(length).fill(fill);
const secret = (fill: number, length = 32) => new SecretBytes(bytes(fill, length));
const shapes = Object.keys(SHAPES) as Shape[];

/** Each named change of one argument must change what is made. */
function expectBound<A extends object>(
  make: (args: A) => Uint8Array,
  honest: A,
  changes: { readonly [name in keyof A]: readonly A[name][] },
): void {
  const made = new Set([hex(make(honest))]);
  for (const name of Object.keys(changes) as (keyof A)[]) {
    for (const other of changes[name]) {
      const text = hex(make({ ...honest, [name]: other }));
      expect(made.has(text), `${String(name)} does not matter`).toBe(false);
      made.add(text);
    }
  }
}

describe('is bound to everything that it says', () => {
  test('an advertisement', () => {
    expectBound(
      ({ agreed, client, channelKey, maskKey }) =>
        advertisementStatement(agreed, client, channelKey, maskKey),
      { agreed: bytes(1), client: 2, channelKey: bytes(3), maskKey: bytes(4) },
      { agreed: [bytes(9)], client: [0, 258], channelKey: [bytes(4)], maskKey: [bytes(3)] },
    );
  });

  test('a statement about survivors', () => {
    const of = (...places: number[]) => Bitmap.of(9, places);
    expectBound(
      ({ transcript, survivors }) => survivorsStatement(transcript, survivors),
      { transcript: bytes(1), survivors: of(0, 3) },
      {
        transcript: [bytes(2)],
        survivors: [of(), of(0), of(0, 3, 8), Bitmap.of(10, [0, 3]), Bitmap.of(16, [0, 3])],
      },
    );
  });

  test('a transcript', () => {
    expectBound(
      ({ agreed, root }) => transcriptHash(agreed, root),
      { agreed: bytes(1), root: bytes(2) },
      { agreed: [bytes(2)], root: [bytes(1)] },
    );
  });

  test('a commitment to a seed', () => {
    expectBound(
      ({ transcript, client, seed }) => seedCommitment(transcript, client, seed),
      { transcript: bytes(1), client: 2, seed: secret(3) },
      { transcript: [bytes(2)], client: [1, 514], seed: [secret(4)] },
    );
  });

  test('a commitment to a share', () => {
    expectBound(
      ({ transcript, kind, dealer, holder, share }) =>
        shareCommitment(transcript, kind, dealer, holder, share),
      {
        transcript: bytes(1),
        kind: 'mask-key' as ShareKind,
        dealer: 2,
        holder: 3,
        share: bytes(4),
      },
      {
        transcript: [bytes(2)],
        kind: ['self-mask'],
        dealer: [3, 1],
        holder: [2, 1],
        share: [bytes(5)],
      },
    );
  });

  test('the keys of a pair', () => {
    expectBound(
      ({ shared, transcript, pair: [own, peer] }) =>
        pairKeys(shared, transcript, own, peer).reveal(),
      { shared: secret(1), transcript: bytes(2), pair: [3, 4] as readonly [number, number] },
      {
        shared: [secret(2)],
        transcript: [bytes(1)],
        pair: [
          [3, 5],
          [2, 4],
          [4, 5],
        ],
      },
    );
  });

  test('the seed of a pairwise mask', () => {
    const run = { session: bytes(1), round: 0, transcript: bytes(2), vector: 'a' };
    expectBound(
      ({ secret: shared, pair: [own, peer], contextHash, ...others }) =>
        pairMaskSeed(shared, { ...others, contextHash }, own, peer).seed.reveal(),
      {
        ...run,
        secret: secret(3),
        pair: [0, 1] as readonly [number, number],
        contextHash: bytes(4),
      },
      {
        session: [bytes(2)],
        round: [1],
        transcript: [bytes(1)],
        vector: ['b', ''],
        secret: [secret(4)],
        pair: [
          [0, 2],
          [1, 2],
        ],
        contextHash: [bytes(5)],
      },
    );
  });

  test('the seed of a self mask', () => {
    const run = { session: bytes(1), round: 0, transcript: bytes(2), vector: 'a' };
    expectBound(
      ({ secret: own, client, ...others }) => selfMaskSeed(own, others, client).reveal(),
      { ...run, secret: secret(3), client: 0 },
      {
        session: [bytes(2)],
        round: [1],
        transcript: [bytes(1)],
        vector: ['b', ''],
        secret: [secret(4)],
        client: [1],
      },
    );
  });
});

describe('the channel of a pair', () => {
  const keys = pairKeys(secret(1), bytes(2), 3, 4);
  const [low, high] = [pairChannel(keys, 3, 4), pairChannel(keys, 4, 3)];

  test('has the same keys at both ends', () => {
    expect(pairKeys(secret(1), bytes(2), 4, 3).reveal()).toEqual(keys.reveal());
    expect(high.open(low.seal(bytes(9, 68)))).toEqual(bytes(9, 68));
    expect(low.open(high.seal(bytes(9, 68)))).toEqual(bytes(9, 68));
    for (const statement of ['included', 'ack'] as const) {
      expect(high.tagHolds(statement, low.tag(statement))).toBe(true);
      expect(low.tagHolds(statement, high.tag(statement))).toBe(true);
    }
  });

  test('does not open what goes the other way (reflection)', () => {
    expect(low.open(low.seal(bytes(9)))).toBeUndefined();
    expect(high.open(high.seal(bytes(9)))).toBeUndefined();
    expect(low.tagHolds('ack', low.tag('ack'))).toBe(false);
    expect(high.tagHolds('included', high.tag('included'))).toBe(false);
  });

  test('states one thing with one tag', () => {
    expect(low.tagHolds('included', high.tag('ack'))).toBe(false);
    expect(low.tagHolds('ack', high.tag('included'))).toBe(false);
  });

  test('uses no key for two purposes', () => {
    const whole = keys.reveal();
    const parts = [
      whole.subarray(0, 16),
      whole.subarray(16, 32),
      whole.subarray(32, 64),
      whole.subarray(64, 96),
    ];
    expect(whole).toHaveLength(96);
    expect(new Set(parts.map(hex)).size).toBe(4);
    expect(hex(whole.subarray(32, 48))).not.toBe(hex(whole.subarray(64, 80)));
  });

  test.each([0, 15, 17])('holds no tag of %d bytes', (length) => {
    expect(low.tagHolds('ack', new Uint8Array(length))).toBe(false);
    const tag = high.tag('ack');
    const other = length < tag.length ? tag.subarray(0, length) : Uint8Array.of(...tag, 0);
    expect(low.tagHolds('ack', other)).toBe(false);
  });
});

test('nothing said under one domain is said under another', () => {
  const [a, b] = [bytes(1), bytes(2)];
  const said = [
    advertisementStatement(a, 0, b, b),
    survivorsStatement(a, new Bitmap(8 * 66, bytes(0, 66))),
    transcriptHash(a, b),
    seedCommitment(a, 0, new SecretBytes(b)),
    shareCommitment(a, 'mask-key', 0, 0, b),
    shareCommitment(a, 'self-mask', 0, 0, b),
  ];
  for (const [i, one] of said.entries()) {
    for (const [j, other] of said.entries()) {
      if (i !== j) expect(hex(one).startsWith(hex(other).slice(0, 32))).toBe(false);
    }
  }
  // Two that are signed with one key: neither is the beginning of the other.
  const domains = said.slice(0, 2).map((statement) => hex(statement.subarray(0, 20)));
  expect(domains[0]).not.toBe(domains[1]);
});

describe('masks', () => {
  const run = { session: bytes(1), round: 0, transcript: bytes(2), contextHash: bytes(3) };
  const seeds = Array.from({ length: 64 }, (_, i) =>
    pairMaskSeed(secret(7), { ...run, vector: String(i) }, 0, 1).seed.reveal(),
  );

  test('have seeds of 256 bits, every byte of which counts', () => {
    for (let place = 0; place < 32; place += 1) {
      const values = new Set(seeds.map((seed) => seed[place]));
      expect(values.size).toBeGreaterThan(40);
    }
    const [seed] = seeds;
    const beginnings = Array.from({ length: 32 }, (_, place) => {
      const keystream = seedKeystream(new SecretBytes(seed!.with(place, seed![place]! ^ 1)));
      return hex(keystream.read(16));
    });
    expect(new Set([...beginnings, hex(seedKeystream(new SecretBytes(seed!)).read(16))]).size).toBe(
      33,
    );
  });

  test('of a pair are one mask, that one adds and the other takes off', () => {
    const [up, down] = [
      pairMaskSeed(secret(7), { ...run, vector: 'a' }, 1, 0),
      pairMaskSeed(secret(7), { ...run, vector: 'a' }, 0, 1),
    ];
    expect(up.seed.reveal()).toEqual(down.seed.reveal());
    expect([up.sign, down.sign]).toEqual([1, -1]);
  });
});

describe('secrets', () => {
  test.each(shapes)('of a client are fresh, and no two are the same (%s)', (shape) => {
    const round = StagedRound.of(shape);
    const other = StagedRound.of(shape, { seed: 'another round' });
    for (const each of [round, other]) each.to('mask-vectors');
    const all = [round, other].flatMap(({ states }) =>
      [...states.values()].flatMap((state) => {
        const { content } = state.peek();
        if (content.stage !== 'shared') throw new Error(content.stage);
        return [content.maskSecret, content.selfSeed, content.ownSelfShare];
      }),
    );
    expect(new Set(all.map((each) => hex(each.reveal()))).size).toBe(all.length);
    expect(secretsIn(all)).toHaveLength(6 * SHAPES[shape].clients);
  });

  test('of the field are drawn, as long as they are', () => {
    const rng = deterministicRng(utf8('field'));
    const drawn = Array.from({ length: 50 }, () => hex(randomFieldElement(rng).reveal()));
    expect(new Set(drawn).size).toBe(50);
  });
});

describe('neighbours', () => {
  test('are chosen by the client, at random, and not by the server', () => {
    const choices = new Map<string, number>();
    const chosen = new Set<number>();
    for (let seed = 0; seed < 12; seed += 1) {
      const round = StagedRound.of('chosen', { seed: `choice ${seed}` }).to('choose-neighbours');
      const answer = round.answer(0);
      if (answer.kind !== 'neighbour-choice') throw new Error(answer.kind);
      const text = answer.neighbours.join();
      choices.set(text, (choices.get(text) ?? 0) + 1);
      for (const neighbour of answer.neighbours) chosen.add(neighbour);
      expect(answer.neighbours).not.toContain(0);
      expect(new Set(answer.neighbours).size).toBe(SHAPES.chosen.neighbours);
    }
    expect(choices.size).toBeGreaterThan(6);
    expect([...chosen].sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });
});

function hex(given: Uint8Array): string {
  return Buffer.from(given).toString('hex');
}
