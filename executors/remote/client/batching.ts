/**
 * @file What a request needs that is not in the other process yet, and the request itself, as one batch:
 * data, selections, structs, and a call of a function or the reading of a value.
 */

import { create } from '@bufbuild/protobuf';
import type { Type } from '../../../computations/types/index.ts';
import {
  type BatchStep,
  BatchStepSchema,
} from '../../../computations/wire/gen/fedloom/v1/batch_pb.ts';
import type { Value as ValueMessage } from '../../../computations/wire/index.ts';
import { StructNode, type ValueNode } from '../../value-tree.ts';
import { DeferredNode, onceUnclaimed, RemoteNode } from './remote-nodes.ts';
import type { RemoteSession, SessionCall } from './session.ts';

export interface CallInBatch {
  readonly fn: ValueNode;
  readonly argument: ValueNode | null;
  /** Of the result. */
  readonly type: Type;
}

/** @returns the result, or `null` if the other side takes no batches. */
export function callInBatch(
  session: RemoteSession,
  { fn, argument, type }: CallInBatch,
  call: SessionCall,
): Promise<RemoteNode | null> {
  const needed = argument === null ? [fn] : [fn, argument];
  return onceUnclaimed(needed, call.signal, async () => {
    const plan = new BatchPlan();
    const [functionRef, argumentRef] = needed.map((node) => valueRef(plan.refTo(node)));
    plan.add({
      case: 'call',
      value: {
        $typeName: 'tensorflow_federated.v0.CreateCallRequest',
        ...(functionRef !== undefined && { functionRef }),
        ...(argumentRef !== undefined && { argumentRef }),
      },
    });
    const done = await plan.carryOut(session, undefined, call);
    return done === null ? null : new RemoteNode(type, done.last, session);
  });
}

/** @returns what was read, or `null` if the other side takes no batches. */
export function readInBatch(
  session: RemoteSession,
  node: ValueNode,
  call: SessionCall,
): Promise<{ readonly value: ValueMessage | undefined } | null> {
  return onceUnclaimed([node], call.signal, async () => {
    const plan = new BatchPlan();
    const done = await plan.carryOut(session, plan.refTo(node), call);
    return done && { value: done.value };
  });
}

interface Done {
  /** The number of what the last step made; empty without steps. */
  readonly last: string;
  readonly value: ValueMessage | undefined;
}

/** Nothing is awaited from the first step that is planned to `carryOut`. */
class BatchPlan {
  readonly #steps: BatchStep[] = [];
  /** What comes to be there with this batch, in the order of its steps. */
  readonly #deferred = new Map<DeferredNode, string>();

  /** The number of a value there, or `#` and that of a step which makes it. */
  refTo(node: ValueNode): string {
    if (node instanceof RemoteNode) return node.id;
    if (node instanceof StructNode) return this.#struct(node);
    if (!(node instanceof DeferredNode)) throw new TypeError('A node of no kind known here.');
    if (node.made !== null) return node.made.id;
    let ref = this.#deferred.get(node);
    if (ref === undefined) {
      ref = this.#make(node);
      this.#deferred.set(node, ref);
    }
    return ref;
  }

  add(kind: BatchStep['kind'], { temporary = false } = {}): string {
    this.#steps.push(create(BatchStepSchema, { kind, temporary }));
    return `#${this.#steps.length - 1}`;
  }

  /** @returns `null` if the other side takes no batches: then nothing was done. */
  async carryOut(
    session: RemoteSession,
    computed: string | undefined,
    call: SessionCall,
  ): Promise<Done | null> {
    const steps = this.#steps;
    const settle = this.#claim(session);
    let ids: readonly string[] | null = null;
    try {
      const body = { steps, ...(computed !== undefined && { computed }) };
      const response = await session.batch(body, call);
      if (response === null) return null;
      ids = response.made.map(({ id }) => id);
      return { last: ids.at(-1) ?? '', value: response.value };
    } finally {
      settle(ids);
    }
  }

  #make(node: DeferredNode): string {
    const { recipe } = node;
    if (recipe.kind === 'value') return this.add({ case: 'value', value: recipe.bytes });
    const sourceRef = valueRef(this.refTo(recipe.source));
    return this.add({
      case: 'selection',
      value: {
        $typeName: 'tensorflow_federated.v0.CreateSelectionRequest',
        sourceRef,
        index: recipe.index,
      },
    });
  }

  #struct({ elements, type }: StructNode): string {
    const names = type.kind === 'struct' ? type.elements : [];
    const element = elements.map((one, i) => ({
      $typeName: 'tensorflow_federated.v0.CreateStructRequest.Element' as const,
      name: names[i]?.name ?? '',
      valueRef: valueRef(this.refTo(one)),
    }));
    return this.add(
      {
        case: 'struct',
        value: { $typeName: 'tensorflow_federated.v0.CreateStructRequest', element },
      },
      { temporary: true },
    );
  }

  /**
   * Keeps others from making what this batch does.
   * @returns what is told the numbers of what was made, or `null` if nothing was.
   */
  #claim(session: RemoteSession): (ids: readonly string[] | null) => void {
    const kept = this.#steps.flatMap(({ temporary }, i) => (temporary ? [] : [`#${i}`]));
    const claims = [...this.#deferred].map(([node, ref]) => {
      const settle = node.claim();
      const at = kept.indexOf(ref);
      return (ids: readonly string[] | null) =>
        settle(ids && new RemoteNode(node.type, ids[at] ?? '', session));
    });
    return (ids) => {
      for (const settle of claims) settle(ids);
    };
  }
}

function valueRef(id: string): {
  readonly $typeName: 'tensorflow_federated.v0.ValueRef';
  readonly id: string;
} {
  return { $typeName: 'tensorflow_federated.v0.ValueRef', id };
}
