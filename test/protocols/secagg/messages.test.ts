/**
 * @file The bytes of every message: they say all of it, in one way only, and what says less or more
 * is refused by name. (test/protocols/fuzz.test.ts throws anything at the decoders.)
 */

import {
  announcementCodec,
  Bitmap,
  type ClientMessage,
  commitmentCodec,
  confirmationsCodec,
  type MessageCodec,
  maskedVectorsCodec,
  neighbourChoiceCodec,
  neighbourhoodCodec,
  type ServerMessage,
  sharedSecretsCodec,
  survivorSetCodec,
} from 'fedloom/protocols';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../../../protocols/wire/byte-writer.ts';
import { clientCodec, cohortOf, serverCodec } from './cohort.ts';
import { STAGES_OF } from './refusals/steps.ts';
import { SHAPES, type Shape, StagedRound } from './staged.ts';

type Message = ServerMessage | ClientMessage;

const shapes = Object.keys(SHAPES) as Shape[];

describe.each(shapes)('every message of a round (%s)', (shape) => {
  const round = StagedRound.of(shape);
  const spoken: Message[] = [];
  for (const stage of ['advertise', ...STAGES_OF[shape]] as const) {
    round.to(stage);
    spoken.push(round.messages.get(0)!);
    const answer = round.answer(0);
    round.deliver(0, answer);
    spoken.push(answer);
  }

  test.each(spoken.map((message) => [message.kind, message] as const))('%s', (_kind, message) => {
    const codec = codecOf(message);
    const bytes = codec.encode(message);
    const decoded = codec.decode(bytes);
    expect(plain(decoded)).toEqual(plain(message));
    expect(codec.encode(decoded as Message)).toEqual(bytes);

    for (let length = 0; length < bytes.length; length += 1 + (length >> 4)) {
      expect(codec.decode(bytes.subarray(0, length))).toMatchObject(MALFORMED);
    }
    expect(codec.decode(Uint8Array.of(...bytes, 0))).toMatchObject(MALFORMED);
    for (const place of [0, 1, 2, 3, 4]) {
      expect(codec.decode(bytes.with(place, bytes[place]! ^ 1))).toMatchObject(MALFORMED);
    }
    expect(codec.decode(bytes, { messageBytes: bytes.length - 1 })).toMatchObject(MALFORMED);
  });
});

describe('what is not said', () => {
  const round = StagedRound.of('chosen').to('unmask');
  const heading = { session: round.cohort.agreement.session, round: 0, client: 0 };

  test('a client chosen twice, or out of order', () => {
    for (const neighbours of [
      [1, 1],
      [2, 1],
    ]) {
      const bytes = neighbourChoiceCodec.encode({
        kind: 'neighbour-choice',
        ...heading,
        neighbours,
      });
      expect(neighbourChoiceCodec.decode(bytes)).toMatchObject(MALFORMED);
    }
  });

  test('a neighbour that is there twice, or out of order', () => {
    const keys = {
      channelKey: new Uint8Array(32),
      maskKey: new Uint8Array(32),
      signature: new Uint8Array(0),
    };
    for (const clients of [
      [1, 1],
      [2, 1],
    ]) {
      const bytes = neighbourhoodCodec.encode({
        kind: 'neighbourhood',
        ...heading,
        entries: clients.map((client) => ({ client, ...keys })),
        choosers: new Bitmap(0),
        proof: [],
      });
      expect(neighbourhoodCodec.decode(bytes)).toMatchObject(MALFORMED);
    }
  });

  test('a survivor behind the last place', () => {
    const message = { kind: 'survivor-set', ...heading, included: [] } as const;
    for (const [size, byte] of [
      [5, 0b0010_0000],
      [7, 0b1000_0000],
      [1, 0b0000_0010],
    ] as const) {
      const alive = new Bitmap(size, Uint8Array.of(byte));
      expect(survivorSetCodec.decode(survivorSetCodec.encode({ ...message, alive }))).toMatchObject(
        MALFORMED,
      );
    }
    const whole = { ...message, alive: new Bitmap(8, Uint8Array.of(255)) };
    expect(survivorSetCodec.decode(survivorSetCodec.encode(whole))).toMatchObject({
      kind: 'survivor-set',
    });
  });

  test('a signature of another length', () => {
    for (const length of [1, 63, 65, 255]) {
      const bytes = round.messages.get(0)!;
      if (bytes.kind !== 'confirmations') throw new Error(bytes.kind);
      const encoded = confirmationsCodec.encode({ ...bytes, statements: [new Uint8Array(length)] });
      expect(confirmationsCodec.decode(encoded)).toMatchObject(MALFORMED);
    }
  });

  test('shares that are bound and not bound', () => {
    const message = {
      kind: 'shared-secrets',
      ...heading,
      seedCommitment: new Uint8Array(32),
      shares: [{ sealed: new Uint8Array(84), commitments: new Uint8Array(0) }],
    } as const;
    const bytes = sharedSecretsCodec.encode(message);
    const flag = bytes.length - 84 - 1;
    expect(bytes[flag]).toBe(0);
    expect(sharedSecretsCodec.decode(bytes)).toMatchObject({ kind: 'shared-secrets' });
    for (const other of [1, 2, 255]) {
      expect(sharedSecretsCodec.decode(bytes.with(flag, other))).toMatchObject(MALFORMED);
    }
  });

  test('a model, a graph or a roster that there is not', () => {
    const { agreement } = cohortOf(SHAPES.complete);
    const bytes = announcementCodec.encode({ kind: 'announcement', client: 0, agreement });
    // Five bytes of frame, two of the client, the session with its length, and four of the round.
    const model = 5 + 2 + 4 + 32 + 4;
    expect([bytes[model], bytes[model + 1]]).toEqual([2, 0]);
    for (const [place, value] of [
      [model, 3],
      [model, 255],
      [model + 1, 2],
      [model + 1, 255],
    ] as const) {
      expect(announcementCodec.decode(bytes.with(place, value))).toMatchObject(MALFORMED);
    }
    const cohort = new Bitmap(65_536);
    const large = { kind: 'announcement', client: 0, agreement: { ...agreement, cohort } } as const;
    expect(announcementCodec.decode(announcementCodec.encode(large))).toMatchObject(MALFORMED);
  });

  test('a modulus below two', () => {
    const message = {
      kind: 'masked-vectors',
      ...heading,
      contextHash: new Uint8Array(32),
      complaints: new Bitmap(0),
      included: [],
    } as const;
    for (const modulus of [0n, 1n]) {
      const vectors = [{ modulus, length: 0, packed: new Uint8Array(0) }];
      const bytes = maskedVectorsCodec.encode({ ...message, vectors });
      expect(maskedVectorsCodec.decode(bytes)).toMatchObject(MALFORMED);
    }
  });

  test.each<[string, number, MessageCodec<object>, (writer: ByteWriter) => ByteWriter]>([
    ['a choice of 65,535', 4, neighbourChoiceCodec, (writer) => writer.uint16(65_535)],
    ['a bitmap of 65,535', 3, commitmentCodec, (writer) => writer.uint16(65_535)],
    [
      '2^32 values',
      8,
      maskedVectorsCodec,
      (writer) =>
        writer
          .raw(new Uint8Array(32))
          .uint16(0)
          .uint16(0)
          .uint16(1)
          .raw(Uint8Array.of(1, 0, 0, 0, 2))
          .uint32(2 ** 32 - 1),
    ],
  ])('%s in a message of some bytes', (_what, message, codec, write) => {
    const frame = new ByteWriter().raw(Uint8Array.of(0x46, 0x4c, 5, message, 1));
    const bytes = write(frame.bytes(heading.session).uint32(0).uint16(0)).finish();
    expect(codec.decode(bytes)).toMatchObject(MALFORMED);
  });
});

const MALFORMED = { kind: 'fault', stage: 'decode', code: 'malformed-message' } as const;

function codecOf(message: Message): MessageCodec<Message> {
  return (clientCodec(message as ClientMessage) ??
    serverCodec(message as ServerMessage)) as MessageCodec<Message>;
}

/** As data, without what a bitmap remembers. */
function plain(message: unknown): unknown {
  return JSON.parse(
    JSON.stringify(message, (_key, value) => {
      if (value instanceof Bitmap) return { size: value.size, places: value.places() };
      if (value instanceof Uint8Array) return [...value];
      return typeof value === 'bigint' ? String(value) : value;
    }),
  );
}
