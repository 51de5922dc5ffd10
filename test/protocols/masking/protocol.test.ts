import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  finishMaskingServer,
  fromHex,
  generateX25519KeyPair,
  handleAtMaskingServer,
  type IntegerVector,
  isFault,
  type MaskingClientSetup,
  type MaskingParameters,
  maskClientInput,
  type Roster,
  startMaskingClient,
  startMaskingServer,
  sumVector,
  toBigInts,
  utf8,
} from '../../../protocols/index.ts';
import { chiSquare, chiSquareLimit, codeOf, expectKind, SESSION, seeded } from '../support.ts';
import { names, one, setupOf, startAll } from './cohort.ts';

/** The whole protocol; inputs by client, then by vector. */
function run(
  parameters: MaskingParameters,
  inputs: readonly (readonly IntegerVector[])[],
  seed: string | number = 0,
): bigint[][] {
  const clients = names(parameters.clients);
  const { states, keys } = startAll(parameters, seed);
  let server = startMaskingServer({ session: SESSION, round: 0, parameters, clients });
  let roster: Roster | undefined;
  for (const message of keys) {
    const next = expectKind(handleAtMaskingServer(server, message), 'continue');
    server = next.state;
    roster = next.message;
  }
  for (const [i, state] of states.entries()) {
    const masked = maskClientInput(state, roster!, { vectors: inputs[i]! });
    const { message } = expectKind(masked, 'finish');
    server = expectKind(handleAtMaskingServer(server, message), 'continue').state;
  }
  const finished = expectKind(finishMaskingServer(server), 'finish');
  expect(finished.clients).toEqual(clients);
  return finished.sums.map(toBigInts);
}

const columnSums = (inputs: readonly (readonly bigint[])[]): bigint[] =>
  inputs[0]!.map((_, i) => inputs.reduce((total, values) => total + values[i]!, 0n));

describe('the sum', () => {
  it('is exact for 1 to 50 clients, with extremes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.constantFrom(0n, 1n, 255n, 2n ** 31n - 1n, 2n ** 32n - 1n, 2n ** 63n - 1n, 2n ** 90n),
        fc.nat(6),
        fc.nat(),
        (clients, maximum, length, seed) => {
          const rng = seeded(seed);
          const inputs = names(clients).map(() =>
            Array.from({ length }, () => {
              const choice = rng(1)[0]! % 3;
              return choice === 0 ? 0n : choice === 1 ? maximum : maximum / 3n;
            }),
          );
          const parameters = one(length, maximum, clients);
          const sums = run(
            parameters,
            inputs.map((values) => [values]),
            seed,
          );
          expect(sums).toEqual([columnSums([...inputs, new Array<bigint>(length).fill(0n)])]);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('holds n times the maximum', () => {
    const maximum = 2n ** 32n - 1n;
    const sums = run(
      one(3, maximum, 7),
      names(7).map(() => [[maximum, maximum, 0n]]),
    );
    expect(sums).toEqual([[7n * maximum, 7n * maximum, 0n]]);
  });

  it('is taken modulo any R, and over several vectors at once', () => {
    const parameters: MaskingParameters = {
      clients: 3,
      vectors: [
        { kind: 'modular-sum', id: 'mod 10', length: 2, modulus: 10n },
        sumVector('one maximum each', 2, [1n, 1000n], 3),
        { kind: 'sum', id: 'odd modulus', length: 1, maximum: 5n, modulus: 17n },
        { kind: 'sum', id: 'empty', length: 0, maximum: 5n, modulus: 16n },
      ],
    };
    const inputs = [[9, 1], [1, 1000], [5], []];
    expect(run(parameters, [inputs, inputs, inputs])).toEqual([[7n, 3n], [3n, 3000n], [15n], []]);
  });
});

describe('what the server sees', () => {
  it('is uniform whatever the input', () => {
    const counts = new Array<number>(16).fill(0);
    for (let seed = 0; seed < 40; seed += 1) {
      const parameters = one(500, 3n, 4);
      const { states, roster } = startAll(parameters, `uniform ${seed}`);
      const masked = maskClientInput(states[1]!, roster, { vectors: [new Uint8Array(500)] });
      for (const value of toBigInts(expectKind(masked, 'finish').message.vectors[0]!)) {
        counts[Number(value)]! += 1;
      }
    }
    expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(16));
  });

  it('does not depend on single inputs, given their sum (R = 3, every pair of inputs)', () => {
    // Two clients: the view is (y0, y1) with y0 + y1 fixed, so y0 alone must be uniform, the same
    // for every split of the sum.
    const length = 30_000;
    const distribution = (inputs: readonly [number, number]): number[] => {
      const parameters: MaskingParameters = {
        clients: 2,
        vectors: [{ kind: 'modular-sum', id: 'x', length, modulus: 3n }],
      };
      const { states, roster } = startAll(parameters, `split ${inputs}`);
      const [first, second] = inputs.map((value, i) => {
        const vectors = [new Uint8Array(length).fill(value)];
        const masked = expectKind(maskClientInput(states[i]!, roster, { vectors }), 'finish');
        return toBigInts(masked.message.vectors[0]!);
      });
      const counts = new Array<number>(9).fill(0);
      first!.forEach((value, i) => {
        counts[Number(value * 3n + second![i]!)]! += 1;
      });
      return counts;
    };
    for (let sum = 0; sum < 3; sum += 1) {
      for (let left = 0; left < 3; left += 1) {
        const counts = distribution([left, (3 + sum - left) % 3]);
        const possible = counts.filter((_, view) => (Math.floor(view / 3) + view) % 3 === sum % 3);
        const impossible = counts.filter(
          (_, view) => (Math.floor(view / 3) + view) % 3 !== sum % 3,
        );
        expect(impossible.every((count) => count === 0)).toBe(true);
        expect(chiSquare(possible)).toBeLessThan(chiSquareLimit(3));
      }
    }
  });

  it('is noise where one client had another context, and names that client', () => {
    const parameters = one(1000, 1n, 3);
    const { states, keys, roster } = startAll(parameters);
    const vectors = [new Uint8Array(1000)];
    const messages = states.map((state, i) => {
      const context = utf8(i === 2 ? 'another model' : 'the model');
      return expectKind(maskClientInput(state, roster, { vectors, context }), 'finish').message;
    });
    const server = () => {
      let state = startMaskingServer({
        session: SESSION,
        round: 0,
        parameters,
        clients: names(3),
      });
      for (const message of [...keys, messages[0]!, messages[1]!]) {
        state = expectKind(handleAtMaskingServer(state, message), 'continue').state;
      }
      return state;
    };
    expect(handleAtMaskingServer(server(), messages[2]!)).toMatchObject({
      code: 'context-mismatch',
      offender: 'client 2',
    });
    // And a server that overlooks it gets noise mod 4.
    const overlooked = { ...messages[2]!, contextHash: messages[0]!.contextHash };
    const state = expectKind(handleAtMaskingServer(server(), overlooked), 'continue').state;
    const counts = [0, 0, 0, 0];
    for (const value of toBigInts(expectKind(finishMaskingServer(state), 'finish').sums[0]!)) {
      counts[Number(value)]! += 1;
    }
    expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(4));
  });
});

describe('a client refuses', () => {
  const parameters = one(2, 9n, 3);
  const input = { vectors: [[1, 2]] };
  const lowOrder = fromHex(`01${'00'.repeat(31)}`);
  const stranger = generateX25519KeyPair(seeded('stranger')).publicKey;

  const outcome = (change: (roster: Roster) => Roster, given: unknown = input): string => {
    const { states, roster } = startAll(parameters);
    return codeOf(maskClientInput(states[0]!, change(roster), given as typeof input));
  };
  const withEntry =
    (index: number, entry: { client?: string; publicKey?: Uint8Array }) =>
    (roster: Roster): Roster => ({
      ...roster,
      entries: roster.entries.map((old, i) => (i === index ? { ...old, ...entry } : old)),
    });

  it('nothing that is right', () => {
    expect(outcome((roster) => roster)).toBe('finish');
    expect(outcome((roster) => ({ ...roster, entries: roster.entries.toReversed() }))).toBe(
      'finish',
    );
  });

  it.each<[string, string, (roster: Roster) => Roster]>([
    ['another session', 'wrong-session', (r) => ({ ...r, session: new Uint8Array(32) })],
    ['another round', 'wrong-session', (r) => ({ ...r, round: 1 })],
    ['too few clients', 'wrong-cohort-size', (r) => ({ ...r, entries: r.entries.slice(0, 2) })],
    [
      'too many clients',
      'wrong-cohort-size',
      (r) => ({ ...r, entries: [...r.entries, { client: 'sybil', publicKey: stranger }] }),
    ],
    ['a name twice', 'duplicate-client', withEntry(2, { client: 'client 1' })],
    ['its own name twice', 'duplicate-client', withEntry(2, { client: 'client 0' })],
    ['its own name missing', 'own-key-missing', withEntry(0, { client: 'client 9' })],
    ['its own key altered', 'own-key-altered', withEntry(0, { publicKey: stranger })],
    ['a key of low order', 'low-order-key', withEntry(1, { publicKey: lowOrder })],
    ['a zero key', 'low-order-key', withEntry(1, { publicKey: new Uint8Array(32) })],
    ['a short key', 'invalid-key', withEntry(1, { publicKey: new Uint8Array(31) })],
    ['a key above p', 'invalid-key', withEntry(1, { publicKey: new Uint8Array(32).fill(255) })],
    [
      'a key twice',
      'duplicate-key',
      (r) => withEntry(2, { publicKey: r.entries[1]!.publicKey })(r),
    ],
    [
      'its own key as another one, with the top bit set',
      'invalid-key',
      (r) => {
        const publicKey = r.entries[0]!.publicKey.slice();
        publicKey[31]! |= 0x80;
        return withEntry(2, { publicKey })(r);
      },
    ],
  ])('a roster with %s (%s)', (_, code, change) => {
    expect(outcome(change)).toBe(code);
  });

  it('a low-order key by naming its sender', () => {
    const { states, roster } = startAll(parameters);
    const forged = withEntry(1, { publicKey: lowOrder })(roster);
    expect(maskClientInput(states[0]!, forged, input)).toMatchObject({
      stage: 'mask',
      offender: 'client 1',
    });
  });

  it.each<[string, string, unknown]>([
    ['too many values', 'invalid-length', { vectors: [[1, 2, 3]] }],
    ['too few vectors', 'wrong-vector-count', { vectors: [] }],
    ['a value over the maximum', 'out-of-range', { vectors: [[1, 10]] }],
    ['a negative value', 'out-of-range', { vectors: [[-1, 1]] }],
    ['NaN', 'not-an-integer', { vectors: [[Number.NaN, 1]] }],
    ['a fraction', 'not-an-integer', { vectors: [[0.5, 1]] }],
  ])('an input with %s (%s)', (_, code, given) => {
    expect(outcome((roster) => roster, given)).toBe(code);
  });

  it('to be used twice, also after a fault', () => {
    const { states, roster } = startAll(parameters);
    expect(codeOf(maskClientInput(states[0]!, roster, input))).toBe('finish');
    expect(() => maskClientInput(states[0]!, roster, input)).toThrow(/state-consumed/);
    expect(isFault(maskClientInput(states[1]!, { ...roster, round: 5 }, input))).toBe(true);
    expect(() => maskClientInput(states[1]!, roster, input)).toThrow(/state-consumed/);
  });

  it.each<[string, string, Partial<MaskingClientSetup>]>([
    ['a cohort of one by default', 'cohort-too-small', { parameters: one(1, 1n, 1) }],
    ['a cohort below its minimum', 'cohort-too-small', { minimumClients: 4 }],
    ['a short session', 'invalid-parameters', { session: new Uint8Array(15) }],
    ['a negative round', 'invalid-parameters', { round: -1 }],
    ['an empty name', 'invalid-parameters', { client: '' }],
    ['a name without UTF-8', 'invalid-parameters', { client: 'a\ud800' }],
    ['no vector', 'invalid-parameters', { parameters: { clients: 3, vectors: [] } }],
    [
      'a name for two vectors',
      'invalid-parameters',
      { parameters: { clients: 3, vectors: [sumVector('x', 1, 1n, 3), sumVector('x', 1, 1n, 3)] } },
    ],
    [
      'a modulus that the sum can reach',
      'modulus-too-small',
      {
        parameters: {
          clients: 3,
          vectors: [{ kind: 'sum', id: 'x', length: 1, maximum: 5n, modulus: 15n }],
        },
      },
    ],
    [
      'a modulus of 1',
      'invalid-parameters',
      {
        parameters: {
          clients: 3,
          vectors: [{ kind: 'modular-sum', id: 'x', length: 1, modulus: 1n }],
        },
      },
    ],
    [
      'maxima for another length',
      'invalid-parameters',
      {
        parameters: {
          clients: 3,
          vectors: [{ kind: 'sum', id: 'x', length: 2, maximum: [1n], modulus: 16n }],
        },
      },
    ],
  ])('to start with %s (%s)', (_, code, changes) => {
    const { minimumClients: _default, ...setup } = setupOf('client 0', parameters);
    expect(codeOf(startMaskingClient({ ...setup, ...changes }))).toBe(code);
  });

  it('to keep its key, whatever the outcome', () => {
    for (const round of [0, 1]) {
      const drawn: Uint8Array[] = [];
      const rng = (length: number) => {
        drawn.push(seeded('erased')(length));
        return drawn.at(-1)!;
      };
      const { roster } = startAll(parameters);
      const started = startMaskingClient(setupOf('client 0', parameters), { rng });
      const { state, message } = expectKind(started, 'continue');
      expect(drawn[0]!.some((byte) => byte !== 0)).toBe(true);
      const own = withEntry(0, { publicKey: message.publicKey })({ ...roster, round });
      expect(codeOf(maskClientInput(state, own, input))).toBe(
        round === 0 ? 'finish' : 'wrong-session',
      );
      expect(drawn[0]!.every((byte) => byte === 0)).toBe(true);
    }
  });

  it('to print its key', () => {
    const { states } = startAll(parameters);
    expect(JSON.stringify(states[0])).toBe('"[state of masking client \\"client 0\\"]"');
  });
});
