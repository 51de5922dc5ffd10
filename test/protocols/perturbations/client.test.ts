import { describe, expect, it } from 'vitest';
import {
  type DeliveredPerturbations,
  discardPerturbations,
  exchangePerturbations,
  fromHex,
  generateX25519KeyPair,
  isFault,
  maskWithPerturbations,
  type PerturbationsClientSetup,
  type Roster,
  startPerturbationsClient,
  toNumbers,
  utf8,
} from '../../../protocols/index.ts';
import { sealPerturbation } from '../../../protocols/perturbations/sealing.ts';
import { one } from '../masking/cohort.ts';
import { codeOf, expectKind, SESSION, seeded } from '../support.ts';
import { advertiseAll, type Exchanged, exchangeAll, setupOf } from './cohort.ts';

const parameters = one(2, 9n, 3);
const input = [[1, 2]];
const lowOrder = fromHex(`01${'00'.repeat(31)}`);
const stranger = generateX25519KeyPair(seeded('stranger')).publicKey;

function exchanged(contextOf?: (client: number) => Uint8Array): Exchanged {
  const rng = seeded('exchange');
  return exchangeAll(advertiseAll(parameters, rng, contextOf), () => rng);
}

describe('a client refuses to start with', () => {
  it.each<[string, string, Partial<PerturbationsClientSetup>]>([
    ['a cohort of one by default', 'cohort-too-small', { parameters: one(1, 1n, 1) }],
    ['a cohort below its minimum', 'cohort-too-small', { minimumClients: 4 }],
    ['a short session', 'invalid-parameters', { session: new Uint8Array(15) }],
    ['an empty name', 'invalid-parameters', { client: '' }],
    [
      'a base that the sum can reach',
      'modulus-too-small',
      {
        parameters: {
          clients: 3,
          vectors: [{ kind: 'sum', id: 'x', length: 1, maximum: 5n, modulus: 15n }],
        },
      },
    ],
  ])('%s (%s)', (_, code, changes) => {
    const { minimumClients: _default, ...setup } = setupOf('client 0', parameters);
    expect(codeOf(startPerturbationsClient({ ...setup, ...changes }))).toBe(code);
  });
});

describe('a client refuses to exchange for', () => {
  const withEntry =
    (index: number, entry: { client?: string; publicKey?: Uint8Array }) =>
    (roster: Roster): Roster => ({
      ...roster,
      entries: roster.entries.map((old, i) => (i === index ? { ...old, ...entry } : old)),
    });

  it.each<[string, string, (roster: Roster) => Roster]>([
    ['of another session', 'wrong-session', (r) => ({ ...r, session: new Uint8Array(32) })],
    ['of another round', 'wrong-session', (r) => ({ ...r, round: 1 })],
    [
      'with too few clients',
      'wrong-cohort-size',
      (r) => ({ ...r, entries: r.entries.slice(0, 2) }),
    ],
    ['with a name twice', 'duplicate-client', withEntry(2, { client: 'client 1' })],
    ['without its own name', 'own-key-missing', withEntry(0, { client: 'client 9' })],
    ['with another key of its own', 'own-key-altered', withEntry(0, { publicKey: stranger })],
    ['with a key of low order', 'low-order-key', withEntry(1, { publicKey: lowOrder })],
    [
      'with a key twice',
      'duplicate-key',
      (r) => withEntry(2, { publicKey: r.entries[1]!.publicKey })(r),
    ],
  ])('a roster %s (%s), and forgets its key', (_, code, change) => {
    const { states, roster } = advertiseAll(parameters);
    const { keys } = states[0]!.peek();
    expect(exchangePerturbations(states[0]!, change(roster))).toMatchObject({
      stage: 'exchange',
      code,
    });
    expect(keys.secretKey.erased).toBe(true);
    expect(() => exchangePerturbations(states[0]!, roster)).toThrow(/state-consumed/);
  });
});

describe('a client refuses', () => {
  /** What client 0 says to a delivery that the server changed. */
  function outcome(change: (delivered: DeliveredPerturbations, all: Exchanged) => object) {
    const all = exchanged();
    const [state] = all.states;
    const delivered = { ...all.deliveries[0]!, ...change(all.deliveries[0]!, all) };
    const result = maskWithPerturbations(state!, delivered, input);
    expect(() => maskWithPerturbations(state!, all.deliveries[0]!, input)).toThrow(
      /state-consumed/,
    );
    return result;
  }

  const sealedAs =
    (peer: string, of: (delivered: DeliveredPerturbations, all: Exchanged) => Uint8Array) =>
    (delivered: DeliveredPerturbations, all: Exchanged) => ({
      perturbations: delivered.perturbations.map((old) =>
        old.peer === peer ? { peer, sealed: of(delivered, all) } : old,
      ),
    });

  it('nothing that is right, in any order', () => {
    expect(outcome(() => ({})).kind).toBe('finish');
    const reversed = outcome(({ perturbations }) => ({
      perturbations: perturbations.toReversed(),
    }));
    expect(reversed).toEqual(outcome(() => ({})));
  });

  it.each<[string, string, string | undefined, Parameters<typeof outcome>[0]]>([
    ['of another session', 'wrong-session', undefined, () => ({ session: new Uint8Array(32) })],
    ['of another round', 'wrong-session', undefined, () => ({ round: 1 })],
    ['for another client', 'wrong-recipient', undefined, (_, all) => all.deliveries[1]!],
    [
      'without one of a peer (a lost client)',
      'missing-clients',
      'client 2',
      ({ perturbations }) => ({ perturbations: perturbations.slice(0, 1) }),
    ],
    [
      'with two of a peer',
      'duplicate-message',
      'client 1',
      ({ perturbations: [first] }) => ({ perturbations: [first, first] }),
    ],
    [
      'with one of a stranger',
      'unknown-client',
      'sybil',
      ({ perturbations }) => ({
        perturbations: [...perturbations, { ...perturbations[0]!, peer: 'sybil' }],
      }),
    ],
    [
      'with one of itself',
      'unknown-client',
      'client 0',
      ({ perturbations }) => ({
        perturbations: [...perturbations, { ...perturbations[0]!, peer: 'client 0' }],
      }),
    ],
    [
      'that reflects what it sent',
      'open-failed',
      'client 1',
      sealedAs('client 1', (_, { sent }) => sent[0]!.perturbations[0]!.sealed),
    ],
    [
      'with those of two peers swapped',
      'open-failed',
      'client 1',
      sealedAs('client 1', ({ perturbations }) => perturbations[1]!.sealed),
    ],
    [
      'with one that a peer sealed for another',
      'open-failed',
      'client 1',
      sealedAs('client 1', (_, { deliveries }) => deliveries[2]!.perturbations[1]!.sealed),
    ],
    [
      'of an earlier run (replay)',
      'open-failed',
      'client 1',
      sealedAs('client 1', () => {
        const rng = seeded('earlier');
        const earlier = exchangeAll(advertiseAll(parameters, rng), () => rng);
        return earlier.deliveries[0]!.perturbations[0]!.sealed;
      }),
    ],
    [
      'with one cut short',
      'open-failed',
      'client 1',
      sealedAs('client 1', ({ perturbations }) => perturbations[0]!.sealed.subarray(1)),
    ],
    ['with an empty one', 'open-failed', 'client 1', sealedAs('client 1', () => new Uint8Array(0))],
  ])('a delivery %s (%s)', (_, code, offender, change) => {
    expect(outcome(change)).toMatchObject({
      kind: 'fault',
      stage: 'mask',
      code,
      ...(offender !== undefined && { offender }),
    });
  });

  it('a perturbation of which any bit was changed', () => {
    const { length } = exchanged().deliveries[0]!.perturbations[0]!.sealed;
    for (let bit = 0; bit < 8 * length; bit += 1) {
      const changed = sealedAs('client 2', ({ perturbations }) =>
        perturbations[1]!.sealed.map((byte, i) =>
          i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte,
        ),
      );
      expect(outcome(changed)).toMatchObject({ code: 'open-failed', offender: 'client 2' });
    }
  });

  it.each<[string, Uint8Array]>([
    ['of another length', new Uint8Array(3)],
    ['with bits behind its last value', Uint8Array.of(0, 0xff)],
  ])('a perturbation %s, sealed by its peer', (_, plaintext) => {
    const forged = sealedAs('client 1', (_delivered, { states, sent }) => {
      const { pairs } = states[1]!.peek();
      const { transcript } = sent[1]!;
      const context = new Uint8Array(0);
      const route = { sender: 'client 1', recipient: 'client 0' };
      const binding = { session: SESSION, round: 0, transcript, context, ...route };
      return sealPerturbation(pairs[0]!.secret, binding, plaintext);
    });
    expect(outcome(forged)).toMatchObject({
      code: 'malformed-perturbation',
      offender: 'client 1',
    });
  });

  it('the perturbations of a peer who was given another context, by name', () => {
    const contexts = (client: number) => utf8(client === 2 ? 'another model' : 'the model');
    const { states, deliveries } = exchanged(contexts);
    const outcomes = states.map((state, i) => maskWithPerturbations(state, deliveries[i]!, input));
    expect(outcomes.map((result) => isFault(result) && result.offender)).toEqual([
      'client 2',
      'client 2',
      'client 0',
    ]);
  });

  it.each<[string, string, number[][]]>([
    ['too many values', 'invalid-length', [[1, 2, 3]]],
    ['too few vectors', 'wrong-vector-count', []],
    ['a value over the maximum', 'out-of-range', [[1, 10]]],
    ['a negative value', 'out-of-range', [[-1, 1]]],
    ['NaN', 'not-an-integer', [[Number.NaN, 1]]],
  ])('an input with %s (%s)', (_, code, given) => {
    const { states, deliveries } = exchanged();
    expect(codeOf(maskWithPerturbations(states[0]!, deliveries[0]!, given))).toBe(code);
  });
});

describe('a client keeps no secret', () => {
  it('that it drew or agreed on, after its last step', () => {
    const { states: advertised, roster } = advertiseAll(parameters);
    const { keys } = advertised[0]!.peek();
    const drawn: Uint8Array[] = [];
    const source = seeded('erased');
    const rng = (length: number) => {
      drawn.push(source(length));
      return drawn.at(-1)!;
    };
    const { state } = expectKind(
      exchangePerturbations(advertised[0]!, roster, { rng }),
      'continue',
    );
    expect(drawn.length).toBeGreaterThan(1);
    expect(drawn.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true);
    expect(keys.secretKey.erased).toBe(true);
    const { pairs, sent } = state.peek();
    expect(pairs.some(({ secret }) => secret.erased)).toBe(false);
    expect(sent.flatMap(toNumbers)).not.toEqual([0, 0]);
    discardPerturbations(state);
    expect(pairs.every(({ secret }) => secret.erased)).toBe(true);
    expect(sent.flatMap(toNumbers)).toEqual([0, 0]);
    discardPerturbations(state);
    discardPerturbations(advertised[1]!);
    expect(advertised[1]!.consumed).toBe(true);
  });

  it.each([
    ['what was asked', input],
    ['nothing', []],
  ])('after it masked %s', (_, given) => {
    const { states, deliveries } = exchanged();
    const { pairs, sent } = states[0]!.peek();
    maskWithPerturbations(states[0]!, deliveries[0]!, given);
    expect(pairs.every(({ secret }) => secret.erased)).toBe(true);
    expect(sent.flatMap(toNumbers)).toEqual([0, 0]);
  });

  it('when it is printed', () => {
    const { states } = exchanged();
    expect(JSON.stringify(states[0])).toBe('"[state of perturbations client \\"client 0\\"]"');
  });
});
