/**
 * @file Labels every value and decides what leaves: what comes from the client's data is private, what
 * is computed with a private value is private, and only a releasing operator makes something public of
 * it, under the client's policy and bound to where the value came from.
 *
 * It stands below the executor that resolves syntax, which is the client's own. So it sees calls of
 * closed functions only, and whatever syntax captures it captures by reading it from here.
 */

import type { BuildingBlock } from '../../computations/building-blocks.ts';
import {
  compactNotation,
  containsType,
  type FunctionType,
  type MaterializedValue,
  type StructType,
  type Type,
} from '../../computations/types/index.ts';
import { contentHash } from '../../computations/wire/index.ts';
import { utf8 } from '../../protocols/index.ts';
import { isBlock } from '../blocks.ts';
import type { Executor, ExecutorInput, RequestOptions } from '../executor.ts';
import type { Operator, ReleasePermit } from '../leaf/operator.ts';
import { LayerExecutor } from '../tree-executor.ts';
import { releaseAll, StructNode, TargetNode, type ValueNode } from '../value-tree.ts';
import { memoryOf } from '../watching/value-size.ts';
import type { AuditLog } from './audit.ts';
import { generalFailure, isOfExecutor, isPublic } from './failures.ts';
import {
  functionsIn,
  isFailed,
  type Label,
  LabelledNode,
  labelOf,
  type Marks,
  provenanceOf,
} from './labels.ts';
import { leastBytes, placeholderOf } from './placeholder.ts';
import { dataIn, problemOfData } from './policy/data-rules.ts';
import type { GuardPolicy } from './policy/policy.ts';
import type { ReleaseRules } from './policy/release-rules.ts';
import { LimitExceeded } from './policy/syntax-limits.ts';
import {
  type Provenance,
  provenanceOfBlock,
  provenanceOfCall,
  provenanceOfData,
  provenanceOfPublic,
  provenanceOfSelection,
} from './provenance.ts';
import { PublicWork } from './public-work.ts';
import { PRIVATE_VALUES, type Refusal, refused } from './refusals.ts';

export interface LabellingOptions {
  readonly policy: GuardPolicy;
  /** Those of the executor below. */
  readonly operators: readonly Operator[];
  readonly releases: ReleaseRules;
  readonly audit: AuditLog;
  /** See `GuardOptions.publicTarget`. */
  readonly publicTarget?: () => Promise<Executor>;
}

export class LabellingExecutor extends LayerExecutor {
  readonly #options: LabellingOptions;
  readonly #operators: ReadonlyMap<string, Operator>;
  readonly #publicWork: PublicWork | null;
  readonly #leaving = new WeakSet<RequestOptions>();
  #heldBytes = 0;

  constructor(target: Executor, options: LabellingOptions) {
    super(target);
    this.#options = options;
    this.#operators = new Map(options.operators.map((operator) => [operator.uri, operator]));
    const { publicTarget } = options;
    this.#publicWork =
      publicTarget === undefined
        ? null
        : new PublicWork(publicTarget, (node, how) => this.readNode(node, how));
  }

  /** Bytes of the values that were sent here and are held by anything. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Marks the options of a request that brings values out; syntax reads for itself what it captures. */
  leaving(options: RequestOptions): RequestOptions {
    const marked = { ...options };
    this.#leaving.add(marked);
    return marked;
  }

  protected override async embed(
    value: ExecutorInput,
    type: Type,
    options: RequestOptions,
  ): Promise<ValueNode> {
    if (!isBlock(value)) return this.#embedPublic(value, value, type, options);
    switch (value.kind) {
      case 'data':
        return this.#embedData(value, options);
      case 'literal':
        return this.#embedPublic(value, value.value, value.type, options);
      default:
        return this.#embedFunction(value, type, options);
    }
  }

  protected override async apply(
    fn: ValueNode,
    argument: ValueNode | null,
    type: FunctionType,
    options: RequestOptions,
  ): Promise<ValueNode> {
    const [facts] = functionsIn(fn);
    const operator = facts?.operator;
    if (operator?.release !== undefined && argument !== null) {
      return this.#release(fn, argument, operator, options);
    }
    const isPrivate = [fn, argument].some((node) => node !== null && labelOf(node) === 'private');
    if (isPrivate) {
      this.#requireComputations([fn, argument]);
      if (containsType(type.result, isAbstract)) throw this.#refusePrivateMessage(fn);
    }
    const label: Label = isPrivate ? 'private' : operator === undefined ? 'public' : 'released';
    const marks: Marks = { label, provenance: provenanceOfCallOf(fn, argument) };
    const free = this.#account(leastBytes(type.result));
    try {
      if (isPrivate && [fn, argument].some((node) => node !== null && isFailed(node))) {
        return await this.#failed(type.result, marks, free);
      }
      const work = () => this.applyInTarget(fn, argument, unpermitted(options));
      if (!isPrivate) {
        const isApart = operator === undefined && this.#publicWork !== null;
        const made = isApart ? this.#applyApart(fn, argument, type.result, options) : work();
        return new LabelledNode(await made, marks, free);
      }
      return await this.#attempt(type.result, marks, options, free, work);
    } catch (error) {
      free();
      throw error;
    }
  }

  protected override async selectFrom(node: ValueNode, index: number): Promise<ValueNode> {
    const source = await this.lower(node);
    try {
      const handle = await this.target.createSelection(source.handle, index);
      const provenance = provenanceOfSelection(provenanceOf(node), index);
      const marks = { label: labelOf(node), provenance, failed: isFailed(node) };
      return new LabelledNode(new TargetNode(handle), marks);
    } finally {
      source.release();
    }
  }

  protected override read(
    node: ValueNode,
    options: RequestOptions,
  ): MaterializedValue | Promise<MaterializedValue> {
    const label = labelOf(node);
    const shown = compactNotation(node.type);
    if (label === 'private') {
      throw this.#refuse({
        code: 'policy.private_value',
        rule: PRIVATE_VALUES,
        message: `A value of type ${shown} comes from this client's data and does not leave. Give it to a secure sum`,
        detail: `compute of a private ${shown}`,
      });
    }
    if (containsType(node.type, isAbstract)) {
      throw this.#refuse({
        code: 'policy.private_value',
        rule: PRIVATE_VALUES,
        message: `A value of type ${shown} is what this client keeps for a protocol, and stays with it`,
        detail: `compute of an opaque ${shown}`,
      });
    }
    if (label === 'public' && !this.#options.policy.plainCompute && this.#leaving.has(options)) {
      throw this.#refuse({
        code: 'policy.private_value',
        rule: 'plainCompute',
        message: `This client computes for secure sums only; a value of type ${shown} stays here`,
      });
    }
    return super.read(node, options);
  }

  protected override async shutDown(): Promise<void> {
    try {
      await this.#publicWork?.close();
    } finally {
      await super.shutDown();
    }
  }

  protected override async lowerOwn(node: ValueNode): Promise<TargetNode> {
    throw new TypeError(`A guard holds no ${node.constructor.name}.`);
  }

  async #embedPublic(
    input: ExecutorInput,
    value: MaterializedValue,
    type: Type,
    options: RequestOptions,
  ): Promise<ValueNode> {
    if (value.kind === 'struct' && type.kind === 'struct') {
      return this.#embedPublicStruct(value.elements, type, options);
    }
    const free = this.#account(memoryOf(value));
    try {
      // Before anyone can change it.
      const provenance = await provenanceOfPublic(value, type);
      const target = await this.embedInTarget(input, type, unpermitted(options));
      return new LabelledNode(target, { label: 'public', provenance }, free);
    } catch (error) {
      free();
      throw error;
    }
  }

  /** Element by element, as if it were made of them: transports send a struct in one way or the other. */
  async #embedPublicStruct(
    values: readonly MaterializedValue[],
    type: StructType,
    options: RequestOptions,
  ): Promise<ValueNode> {
    const nodes: ValueNode[] = [];
    try {
      for (const [i, element] of type.elements.entries()) {
        const value = values[i] as MaterializedValue;
        nodes.push(await this.#embedPublic(value, value, element.type, options));
      }
    } catch (error) {
      releaseAll(nodes);
      throw error;
    }
    return new StructNode(type, nodes);
  }

  /** Adds to what is held for the server, as long as any handle or struct has it. */
  #account(bytes: number): () => void {
    const { heldBytes } = this.#options.policy.limits;
    if (!(this.#heldBytes + bytes <= heldBytes)) {
      throw new LimitExceeded(
        'heldBytes',
        `This client holds at most ${heldBytes} bytes for others.`,
      );
    }
    this.#heldBytes += bytes;
    return () => {
      this.#heldBytes -= bytes;
    };
  }

  async #embedData(
    block: Extract<BuildingBlock, { kind: 'data' }>,
    options: RequestOptions,
  ): Promise<ValueNode> {
    this.#requireData(block);
    const { type } = block;
    const free = this.#account(leastBytes(type));
    const marks: Marks = { label: 'private', provenance: provenanceOfData(block.uri, type) };
    try {
      const work = () => this.embedInTarget(block, type, unpermitted(options));
      // That there is no data of a name is told.
      return await this.#attempt(type, marks, options, free, work, isPublic);
    } catch (error) {
      free();
      throw error;
    }
  }

  async #embedFunction(
    block: BuildingBlock,
    type: Type,
    options: RequestOptions,
  ): Promise<ValueNode> {
    const named = dataIn(block);
    for (const data of named) this.#requireData(data);
    const operator = block.kind === 'intrinsic' ? this.#operators.get(block.uri) : undefined;
    const target = await this.#work(named.length > 0, options, () =>
      this.embedInTarget(block, type, unpermitted(options)),
    );
    return new LabelledNode(target, {
      label: named.length > 0 ? 'private' : 'public',
      provenance: provenanceOfBlock(block),
      fn: { block, ...(operator !== undefined && { operator }) },
    });
  }

  /** A call of a releasing operator. What it says about public values needs nobody's permission. */
  async #release(
    fn: ValueNode,
    argument: ValueNode,
    operator: Operator,
    options: RequestOptions,
  ): Promise<ValueNode> {
    const { value, messages } = this.#partsOfRelease(argument, operator);
    if (messages.some((message) => labelOf(message) === 'private')) {
      throw this.#refusePrivateMessage(fn);
    }
    const isPrivate = labelOf(value) === 'private';
    // A sequence is made when it is read, which is before the terms are: whether that fails would be told
    // whatever they are.
    if (isPrivate && operator.release?.does === 'hide' && containsType(value.type, isSequence)) {
      throw this.#refuse({
        code: 'policy.release_refused',
        rule: PRIVATE_VALUES,
        message: `A secure sum takes tensors, and no ${compactNotation(value.type)}`,
      });
    }
    const permit = isPrivate ? this.#permit(value) : undefined;
    const result = await this.#work(isPrivate, options, () =>
      this.applyInTarget(fn, argument, {
        ...unpermitted(options),
        ...(permit !== undefined && { permit }),
      }),
    );
    if (permit !== undefined && operator.release?.does === 'hide' && !permit.asked) {
      result.release();
      throw new TypeError(`The executor below this guard does not ask before ${operator.uri}.`);
    }
    return new LabelledNode(result, {
      label: 'released',
      provenance: provenanceOfCallOf(fn, argument),
    });
  }

  #partsOfRelease(
    argument: ValueNode,
    { release, uri }: Operator,
  ): { readonly value: ValueNode; readonly messages: readonly ValueNode[] } {
    const place = release?.value;
    if (place === 'argument') return { value: argument, messages: [] };
    const elements = argument instanceof StructNode ? argument.elements : [];
    const value = elements[place ?? -1];
    if (value !== undefined) {
      return { value, messages: elements.filter((_, i) => i !== place) };
    }
    // A struct in one piece, whose elements cannot be told apart.
    if (labelOf(argument) !== 'private') return { value: argument, messages: [] };
    throw this.#refuse({
      code: 'policy.release_refused',
      rule: PRIVATE_VALUES,
      message: `${uri} takes its value apart from its messages`,
    });
  }

  #permit(value: ValueNode): ReleasePermit & { readonly asked: boolean } {
    const { releases, audit } = this.#options;
    let asked = false;
    return {
      // The protocols hash it once more, to bytes of their own.
      context: utf8(provenanceOf(value)),
      check: (terms) => {
        asked = true;
        // That there is no value is told where it would have left, and costs the same.
        if (isFailed(value)) {
          releases.spend(terms);
          throw audit.told(generalFailure(undefined));
        }
        releases.check(terms);
      },
      get asked() {
        return asked;
      },
    };
  }

  /** @throws PolicyError `policy.computation_refused` */
  #requireComputations(nodes: readonly (ValueNode | null)[]): void {
    const { computations } = this.#options.policy;
    if (computations === 'any') return;
    for (const { block, operator } of nodes.flatMap((node) => (node ? functionsIn(node) : []))) {
      // Operators and operations on sequences are the client's own.
      if (operator !== undefined || block.kind === 'intrinsic') continue;
      const hash = contentHash(block);
      if (computations.includes(hash)) continue;
      throw this.#refuse({
        code: 'policy.computation_refused',
        rule: 'computations',
        message: `This client applies only computations that it knows to its data; this one has the hash ${hash}`,
      });
    }
  }

  /** @throws PolicyError `policy.computation_refused` */
  #requireData(block: Extract<BuildingBlock, { kind: 'data' }>): void {
    const message = problemOfData(block, this.#options.policy.data);
    if (message === undefined) return;
    throw this.#refuse({ code: 'policy.computation_refused', rule: 'data', message });
  }

  /** A call without private data in it; where nothing private is near, if there is such a place. */
  async #applyApart(
    fn: ValueNode,
    argument: ValueNode | null,
    type: Type,
    options: RequestOptions,
  ): Promise<TargetNode> {
    const work = this.#publicWork as PublicWork;
    const value = await work.call(fn, argument, unpermitted(options));
    return this.embedInTarget(value, type);
  }

  /** A private value, or what stands in for it if it cannot be made. */
  async #attempt(
    type: Type,
    marks: Marks,
    options: RequestOptions,
    free: () => void,
    work: () => Promise<TargetNode>,
    isTold: (error: unknown) => boolean = isOfExecutor,
  ): Promise<LabelledNode> {
    try {
      return new LabelledNode(await work(), marks, free);
    } catch (error) {
      // Not even a limit that was reached: whether it was can depend on the data.
      if (!isTold(error)) {
        options.signal?.throwIfAborted();
        this.#options.audit.failure(error, PRIVATE_VALUES);
        return await this.#failed(type, marks, free);
      }
      throw error;
    }
  }

  async #failed(type: Type, marks: Marks, free: () => void): Promise<LabelledNode> {
    const placeholder = placeholderOf(type);
    if (placeholder === undefined) throw this.#options.audit.told(generalFailure(undefined));
    const target = await this.embedInTarget(placeholder, type);
    return new LabelledNode(target, { ...marks, failed: true }, free);
  }

  /** Does work of which no message may leave where private data is in it. */
  async #work<T>(
    isPrivate: boolean,
    { signal }: RequestOptions,
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isPrivate || isPublic(error)) throw error;
      // What failed because it was to stop may quote data all the same.
      signal?.throwIfAborted();
      const { audit } = this.#options;
      audit.failure(error, PRIVATE_VALUES);
      throw audit.told(generalFailure(error));
    }
  }

  /** What a protocol goes by is not made of data: it would tell about it, or fail for some. */
  #refusePrivateMessage(fn: ValueNode): Error {
    return this.#refuse({
      code: 'policy.release_refused',
      rule: PRIVATE_VALUES,
      message: `A step of a protocol (${compactNotation(fn.type)}) takes no private data for a message`,
    });
  }

  #refuse(refusal: Refusal): Error {
    return refused(this.#options.audit, refusal);
  }
}

function isAbstract({ kind }: Type): boolean {
  return kind === 'abstract';
}

function isSequence({ kind }: Type): boolean {
  return kind === 'sequence';
}

/** Nobody above has a say in what is released. */
function unpermitted({ permit: _, ...options }: RequestOptions): RequestOptions {
  return options;
}

function provenanceOfCallOf(fn: ValueNode, argument: ValueNode | null): Provenance {
  return provenanceOfCall(provenanceOf(fn), argument === null ? null : provenanceOf(argument));
}
