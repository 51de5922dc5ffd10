import { describe, expect, it } from 'vitest';
import {
  type AdvertisedKey,
  finishMaskingServer,
  handleAtMaskingServer,
  isFault,
  type MaskedInput,
  maskClientInput,
  missingAtMaskingServer,
  startMaskingServer,
  toBigInts,
} from '../../../protocols/index.ts';
import { codeOf, expectKind, SESSION } from '../support.ts';
import { names, one, startAll } from './cohort.ts';

describe('the server', () => {
  const parameters = one(2, 9n, 3);
  const clients = names(3);
  const start = () => startMaskingServer({ session: SESSION, round: 0, parameters, clients });

  function collected() {
    const { states, keys, roster } = startAll(parameters);
    let state = start();
    for (const key of keys) state = expectKind(handleAtMaskingServer(state, key), 'continue').state;
    const inputs = states.map(
      (client) =>
        expectKind(maskClientInput(client, roster, { vectors: [[1, 2]] }), 'finish').message,
    );
    return { state, keys, inputs };
  }

  it('emits the roster with the last key only', () => {
    const { keys } = startAll(parameters);
    let state = start();
    expect(missingAtMaskingServer(state)).toEqual(clients);
    for (const [i, key] of keys.entries()) {
      const next = expectKind(handleAtMaskingServer(state, key), 'continue');
      expect(next.message?.entries.length).toBe(i === 2 ? 3 : undefined);
      state = next.state;
    }
  });

  it.each<[string, string, (key: AdvertisedKey) => AdvertisedKey]>([
    ['of another session', 'wrong-session', (key) => ({ ...key, session: new Uint8Array(16) })],
    ['of a stranger', 'unknown-client', (key) => ({ ...key, client: 'sybil' })],
    ['sent twice', 'duplicate-message', (key) => ({ ...key, client: 'client 0' })],
    ['too short', 'invalid-key', (key) => ({ ...key, publicKey: new Uint8Array(5) })],
  ])('refuses a key %s (%s) and goes on', (_, code, change) => {
    const { keys } = startAll(parameters);
    const state = expectKind(handleAtMaskingServer(start(), keys[0]!), 'continue').state;
    expect(codeOf(handleAtMaskingServer(state, change(keys[1]!)))).toBe(code);
    expect(codeOf(handleAtMaskingServer(state, keys[1]!))).toBe('continue');
  });

  it("refuses another client's key", () => {
    const { keys } = startAll(parameters);
    const state = expectKind(handleAtMaskingServer(start(), keys[0]!), 'continue').state;
    const copied = { ...keys[1]!, publicKey: keys[0]!.publicKey };
    expect(codeOf(handleAtMaskingServer(state, copied))).toBe('duplicate-key');
  });

  it.each<[string, string, (input: MaskedInput) => MaskedInput]>([
    ['of another round', 'wrong-session', (input) => ({ ...input, round: 9 })],
    ['of a stranger', 'unknown-client', (input) => ({ ...input, client: 'sybil' })],
    ['sent twice', 'duplicate-message', (input) => ({ ...input, client: 'client 0' })],
    [
      'for another roster',
      'transcript-mismatch',
      (input) => ({ ...input, transcript: new Uint8Array(32) }),
    ],
    ['without its vector', 'wrong-vector-count', (input) => ({ ...input, vectors: [] })],
    [
      'mod another R',
      'wrong-modulus',
      (input) => ({ ...input, vectors: [{ ...input.vectors[0]!, modulus: 128n }] }),
    ],
    [
      'of another length',
      'invalid-length',
      (input) => ({
        ...input,
        vectors: [{ lane: 'u32', modulus: 32n, values: new Uint32Array(3) }],
      }),
    ],
    [
      'above R',
      'non-canonical',
      (input) => ({
        ...input,
        vectors: [{ lane: 'u32', modulus: 32n, values: Uint32Array.of(32, 0) }],
      }),
    ],
    [
      'in another lane',
      'non-canonical',
      (input) => ({ ...input, vectors: [{ lane: 'wide', modulus: 32n, values: [1n, 1n] }] }),
    ],
  ])('refuses an input %s (%s) and still gets the sum', (_, code, change) => {
    const { state, inputs } = collected();
    let current = expectKind(handleAtMaskingServer(state, inputs[0]!), 'continue').state;
    expect(codeOf(handleAtMaskingServer(current, change(inputs[1]!)))).toBe(code);
    for (const input of inputs.slice(1)) {
      current = expectKind(handleAtMaskingServer(current, input), 'continue').state;
    }
    const { sums } = expectKind(finishMaskingServer(current), 'finish');
    expect(sums.map(toBigInts)).toEqual([[3n, 6n]]);
  });

  it('refuses an input before there is a roster', () => {
    const { inputs } = collected();
    expect(codeOf(handleAtMaskingServer(start(), inputs[0]!))).toBe('unexpected-message');
  });

  it('names who is missing instead of giving a sum, and can wait on', () => {
    const { state, inputs } = collected();
    const partial = expectKind(handleAtMaskingServer(state, inputs[1]!), 'continue').state;
    const outcome = finishMaskingServer(partial);
    expect(outcome).toMatchObject({ code: 'missing-clients', offender: 'client 0' });
    expect(isFault(outcome) && outcome.message).toMatch(/2 of 3.*client 0, client 2/);
    expect(missingAtMaskingServer(partial)).toEqual(['client 0', 'client 2']);
    expect(codeOf(handleAtMaskingServer(partial, inputs[0]!))).toBe('continue');
  });

  it('refuses an old state', () => {
    const { state, inputs } = collected();
    handleAtMaskingServer(state, inputs[0]!);
    expect(() => handleAtMaskingServer(state, inputs[1]!)).toThrow(/state-consumed/);
  });

  it('throws for parameters of its own that are wrong', () => {
    const given = { session: SESSION, round: 0, parameters, clients };
    expect(() => startMaskingServer({ ...given, clients: names(2) })).toThrow(/invalid-argument/);
    expect(() => startMaskingServer({ ...given, clients: ['a', 'a', 'b'] })).toThrow(
      /invalid-argument/,
    );
    expect(() => startMaskingServer({ ...given, session: new Uint8Array(3) })).toThrow(
      /invalid-argument/,
    );
  });
});
