/**
 * @file A secure sum of 1,000 int32 values (32 bits) from 5 clients, by Fedloom's Paillier roles and
 * by paillier-bigint once per value.
 *
 * The way once per value is measured on a sample of values and divided by its size: each costs the
 * same, and a thousand would take minutes. Making the key is in neither figure. "cold" includes
 * what a client does once for a key (its own generator and table), "warm" does not.
 */

import { generateRandomKeysSync } from 'paillier-bigint';
import {
  createEncryptor,
  createPackingPlan,
  decryptAtKeyHolder,
  type Encryptor,
  encryptClientInput,
  finishAggregator,
  handleAtAggregator,
  importPrivateKey,
  maskEncryptedSum,
  type PaillierPrivateKey,
  startAggregator,
  startKeyHolder,
  unmaskDecryptedSum,
} from '../../protocols/index.ts';
import type { Benchmark, BenchmarkFigure } from '../benchmark.ts';

const CLIENTS = 5;
const VALUES = 1000;
const SAMPLED_VALUES = 4;
const AT_LEAST = { atLeast: 300 };

const benchmark: Benchmark = {
  name: 'paillier-secure-sum',
  target: 'at least 300 times as fast a value as paillier-bigint once per value',
  async run(): Promise<BenchmarkFigure[]> {
    return [2048, 3072].flatMap(measure);
  },
};

export default benchmark;

function measure(modulusBits: number): BenchmarkFigure[] {
  const naive = generateRandomKeysSync(modulusBits, true);
  const privateKey = importPrivateKey(naive.privateKey);
  const inputs = Array.from({ length: CLIENTS }, (_, client) =>
    Uint32Array.from({ length: VALUES }, (_, i) => (i * 2_654_435_761 + client) >>> 0),
  );

  const perValue = timed(() => {
    for (let i = 0; i < SAMPLED_VALUES; i += 1) {
      const ciphertexts = inputs.map((input) => naive.publicKey.encrypt(BigInt(input[i]!)));
      naive.privateKey.decrypt(naive.publicKey.addition(...ciphertexts));
    }
  });
  const naiveMicroseconds = (perValue * 1000) / SAMPLED_VALUES;

  const encryptors = Array.from({ length: CLIENTS + 1 }, () =>
    createEncryptor(privateKey.publicKey),
  );
  const cold = timed(() => secureSum(privateKey, encryptors, inputs));
  const warm = Math.min(
    ...Array.from({ length: 3 }, () => timed(() => secureSum(privateKey, encryptors, inputs))),
  );
  const size = `${modulusBits} bits`;
  const microseconds = (milliseconds: number): number => (milliseconds * 1000) / VALUES;
  return [
    { case: `${size}, once per value`, unit: 'µs/value', value: naiveMicroseconds },
    { case: `${size}, packed, cold`, unit: 'µs/value', value: microseconds(cold) },
    { case: `${size}, packed, warm`, unit: 'µs/value', value: microseconds(warm) },
    {
      case: `${size}, ratio, cold`,
      unit: 'x',
      value: naiveMicroseconds / microseconds(cold),
      limit: AT_LEAST,
    },
    {
      case: `${size}, ratio, warm`,
      unit: 'x',
      value: naiveMicroseconds / microseconds(warm),
      limit: AT_LEAST,
    },
    {
      case: `${size}, one client's encryption, warm`,
      unit: 'µs/value',
      value: microseconds(
        Math.min(
          ...Array.from({ length: 3 }, () =>
            timed(() => encryptOnce(privateKey, encryptors[0]!, inputs[0]!)),
          ),
        ),
      ),
    },
  ];
}

/** The roles of a separate key holder: encrypt, add, mask, decrypt, unmask, unpack, all checked. */
function secureSum(
  privateKey: PaillierPrivateKey,
  encryptors: readonly Encryptor[],
  inputs: readonly Uint32Array[],
): void {
  const plan = planFor(privateKey);
  const run = { session: new Uint8Array(32), round: 0, plan };
  const clients = inputs.map((_, i) => `client ${i}`);
  const serverEncryptor = encryptors[CLIENTS]!;
  const { state: keyHolder } = startKeyHolder({ ...run, privateKey, decrypts: 'masked' });
  let aggregator = startAggregator({ ...run, clients, encryptor: serverEncryptor });
  for (const [i, client] of clients.entries()) {
    const encrypted = encryptClientInput(
      { ...run, client, encryptor: encryptors[i]! },
      { vectors: [inputs[i]!] },
    );
    if (encrypted.kind === 'fault') throw new Error(encrypted.message);
    const next = handleAtAggregator(aggregator, encrypted.message);
    if (next.kind === 'fault') throw new Error(next.message);
    aggregator = next.state;
  }
  const sum = finishAggregator(aggregator);
  if (sum.kind === 'fault') throw new Error(sum.message);
  const masked = maskEncryptedSum({ ...run, encryptor: serverEncryptor }, sum.message);
  if (masked.kind === 'fault') throw new Error(masked.message);
  const decrypted = decryptAtKeyHolder(keyHolder, masked.message);
  if (decrypted.kind === 'fault') throw new Error(decrypted.message);
  const result = unmaskDecryptedSum(masked.state, decrypted.message);
  if (result.kind === 'fault') throw new Error(result.message);
  for (let i = 0; i < VALUES; i += 1) {
    const expected = inputs.reduce((total, input) => total + input[i]!, 0);
    if (Number(result.sums[0]![i]) !== expected) throw new Error(`sum ${i} is wrong`);
  }
}

function encryptOnce(privateKey: PaillierPrivateKey, encryptor: Encryptor, input: Uint32Array) {
  const plan = planFor(privateKey);
  const run = { session: new Uint8Array(32), round: 1, plan, client: 'client 0', encryptor };
  return encryptClientInput(run, { vectors: [input] });
}

function planFor(privateKey: PaillierPrivateKey) {
  return createPackingPlan({
    segments: [{ kind: 'sum', length: VALUES, maximum: 2n ** 32n - 1n }],
    clients: CLIENTS,
    modulusBits: privateKey.publicKey.modulusBits,
  });
}

function timed(action: () => void): number {
  const start = performance.now();
  action();
  return performance.now() - start;
}
