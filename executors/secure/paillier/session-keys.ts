/**
 * @file The keys of one executor stack, made at its first sum and kept: the key holder's, those of
 * the channels, and for every client what it encrypts with. A client that is lost on the way is asked
 * again at the next sum.
 */

import type { Type } from '../../../computations/types/index.ts';
import {
  announcedKeyCodec,
  handleAnnouncedKey,
  type PaillierPublicKey,
} from '../../../protocols/index.ts';
import type { ExecutorValue } from '../../executor.ts';
import { interruptible } from '../../interruption.ts';
import { CHANNEL_KEY_PAIR } from '../channel-operators.ts';
import { atRole, atSurvivors, type StageOptions, type Survivors } from '../cohort.ts';
import { decoded, requireNoFault } from '../faults.ts';
import type { Participant, ProtocolParties, SecureSumTask } from '../protocol.ts';
import { encodeSetup } from '../round-setup.ts';
import { KEY_PAIR, keyExpectation, paillierEncryptor } from './key-operators.ts';
import type { PaillierPolicy } from './policy.ts';

/** Handles and keys that serve every sum of a stack. */
export interface RoleKeys {
  readonly privateKey: ExecutorValue;
  readonly announced: Uint8Array;
  readonly publicKey: PaillierPublicKey;
  /** The aggregator's encryptor. */
  readonly aggregator: ExecutorValue;
  readonly aggregatorChannel: ChannelKey;
  /** Where clients' inputs go to the key holder. */
  readonly keyHolderChannel: ChannelKey | undefined;
}

export interface ChannelKey {
  /** With which the party opens. */
  readonly keys: ExecutorValue;
  /** Signed, for the clients. */
  readonly published: Uint8Array;
}

export class SessionKeys {
  readonly #parties: ProtocolParties;
  readonly #policy: PaillierPolicy;
  readonly #keyHolder: Participant;
  readonly #aggregator: Participant;
  readonly #stage: StageOptions;
  readonly #handles: ExecutorValue[] = [];
  /** By client, those on their way included. */
  readonly #encryptors = new Map<string, Promise<ExecutorValue>>();
  #roles: Promise<RoleKeys> | undefined;
  #closed = false;

  constructor(
    parties: ProtocolParties,
    policy: PaillierPolicy,
    roles: { readonly keyHolder: Participant; readonly aggregator: Participant },
    timeoutMs: number,
  ) {
    this.#parties = parties;
    this.#policy = policy;
    this.#keyHolder = roles.keyHolder;
    this.#aggregator = roles.aggregator;
    this.#stage = { stage: 'keys', timeoutMs };
  }

  /**
   * The keys of this stack; sums that begin at the same time share one set-up, so it is made to the
   * end whichever of them is interrupted.
   */
  roles(task: SecureSumTask): Promise<RoleKeys> {
    this.#roles ??= this.#make(task).catch((error: unknown) => {
      this.#roles = undefined;
      this.#release();
      throw error;
    });
    return interruptible(this.#roles, task.options?.signal);
  }

  /** What those of the clients encrypt with who are there. */
  async encryptors(
    clients: readonly Participant[],
    { announced }: RoleKeys,
    task: SecureSumTask,
  ): Promise<Survivors<ExecutorValue>> {
    const stage = { ...this.#stage, request: task.options };
    const survivors = await atSurvivors(clients, stage, ({ name }) =>
      this.#encryptor(name, announced),
    );
    for (const { client } of survivors.lost) this.#forget(client);
    return survivors;
  }

  close(): void {
    this.#closed = true;
    this.#release();
  }

  #release(): void {
    for (const name of this.#encryptors.keys()) this.#forget(name);
    for (const handle of this.#handles.splice(0)) dispose(handle);
  }

  #encryptor(name: string, announced: Uint8Array): Promise<ExecutorValue> {
    const known = this.#encryptors.get(name);
    if (known !== undefined) return known;
    const client = this.#parties.clients.find((party) => party.name === name) as Participant;
    // Without the request's own options: other sums may wait for the same.
    const made = client.call('paillier_prepare', [announced], paillierEncryptor.type);
    this.#encryptors.set(name, made);
    made.catch(() => {
      if (this.#encryptors.get(name) === made) this.#encryptors.delete(name);
    });
    return made;
  }

  /** What a client encrypts with, or what it may yet send, is not kept. */
  #forget(name: string): void {
    this.#encryptors.get(name)?.then(dispose, () => {});
    this.#encryptors.delete(name);
  }

  async #make(task: SecureSumTask): Promise<RoleKeys> {
    const holder = await this.#pairAt(
      this.#keyHolder,
      'paillier_key_pair',
      [this.#setup(task, this.#keyHolder)],
      KEY_PAIR,
    );
    const announced = holder.published;
    const aggregatorChannel = await this.#channelAt(this.#aggregator, 'channel_key_pair', task);
    const keyHolderChannel =
      this.#policy.decrypts === 'masked-inputs'
        ? await this.#channelAt(this.#keyHolder, 'paillier_input_key_pair', task)
        : undefined;
    const key = decoded(announcedKeyCodec.decode(announced), this.#keyHolder.name);
    const { publicKey } = requireNoFault(handleAnnouncedKey(key, keyExpectation(this.#policy)));
    const aggregator = await atRole(
      this.#aggregator,
      this.#stage,
      async (party) =>
        this.#own(await party.call('paillier_prepare', [announced], paillierEncryptor.type)),
      dispose,
    );
    return {
      privateKey: holder.own,
      announced,
      publicKey,
      aggregator,
      aggregatorChannel,
      keyHolderChannel,
    };
  }

  async #channelAt(role: Participant, uri: string, task: SecureSumTask): Promise<ChannelKey> {
    const { own: keys } = await this.#pairAt(role, uri, [], CHANNEL_KEY_PAIR);
    const published = await atRole(role, this.#stage, (party) =>
      party.request('paillier_sign_channel_key', [keys, this.#setup(task, role)]),
    );
    return { keys, published };
  }

  /** A secret that stays at a role, and what it publishes. */
  #pairAt(
    role: Participant,
    uri: string,
    args: readonly Uint8Array[],
    type: Type,
  ): Promise<{ readonly own: ExecutorValue; readonly published: Uint8Array }> {
    return atRole(
      role,
      this.#stage,
      async (party) => {
        const [secret, published] = await party.split(await party.call(uri, args, type));
        const own = this.#own(secret as ExecutorValue);
        return { own, published: await party.read(published as ExecutorValue) };
      },
      ({ own }) => dispose(own),
    );
  }

  #setup(task: SecureSumTask, { name }: Participant): Uint8Array {
    return encodeSetup(task, this.#parties, name);
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
