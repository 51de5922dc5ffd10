/**
 * @file A secure sum of 1,000 int32 values (32 bits) from 5 clients, by Fedloom's Paillier roles and
 * by paillier-bigint once per value.
 *
 * The way once per value is measured on a sample of values and divided by its size: each costs the
 * same, and a thousand would take minutes. Making the key is in neither figure. "cold" includes
 * what a client does once for a key (its own generator and table), "warm" does not. "verified" is
 * the sum whose inputs the key holder adds itself. Every input is signed, and the signature checked
 * by the aggregator (or mask keeper) and by the key holder.
 */

import { generateRandomKeysSync } from 'paillier-bigint';
import {
  announceKey,
  createEncryptor,
  createIdentityRoster,
  createPackingPlan,
  decryptAtKeyHolder,
  type Encryptor,
  encryptClientInput,
  encryptMaskedInput,
  type Fault,
  finishAggregator,
  finishKeyHolder,
  finishMaskKeeper,
  generateEd25519KeyPair,
  generatePaillierKey,
  handleAnnouncedKey,
  handleAtAggregator,
  handleAtKeyHolder,
  handleAtMaskKeeper,
  importPrivateKey,
  isFault,
  maskEncryptedSum,
  memoryLedger,
  type PaillierPrivateKey,
  proveForHolder,
  startAggregator,
  startKeyHolder,
  startMaskKeeper,
  unmaskDecryptedSum,
  unmaskWithMaskSum,
} from '../../protocols/index.ts';
import type { Benchmark, BenchmarkFigure } from '../benchmark.ts';

const CLIENTS = 5;
const VALUES = 1000;
const SAMPLED_VALUES = 4;
const AT_LEAST = { atLeast: 300 };

const names = Array.from({ length: CLIENTS }, (_, i) => `client ${i}`);
const identities = names.map(() => generateEd25519KeyPair());
const roster = createIdentityRoster(
  names.map((client, i) => ({ client, publicKey: identities[i]!.publicKey })),
);

const benchmark: Benchmark = {
  name: 'paillier-secure-sum',
  target: 'at least 300 times as fast a value as paillier-bigint once per value',
  async run(): Promise<BenchmarkFigure[]> {
    const sums = [2048, 3072].flatMap(measure);
    return [...sums, ...(await measureKeys(3072))];
  },
};

export default benchmark;

function measure(modulusBits: number): BenchmarkFigure[] {
  const naive = generateRandomKeysSync(modulusBits, true);
  const privateKey = importPrivateKey(naive.privateKey);
  const inputs = names.map((_, client) =>
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
  const warm = bestOf(3, () => secureSum(privateKey, encryptors, inputs));
  const verified = bestOf(3, () => verifiedSum(privateKey, encryptors, inputs));
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
      case: `${size}, packed, verified, warm`,
      unit: 'µs/value',
      value: microseconds(verified),
    },
    {
      case: `${size}, one client's encryption, warm`,
      unit: 'µs/value',
      value: microseconds(bestOf(3, () => encryptOnce(privateKey, encryptors[0]!, inputs[0]!))),
    },
  ];
}

/** Once for a key: making it, proving that it is well-formed, and checking that as a client does. */
async function measureKeys(modulusBits: number): Promise<BenchmarkFigure[]> {
  const start = performance.now();
  const privateKey = await generatePaillierKey({ modulusBits });
  const made = performance.now() - start;
  const [holder] = roster.members;
  const signer = { holder: holder!.client, signingKey: identities[0]!.secretKey };
  let proof = new Uint8Array();
  const proven = timed(() => {
    proof = Uint8Array.from(proveForHolder(privateKey, signer));
  });
  const session = { session: new Uint8Array(32), round: 0 };
  const announced = announceKey({ ...session, ...signer, privateKey, proof });
  const check = () => expectNoFault(handleAnnouncedKey(announced, { holder: holder! }));
  const figure = (what: string, value: number): BenchmarkFigure => ({
    case: `${modulusBits} bits, ${what}`,
    unit: 'ms',
    value,
  });
  return [
    figure('making a key', made),
    figure('proving it well-formed', proven),
    figure('checking the proof, first time', timed(check)),
    figure('checking the proof, known', timed(check)),
  ];
}

/** The roles of a separate key holder: encrypt, add, mask, decrypt, unmask, unpack, all checked. */
function secureSum(
  privateKey: PaillierPrivateKey,
  encryptors: readonly Encryptor[],
  inputs: readonly Uint32Array[],
): void {
  const cohort = cohortOf(privateKey);
  const { publicKey } = privateKey;
  const keyHolder = startKeyHolder({ ...cohort, privateKey, decrypts: 'masked' });
  let aggregator = startAggregator({ ...cohort, encryptor: encryptors[CLIENTS]! });
  for (const i of names.keys()) {
    const setup = clientSetup(privateKey, encryptors[i]!, i);
    const { message } = expectNoFault(encryptClientInput(setup, { vectors: [inputs[i]!] }));
    aggregator = expectNoFault(handleAtAggregator(aggregator, message)).state;
  }
  const sum = expectNoFault(finishAggregator(aggregator));
  const masked = expectNoFault(maskEncryptedSum({ ...cohort, publicKey }, sum.message));
  const decrypted = expectNoFault(decryptAtKeyHolder(keyHolder, masked.message));
  checkSums(inputs, expectNoFault(unmaskDecryptedSum(masked.state, decrypted.message)).sums);
}

/** The same with a key holder that adds, and a mask keeper in the place of the aggregator. */
function verifiedSum(
  privateKey: PaillierPrivateKey,
  encryptors: readonly Encryptor[],
  inputs: readonly Uint32Array[],
): void {
  const cohort = cohortOf(privateKey);
  const { publicKey } = privateKey;
  let keyHolder = startKeyHolder({ ...cohort, privateKey, decrypts: 'masked-inputs' });
  let keeper = startMaskKeeper({ ...cohort, publicKey });
  for (const i of names.keys()) {
    const setup = clientSetup(privateKey, encryptors[i]!, i);
    const made = expectNoFault(encryptMaskedInput(setup, { vectors: [inputs[i]!] }));
    keeper = expectNoFault(handleAtMaskKeeper(keeper, made.mask)).state;
    keyHolder = expectNoFault(handleAtKeyHolder(keyHolder, made.message)).state;
  }
  const masks = expectNoFault(finishMaskKeeper(keeper, names)).message;
  const decrypted = expectNoFault(finishKeyHolder(keyHolder)).message;
  const server = { ...cohort, publicKey };
  checkSums(inputs, expectNoFault(unmaskWithMaskSum(server, decrypted, masks, names)).sums);
}

function encryptOnce(privateKey: PaillierPrivateKey, encryptor: Encryptor, input: Uint32Array) {
  return encryptClientInput(clientSetup(privateKey, encryptor, 0), { vectors: [input] });
}

function clientSetup(privateKey: PaillierPrivateKey, encryptor: Encryptor, index: number) {
  const { session, round, plan } = cohortOf(privateKey);
  const client = names[index]!;
  const signingKey = identities[index]!.secretKey;
  return { session, round, plan, roster, client, signingKey, encryptor };
}

function cohortOf(privateKey: PaillierPrivateKey) {
  const plan = createPackingPlan({
    segments: [{ kind: 'sum', length: VALUES, maximum: 2n ** 32n - 1n }],
    clients: CLIENTS,
    modulusBits: privateKey.publicKey.modulusBits,
  });
  const session = new Uint8Array(32);
  return { session, round: 0, plan, clients: names, roster, ledger: memoryLedger() };
}

function checkSums(inputs: readonly Uint32Array[], sums: readonly (readonly bigint[])[]): void {
  for (let i = 0; i < VALUES; i += 1) {
    const expected = inputs.reduce((total, input) => total + input[i]!, 0);
    if (Number(sums[0]![i]) !== expected) throw new Error(`sum ${i} is wrong`);
  }
}

function expectNoFault<O extends { readonly kind: string }>(outcome: O): Exclude<O, Fault> {
  if (isFault(outcome)) throw new Error(outcome.message);
  return outcome as Exclude<O, Fault>;
}

function bestOf(times: number, action: () => void): number {
  return Math.min(...Array.from({ length: times }, () => timed(action)));
}

function timed(action: () => void): number {
  const start = performance.now();
  action();
  return performance.now() - start;
}
