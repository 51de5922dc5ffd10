/**
 * @file No secret outlives its use: every one that is made in a round, by anybody, is erased or in a
 * state that still needs it; after the round none is left. Nothing that is printed shows one.
 */

import {
  abandonClient,
  memoryLedger,
  reconstructMasks,
  restoreSecAggClient,
  type SecAggServerStage,
  type SecretBytes,
  saveSecAggClient,
} from 'fedloom/protocols';
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { clientState } from '../../../protocols/secagg/client/state.ts';
import { type ClientRefusal, expectRefusal, VICTIM } from './refusals/client-refusal.ts';
import { CHOSEN_KEY_REFUSALS, COMMITMENT_REFUSALS } from './refusals/keys-chosen.ts';
import { COMPLETE_KEY_REFUSALS, RING_KEY_REFUSALS } from './refusals/keys-complete.ts';
import { INPUT_REFUSALS, MASKING_REFUSALS } from './refusals/masking.ts';
import { STAGES_OF, STEP_REFUSALS } from './refusals/steps.ts';
import {
  ACK_REFUSALS,
  COMPLETE_SET_REFUSALS,
  NEIGHBOUR_SET_REFUSALS,
  SIGNATURE_REFUSALS,
} from './refusals/survivors.ts';
import { everythingPrinted, isShownIn, secretsIn } from './secrets.ts';
import { SHAPES, type Shape, StagedRound } from './staged.ts';

/** Every secret that was made since the round began. */
const made = vi.hoisted(() => [] as SecretBytes[]);
/** What they held. */
const held = vi.hoisted(() => [] as Uint8Array[]);
/** Bytes that were hashed, sealed or opened: copies of secrets may have been among them. */
const worked = vi.hoisted(() => [] as Uint8Array[]);

vi.mock('../../../protocols/crypto/secret.ts', async (original) => {
  const actual = await original<typeof import('../../../protocols/crypto/secret.ts')>();
  return {
    SecretBytes: class extends actual.SecretBytes {
      constructor(bytes: Uint8Array) {
        super(bytes);
        made.push(this);
        held.push(bytes.slice());
      }
    },
  };
});

vi.mock('../../../protocols/wire/plain-codec.ts', async (original) => {
  const actual = await original<typeof import('../../../protocols/wire/plain-codec.ts')>();
  return {
    ...actual,
    encodePlain(value: Parameters<typeof actual.encodePlain>[0]): Uint8Array {
      const bytes = actual.encodePlain(value);
      worked.push(bytes);
      return bytes;
    },
    decodePlain(bytes: Uint8Array) {
      worked.push(bytes);
      return actual.decodePlain(bytes);
    },
  };
});

/** Which call of a primitive from now on fails. */
const failure = vi.hoisted(() => ({ in: Number.POSITIVE_INFINITY }));

vi.mock('../../../protocols/crypto/platform.node.ts', async (original) => {
  const actual = await original<typeof import('../../../protocols/crypto/platform.node.ts')>();
  const failing =
    <A extends readonly unknown[], R>(primitive: (...args: A) => R) =>
    (...args: A): R => {
      failure.in -= 1;
      if (failure.in < 0) throw new Error('this primitive failed');
      return primitive(...args);
    };
  return {
    ...actual,
    ed25519Sign: failing(actual.ed25519Sign),
    ed25519Verify: failing(actual.ed25519Verify),
    hkdfSha256: failing(actual.hkdfSha256),
    hmacSha256: failing(actual.hmacSha256),
    x25519PublicKey: failing(actual.x25519PublicKey),
    x25519SharedSecret: failing(actual.x25519SharedSecret),
    sha256: failing((data: Uint8Array): Uint8Array => {
      worked.push(data);
      return actual.sha256(data);
    }),
    aesGcmSeal: failing((...args: Parameters<typeof actual.aesGcmSeal>): Uint8Array => {
      worked.push(args[3]);
      return actual.aesGcmSeal(...args);
    }),
    aesGcmOpen: failing((...args: Parameters<typeof actual.aesGcmOpen>) => {
      const plaintext = actual.aesGcmOpen(...args);
      if (plaintext !== undefined) worked.push(plaintext);
      return plaintext;
    }),
  };
});

beforeAll(() => {
  // The first use of a platform's primitives may make constants of its own.
  StagedRound.of('complete').finish();
});

beforeEach(forget);

const shapes = Object.keys(SHAPES) as Shape[];

describe.each(shapes)('%s', (shape) => {
  const stages: readonly SecAggServerStage[] = ['advertise', ...STAGES_OF[shape]];

  test('after each step a client holds what its next step needs, and after the last nothing', () => {
    const round = begin(shape);
    for (const stage of stages) {
      round.to(stage);
      for (const client of round.messages.keys()) {
        round.deliver(client, round.answer(client));
        expect(leftOver(round)).toEqual([]);
      }
    }
    expect(made.length).toBeGreaterThan(100);
    expect(made.filter(({ erased }) => !erased)).toEqual([]);
    expect(round.end().kind).toBe('finish');
    expect(made.filter(({ erased }) => !erased)).toEqual([]);
  });

  test.each(stages)(
    "a round that loses a client in '%s' leaves nothing, nor does the client",
    (at) => {
      const round = begin(shape).to(at);
      const state = round.states.get(3);
      round.states.delete(3);
      expect(round.finish([3]).kind).toBe('finish');
      if (state !== undefined) abandonClient(state);
      expect(leftOver(round)).toEqual([]);
    },
  );

  test('no copy of a secret is left where it was hashed, sealed, opened or saved', () => {
    const round = begin(shape).to('unmask');
    const config = { ...round.cohort.configs[VICTIM]!, ledger: memoryLedger() };
    const state = round.states.get(VICTIM)!;
    const saved = saveSecAggClient(clientState({ ...state.peek(), config }));
    abandonClient(restoreSecAggClient(saved, config));
    saved.erase();
    expect([held.length, worked.length].every((count) => count > 20)).toBe(true);
    const copies = worked.filter((bytes) => {
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      return held.some((secret) => buffer.includes(Buffer.from(secret)));
    });
    expect(copies).toEqual([]);
    expect(round.states.size).toBeGreaterThan(0);
  });

  test('the masks to be removed are all that the server holds', () => {
    const round = begin(shape).to('mask-vectors');
    round.answerAll([3]);
    round.advance();
    round.to('unmask').answerAll();
    const masks = reconstructMasks(round.server);
    if (masks.kind !== 'masks') throw new Error(masks.message);
    const seeds = new Set(masks.masks.flat().map(({ seed }) => seed));
    expect(leftOver(round).filter((secret) => !seeds.has(secret))).toEqual([]);
    expect(seeds.size).toBeGreaterThan(round.cohort.agreement.threshold);
  });

  test('nothing printed of a state or a message in between shows a secret', () => {
    const round = begin(shape);
    const texts: string[] = [];
    const bytes: Uint8Array[] = [];
    for (const stage of stages) {
      round.to(stage);
      texts.push(everythingPrinted(round.server));
      for (const state of round.states.values()) texts.push(everythingPrinted(state));
      // Shares given back are no secrets any more: they are what the last message is for.
      if (stage !== 'unmask') {
        for (const message of round.messages.values()) texts.push(everythingPrinted(message));
        for (const secret of made) {
          if (!secret.erased) bytes.push(secret.reveal().slice());
        }
      }
      texts.push(everythingPrinted(made));
    }
    expect(bytes.length).toBeGreaterThan(10);
    const text = texts.join('\n');
    expect(bytes.filter((secret) => isShownIn(text, secret))).toEqual([]);
  });
});

describe('a client that refuses leaves nothing, whatever it had made already', () => {
  const refusals = [
    ...STEP_REFUSALS,
    ...COMPLETE_KEY_REFUSALS,
    ...RING_KEY_REFUSALS,
    ...COMMITMENT_REFUSALS,
    ...CHOSEN_KEY_REFUSALS,
    ...MASKING_REFUSALS,
    ...INPUT_REFUSALS,
    ...COMPLETE_SET_REFUSALS,
    ...NEIGHBOUR_SET_REFUSALS,
    ...SIGNATURE_REFUSALS,
    ...ACK_REFUSALS,
  ];

  test.each(firstOfEachKind(refusals))('%s', (_, refusal) => {
    expectRefusal({
      ...refusal,
      told: (message, round) => {
        const lie = refusal.told?.(message, round) ?? message;
        // From here on only the client's step makes secrets; those of its state are looked at there.
        made.length = 0;
        return lie;
      },
    });
    expect(made.filter(({ erased }) => !erased)).toEqual([]);
  });
});

describe('a primitive that fails in the middle of a step leaves nothing, whichever it is', () => {
  const steps = [
    ['complete', 'advertise'],
    ...STAGES_OF.complete.map((at) => ['complete', at] as const),
    ['chosen', 'confirm-survivors'],
    ['chosen', 'unmask'],
  ] as const;

  test.each(steps)('%s, %s', (shape, at) => {
    let failures = 0;
    for (;;) {
      const round = begin(shape).to(at);
      const kept = secretsIn(round.states.get(VICTIM)?.peek().content);
      made.length = 0;
      failure.in = failures;
      let failed = false;
      try {
        round.step(VICTIM);
      } catch (error) {
        expect(error).toMatchObject({ message: 'this primitive failed' });
        failed = true;
      } finally {
        failure.in = Number.POSITIVE_INFINITY;
      }
      if (!failed) break;
      failures += 1;
      expect(
        [...kept, ...made].filter(({ erased }) => !erased),
        `after ${failures}`,
      ).toEqual([]);
    }
    expect(failures).toBeGreaterThan(0);
  });
});

function firstOfEachKind(
  refusals: readonly ClientRefusal[],
): readonly (readonly [string, ClientRefusal])[] {
  const kinds = new Map<string, ClientRefusal>();
  for (const refusal of refusals) {
    const { at, step = at, code, shape } = refusal;
    const kind = `${step}, ${shape}: ${code}`;
    if (!kinds.has(kind)) kinds.set(kind, refusal);
  }
  return [...kinds];
}

/** A round of clients who have their own long-term keys, which are nobody else's to erase. */
function begin(shape: Shape): StagedRound {
  const round = StagedRound.of(shape);
  forget();
  return round;
}

function forget(): void {
  for (const list of [made, held, worked]) list.length = 0;
}

/** Secrets that are neither erased nor in a client's state. */
function leftOver({ states }: StagedRound): SecretBytes[] {
  const needed = new Set(secretsIn([...states.values()].map((state) => state.peek().content)));
  return made.filter((secret) => !secret.erased && !needed.has(secret));
}
