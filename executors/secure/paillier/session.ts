/**
 * @file Paillier sums in one executor stack, as the server orchestrates them: it carries what the
 * parties say, goes on without clients that fail, and takes off the mask at the end.
 */

import { structOf, type Type } from '../../../computations/types/index.ts';
import {
  decryptedSumCodec,
  type EncryptedSum,
  encryptedSumCodec,
  maskEncryptedSum,
  maskSumCodec,
  type PaillierServerSetup,
  readDecryptedSum,
  unmaskDecryptedSum,
  unmaskWithMaskSum,
  utf8,
} from '../../../protocols/index.ts';
import type { ExecutorValue } from '../../executor.ts';
import type { OpaqueKind } from '../../leaf/opaque.ts';
import { atRole, atSurvivors, isLostInput, type StageOptions } from '../cohort.ts';
import { decoded, faultError, requireNoFault } from '../faults.ts';
import { BYTES } from '../participant.ts';
import type {
  Participant,
  ProtocolParties,
  ProtocolSession,
  SecureSum,
  SecureSumTask,
} from '../protocol.ts';
import { encodeSetup } from '../round-setup.ts';
import { StatedContexts } from '../stated-contexts.ts';
import { paillierAggregate, paillierMasks } from './aggregator-operators.ts';
import { type Collection, takenType } from './collecting.ts';
import { paillierInputs } from './key-holder-operators.ts';
import { namesCodec } from './names.ts';
import { type PaillierPolicy, packingPlan, rosterOf } from './policy.ts';
import { type ChannelKey, type RoleKeys, SessionKeys } from './session-keys.ts';
import { Cohort } from './survivors.ts';
import { verdictCodec } from './verdict.ts';

export class PaillierSession implements ProtocolSession {
  readonly #parties: ProtocolParties;
  readonly #policy: PaillierPolicy;
  readonly #timeoutMs: number;
  readonly #keyHolder: Participant;
  readonly #aggregator: Participant;
  readonly #keys: SessionKeys;

  constructor(parties: ProtocolParties, policy: PaillierPolicy, timeoutMs: number) {
    this.#parties = parties;
    this.#policy = policy;
    this.#timeoutMs = timeoutMs;
    const at = (name: string) =>
      name === parties.server.name ? parties.server : parties.role(name.replace(/\/0$/, ''));
    this.#keyHolder = at(policy.keyHolder);
    this.#aggregator = at(policy.aggregator);
    const roles = { keyHolder: this.#keyHolder, aggregator: this.#aggregator };
    this.#keys = new SessionKeys(parties, policy, roles, timeoutMs);
  }

  async sum(task: SecureSumTask): Promise<SecureSum> {
    const cohort = new Cohort(this.#parties.clients, this.#policy.minimumClients);
    cohort.lose(task.inputs.filter(isLostInput));
    const keys = await this.#keys.roles(task);
    const clients = this.#parties.clients.map(({ name }) => name);
    const server: PaillierServerSetup = {
      session: task.session,
      round: 0,
      plan: packingPlan(task.terms, clients.length, this.#policy.modulusBits),
      publicKey: keys.publicKey,
      roster: rosterOf(this.#policy.identities, clients),
    };
    const { sums } =
      this.#policy.decrypts === 'masked-inputs'
        ? await this.#sumAtKeyHolder(task, keys, cohort, server)
        : await this.#sumAtAggregator(task, keys, cohort, server);
    return { sums, clients: cohort.present.map(({ name }) => name), ...cohort.account() };
  }

  close(): void {
    this.#keys.close();
  }

  /** The aggregator adds; the key holder decrypts what it gives, under a mask unless it is the server. */
  async #sumAtAggregator(
    task: SecureSumTask,
    keys: RoleKeys,
    cohort: Cohort,
    server: PaillierServerSetup,
  ) {
    const [inputs, round] = await this.#encrypt(
      task,
      keys,
      cohort,
      async (client, prepared, input) =>
        client.request('paillier_encrypt', [
          prepared,
          encodeSetup(task, this.#parties, client.name),
          keys.aggregatorChannel.published,
          input,
        ]),
    );
    using aggregate = await this.#collect(round, cohort, inputs, {
      role: this.#aggregator,
      stage: 'aggregate',
      begin: 'paillier_aggregate',
      take: 'paillier_add',
      kind: paillierAggregate,
      first: keys.aggregator,
      channel: keys.aggregatorChannel,
    });
    const bytes = await this.#ask(task, this.#aggregator, 'aggregate', 'paillier_finish', [
      aggregate.value,
    ]);
    const sum = decoded(encryptedSumCodec.decode(bytes), this.#aggregator.name);
    this.#requireCohort(sum, cohort);
    if (this.#policy.decrypts === 'unmasked') {
      const decrypted = await this.#decrypt(round, keys, sum);
      const names = sum.inputs.map(({ client }) => client);
      return requireNoFault(readDecryptedSum(server, decrypted, names));
    }
    const masked = requireNoFault(maskEncryptedSum(server, sum));
    const decrypted = await this.#decrypt(round, keys, masked.message);
    return requireNoFault(unmaskDecryptedSum(masked.state, decrypted));
  }

  /** The key holder adds what clients masked themselves, and the aggregator keeps their masks. */
  async #sumAtKeyHolder(
    task: SecureSumTask,
    keys: RoleKeys,
    cohort: Cohort,
    server: PaillierServerSetup,
  ) {
    const channel = keys.keyHolderChannel as ChannelKey;
    const [made, round] = await this.#encrypt(
      task,
      keys,
      cohort,
      async (client, prepared, input) => {
        const args = [
          prepared,
          encodeSetup(task, this.#parties, client.name),
          keys.aggregatorChannel.published,
          channel.published,
          input,
        ];
        const [mask, masked] = await client.split(
          await client.call('paillier_encrypt_masked', args, TWO_MESSAGES),
        );
        return [
          await client.read(mask as ExecutorValue),
          await client.read(masked as ExecutorValue),
        ];
      },
    );
    const messages = (place: 0 | 1) =>
      new Map([...made].map(([name, both]) => [name, both[place] as Uint8Array]));
    using masks = await this.#collect(round, cohort, messages(0), {
      role: this.#aggregator,
      stage: 'collect-masks',
      begin: 'paillier_keep_masks',
      take: 'paillier_keep_mask',
      kind: paillierMasks,
      first: keys.aggregator,
      channel: keys.aggregatorChannel,
    });
    using inputs = await this.#collect(round, cohort, messages(1), {
      role: this.#keyHolder,
      stage: 'decrypt',
      begin: 'paillier_collect',
      take: 'paillier_collect_input',
      kind: paillierInputs,
      first: keys.privateKey,
      channel,
    });
    const clients = cohort.present.map(({ name }) => name);
    const decrypted = await this.#ask(task, this.#keyHolder, 'decrypt', 'paillier_decrypt_inputs', [
      inputs.value,
    ]);
    const maskSum = await this.#ask(task, this.#aggregator, 'mask', 'paillier_release_masks', [
      masks.value,
      namesCodec.encode({ kind: 'names', clients }),
    ]);
    return requireNoFault(
      unmaskWithMaskSum(
        server,
        decoded(decryptedSumCodec.decode(decrypted), this.#keyHolder.name),
        decoded(maskSumCodec.decode(maskSum), this.#aggregator.name),
        clients,
      ),
    );
  }

  /** What each client that is still there makes of its value, by name; and where most come from. */
  async #encrypt<T>(
    task: SecureSumTask,
    keys: RoleKeys,
    cohort: Cohort,
    work: (client: Participant, prepared: ExecutorValue, input: ExecutorValue) => Promise<T>,
  ): Promise<readonly [ReadonlyMap<string, T>, Round]> {
    const prepared = cohort.keep(await this.#keys.encryptors(cohort.present, keys, task));
    const values = new Map(
      this.#parties.clients.map(({ name }, i) => [name, task.inputs[i] as ExecutorValue]),
    );
    const contexts = new StatedContexts();
    const asked = cohort.present;
    const messages = cohort.keep(
      await atSurvivors(asked, this.#stage('encrypt', task), async (client, i) => {
        const value = values.get(client.name) as ExecutorValue;
        const [message] = await Promise.all([
          work(client, prepared[i] as ExecutorValue, value),
          contexts.ask(i, () => client.request('paillier_state_context', [value])),
        ]);
        return message;
      }),
    );
    const { present } = cohort;
    const contextHash = contexts.decided('encrypt', (i) => present.includes(asked[i]!));
    return [
      new Map(present.map(({ name }, i) => [name, messages[i] as T])),
      { ...task, contextHash },
    ];
  }

  /** Brings the clients' messages to a role, one by one; those it refuses lose their clients. */
  async #collect<S>(
    task: Round,
    cohort: Cohort,
    messages: ReadonlyMap<string, Uint8Array>,
    { role, stage, begin, take, kind, first, channel }: Collecting<S>,
  ): Promise<Held> {
    const held = new Held(
      await this.#step(task, role, stage, begin, [first, this.#setup(task, role)], kind.type),
    );
    try {
      for (const { name } of cohort.present) {
        const args = [held.value, channel.keys, utf8(name), messages.get(name) as Uint8Array];
        const taken = await this.#step(task, role, stage, take, args, takenType(kind));
        const [next, bytes] = await role.split(taken);
        held.replace(next as ExecutorValue);
        const verdict = decoded(
          verdictCodec.decode(await role.read(bytes as ExecutorValue)),
          role.name,
        );
        if (verdict.refusal !== undefined) cohort.refuse(name, stage, verdict.refusal);
      }
      return held;
    } catch (error) {
      held[Symbol.dispose]();
      throw error;
    }
  }

  async #decrypt(task: Round, keys: RoleKeys, sum: EncryptedSum) {
    const bytes = await this.#ask(task, this.#keyHolder, 'decrypt', 'paillier_decrypt', [
      keys.privateKey,
      this.#setup(task, this.#keyHolder),
      encryptedSumCodec.encode(sum),
    ]);
    return decoded(decryptedSumCodec.decode(bytes), this.#keyHolder.name);
  }

  /**
   * The aggregator says whose inputs are in the sum. That it tells the truth cannot be seen from a
   * ciphertext; that it says so of others, or of some only, can.
   */
  #requireCohort({ inputs }: EncryptedSum, cohort: Cohort): void {
    const names = cohort.present.map(({ name }) => name);
    const given = new Set(inputs.map(({ client }) => client));
    if (inputs.length === names.length && names.every((name) => given.has(name))) return;
    throw faultError({
      kind: 'fault',
      stage: 'aggregate',
      code: 'wrong-cohort',
      offender: this.#aggregator.name,
      message: `the sum is said to be of ${inputs.length} clients, which are not the ${names.length} whose inputs were taken`,
    });
  }

  #step(
    task: SecureSumTask,
    role: Participant,
    stage: string,
    uri: string,
    args: readonly (Uint8Array | ExecutorValue)[],
    type: Type,
  ): Promise<ExecutorValue> {
    const work = (party: Participant) => party.call(uri, args, type);
    return atRole(role, this.#stage(stage, task), work, (late) => late[Symbol.dispose]());
  }

  #ask(
    task: SecureSumTask,
    role: Participant,
    stage: string,
    uri: string,
    args: readonly (Uint8Array | ExecutorValue)[],
  ): Promise<Uint8Array> {
    return atRole(role, this.#stage(stage, task), (party) => party.request(uri, args));
  }

  #setup(task: Round, { name }: Participant): Uint8Array {
    return encodeSetup(task, this.#parties, name, task.contextHash);
  }

  #stage(stage: string, task: SecureSumTask): StageOptions {
    return { stage, timeoutMs: this.#timeoutMs, request: task.options };
  }
}

/** A sum, and what all values in it must come from. */
interface Round extends SecureSumTask {
  readonly contextHash: Uint8Array | undefined;
}

/** How a role collects; see `#collect`. */
interface Collecting<S> {
  readonly role: Participant;
  readonly stage: string;
  readonly begin: string;
  readonly take: string;
  readonly kind: OpaqueKind<Collection<S>>;
  /** The first argument of `begin`, before the set-up. */
  readonly first: ExecutorValue;
  readonly channel: ChannelKey;
}

/** A handle that is replaced by every step, and disposed at the end. */
class Held implements Disposable {
  value: ExecutorValue;

  constructor(value: ExecutorValue) {
    this.value = value;
  }

  replace(next: ExecutorValue): void {
    this.value[Symbol.dispose]();
    this.value = next;
  }

  [Symbol.dispose](): void {
    this.value[Symbol.dispose]();
  }
}

const TWO_MESSAGES = structOf([
  { name: null, type: BYTES },
  { name: null, type: BYTES },
]);
