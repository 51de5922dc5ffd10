/**
 * @file SecureFederatedExecutor: wraps the executor of placed values, makes the secure sums with
 * cryptographic protocols, refuses the aggregations that would show clients' values to the server,
 * and forwards everything else. After the RFC "Integrating TF Encrypted and TensorFlow Federated".
 */

import type { Intrinsic } from '../../computations/building-blocks.ts';
import {
  ContextError,
  ExecutionError,
  type FederatedType,
  FederatedTypeError,
  type FunctionType,
  type MaterializedValue,
  ProtocolAbortError,
  requireAssignable,
  type Type,
  UnsupportedAggregationError,
} from '../../computations/types/index.ts';
import { INTRINSICS, intrinsicTypeRule } from '../../intrinsics/table.ts';
import { isBlock } from '../blocks.ts';
import type {
  Executor,
  ExecutorInput,
  ExecutorValue,
  RequestOptions,
  StructElementValue,
} from '../executor.ts';
import type { PlacedExecutor } from '../placed/placed-executor.ts';
import { participant } from './participant.ts';
import type {
  ProtocolParties,
  ProtocolSession,
  SecureAggregationProtocol,
  SecureSum,
} from './protocol.ts';
import { type SecureSumUri, sumValue, termsOf } from './terms.ts';

export class SecureFederatedExecutor implements Executor {
  readonly #target: PlacedExecutor;
  readonly #protocols: ReadonlyMap<string, SecureAggregationProtocol>;
  readonly #allowPlain: ReadonlySet<string>;
  readonly #sessions = new Map<SecureAggregationProtocol, ProtocolSession>();
  #closed = false;

  /**
   * @param target owned by this executor: closed with it.
   * @param protocols for each secure intrinsic, by URI, what makes it.
   * @param allowPlain URIs of plain aggregations that may run although the server sees their inputs.
   */
  constructor(
    target: PlacedExecutor,
    protocols: ReadonlyMap<string, SecureAggregationProtocol>,
    allowPlain: ReadonlySet<string> = new Set(),
  ) {
    this.#target = target;
    this.#protocols = protocols;
    this.#allowPlain = allowPlain;
  }

  async createValue(
    value: ExecutorInput,
    type: Type,
    options?: RequestOptions,
  ): Promise<ExecutorValue> {
    this.#requireOpen();
    if (!isBlock(value) || value.kind !== 'intrinsic') {
      return this.#target.createValue(value, type, options);
    }
    const protocol = this.#protocols.get(value.uri);
    if (protocol !== undefined) {
      intrinsicTypeRule(value.uri, value.type);
      return new SecureFunction(
        this,
        value.uri as SecureSumUri,
        value.type as FunctionType,
        protocol,
      );
    }
    this.#requireAllowed(value);
    return this.#target.createValue(value, type, options);
  }

  async createCall(
    fn: ExecutorValue,
    argument?: ExecutorValue,
    options: RequestOptions = {},
  ): Promise<ExecutorValue> {
    this.#requireOpen();
    if (!(fn instanceof SecureFunction)) return this.#target.createCall(fn, argument, options);
    fn.requireUsable(this);
    if (argument === undefined) {
      throw new FederatedTypeError('type.arity', `${fn.uri} takes an argument; got none.`);
    }
    requireAssignable(fn.type.parameter as Type, argument.type, `The argument of ${fn.uri}`);
    using value = await this.#target.createSelection(argument, 0);
    using bound = await this.#target.createSelection(argument, 1);
    return await this.#sum(fn, value, await bound.compute(options), options);
  }

  async createStruct(elements: readonly StructElementValue[]): Promise<ExecutorValue> {
    const secure = elements.find(({ value }) => value instanceof SecureFunction);
    if (secure !== undefined) {
      throw new ExecutionError(
        'execution.unsupported_value',
        `${(secure.value as SecureFunction).uri} can be called, but not be part of a struct.`,
      );
    }
    return this.#target.createStruct(elements);
  }

  async createSelection(source: ExecutorValue, index: number): Promise<ExecutorValue> {
    return this.#target.createSelection(source, index);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const session of this.#sessions.values()) session.close();
    this.#sessions.clear();
    await this.#target.close();
  }

  async #sum(
    fn: SecureFunction,
    value: ExecutorValue,
    bound: MaterializedValue,
    options: RequestOptions,
  ): Promise<ExecutorValue> {
    const { member } = value.type as FederatedType;
    const inputs = this.#target.members(value);
    if (inputs.length === 0) throw nobody(fn.uri);
    const terms = termsOf(fn.uri, member, bound);
    const session = crypto.getRandomValues(new Uint8Array(32));
    this.#requireOpen();
    options.signal?.throwIfAborted();
    options.onProgress?.({ kind: 'intrinsic', uri: fn.uri });
    const result =
      terms.length === 0
        ? NOTHING
        : await this.#session(fn.protocol)
            .sum({ session, inputs, member, terms, options })
            .finally(() => this.#requireOpen());
    options.signal?.throwIfAborted();
    return this.#target.createValue(
      { kind: 'federated', members: [sumValue(member, result)] },
      fn.type.result,
      options,
    );
  }

  /** The protocol at work in this stack, begun at its first sum. */
  #session(protocol: SecureAggregationProtocol): ProtocolSession {
    const known = this.#sessions.get(protocol);
    if (known !== undefined) return known;
    const at = (placement: string) =>
      this.#target
        .children(placement)
        .map((executor, i) => participant(`${placement}/${i}`, executor));
    const only = (placement: string) => {
      const [party] = at(placement);
      if (party === undefined)
        throw new ContextError('context.none', `No executor stands at ${placement.toUpperCase()}.`);
      return party;
    };
    const parties: ProtocolParties = { clients: at('clients'), server: only('server'), role: only };
    const session = protocol.open(parties);
    this.#sessions.set(protocol, session);
    return session;
  }

  /** Refuses what shows clients' values to the server, unless the stack was told to allow it. */
  #requireAllowed(intrinsic: Intrinsic): void {
    const { uri, origin } = intrinsic;
    if (!showsValues(uri)) return;
    // What it does decides, not what it says it was made from; that only names it.
    const name = origin !== undefined && showsValues(origin) ? origin : uri;
    if (this.#allowPlain.has(name)) return;
    const secure =
      name === 'federated_select' ? 'federatedSecureSelect' : SECURE_ALTERNATIVES[name];
    throw new UnsupportedAggregationError(
      'aggregation.plain_blocked',
      `${name} shows the clients' values to the server, and this stack aggregates securely only. ${
        secure === undefined
          ? 'There is no secure form of it; express it by secure sums.'
          : `Use ${secure}.`
      } To allow it all the same, name it: secureAggregation(protocol, { allowPlain: ['${name}'] }).`,
    );
  }

  #requireOpen(): void {
    if (this.#closed) throw new ContextError('context.closed', 'This executor is closed.');
  }
}

/** Whether an intrinsic brings clients' values, or the keys they ask for, to the server. */
function showsValues(uri: string): boolean {
  const definition = INTRINSICS.get(uri);
  return (
    definition?.aggregation === 'plain' ||
    (definition?.broadcast === 'plain' && uri === 'federated_select')
  );
}

function nobody(uri: string): ProtocolAbortError {
  return new ProtocolAbortError(
    'protocol.too_few_clients',
    `${uri} has no clients to sum over. No part of the sum was revealed.`,
    { stage: 'setup', reason: 'cohort-too-small' },
  );
}

/** The sum of values without any tensor in them. */
const NOTHING: SecureSum = { sums: [], clients: [] };

const SECURE_ALTERNATIVES: { readonly [uri: string]: string | undefined } = {
  federated_sum: 'federatedSecureSumBitwidth on integers (clip and quantise floats first)',
  federated_mean: 'federatedSecureSumBitwidth on quantised values and divide at the server',
  federated_weighted_mean:
    'federatedSecureSumBitwidth on weighted quantised values and on the weights, and divide at the server',
};

/** A secure sum before it is called; of one executor, whose protocol it is. */
class SecureFunction implements ExecutorValue {
  readonly #owner: Executor;
  #released = false;
  readonly uri: SecureSumUri;
  readonly type: FunctionType;
  readonly protocol: SecureAggregationProtocol;

  constructor(
    owner: Executor,
    uri: SecureSumUri,
    type: FunctionType,
    protocol: SecureAggregationProtocol,
  ) {
    this.#owner = owner;
    this.uri = uri;
    this.type = type;
    this.protocol = protocol;
  }

  /** @throws ContextError `context.unknown_value`; ExecutionError `execution.released` */
  requireUsable(executor: Executor): void {
    if (executor !== this.#owner) {
      throw new ContextError(
        'context.unknown_value',
        `${this.uri} was made by another executor than the one that is to call it.`,
      );
    }
    if (this.#released) {
      throw new ExecutionError(
        'execution.released',
        `${this.uri} was disposed already; call it before its handle is disposed.`,
      );
    }
  }

  async compute(): Promise<MaterializedValue> {
    throw new ExecutionError(
      'execution.unsupported_value',
      `${this.uri} is a function; call it to get a value.`,
    );
  }

  [Symbol.dispose](): void {
    this.#released = true;
  }
}
