import { describe, expect, it } from 'vitest';
import {
  finishPerturbationsServer,
  handleAtPerturbationsServer,
  type MaskedInput,
  missingAtPerturbationsServer,
  type SentPerturbations,
  startPerturbationsServer,
  toBigInts,
} from '../../../protocols/index.ts';
import { names, one } from '../masking/cohort.ts';
import { codeOf, expectKind, SESSION, seeded } from '../support.ts';
import { advertiseAll, exchangeAll, maskAll, serverOf } from './cohort.ts';

const parameters = one(2, 9n, 3);

describe('the server', () => {
  function collected() {
    const rng = seeded('server');
    const advertised = advertiseAll(parameters, rng);
    const { sent, deliveries, states } = exchangeAll(advertised, () => rng);
    return { server: advertiseAll(parameters, seeded('server')).server, sent, deliveries, states };
  }

  it('waits for keys, then perturbations, then inputs, and says for whom', () => {
    const clients = names(3);
    const { keys } = advertiseAll(parameters);
    let server = serverOf(parameters);
    expect(missingAtPerturbationsServer(server)).toEqual(clients);
    server = expectKind(handleAtPerturbationsServer(server, keys[0]!), 'continue').state;
    expect(missingAtPerturbationsServer(server)).toEqual(clients.slice(1));

    const { sent, states, deliveries } = collected();
    server = collected().server;
    expect(missingAtPerturbationsServer(server)).toEqual(clients);
    for (const [i, message] of sent.entries()) {
      const step = expectKind(handleAtPerturbationsServer(server, message), 'continue');
      server = step.state;
      expect(step.deliveries?.length).toBe(i === 2 ? 3 : undefined);
      expect(missingAtPerturbationsServer(server)).toEqual(
        i === 2 ? clients : clients.slice(i + 1),
      );
    }
    expect(server.peek().sent.size).toBe(0);
    const masked = maskAll({ states, deliveries, sent, server }, [[[1, 2]], [[3, 4]], [[9, 0]]]);
    server = expectKind(handleAtPerturbationsServer(server, masked[1]!), 'continue').state;
    expect(missingAtPerturbationsServer(server)).toEqual(['client 0', 'client 2']);
  });

  it('passes each perturbation to whom it is for, from whom it is', () => {
    const { sent, deliveries } = collected();
    for (const { client, perturbations } of deliveries) {
      for (const { peer, sealed } of perturbations) {
        const sender = sent.find((message) => message.client === peer)!;
        expect(sender.perturbations.find((entry) => entry.peer === client)!.sealed).toBe(sealed);
      }
      expect(perturbations.map(({ peer }) => peer)).toEqual(
        names(3).filter((name) => name !== client),
      );
    }
  });

  it.each<[string, string, (message: SentPerturbations) => SentPerturbations]>([
    ['of another session', 'wrong-session', (m) => ({ ...m, session: new Uint8Array(16) })],
    ['of another round', 'wrong-session', (m) => ({ ...m, round: 2 })],
    ['of a stranger', 'unknown-client', (m) => ({ ...m, client: 'sybil' })],
    ['sent twice', 'duplicate-message', (m) => ({ ...m, client: 'client 0' })],
    [
      'for another roster',
      'transcript-mismatch',
      (m) => ({ ...m, transcript: new Uint8Array(32) }),
    ],
    ['for too few', 'wrong-recipients', (m) => ({ ...m, perturbations: m.perturbations.slice(1) })],
    [
      'for one twice',
      'wrong-recipients',
      ({ perturbations: [first], ...m }) => ({ ...m, perturbations: [first!, first!] }),
    ],
    [
      'for everyone and for one again',
      'wrong-recipients',
      (m) => ({ ...m, perturbations: [...m.perturbations, m.perturbations[0]!] }),
    ],
    [
      'for itself',
      'wrong-recipients',
      ({ perturbations: [first, second], ...m }) => ({
        ...m,
        perturbations: [first!, { ...second!, peer: 'client 1' }],
      }),
    ],
    [
      'for a stranger',
      'wrong-recipients',
      ({ perturbations: [first, second], ...m }) => ({
        ...m,
        perturbations: [first!, { ...second!, peer: 'sybil' }],
      }),
    ],
    [
      'of another length',
      'invalid-length',
      ({ perturbations: [first, second], ...m }) => ({
        ...m,
        perturbations: [first!, { ...second!, sealed: second!.sealed.subarray(1) }],
      }),
    ],
  ])('refuses perturbations %s (%s), and goes on', (_, code, change) => {
    const { server, sent } = collected();
    const state = expectKind(handleAtPerturbationsServer(server, sent[0]!), 'continue').state;
    expect(handleAtPerturbationsServer(state, change(sent[1]!))).toMatchObject({
      stage: 'exchange-perturbations',
      code,
    });
    expect(codeOf(handleAtPerturbationsServer(state, sent[1]!))).toBe('continue');
  });

  it('refuses what comes out of turn', () => {
    const { sent, states, deliveries, server } = collected();
    const masked: MaskedInput[] = maskAll({ states, deliveries, sent, server }, [
      [[1, 2]],
      [[3, 4]],
      [[5, 6]],
    ]);
    expect(codeOf(handleAtPerturbationsServer(serverOf(parameters), sent[0]!))).toBe(
      'unexpected-message',
    );
    expect(codeOf(handleAtPerturbationsServer(serverOf(parameters), masked[0]!))).toBe(
      'unexpected-message',
    );
    expect(handleAtPerturbationsServer(server, masked[0]!)).toMatchObject({
      stage: 'collect-inputs',
      code: 'unexpected-message',
      offender: 'client 0',
    });
    let state = server;
    for (const message of sent) {
      state = expectKind(handleAtPerturbationsServer(state, message), 'continue').state;
    }
    expect(codeOf(handleAtPerturbationsServer(state, sent[0]!))).toBe('duplicate-message');
    expect(() => handleAtPerturbationsServer(server, masked[0]!)).toThrow(/state-consumed/);
  });

  it('gives no sum without everybody, in any stage, and the sum afterwards', () => {
    const { sent, states, deliveries, server } = collected();
    let state = server;
    const missing = (count: number, first: string) =>
      expect(finishPerturbationsServer(state)).toMatchObject({
        stage: 'finish',
        code: 'missing-clients',
        offender: first,
        message: expect.stringContaining(`${count} of 3`),
      });
    missing(3, 'client 0');
    state = expectKind(handleAtPerturbationsServer(state, sent[0]!), 'continue').state;
    missing(2, 'client 1');
    for (const message of sent.slice(1)) {
      state = expectKind(handleAtPerturbationsServer(state, message), 'continue').state;
    }
    const masked = maskAll({ states, deliveries, sent, server }, [[[1, 2]], [[3, 4]], [[5, 0]]]);
    for (const message of masked.slice(0, 2)) {
      state = expectKind(handleAtPerturbationsServer(state, message), 'continue').state;
    }
    missing(1, 'client 2');
    state = expectKind(handleAtPerturbationsServer(state, masked[2]!), 'continue').state;
    const { sums, clients } = expectKind(finishPerturbationsServer(state), 'finish');
    expect(sums.map(toBigInts)).toEqual([[9n, 6n]]);
    expect(clients).toEqual(names(3));
    expect(() => finishPerturbationsServer(state)).toThrow(/state-consumed/);
  });

  it('refuses a sum that honest clients cannot make', () => {
    const { sent, states, deliveries, server } = collected();
    let state = server;
    for (const message of sent) {
      state = expectKind(handleAtPerturbationsServer(state, message), 'continue').state;
    }
    const masked = maskAll({ states, deliveries, sent, server }, [[[1, 2]], [[3, 4]], [[5, 0]]]);
    const [vector] = masked[2]!.vectors;
    const shifted = toBigInts(vector!).map((value) => Number((value + 20n) % 32n));
    const cheating: MaskedInput = {
      ...masked[2]!,
      vectors: [{ lane: 'u32', modulus: vector!.modulus, values: Uint32Array.from(shifted) }],
    };
    for (const message of [masked[0]!, masked[1]!, cheating]) {
      state = expectKind(handleAtPerturbationsServer(state, message), 'continue').state;
    }
    expect(codeOf(finishPerturbationsServer(state))).toBe('sum-out-of-range');
    expect(state.consumed).toBe(true);
  });

  it('does not start with a base that does not hold the sum, or another number of clients', () => {
    const start = (modulus: bigint, clients: string[]) =>
      startPerturbationsServer({
        session: SESSION,
        round: 0,
        parameters: {
          clients: 3,
          vectors: [{ kind: 'sum', id: 'x', length: 1, maximum: 9n, modulus }],
        },
        clients,
      });
    expect(() => start(27n, names(3))).toThrow(/invalid-argument.*modulus 27 does not hold it/);
    expect(() => start(28n, names(2))).toThrow(/invalid-argument/);
    expect(missingAtPerturbationsServer(start(28n, names(3)))).toEqual(names(3));
  });
});
