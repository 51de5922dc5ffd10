import { describe, expect, it } from 'vitest';
import {
  type DecryptedSum,
  decryptAtKeyHolder,
  type EncryptedSum,
  encodeCiphertexts,
  maskEncryptedSum,
  memoryLedger,
  unmaskDecryptedSum,
} from '../../../protocols/index.ts';
import { codeOf, expectKind, seeded } from '../support.ts';
import {
  aggregate,
  encrypted,
  encryptor,
  holder,
  inputsOf,
  names,
  publicKey,
  serverOf,
  signedAnew,
  three,
} from './cohort.ts';

describe('the key holder', () => {
  const inputs = inputsOf(three);
  const sum = aggregate(three, inputs);
  const maskedSum = expectKind(maskEncryptedSum(serverOf(three), sum), 'continue').message;
  const [first, second, third] = maskedSum.inputs;

  it.each<[string, string, Partial<EncryptedSum>]>([
    ['of another session', 'wrong-session', { session: new Uint8Array(32) }],
    ['under another key', 'wrong-key', { key: new Uint8Array(32) }],
    ['by another plan', 'wrong-plan', { plan: new Uint8Array(32) }],
    ['for another roster', 'wrong-roster', { roster: new Uint8Array(32) }],
    ['without a mask', 'not-masked', { masked: false }],
    ['of a single client', 'too-few-inputs', { inputs: [first!] }],
    ['of nobody', 'too-few-inputs', { inputs: [] }],
    ['with a client counted twice', 'duplicate-client', { inputs: [first!, second!, second!] }],
    [
      'of more than its slots hold',
      'too-many-inputs',
      { inputs: [first!, second!, third!, third!] },
    ],
    [
      'with a stranger in it',
      'unknown-client',
      { inputs: [first!, second!, { ...third!, client: 'sybil' }] },
    ],
    [
      'with an input that nobody signed',
      'wrong-signature',
      { inputs: [first!, second!, { ...third!, signature: new Uint8Array(64) }] },
    ],
    [
      'with an input other than the signed one',
      'wrong-signature',
      { inputs: [first!, second!, { ...third!, ciphertextsHash: new Uint8Array(32) }] },
    ],
    [
      'with an input under a lower minimum than it was given for',
      'wrong-signature',
      { inputs: [first!, second!, { ...third!, minimumClients: 0 }] },
    ],
    ['of another context', 'wrong-signature', { contextHash: new Uint8Array(32) }],
    ['with a ciphertext too few', 'invalid-ciphertext', { ciphertexts: new Uint8Array(0) }],
  ])('refuses a sum %s (%s), and then decrypts the true one', (_, code, changes) => {
    const state = holder(three);
    expect(codeOf(decryptAtKeyHolder(state, { ...maskedSum, ...changes }))).toBe(code);
    expect(codeOf(decryptAtKeyHolder(state, maskedSum))).toBe('finish');
  });

  it('decrypts once in a session', () => {
    const state = holder(three);
    expect(codeOf(decryptAtKeyHolder(state, maskedSum))).toBe('finish');
    expect(() => decryptAtKeyHolder(state, maskedSum)).toThrow(/state-consumed/);
  });

  it('decrypts once in a session after a restart, by its ledger', () => {
    const ledger = memoryLedger();
    expect(codeOf(decryptAtKeyHolder(holder(three, { ledger }), maskedSum))).toBe('finish');
    expect(codeOf(decryptAtKeyHolder(holder(three, { ledger }), maskedSum))).toBe('session-used');
    const elsewhere = memoryLedger();
    expect(codeOf(decryptAtKeyHolder(holder(three, { ledger: elsewhere }), maskedSum))).toBe(
      'finish',
    );
  });

  it('counts a decryption that failed (provoked faults)', () => {
    const ledger = memoryLedger();
    const broken = () => {
      throw new Error('no more randomness');
    };
    expect(() => decryptAtKeyHolder(holder(three, { ledger }), maskedSum, { rng: broken })).toThrow(
      /no more randomness/,
    );
    expect(codeOf(decryptAtKeyHolder(holder(three, { ledger }), maskedSum))).toBe('session-used');
  });

  it('goes by its own threshold, and by those of the clients in the sum', () => {
    const partOf = (count: number, minimumClients: number) => {
      const some = names(count).map((client, i) =>
        encrypted(three, client, [[i, 9]], { minimumClients }),
      );
      const part = aggregate(three, some, { minimumClients: 1 });
      return expectKind(maskEncryptedSum(serverOf(three), part), 'continue').message;
    };
    const outcome = (part: EncryptedSum, minimumClients: number) =>
      codeOf(decryptAtKeyHolder(holder(three, { minimumClients }), part));
    expect(outcome(partOf(2, 2), 2)).toBe('finish');
    expect(outcome(partOf(2, 2), 3)).toBe('too-few-inputs');
    expect(outcome(maskedSum, 4)).toBe('too-few-inputs');
    // An aggregator that leaves somebody out against the will of the others.
    const three3 = partOf(3, 3);
    const part = { ...three3, inputs: three3.inputs.slice(1) };
    expect(outcome(part, 1)).toBe('below-client-minimum');
  });

  it('that adds itself decrypts nothing that others added, and the other way round', () => {
    const adding = holder(three, { decrypts: 'masked-inputs' });
    expect(codeOf(decryptAtKeyHolder(adding, maskedSum))).toBe('not-masked');
  });
});

describe('the server', () => {
  const sum = aggregate(three, inputsOf(three));
  const setup = serverOf(three);

  it('refuses a sum that is masked, or not of this run', () => {
    expect(codeOf(maskEncryptedSum(setup, { ...sum, masked: true }))).toBe('already-masked');
    expect(codeOf(maskEncryptedSum(setup, { ...sum, round: 3 }))).toBe('wrong-session');
    const short = { ...sum, ciphertexts: sum.ciphertexts.subarray(1) };
    expect(codeOf(maskEncryptedSum(setup, short))).toBe('invalid-ciphertext');
  });

  it('refuses decryptions that are not of this run, too short, too large or not of this sum', () => {
    const start = () => expectKind(maskEncryptedSum(setup, sum, { rng: seeded(1) }), 'continue');
    const { message } = expectKind(decryptAtKeyHolder(holder(three), start().message), 'finish');
    const outcome = (changes: Partial<DecryptedSum>) =>
      codeOf(unmaskDecryptedSum(start().state, { ...message, ...changes }));
    expect(outcome({ round: 1 })).toBe('wrong-session');
    expect(outcome({ clients: names(2) })).toBe('wrong-cohort');
    expect(outcome({ clients: [...names(3), 'client 2'] })).toBe('wrong-cohort');
    expect(outcome({ plaintexts: new Uint8Array(3) })).toBe('invalid-plaintext');
    expect(outcome({ plaintexts: new Uint8Array(publicKey.plaintextBytes).fill(255) })).toBe(
      'invalid-plaintext',
    );
    expect(outcome({})).toBe('finish');
  });

  it('finds out a key holder that decrypts to something else', () => {
    const start = () => expectKind(maskEncryptedSum(setup, sum, { rng: seeded(1) }), 'continue');
    const { message } = expectKind(decryptAtKeyHolder(holder(three), start().message), 'finish');
    const plaintexts = message.plaintexts.slice();
    // One more in the first value: no slot overflows.
    plaintexts[plaintexts.length - 1]! ^= 1;
    const outcome = (changes: Partial<DecryptedSum>) =>
      codeOf(unmaskDecryptedSum(start().state, { ...message, ...changes }));
    expect(outcome({ plaintexts })).toBe('wrong-decryption');
    expect(outcome({ root: message.root + 1n })).toBe('wrong-decryption');
    expect(outcome({ root: 0n })).toBe('wrong-decryption');
    expect(outcome({ root: message.root + publicKey.n })).toBe('wrong-decryption');
  });

  it('takes a mask off once', () => {
    const { state, message } = expectKind(maskEncryptedSum(setup, sum), 'continue');
    const answer = expectKind(decryptAtKeyHolder(holder(three), message), 'finish').message;
    expect(codeOf(unmaskDecryptedSum(state, answer))).toBe('finish');
    expect(() => unmaskDecryptedSum(state, answer)).toThrow(/state-consumed/);
  });

  it('finds a sum that a cheating client made too large', () => {
    const plaintext = three.segments[0]!.largestSum + 5n;
    const ciphertexts = encodeCiphertexts(publicKey, encryptor.encrypt([plaintext]));
    const inputs = inputsOf(three);
    const cheat = signedAnew(inputs[2]!, { ciphertexts });
    const step = expectKind(
      maskEncryptedSum(setup, aggregate(three, [...inputs.slice(0, 2), cheat])),
      'continue',
    );
    const { message } = expectKind(decryptAtKeyHolder(holder(three), step.message), 'finish');
    expect(codeOf(unmaskDecryptedSum(step.state, message))).toBe('slot-overflow');
  });
});
