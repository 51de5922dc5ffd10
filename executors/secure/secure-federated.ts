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
} from '../../computations/types/index.ts';
import { argumentTypes, memberOf } from '../../intrinsics/definition.ts';
import { intrinsicTypeRule } from '../../intrinsics/table.ts';
import { isBlock } from '../blocks.ts';
import type {
  Executor,
  ExecutorInput,
  ExecutorValue,
  RequestOptions,
  StructElementValue,
} from '../executor.ts';
import { type Lost, withoutCauses } from '../lost-client.ts';
import { LostMember } from '../placed/lost-clients.ts';
import type { PlacedExecutor } from '../placed/placed-executor.ts';
import { withinSpan } from '../spans.ts';
import { DEFAULT_TIMEOUT_MS } from './cohort.ts';
import { participant } from './participant.ts';
import { requireAllowed } from './plain-aggregations.ts';
import type {
  LostInput,
  ProtocolParties,
  ProtocolSession,
  SecureAggregationProtocol,
  SecureSum,
  SecureSumTask,
} from './protocol.ts';
import {
  QUANTIZED_COMPOSITES,
  type QuantizedComposite,
  requireFloats,
} from './quantization/composites.ts';
import type { QuantizedAggregations } from './quantization/quantized-aggregation.ts';
import { SecureFunction } from './secure-function.ts';
import { type SecureSumUri, sumValue, termsOf } from './terms.ts';

export interface SecureFederatedOptions {
  /**
   * URIs of plain aggregations that may run although the server sees their inputs.
   * @default none
   */
  readonly allowPlain?: ReadonlySet<string>;
  /** Makes sums and means of floats, and the protocol that it makes them with. */
  readonly quantized?: QuantizedSums;
}

export interface QuantizedSums {
  readonly aggregations: QuantizedAggregations;
  readonly protocol: SecureAggregationProtocol;
}

export class SecureFederatedExecutor implements Executor {
  readonly #target: PlacedExecutor;
  readonly #protocols: ReadonlyMap<string, SecureAggregationProtocol>;
  readonly #allowPlain: ReadonlySet<string>;
  readonly #quantized: QuantizedSums | undefined;
  readonly #sessions = new Map<SecureAggregationProtocol, ProtocolSession>();
  #parties: ProtocolParties | undefined;
  #closed = false;

  /**
   * @param target owned by this executor: closed with it.
   * @param protocols for each secure intrinsic, by URI, what makes it.
   */
  constructor(
    target: PlacedExecutor,
    protocols: ReadonlyMap<string, SecureAggregationProtocol>,
    { allowPlain = new Set(), quantized }: SecureFederatedOptions = {},
  ) {
    this.#target = target;
    this.#protocols = protocols;
    this.#allowPlain = allowPlain;
    this.#quantized = quantized;
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
    const secure = this.#sumFunction(value) ?? this.#quantizedFunction(value);
    if (secure !== undefined) return secure;
    requireAllowed(value, this.#allowPlain);
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
    return fn.call(argument, options);
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

  /** A secure sum of integers, if a protocol makes it. */
  #sumFunction({ uri, type }: Intrinsic): SecureFunction | undefined {
    const protocol = this.#protocols.get(uri);
    if (protocol === undefined) return undefined;
    intrinsicTypeRule(uri, type);
    const fn = type as FunctionType;
    return new SecureFunction(this, uri, fn, async (argument, options) => {
      using value = await this.#target.createSelection(argument, 0);
      using bound = await this.#target.createSelection(argument, 1);
      const { member } = value.type as FederatedType;
      const sum = await this.#sum(
        uri as SecureSumUri,
        protocol,
        value,
        await bound.compute(options),
        options,
      );
      return this.#result({ member: sumValue(member, sum), missing: sum.lost }, fn, options);
    });
  }

  /** A sum or mean of floats, if this stack quantises them. */
  #quantizedFunction({ uri, type }: Intrinsic): SecureFunction | undefined {
    const quantized = this.#quantized;
    const composite = QUANTIZED_COMPOSITES.get(uri);
    if (quantized === undefined || composite === undefined) return undefined;
    intrinsicTypeRule(uri, type);
    const fn = type as FunctionType;
    requireFloats(composite, memberOf(argumentTypes(fn)[0]));
    return new SecureFunction(this, uri, fn, async (argument, options) => {
      if (composite.aggregation !== 'weighted-mean') {
        const result = await this.#aggregate(quantized, composite, { value: argument }, options);
        return this.#result(result, fn, options);
      }
      using value = await this.#target.createSelection(argument, 0);
      using weight = await this.#target.createSelection(argument, 1);
      const result = await this.#aggregate(quantized, composite, { value, weight }, options);
      return this.#result(result, fn, options);
    });
  }

  async #sum(
    uri: SecureSumUri,
    protocol: SecureAggregationProtocol,
    value: ExecutorValue,
    bound: MaterializedValue,
    options: RequestOptions,
  ): Promise<SecureSum> {
    const { member } = value.type as FederatedType;
    const inputs = this.#inputs(value);
    if (inputs.length === 0) throw nobody(uri);
    const terms = termsOf(uri, member, bound);
    this.#begin(uri, options);
    return terms.length === 0 ? NOTHING : this.#run(protocol, { inputs, member, terms, options });
  }

  /** The clients' values; those of lost clients as such, so that nothing is asked of them. */
  #inputs(value: ExecutorValue): readonly (ExecutorValue | LostInput)[] {
    return this.#target
      .members(value)
      .map((member) =>
        member instanceof LostMember ? ({ ...member.loss, lost: true } as const) : member,
      );
  }

  async #aggregate(
    { aggregations, protocol }: QuantizedSums,
    composite: QuantizedComposite,
    { value, weight }: { readonly value: ExecutorValue; readonly weight?: ExecutorValue },
    options: RequestOptions,
  ): Promise<Aggregated> {
    this.#begin(composite.uri, options);
    let missing: readonly Lost[] | undefined;
    const member = await aggregations.run(
      {
        composite,
        member: (value.type as FederatedType).member,
        values: this.#inputs(value),
        weights: weight && this.#inputs(weight),
        options,
      },
      {
        clients: this.#participants().clients,
        timeoutMs: protocol.timeoutMs ?? DEFAULT_TIMEOUT_MS,
        sum: async (task) => {
          const sum = await this.#run(protocol, task);
          missing = sum.lost;
          return sum;
        },
      },
    );
    return { member, missing };
  }

  #begin(uri: string, options: RequestOptions): void {
    this.#requireOpen();
    options.signal?.throwIfAborted();
    options.onProgress?.({ kind: 'intrinsic', uri });
  }

  /** One sum by a protocol, in a session of its own. */
  async #run(
    protocol: SecureAggregationProtocol,
    task: Omit<SecureSumTask, 'session'>,
  ): Promise<SecureSum> {
    const session = crypto.getRandomValues(new Uint8Array(32));
    this.#requireOpen();
    const attributes = { 'fedloom.protocol': protocol.name, 'fedloom.asked': task.inputs.length };
    const sum = await withinSpan('fedloom.secure_sum', { attributes }, async (span) => {
      const made = await this.#session(protocol).sum({ ...task, session });
      span.setAttribute('fedloom.answered', made.clients.length);
      return made;
    }).finally(() => this.#requireOpen());
    task.options?.onProgress?.({
      kind: 'secure-sum',
      protocol: protocol.name,
      clients: sum.clients,
      lost: withoutCauses(sum.lost ?? []),
      blamed: sum.blamed ?? [],
      ...(sum.traffic !== undefined && { traffic: sum.traffic }),
    });
    return sum;
  }

  async #result(
    { member, missing = [] }: Aggregated,
    { result }: FunctionType,
    options: RequestOptions,
  ): Promise<ExecutorValue> {
    options.signal?.throwIfAborted();
    if (missing.length === 0) {
      return this.#target.createValue({ kind: 'federated', members: [member] }, result, options);
    }
    const type = result as FederatedType;
    const [server] = this.#target.children(type.placement) as readonly [Executor];
    const handle = await server.createValue(member, type.member, options);
    return this.#target.place([handle], type, missing);
  }

  /** The protocol at work in this stack, begun at its first sum. */
  #session(protocol: SecureAggregationProtocol): ProtocolSession {
    const known = this.#sessions.get(protocol);
    if (known !== undefined) return known;
    const session = protocol.open(this.#participants());
    this.#sessions.set(protocol, session);
    return session;
  }

  #participants(): ProtocolParties {
    const numbers = this.#target.clientNumbers;
    const at = (placement: string) =>
      this.#target
        .children(placement)
        .map((executor, i) =>
          participant(`${placement}/${placement === 'clients' ? numbers[i] : i}`, executor),
        );
    const only = (placement: string) => {
      const [party] = at(placement);
      if (party === undefined)
        throw new ContextError('context.none', `No executor stands at ${placement.toUpperCase()}.`);
      return party;
    };
    this.#parties ??= { clients: at('clients'), server: only('server'), role: only };
    return this.#parties;
  }

  #requireOpen(): void {
    if (this.#closed) throw new ContextError('context.closed', 'This executor is closed.');
  }
}

/** A result, and the clients that are not in it. */
interface Aggregated {
  readonly member: MaterializedValue;
  readonly missing?: readonly Lost[] | undefined;
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
