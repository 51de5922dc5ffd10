/**
 * @file What the server checks of vectors, confirmations and shares given back: Bonawitz et al. 2017,
 * figure 4, rounds 2 to 4, and Bell et al. 2020, section 4, rounds 3 to 5.
 */

import {
  Bitmap,
  ed25519Sign,
  type MaskedVectors,
  type PackedVector,
  type SecAggAgreement,
  type SecretBytes,
} from 'fedloom/protocols';
import { survivorsStatement } from '../../../../protocols/secagg/statements.ts';
import type { StagedRound } from '../staged.ts';
import { flipped } from './client-refusal.ts';
import { inPlaceOf, LIAR, type ServerRefusal } from './server-refusal.ts';

const at = 'mask-vectors';

/** Two vectors whose moduli are no powers of two, so that not every bit pattern is a residue. */
const TWO_VECTORS: Partial<SecAggAgreement> = {
  vectors: [
    { kind: 'modular-sum', id: 'a', length: 3, modulus: 501n },
    { kind: 'modular-sum', id: 'b', length: 3, modulus: 501n },
  ],
};

const twoInputs = ({ cohort }: StagedRound): void => {
  const inputs = cohort.inputs as number[][][];
  for (const [client, vectors] of inputs.entries()) {
    inputs[client] = [vectors[0]!, vectors[0]!.map((value) => value * 2)];
  }
};

/** The message with the vector at a place changed. */
const vector = (
  place: number,
  change: (given: PackedVector) => Partial<PackedVector>,
): ServerRefusal['sent'] =>
  inPlaceOf('masked-vectors', (message) => ({
    ...message,
    vectors: message.vectors.map((given, i) =>
      i === place ? { ...given, ...change(given) } : given,
    ),
  }));

const masked = (
  change: (message: MaskedVectors, round: StagedRound) => Partial<MaskedVectors>,
): ServerRefusal['sent'] =>
  inPlaceOf('masked-vectors', (message, round) => ({ ...message, ...change(message, round) }));

export const VECTOR_REFUSALS: readonly ServerRefusal[] = [
  {
    check: 'it computed on what the others computed on',
    shape: 'complete',
    at,
    before: (round) => {
      round.to(at);
      round.deliver(0, round.answer(0));
    },
    sent: masked(({ contextHash }) => ({ contextHash: flipped(contextHash) })),
    code: 'context-mismatch',
  },
  ...(['complete', 'chosen'] as const).flatMap((shape) =>
    [-1, 1].map(
      (more): ServerRefusal => ({
        check: `complaints are over those who dealt to it (${more} places more)`,
        shape,
        at,
        sent: masked(({ complaints }) => ({ complaints: new Bitmap(complaints.size + more) })),
        code: 'wrong-set',
      }),
    ),
  ),
  ...[-1, 1].map(
    (more): ServerRefusal => ({
      check: `it states to each holder of its shares that it included it (${more} more)`,
      shape: 'chosen',
      at,
      sent: masked(({ included }) => ({
        included: more < 0 ? included.slice(1) : [...included, included[0]!],
      })),
      code: 'wrong-statement-count',
    }),
  ),
  {
    check: 'it states nothing in a complete graph',
    shape: 'complete',
    at,
    sent: masked(() => ({ included: [new Uint8Array(16)] })),
    code: 'wrong-statement-count',
  },
  ...[0, 2].map(
    (count): ServerRefusal => ({
      check: `it has a vector for each of the agreement (${count})`,
      shape: 'complete',
      at,
      sent: masked(({ vectors }) => ({
        vectors: count === 0 ? [] : [...vectors, vectors[0]!],
      })),
      code: 'wrong-vector-count',
    }),
  ),
  {
    check: 'its vector has the modulus of the agreement',
    shape: 'complete',
    at,
    sent: vector(0, ({ packed }) => ({
      modulus: 2n ** 8n,
      length: 3,
      packed: packed.slice(0, 3),
    })),
    code: 'wrong-modulus',
  },
  ...[2, 4].map(
    (length): ServerRefusal => ({
      check: `its vector is as long as agreed (${length} values)`,
      shape: 'complete',
      options: { agreement: { vectors: [TWO_VECTORS.vectors![0]!] } },
      at,
      sent: vector(0, () => ({ length, packed: new Uint8Array(Math.ceil((9 * length) / 8)) })),
      code: 'invalid-length',
    }),
  ),
  ...[3, 5].map(
    (bytes): ServerRefusal => ({
      check: `its vector has as many bytes as its values take (${bytes} instead of 4)`,
      shape: 'complete',
      options: { agreement: { vectors: [TWO_VECTORS.vectors![0]!] } },
      at,
      sent: vector(0, () => ({ packed: new Uint8Array(bytes) })),
      code: 'invalid-length',
      unencodable: true,
    }),
  ),
  {
    check: 'its values are residues',
    shape: 'complete',
    options: { agreement: { vectors: [TWO_VECTORS.vectors![0]!] } },
    at,
    // The first nine bits are 511, and the modulus is 501.
    sent: vector(0, ({ packed }) => ({ packed: packed.map((byte, i) => (i < 2 ? 255 : byte)) })),
    code: 'non-canonical',
  },
  {
    check: 'no bits are set behind its values',
    shape: 'complete',
    options: { agreement: { vectors: [TWO_VECTORS.vectors![0]!] } },
    at,
    sent: vector(0, ({ packed }) => ({ packed: packed.with(3, packed[3]! | 0x80) })),
    code: 'non-canonical',
  },
  {
    check: 'all its vectors count, or none',
    shape: 'complete',
    options: { agreement: TWO_VECTORS },
    before: twoInputs,
    at,
    sent: vector(1, ({ packed }) => ({ packed: packed.map((byte, i) => (i < 2 ? 255 : byte)) })),
    code: 'non-canonical',
  },
  {
    check: 'all its vectors count, or none (too few bytes)',
    shape: 'complete',
    options: { agreement: TWO_VECTORS },
    before: twoInputs,
    at,
    sent: vector(1, ({ packed }) => ({ packed: packed.slice(1) })),
    code: 'invalid-length',
    unencodable: true,
  },
];

export const CONFIRMATION_REFUSALS: readonly ServerRefusal[] = [
  ...(
    [
      ['no signature', () => []],
      ['two', ([signature]) => [signature!, signature!]],
      ['one that does not hold', ([signature]) => [flipped(signature!)]],
    ] as readonly (readonly [string, (given: readonly Uint8Array[]) => Uint8Array[]])[]
  ).map(
    ([what, change]): ServerRefusal => ({
      check: `it signed the survivors (${what})`,
      shape: 'complete',
      at: 'confirm-survivors',
      sent: inPlaceOf('confirmation', (message) => ({
        ...message,
        statements: change(message.statements),
      })),
      code: 'bad-signature',
    }),
  ),
  {
    check: 'it signed these survivors',
    shape: 'complete',
    at: 'confirm-survivors',
    sent: inPlaceOf('confirmation', (message, { cohort, server }) => ({
      ...message,
      statements: [
        ed25519Sign(
          cohort.configs[LIAR]!.signingKey as SecretBytes,
          survivorsStatement(server.peek().transcript, Bitmap.of(5, [0, 1, 2, 3])),
        ),
      ],
    })),
    code: 'bad-signature',
  },
  ...[-1, 1].map(
    (more): ServerRefusal => ({
      check: `it states something of each survivor whose shares it holds (${more} more)`,
      shape: 'chosen',
      at: 'confirm-survivors',
      sent: inPlaceOf('confirmation', ({ statements, ...message }) => ({
        ...message,
        statements: more < 0 ? statements.slice(1) : [...statements, statements[0]!],
      })),
      code: 'wrong-statement-count',
    }),
  ),
  {
    check: 'what it states has the length of a tag',
    shape: 'chosen',
    at: 'confirm-survivors',
    sent: inPlaceOf('confirmation', ({ statements, ...message }) => ({
      ...message,
      statements: statements.map(() => new Uint8Array(64)),
    })),
    code: 'wrong-statement-count',
  },
];

export const REVEAL_REFUSALS: readonly ServerRefusal[] = (
  ['complete', 'chosen', 'believed', 'ring'] as const
).flatMap((shape): ServerRefusal[] => [
  ...[-1, 1].map(
    (more): ServerRefusal => ({
      check: `shares are given over those whose shares it holds, and itself (${more} places more)`,
      shape,
      at: 'unmask',
      sent: inPlaceOf('revealed-shares', ({ given, shares, ...message }) => ({
        ...message,
        given: Bitmap.of(given.size + more, given.places().slice(0, 2)),
        shares: shares.slice(0, 2),
      })),
      code: 'wrong-share-count',
    }),
  ),
  ...[-1, 1].map(
    (more): ServerRefusal => ({
      check: `it gives a share for each place that it names (${more} more)`,
      shape,
      at: 'unmask',
      sent: inPlaceOf('revealed-shares', ({ shares, ...message }) => ({
        ...message,
        shares: more < 0 ? shares.slice(1) : [...shares, shares[0]!],
      })),
      code: 'wrong-share-count',
    }),
  ),
  ...(
    [
      ['p', '7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed'],
      ['2^256 - 1', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff'],
    ] as const
  ).map(
    ([what, hex]): ServerRefusal => ({
      check: `its shares are elements of the field (${what}); none of them counts otherwise`,
      shape,
      at: 'unmask',
      sent: inPlaceOf('revealed-shares', ({ shares, ...message }) => ({
        ...message,
        shares: [...shares.slice(0, -1), new Uint8Array(Buffer.from(hex, 'hex'))],
      })),
      code: 'non-canonical',
    }),
  ),
]);
