import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  drawPerturbation,
  finishPerturbationsServer,
  handleAtPerturbationsServer,
  type IntegerVector,
  type MaskedVector,
  type MaskingParameters,
  modulo,
  packResidues,
  sumVector,
  toBigInts,
  toHex,
} from '../../../protocols/index.ts';
import { names, one } from '../masking/cohort.ts';
import { chiSquare, chiSquareLimit, expectKind, seeded } from '../support.ts';
import { advertiseAll, exchangeAll, maskAll } from './cohort.ts';

/** The whole protocol; inputs by client, then by vector. */
function run(
  parameters: MaskingParameters,
  inputs: readonly (readonly IntegerVector[])[],
  seed: string | number = 0,
): bigint[][] {
  const rng = seeded(seed);
  const exchanged = exchangeAll(advertiseAll(parameters, rng), () => rng);
  let { server } = exchanged;
  for (const message of maskAll(exchanged, inputs)) {
    server = expectKind(handleAtPerturbationsServer(server, message), 'continue').state;
  }
  const finished = expectKind(finishPerturbationsServer(server), 'finish');
  expect(finished.clients).toEqual(names(parameters.clients));
  return finished.sums.map(toBigInts);
}

const inBase = (length: number, maximum: bigint, clients: number, base: bigint) => ({
  clients,
  vectors: [{ kind: 'sum', id: 'x', length, maximum, modulus: base }] as const,
});

describe('the sum', () => {
  it('is exact for 1 to 20 clients in any base that holds it, with extremes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.oneof(
          fc.constantFrom(0n, 1n, 2n ** 32n - 1n, 2n ** 63n - 1n, 2n ** 90n),
          fc.bigInt(0n, 2n ** 58n),
        ),
        fc.oneof(fc.constant(0n), fc.bigInt(0n, 2n ** 60n)),
        fc.nat(6),
        fc.nat(),
        (clients, maximum, spare, length, seed) => {
          const rng = seeded(seed);
          const inputs = names(clients).map(() =>
            Array.from({ length }, () => [0n, maximum, maximum / 3n][rng(1)[0]! % 3]!),
          );
          const reach = maximum * BigInt(clients);
          const base = reach + spare < 1n ? 2n : reach + spare + 1n;
          const expected = Array.from({ length }, (_, k) =>
            inputs.reduce((total, values) => total + values[k]!, 0n),
          );
          const given = inputs.map((values) => [values]);
          expect(run(inBase(length, maximum, clients, base), given, seed)).toEqual([expected]);
          expect(run(one(length, maximum, clients), given, seed)).toEqual([expected]);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('is exact in the base of the paper, and in the smallest that holds it', () => {
    const inputs = [
      [1000, 0, 7],
      [1000, 5, 0],
      [1000, 1, 1],
    ].map((values) => [values]);
    expect(run(inBase(3, 1000n, 3, 10n ** 6n), inputs)).toEqual([[3000n, 6n, 8n]]);
    expect(run(inBase(3, 1000n, 3, 3001n), inputs)).toEqual([[3000n, 6n, 8n]]);
  });

  it('is taken over several vectors at once, each in its base, and modulo any R', () => {
    const parameters: MaskingParameters = {
      clients: 3,
      vectors: [
        { kind: 'modular-sum', id: 'mod 10', length: 2, modulus: 10n },
        sumVector('one maximum each', 2, [1n, 1000n], 3),
        {
          kind: 'sum',
          id: 'the largest base of 64 bits',
          length: 1,
          maximum: 5n,
          modulus: 2n ** 64n,
        },
        { kind: 'sum', id: 'odd base', length: 1, maximum: 5n, modulus: 2n ** 63n + 29n },
        { kind: 'sum', id: 'empty', length: 0, maximum: 5n, modulus: 16n },
      ],
    };
    const inputs = [[9, 1], [1, 1000], [5], [4], []];
    expect(run(parameters, [inputs, inputs, inputs])).toEqual([
      [7n, 3n],
      [3n, 3000n],
      [15n],
      [12n],
      [],
    ]);
  });
});

describe('a perturbation', () => {
  const drawn = (modulus: bigint, length: number): bigint[] => {
    const vectors: MaskedVector[] = [{ kind: 'modular-sum', id: 'x', length, modulus }];
    return toBigInts(drawPerturbation(vectors, seeded(`base ${modulus}`))[0]!);
  };

  it.each([2n, 3n, 10n, 16n, 100n])('is uniform in [0, %d)', (base) => {
    const counts = new Array<number>(Number(base)).fill(0);
    for (const value of drawn(base, 40_000)) counts[Number(value)]! += 1;
    expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(Number(base)));
  });

  it.each([
    ['just above half a word of 32 bits', 2n ** 31n + 1n],
    ['of three quarters of a word of 64 bits', 3n * 2n ** 62n],
    ['of all 64 bits', 2n ** 64n],
    ['of 65 bits', 2n ** 65n - 1n],
  ])('is uniform in a base %s', (_, base) => {
    // A remainder instead of rejection would fill the lower part of [0, b) twice as often.
    const counts = new Array<number>(24).fill(0);
    for (const value of drawn(base, 24_000)) counts[Number((value * 24n) / base)]! += 1;
    expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(24));
  });

  it('differs from peer to peer and from vector to vector', () => {
    const vectors = [1, 2].map(
      (id): MaskedVector => ({ kind: 'modular-sum', id: `${id}`, length: 8, modulus: 2n ** 32n }),
    );
    const rng = seeded('twice');
    const all = [drawPerturbation(vectors, rng), drawPerturbation(vectors, rng)].flat();
    expect(new Set(all.map((residues) => toBigInts(residues).join())).size).toBe(4);
  });
});

describe('what the server sees', () => {
  it('is x + the sum of S_ij - S_ji (mod b), which cancels', () => {
    const base = 1000n;
    const parameters = inBase(2, 100n, 4, base);
    const inputs = [
      [1n, 20n],
      [30n, 4n],
      [100n, 0n],
      [0n, 0n],
    ];
    // What client i drew is read out of its randomness, which a seed replays.
    const rngOf = (client: number) => seeded(`client ${client}`);
    const drawn = inputs.map((_, i) => {
      const rng = rngOf(i);
      return inputs.map((_, j) =>
        i === j ? [0n, 0n] : toBigInts(drawPerturbation(parameters.vectors, rng)[0]!),
      );
    });
    const exchanged = exchangeAll(advertiseAll(parameters), rngOf);
    const masked = maskAll(
      exchanged,
      inputs.map((values) => [values]),
    ).map(({ vectors }) => toBigInts(vectors[0]!));
    for (const [i, values] of inputs.entries()) {
      const expected = values.map((x, k) =>
        modulo(
          inputs.reduce((sum, _, j) => sum + drawn[i]![j]![k]! - drawn[j]![i]![k]!, x),
          base,
        ),
      );
      expect(masked[i]).toEqual(expected);
    }
    const sums = [0, 1].map((k) =>
      modulo(
        masked.reduce((sum, row) => sum + row[k]!, 0n),
        base,
      ),
    );
    expect(sums).toEqual([131n, 24n]);
  });

  it('is uniform whatever the input', () => {
    const length = 20_000;
    const parameters = inBase(length, 3n, 3, 12n);
    const rng = seeded('uniform');
    const exchanged = exchangeAll(advertiseAll(parameters, rng), () => rng);
    const masked = maskAll(
      exchanged,
      [0, 3, 1].map((value) => [new Uint8Array(length).fill(value)]),
    );
    for (const { vectors } of masked) {
      const counts = new Array<number>(12).fill(0);
      for (const value of toBigInts(vectors[0]!)) counts[Number(value)]! += 1;
      expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(12));
    }
  });

  it('does not depend on single inputs, given their sum (b = 3, every pair of inputs)', () => {
    const length = 30_000;
    const parameters: MaskingParameters = {
      clients: 2,
      vectors: [{ kind: 'modular-sum', id: 'x', length, modulus: 3n }],
    };
    for (let left = 0; left < 3; left += 1) {
      for (let right = 0; right < 3; right += 1) {
        const rng = seeded(`split ${left} ${right}`);
        const exchanged = exchangeAll(advertiseAll(parameters, rng), () => rng);
        const [first, second] = maskAll(
          exchanged,
          [left, right].map((value) => [new Uint8Array(length).fill(value)]),
        ).map(({ vectors }) => toBigInts(vectors[0]!));
        const sum = BigInt((left + right) % 3);
        expect(first!.every((value, i) => (value + second![i]!) % 3n === sum)).toBe(true);
        const counts = [0, 0, 0];
        for (const value of first!) counts[Number(value)]! += 1;
        expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(3));
      }
    }
  });

  it('has no perturbation in the clear, nor two sealed alike', () => {
    const parameters = inBase(4, 100n, 3, 2n ** 32n);
    const rngOf = (client: number) => seeded(client);
    const { sent } = exchangeAll(advertiseAll(parameters), rngOf);
    const sealed = sent.flatMap(({ perturbations }) => perturbations.map((p) => toHex(p.sealed)));
    expect(new Set(sealed).size).toBe(6);
    for (const client of [0, 1, 2]) {
      const rng = rngOf(client);
      for (const _peer of [0, 1]) {
        const drawn = packResidues(drawPerturbation(parameters.vectors, rng)[0]!);
        expect(sealed.some((text) => text.includes(toHex(drawn)))).toBe(false);
      }
    }
  });
});
