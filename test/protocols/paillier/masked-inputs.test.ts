/** @file Sums that the key holder adds itself: clients mask their values, a mask keeper has the masks. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type DecryptedSum,
  decodeCiphertexts,
  decrypt,
  type EncryptedInput,
  encodeCiphertexts,
  encryptMaskedInput,
  finishKeyHolder,
  finishMaskKeeper,
  handleAtKeyHolder,
  handleAtMaskKeeper,
  type InputMask,
  type KeyHolderSetup,
  type MaskKeeperSetup,
  type MaskSum,
  memoryLedger,
  type PackingPlan,
  signStatement,
  startMaskKeeper,
  unmaskWithMaskSum,
} from '../../../protocols/index.ts';
import { expandMask } from '../../../protocols/paillier/input-mask.ts';
import { statementOfMask } from '../../../protocols/paillier/input-statement.ts';
import { chiSquare, chiSquareLimit, codeOf, expectKind, seeded } from '../support.ts';
import {
  clientOf,
  cohortOf,
  holder,
  masked,
  names,
  planOf,
  publicKey,
  serverOf,
  signedAnew,
  signingKeyOf,
  three,
} from './cohort.ts';
import { smallKey } from './keys.ts';

type Made = ReturnType<typeof masked>;

const adding = (plan: PackingPlan, changes: Partial<KeyHolderSetup> = {}) =>
  holder(plan, { decrypts: 'masked-inputs', ...changes });

const keeperOf = (plan: PackingPlan, changes: Partial<MaskKeeperSetup> = {}) =>
  startMaskKeeper({ ...cohortOf(plan), publicKey, ...changes });

const madeOf = (plan: PackingPlan): Made[] =>
  names(plan.clients).map((client, i) => masked(plan, client, [[i, 9]]));

function collected(made: readonly Made[], state = adding(three)) {
  for (const { message } of made) {
    state = expectKind(handleAtKeyHolder(state, message), 'continue').state;
  }
  return state;
}

function kept(made: readonly Made[], state = keeperOf(three)) {
  for (const { mask } of made) {
    state = expectKind(handleAtMaskKeeper(state, mask), 'continue').state;
  }
  return state;
}

/** A mask that its client signed anew after a change. */
function maskSignedAnew(mask: InputMask, changes: Partial<InputMask>): InputMask {
  const changed = { ...mask, ...changes };
  const signature = signStatement(statementOfMask(changed), signingKeyOf(changed.client));
  return { ...changed, signature };
}

describe('the sum of masked inputs', () => {
  it('is exact, of those who sent, whoever they are', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat(5), { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(9), { minLength: 6, maxLength: 6 }),
        (senders, values) => {
          const plan = planOf(
            [
              { kind: 'sum', length: 40, maximum: 9n },
              { kind: 'modular-sum', length: 1, modulus: 5n },
            ],
            6,
          );
          const clients = senders.map((i) => `client ${i}`);
          const made = senders.map((i) =>
            masked(plan, `client ${i}`, [new Array<number>(40).fill(values[i]!), [values[i]! % 5]]),
          );
          const least = { minimumClients: 1 };
          const decrypted = expectKind(
            finishKeyHolder(collected(made, adding(plan, least))),
            'finish',
          );
          const masks = finishMaskKeeper(kept(made, keeperOf(plan, least)), clients);
          const { message } = expectKind(masks, 'finish');
          const sum = unmaskWithMaskSum(serverOf(plan), decrypted.message, message, clients);
          const total = senders.reduce((sumOf, i) => sumOf + BigInt(values[i]!), 0n);
          expect(expectKind(sum, 'finish')).toMatchObject({
            sums: [new Array<bigint>(40).fill(total), [total % 5n]],
            clients,
          });
        },
      ),
      { numRuns: 12 },
    );
  });

  it('shows the key holder uniform values, one by one too', () => {
    const counts = new Array<number>(16).fill(0);
    const plan = planOf([{ kind: 'sum', length: 40, maximum: 2n ** 300n }], 1);
    for (let seed = 0; seed < 12; seed += 1) {
      const input = { vectors: [new Array<number>(40).fill(0)] };
      const setup = clientOf(plan, 'client 0');
      const { message } = expectKind(
        encryptMaskedInput(setup, input, { rng: seeded(`masked ${seed}`) }),
        'finish',
      );
      const ciphertexts = decodeCiphertexts(publicKey, message.ciphertexts, plan.plaintexts);
      for (const value of decrypt(smallKey, ciphertexts)) {
        counts[Number((value * 16n) / publicKey.n)]! += 1;
      }
    }
    expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(16));
  });

  it('has masks that differ by client, round, session, key and seed', () => {
    const { mask } = masked(three, 'client 0', [[1, 2]]);
    const expand = (seed: Uint8Array, header: object, client: string) =>
      expandMask(seed, { ...mask, ...header }, client, { n: publicKey.n, count: 3 });
    const { seed } = mask;
    const all = [
      expand(seed, {}, 'client 0'),
      expand(seed, {}, 'client 1'),
      expand(seed, { round: 1 }, 'client 0'),
      expand(seed, { session: new Uint8Array(32) }, 'client 0'),
      expand(seed, { key: new Uint8Array(32) }, 'client 0'),
      expand(new Uint8Array(32), {}, 'client 0'),
    ].flat();
    expect(new Set(all).size).toBe(18);
    expect(all.every((value) => value >= 0n && value < publicKey.n)).toBe(true);
    expect(expand(seed, {}, 'client 0')).toEqual(expand(seed, {}, 'client 0'));
  });

  it('is told by nobody of fewer than each client agreed to', () => {
    const careful = masked(three, 'client 0', [[1, 1]], { minimumClients: 3 });
    const [, second, third] = madeOf(three);
    const least = { minimumClients: 1 };
    const some = [careful, second!];
    const state = collected(some, adding(three, least));
    expect(finishKeyHolder(state)).toMatchObject({ code: 'below-client-minimum' });
    const keeper = kept([...some, third!], keeperOf(three, least));
    expect(finishMaskKeeper(keeper, ['client 0', 'client 1'])).toMatchObject({
      code: 'below-client-minimum',
    });
    // Those who agreed to it can be summed without the one who did not.
    expect(codeOf(finishMaskKeeper(keeper, ['client 1', 'client 2']))).toBe('finish');
    expect(codeOf(finishKeyHolder(collected([third!], state)))).toBe('finish');
  });

  it('is nobody’s value if the two are told of different clients', () => {
    const made = madeOf(three);
    const least = { minimumClients: 2 };
    const decrypted = expectKind(
      finishKeyHolder(collected(made.slice(0, 2), adding(three, least))),
      'finish',
    ).message;
    const masks = expectKind(
      finishMaskKeeper(kept(made, keeperOf(three, least)), ['client 1', 'client 2']),
      'finish',
    ).message;
    const both = ['client 0', 'client 1'];
    expect(codeOf(unmaskWithMaskSum(serverOf(three), decrypted, masks, both))).toBe('wrong-cohort');
    const renamed = { ...masks, clients: both };
    const outcome = unmaskWithMaskSum(serverOf(three), decrypted, renamed, both);
    expect(codeOf(outcome)).toBe('slot-overflow');
  });
});

describe('a key holder that adds', () => {
  const [first, second, third] = madeOf(three);
  const size = publicKey.ciphertextBytes;

  it.each<[string, string, Partial<EncryptedInput>]>([
    ['of another session', 'wrong-session', { session: new Uint8Array(32) }],
    ['under another key', 'wrong-key', { key: new Uint8Array(32) }],
    ['by another plan', 'wrong-plan', { plan: new Uint8Array(32) }],
    ['for another roster', 'wrong-roster', { roster: new Uint8Array(32) }],
    ['of a stranger', 'unknown-client', { client: 'sybil' }],
    ['sent twice', 'duplicate-client', { client: 'client 0' }],
    ['from another context', 'context-mismatch', { contextHash: new Uint8Array(32) }],
    ['copied from another client', 'copied-input', { ciphertexts: first!.message.ciphertexts }],
    ['without a mask', 'not-masked', { maskCommitment: new Uint8Array(32) }],
    ['of zeros', 'invalid-ciphertext', { ciphertexts: new Uint8Array(size) }],
    [
      'sharing a factor with n',
      'invalid-ciphertext',
      { ciphertexts: encodeCiphertexts(publicKey, [7n * publicKey.n]) },
    ],
  ])('refuses an input %s (%s) and still decrypts the sum', (_, code, changes) => {
    const state = collected([first!]);
    const refused = handleAtKeyHolder(state, signedAnew(second!.message, changes));
    expect(refused).toMatchObject({ code, offender: changes.client ?? 'client 1' });
    expect(codeOf(finishKeyHolder(collected([second!, third!], state)))).toBe('finish');
  });

  it('refuses an input that its client did not sign so', () => {
    const { message } = first!;
    const forged = { ...message, maskCommitment: new Uint8Array(32).fill(1) };
    expect(handleAtKeyHolder(adding(three), forged)).toMatchObject({ code: 'wrong-signature' });
    const other = signedAnew(message, {}, 'client 1');
    expect(handleAtKeyHolder(adding(three), other)).toMatchObject({ code: 'wrong-signature' });
  });

  it('decrypts of enough inputs, once a session, after a restart too', () => {
    const ledger = memoryLedger();
    const start = () => adding(three, { ledger, minimumClients: 2 });
    const state = collected([first!], start());
    expect(codeOf(finishKeyHolder(state))).toBe('too-few-inputs');
    const enough = collected([second!], state);
    expect(codeOf(finishKeyHolder(enough))).toBe('finish');
    expect(() => finishKeyHolder(enough)).toThrow(/state-consumed/);
    expect(() => handleAtKeyHolder(enough, third!.message)).toThrow(/state-consumed/);
    expect(codeOf(finishKeyHolder(collected([second!, third!], start())))).toBe('session-used');
  });

  it('gives out nothing where its ledger fails', () => {
    const ledger = {
      claim: () => {
        throw new Error('the disk is full');
      },
    };
    const [key, masks] = [adding(three, { ledger }), keeperOf(three, { ledger })];
    expect(() => finishKeyHolder(collected(madeOf(three), key))).toThrow(/disk is full/);
    expect(() => finishMaskKeeper(kept(madeOf(three), masks), names(3))).toThrow(/disk is full/);
  });

  it('is no key holder that is given sums', () => {
    const state = holder(three);
    expect(codeOf(handleAtKeyHolder(state, first!.message))).toBe('not-masked');
  });
});

describe('a mask keeper', () => {
  const made = madeOf(three);
  const [first, second, third] = made;

  it.each<[string, string, Partial<InputMask>]>([
    ['of another session', 'wrong-session', { session: new Uint8Array(32) }],
    ['under another key', 'wrong-key', { key: new Uint8Array(32) }],
    ['by another plan', 'wrong-plan', { plan: new Uint8Array(32) }],
    ['for another roster', 'wrong-roster', { roster: new Uint8Array(32) }],
    ['of a stranger', 'unknown-client', { client: 'sybil' }],
    ['sent twice', 'duplicate-client', { client: 'client 0' }],
    ['from another context', 'context-mismatch', { contextHash: new Uint8Array(32) }],
  ])('refuses a mask %s (%s) and keeps the others', (_, code, changes) => {
    const state = kept([first!]);
    const refused = handleAtMaskKeeper(state, maskSignedAnew(second!.mask, changes));
    expect(refused).toMatchObject({ code, offender: changes.client ?? 'client 1' });
    expect(codeOf(finishMaskKeeper(kept([second!, third!], state), names(3)))).toBe('finish');
  });

  it('refuses a seed, or the mask of an input, that its client did not sign', () => {
    for (const changes of [
      { seed: new Uint8Array(32) },
      { ciphertextsHash: new Uint8Array(32) },
      { minimumClients: 0 },
    ]) {
      const refused = handleAtMaskKeeper(keeperOf(three), { ...first!.mask, ...changes });
      expect(refused).toMatchObject({ code: 'wrong-signature', offender: 'client 0' });
    }
  });

  it('gives out no mask alone, none of a stranger, and none twice', () => {
    const state = kept(made, keeperOf(three, { minimumClients: 2 }));
    const outcome = (clients: readonly string[]) => codeOf(finishMaskKeeper(state, clients));
    expect(outcome(['client 0'])).toBe('too-few-inputs');
    expect(outcome([])).toBe('too-few-inputs');
    expect(outcome(['client 0', 'client 0'])).toBe('duplicate-client');
    expect(outcome(['client 0', 'sybil'])).toBe('unknown-client');
    expect(outcome(['client 0', 'client 2'])).toBe('finish');
    expect(() => finishMaskKeeper(state, names(3))).toThrow(/state-consumed/);
  });

  it('gives out one sum of masks a session, after a restart too', () => {
    const ledger = memoryLedger();
    const start = () => kept(madeOf(three), keeperOf(three, { ledger, minimumClients: 2 }));
    expect(codeOf(finishMaskKeeper(start(), names(3)))).toBe('finish');
    expect(codeOf(finishMaskKeeper(start(), names(2)))).toBe('session-used');
  });
});

describe('the server', () => {
  const made = madeOf(three);
  const decrypted = expectKind(finishKeyHolder(collected(made)), 'finish').message;
  const masks = expectKind(finishMaskKeeper(kept(madeOf(three)), names(3)), 'finish').message;
  const outcome = (sum: Partial<DecryptedSum>, ofMasks: Partial<MaskSum> = {}) =>
    codeOf(
      unmaskWithMaskSum(
        serverOf(three),
        { ...decrypted, ...sum },
        { ...masks, ...ofMasks },
        names(3),
      ),
    );

  it('refuses sums that are not of this run, of these clients, or of this size', () => {
    expect(outcome({ round: 1 })).toBe('wrong-session');
    expect(outcome({}, { round: 1 })).toBe('wrong-session');
    expect(outcome({}, { plan: new Uint8Array(32) })).toBe('wrong-plan');
    expect(outcome({ clients: names(2) })).toBe('wrong-cohort');
    expect(outcome({}, { clients: [...names(3), 'client 0'] })).toBe('wrong-cohort');
    expect(outcome({ plaintexts: new Uint8Array(3) })).toBe('invalid-plaintext');
    expect(outcome({}, { masks: new Uint8Array(3) })).toBe('invalid-plaintext');
    expect(outcome({}, { masks: new Uint8Array(publicKey.plaintextBytes).fill(255) })).toBe(
      'invalid-plaintext',
    );
  });

  it('finds masks that do not belong to the inputs', () => {
    // Of other inputs of the same clients, so that all names fit.
    expect(outcome({})).toBe('slot-overflow');
  });
});

describe('what clients send', () => {
  it('is one input in two parts, neither of which tells anything alone', () => {
    const plan = planOf([{ kind: 'sum', length: 1, maximum: 9n }], 2);
    const { message, mask } = masked(plan, 'client 0', [[5]]);
    const [ciphertext] = decodeCiphertexts(publicKey, message.ciphertexts, 1);
    const [seen] = decrypt(smallKey, [ciphertext!]);
    const [hidden] = expandMask(mask.seed, mask, 'client 0', { n: publicKey.n, count: 1 });
    expect((seen! - hidden! + publicKey.n) % publicKey.n).toBe(5n);
    expect(mask.signature).toEqual(message.signature);
    expect(Object.values(message)).not.toContain(mask.seed);
  });
});
