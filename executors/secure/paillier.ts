/**
 * @file `paillier()`: secure sums under additively homomorphic encryption (Paillier, EUROCRYPT 1999).
 *
 * Two arrangements of roles. `keyHolder: 'server'` is that of tf-encrypted's federated-aggregations:
 * the server holds the key, an aggregation service adds ciphertexts that are sealed for it.
 * `keyHolder: 'key_holder'` is that of the RFC: a separate key holder decrypts a sum that the server
 * put a random mask on. In both, nobody sees a client's value unless two parties collude, as long as
 * all follow the protocol (honest but curious): ciphertexts carry no proof of whose they are, so an
 * aggregator that drops or repeats inputs, a server that adds inputs of its own under clients' names
 * or passes on keys of its own, and a key holder that decrypts wrongly are not found out. Pin keys
 * (`keys`) against the second; a sum out of its bounds is refused in any case.
 */

import { type Type, UnsupportedAggregationError } from '../../computations/types/index.ts';
import type { PrivateKeyLike, X25519KeyPair } from '../../protocols/index.ts';
import {
  announcedKeyCodec,
  bitLength,
  createEncryptor,
  DEFAULT_MODULUS_BITS,
  decryptedSumCodec,
  type EncryptedSum,
  type Encryptor,
  encryptedSumCodec,
  importPublicKey,
  LEAST_MODULUS_BITS,
  maskEncryptedSum,
  type PackingPlan,
  readDecryptedSum,
  unmaskDecryptedSum,
} from '../../protocols/index.ts';
import type { ExecutorValue } from '../executor.ts';
import { interruptible } from '../interruption.ts';
import { CHANNEL_KEY_PAIR, type ChannelGrid } from './channel-operators.ts';
import {
  atEveryone,
  atRole,
  DEFAULT_TIMEOUT_MS,
  requireEveryInput,
  requireStageLimits,
  requireWhole,
  type StageOptions,
} from './cohort.ts';
import { withRecipe } from './define-operator.ts';
import { decoded, faultError, requireNoFault, requireProtocol } from './faults.ts';
import {
  KEY_PAIR,
  type PaillierPolicy,
  packingPlan,
  paillierAggregate,
  paillierEncryptor,
  paillierOperators,
} from './paillier-operators.ts';
import type {
  Participant,
  ProtocolParties,
  ProtocolSession,
  SecureAggregationProtocol,
  SecureSum,
  SecureSumTask,
} from './protocol.ts';
import { encodeSetup } from './round-setup.ts';
import { type SecureAggregation, secureAggregation } from './secure-aggregation.ts';

export interface PaillierOptions {
  /**
   * Bits of the modulus; at least 2048.
   * @default 3072
   */
  readonly modulusBits?: number;
  /**
   * Who holds the private key: the server, or a party of its own that must not collude with it.
   * @default 'server'
   */
  readonly keyHolder?: 'server' | 'key_holder';
  /**
   * Who adds ciphertexts. The server can only where it does not hold the key.
   * @default 'aggregator'
   */
  readonly aggregator?: 'aggregator' | 'server';
  /**
   * How clients' messages to the aggregator travel. In plaintext a server that holds the key could
   * read every value, so that is refused there.
   * @default { 'clients->aggregator': 'sealed' }
   */
  readonly channels?: ChannelGrid;
  /** Keys made beforehand. Clients that know them accept no others from the server. */
  readonly keys?: {
    /** `PrivateKey` of paillier-bigint, or its numbers. */
    readonly paillier?: PrivateKeyLike;
    readonly aggregator?: X25519KeyPair;
  };
  /**
   * The smallest cohort in which a client takes part.
   * @default 2
   */
  readonly minimumClients?: number;
  /**
   * How long a stage waits for its slowest party, in milliseconds.
   * @default 60,000
   */
  readonly timeoutMs?: number;
  /**
   * Accept a modulus that can be factored, to keep tests quick.
   * @default false
   */
  readonly allowInsecureModulus?: boolean;
}

/**
 * Secure sums by Paillier encryption, for `localExecutorFactory({ secureAggregation: paillier() })`.
 * Many values are packed in each ciphertext. The key is made at the first sum of an executor stack
 * (a second or two for 3072 bits) and kept by it.
 * @throws UnsupportedAggregationError for an arrangement in which the server could read values.
 * @throws ValueError `value.out_of_range` for options that check nothing, or too small a modulus.
 */
export function paillier(options: PaillierOptions = {}): SecureAggregation {
  return secureAggregation(paillierProtocol(options));
}

/** The protocol alone, to be combined with others by intrinsic. */
export function paillierProtocol(options: PaillierOptions = {}): SecureAggregationProtocol {
  const {
    keyHolder = 'server',
    aggregator = 'aggregator',
    minimumClients = 2,
    keys = {},
  } = options;
  const { allowInsecureModulus = false, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  requireStageLimits(minimumClients, timeoutMs);
  const sealed =
    aggregator === 'aggregator' && options.channels?.['clients->aggregator'] !== 'plaintext';
  requireSafeRoles(keyHolder, aggregator, sealed);
  const modulusBits =
    options.modulusBits ??
    (keys.paillier === undefined ? DEFAULT_MODULUS_BITS : bitLength(keys.paillier.n));
  const least = allowInsecureModulus ? QUICK_MODULUS_BITS : LEAST_MODULUS_BITS;
  requireWhole('modulusBits', modulusBits, least, LARGEST_MODULUS_BITS);
  const policy = { modulusBits, allowInsecureModulus };
  const parties: PaillierPolicy = {
    ...policy,
    minimumClients,
    sealed,
    decrypts: keyHolder === 'server' ? 'unmasked' : 'masked',
  };
  return {
    name: 'paillier',
    timeoutMs,
    roles: [keyHolder, aggregator].filter((placement) => placement !== 'server'),
    operators:
      keys.paillier === undefined && keys.aggregator === undefined
        ? withRecipe('paillier', paillierOperators, parties)
        : // Given keys stay on the thread where they are.
          paillierOperators({
            ...parties,
            ...(keys.paillier === undefined ? {} : { privateKey: keys.paillier }),
            ...(keys.aggregator === undefined ? {} : { aggregatorKeys: keys.aggregator }),
          }),
    open: (parties) => new PaillierSession(parties, { keyHolder, aggregator, timeoutMs, policy }),
  };
}

interface SessionOptions {
  readonly keyHolder: string;
  readonly aggregator: string;
  readonly timeoutMs: number;
  readonly policy: { readonly modulusBits: number; readonly allowInsecureModulus: boolean };
}

/** Handles and keys that serve every sum of a stack. */
interface Keys {
  readonly privateKey: ExecutorValue;
  readonly channel: ExecutorValue;
  readonly channelPublicKey: Uint8Array;
  readonly aggregator: ExecutorValue;
  readonly clients: readonly ExecutorValue[];
  /** The server's own, for its mask. */
  readonly server: Encryptor;
}

class PaillierSession implements ProtocolSession {
  readonly #parties: ProtocolParties;
  readonly #options: SessionOptions;
  readonly #keyHolder: Participant;
  readonly #aggregator: Participant;
  readonly #handles: ExecutorValue[] = [];
  #keys: Promise<Keys> | undefined;
  #closed = false;

  constructor(parties: ProtocolParties, options: SessionOptions) {
    this.#parties = parties;
    this.#options = options;
    const at = (placement: string) =>
      placement === 'server' ? parties.server : parties.role(placement);
    this.#keyHolder = at(options.keyHolder);
    this.#aggregator = at(options.aggregator);
  }

  async sum(task: SecureSumTask): Promise<SecureSum> {
    const values = requireEveryInput(task.inputs);
    // Other sums may wait for the same keys, so they are made to the end.
    const keys = await interruptible(this.#requireKeys(task), task.options?.signal);
    const plan = packingPlan(
      task.terms,
      this.#parties.clients.length,
      this.#options.policy.modulusBits,
    );
    const inputs = await this.#encrypt(task, values, keys);
    const encrypted = decoded(
      encryptedSumCodec.decode(await this.#aggregate(task, keys, inputs)),
      this.#aggregator.name,
    );
    this.#requireWholeCohort(encrypted);
    return this.#options.keyHolder === 'server'
      ? this.#decryptOwn(task, keys, plan, encrypted)
      : this.#decryptMasked(task, keys, plan, encrypted);
  }

  close(): void {
    this.#closed = true;
    this.#disposeKeys();
  }

  #disposeKeys(): void {
    for (const handle of this.#handles.splice(0)) dispose(handle);
  }

  /** The keys of this stack; sums that begin at the same time share one set-up. */
  #requireKeys(task: SecureSumTask): Promise<Keys> {
    this.#keys ??= this.#makeKeys(task).catch((error: unknown) => {
      this.#keys = undefined;
      this.#disposeKeys();
      throw error;
    });
    return this.#keys;
  }

  async #makeKeys(task: SecureSumTask): Promise<Keys> {
    const setup = encodeSetup(task, this.#parties, this.#keyHolder.name);
    const stage = this.#stage('keys');
    const pairAt = (role: Participant, uri: string, args: readonly Uint8Array[], type: Type) =>
      atRole(
        role,
        stage,
        async (party) => {
          const [secret, published] = await party.split(await party.call(uri, args, type));
          const own = this.#own(secret as ExecutorValue);
          return { own, published: await party.read(published as ExecutorValue) };
        },
        ({ own }) => dispose(own),
      );
    const holder = await pairAt(this.#keyHolder, 'paillier_key_pair', [setup], KEY_PAIR);
    const channel = await pairAt(this.#aggregator, 'channel_key_pair', [], CHANNEL_KEY_PAIR);
    const announced = holder.published;
    const prepare = async (party: Participant) =>
      this.#own(await party.call('paillier_prepare', [announced], paillierEncryptor.type));
    const { n } = decoded(announcedKeyCodec.decode(announced), this.#keyHolder.name);
    const { policy } = this.#options;
    return {
      privateKey: holder.own,
      channel: channel.own,
      channelPublicKey: channel.published,
      aggregator: await atRole(this.#aggregator, stage, prepare, dispose),
      clients: await atEveryone(this.#parties.clients, stage, prepare, dispose),
      server: createEncryptor(requireProtocol('keys', () => importPublicKey({ n }, policy))),
    };
  }

  #encrypt(
    task: SecureSumTask,
    values: readonly ExecutorValue[],
    keys: Keys,
  ): Promise<Uint8Array[]> {
    return atEveryone(this.#parties.clients, this.#stage('encrypt', task), (client, i) =>
      client.request('paillier_encrypt', [
        keys.clients[i] as ExecutorValue,
        encodeSetup(task, this.#parties, client.name),
        keys.channelPublicKey,
        values[i] as ExecutorValue,
      ]),
    );
  }

  async #aggregate(
    task: SecureSumTask,
    keys: Keys,
    inputs: readonly Uint8Array[],
  ): Promise<Uint8Array> {
    const stage = this.#stage('aggregate', task);
    const setup = encodeSetup(task, this.#parties, this.#aggregator.name);
    const step = (uri: string, args: readonly (Uint8Array | ExecutorValue)[]) =>
      atRole(
        this.#aggregator,
        stage,
        (aggregator) => aggregator.call(uri, args, paillierAggregate.type),
        dispose,
      );
    let aggregate = await step('paillier_aggregate', [keys.aggregator, setup]);
    try {
      for (const [i, input] of inputs.entries()) {
        const sender = new TextEncoder().encode(this.#parties.clients[i]?.name);
        const next = await step('paillier_add', [aggregate, keys.channel, sender, input]);
        aggregate[Symbol.dispose]();
        aggregate = next;
      }
      return await atRole(this.#aggregator, stage, (aggregator) =>
        aggregator.request('paillier_finish', [aggregate]),
      );
    } finally {
      aggregate[Symbol.dispose]();
    }
  }

  /** The server holds the key: the sum is meant for it. */
  async #decryptOwn(
    task: SecureSumTask,
    keys: Keys,
    plan: PackingPlan,
    sum: EncryptedSum,
  ): Promise<SecureSum> {
    const decrypted = await this.#requestDecryption(task, keys, sum);
    const { publicKey } = keys.server;
    const setup = { session: task.session, round: 0, plan, publicKey };
    return requireNoFault(readDecryptedSum(setup, decrypted, sum.clients));
  }

  /** A separate key holder decrypts the sum under a mask that only the server can take off. */
  async #decryptMasked(
    task: SecureSumTask,
    keys: Keys,
    plan: PackingPlan,
    sum: EncryptedSum,
  ): Promise<SecureSum> {
    const setup = { session: task.session, round: 0, plan, encryptor: keys.server };
    const masked = requireNoFault(maskEncryptedSum(setup, sum));
    const decrypted = await this.#requestDecryption(task, keys, masked.message);
    return requireNoFault(unmaskDecryptedSum(masked.state, decrypted));
  }

  async #requestDecryption(task: SecureSumTask, keys: Keys, sum: EncryptedSum) {
    const setup = encodeSetup(task, this.#parties, this.#keyHolder.name);
    const bytes = await atRole(this.#keyHolder, this.#stage('decrypt', task), (keyHolder) =>
      keyHolder.request('paillier_decrypt', [
        keys.privateKey,
        setup,
        encryptedSumCodec.encode(sum),
      ]),
    );
    return decoded(decryptedSumCodec.decode(bytes), this.#keyHolder.name);
  }

  /**
   * The aggregator says whose inputs are in the sum. That it tells the truth cannot be seen from a
   * ciphertext; that it says so of others, or of some only, can.
   */
  #requireWholeCohort({ clients }: EncryptedSum): void {
    const cohort = this.#parties.clients.map(({ name }) => name);
    const given = new Set(clients);
    if (clients.length === cohort.length && cohort.every((name) => given.has(name))) return;
    throw faultError({
      kind: 'fault',
      stage: 'aggregate',
      code: 'wrong-cohort',
      offender: this.#aggregator.name,
      message: `the sum is said to be of ${clients.length} clients, which are not the ${cohort.length} of this cohort`,
    });
  }

  #stage(stage: string, task?: SecureSumTask): StageOptions {
    return { stage, timeoutMs: this.#options.timeoutMs, request: task?.options };
  }

  /** Keeps a handle until the session closes. */
  #own(handle: ExecutorValue): ExecutorValue {
    if (this.#closed) dispose(handle);
    else this.#handles.push(handle);
    return handle;
  }
}

function dispose(handle: ExecutorValue): void {
  handle[Symbol.dispose]();
}

/** Keys of this size can be factored; below it not even the tests' values fit. */
const QUICK_MODULUS_BITS = 256;
/** More takes longer than anybody waits. */
const LARGEST_MODULUS_BITS = 16_384;

function requireSafeRoles(keyHolder: string, aggregator: string, sealed: boolean): void {
  // Without types a role could be given to a client, or two roles to one party.
  if (
    !['server', 'key_holder'].includes(keyHolder) ||
    !['server', 'aggregator'].includes(aggregator)
  ) {
    throw new UnsupportedAggregationError(
      'aggregation.unsafe_roles',
      `A key is held by 'server' or 'key_holder', and ciphertexts are added by 'aggregator' or 'server'; got '${keyHolder}' and '${aggregator}'.`,
    );
  }
  if (keyHolder !== 'server') return;
  const problem =
    aggregator === 'server'
      ? "The server cannot both hold the key and receive the clients' ciphertexts: it could decrypt each of them. Let an aggregator add (aggregator: 'aggregator'), or a key holder decrypt (keyHolder: 'key_holder')."
      : sealed
        ? undefined
        : "A server that holds the key must not see the clients' ciphertexts: leave { 'clients->aggregator': 'sealed' }.";
  if (problem !== undefined)
    throw new UnsupportedAggregationError('aggregation.unsafe_roles', problem);
}
