/**
 * @file GuardingExecutor: what stands at a client between its data and whoever asks, and belongs to the
 * client. Everything that a server asks passes it: what is too large or malformed is refused before it
 * runs, values that come from the client's data do not leave, and what a protocol may release is bound
 * to the computation and the public inputs that it came from.
 *
 * From the outside in: limits on what is asked (here), syntax, labels and releases
 * (LabellingExecutor), and the executors that hold the values.
 *
 * What it does not hide: how long work takes, that a value for a sum could not be made or was outside of
 * its bounds (for a round of the day), and what a sum of enough clients says. A computation is free to put much into such a sum (each client's value at a
 * place of its own, by its content): who does not trust the server to choose lists `computations`.
 */

import {
  compactNotation,
  ExecutionError,
  FedloomError,
  type MaterializedValue,
  type Type,
} from '../../computations/types/index.ts';
import { memoryLedger, type SessionLedger } from '../../protocols/index.ts';
import { isBlock } from '../blocks.ts';
import type {
  Executor,
  ExecutorInput,
  ExecutorValue,
  RequestOptions,
  StructElementValue,
} from '../executor.ts';
import type { Operator } from '../leaf/operator.ts';
import { checkValue } from '../watching/check-value.ts';
import { AuditLog, type AuditSink } from './audit.ts';
import { BudgetedResolvingExecutor } from './budgeted-resolving.ts';
import { GuardedValue, type Held } from './guarded-value.ts';
import { LabellingExecutor } from './labelling-executor.ts';
import { guardPolicy } from './policy/check-policy.ts';
import type { GuardPolicy, GuardPolicyOptions } from './policy/policy.ts';
import { ReleaseRules } from './policy/release-rules.ts';
import { LimitExceeded, SyntaxLimits } from './policy/syntax-limits.ts';
import { refused } from './refusals.ts';

export interface GuardOptions {
  /** @default `DEFAULT_GUARD_POLICY` */
  readonly policy?: GuardPolicyOptions;
  /**
   * Makes, once, what runs the calls that have no private data in them. Of their results the server gets
   * every bit, so whatever graphs can do wrong there must not reach memory with private values.
   * @default the target
   */
  readonly publicTarget?: () => Promise<Executor>;
  /** The operators of the target; of these it knows what they release. @default none */
  readonly operators?: readonly Operator[];
  /** Counts rounds; one that lasts, where a restart is not to give new ones. @default in memory */
  readonly ledger?: SessionLedger;
  /** @default nobody is told */
  readonly audit?: AuditSink;
  /** Entries of the audit log a day. @default 10,000 */
  readonly auditEntriesPerDay?: number;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
}

export class GuardingExecutor implements Executor {
  readonly #labelling: LabellingExecutor;
  readonly #inner: BudgetedResolvingExecutor;
  readonly #policy: GuardPolicy;
  readonly #limits: SyntaxLimits;
  readonly #audit: AuditLog;
  readonly #held: Held = { values: 0 };

  /**
   * @param target holds the data and runs operators (an `OperatorExecutor` around the rest, without an
   *   executor of syntax around it: that is made here). It is closed with this one.
   * @throws ValueError for a policy without sense.
   */
  constructor(target: Executor, options: GuardOptions = {}) {
    const { operators = [], ledger = memoryLedger(), now = Date.now } = options;
    const policy = guardPolicy(options.policy);
    const { auditEntriesPerDay: entriesPerDay } = options;
    const audit = new AuditLog(options.audit, {
      now,
      ...(entriesPerDay !== undefined && { entriesPerDay }),
    });
    const releases = new ReleaseRules({ policy, ledger, audit, now });
    const { publicTarget } = options;
    this.#labelling = new LabellingExecutor(target, {
      policy,
      operators,
      releases,
      audit,
      ...(publicTarget !== undefined && { publicTarget }),
    });
    this.#inner = new BudgetedResolvingExecutor(this.#labelling, 'calls', policy.limits.calls);
    this.#policy = policy;
    this.#limits = new SyntaxLimits(policy.limits);
    this.#audit = audit;
  }

  /** How many values the server has handles on, and the bytes of what it sent. */
  get held(): { readonly values: number; readonly bytes: number } {
    return { values: this.#held.values, bytes: this.#labelling.heldBytes };
  }

  createValue(
    value: ExecutorInput,
    type: Type,
    options: RequestOptions = {},
  ): Promise<ExecutorValue> {
    return this.#serve(async () => {
      this.#requireRoom();
      this.#limits.requireType(type);
      if (isBlock(value)) {
        this.#limits.requireBlock(value);
        return this.#hold(await this.#inner.createValue(value, type, { ...options }));
      }
      const checked = checkValue(value, type, complaintOf(type));
      return this.#hold(await this.#inner.createValue(checked, type, { ...options }));
    }, options);
  }

  createCall(
    fn: ExecutorValue,
    argument?: ExecutorValue,
    options: RequestOptions = {},
  ): Promise<ExecutorValue> {
    return this.#serve(async () => {
      this.#requireRoom();
      const callee = GuardedValue.of(fn, this);
      const given = argument === undefined ? undefined : GuardedValue.of(argument, this);
      // A request of its own, whose calls are counted, and without a permit from outside.
      return this.#hold(await this.#inner.createCall(callee, given, { ...options }));
    }, options);
  }

  createStruct(elements: readonly StructElementValue[]): Promise<ExecutorValue> {
    return this.#serve(async () => {
      this.#requireRoom();
      const inner = elements.map(({ name, value }) => ({
        name,
        value: GuardedValue.of(value, this),
      }));
      const handle = await this.#inner.createStruct(inner);
      return this.#hold(this.#sizeChecked(handle));
    });
  }

  createSelection(source: ExecutorValue, index: number): Promise<ExecutorValue> {
    return this.#serve(async () => {
      this.#requireRoom();
      const inner = GuardedValue.of(source, this);
      return this.#hold(await this.#inner.createSelection(inner, index));
    });
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** @internal Reads one of its values. */
  read(value: ExecutorValue, options: RequestOptions): Promise<MaterializedValue> {
    return this.#serve(() => value.compute(this.#labelling.leaving(options)), options);
  }

  #hold(inner: ExecutorValue): ExecutorValue {
    return new GuardedValue(this, inner, this.#held);
  }

  /** Elements may be small, and many or deep together. */
  #sizeChecked(handle: ExecutorValue): ExecutorValue {
    try {
      this.#limits.requireType(handle.type);
      return handle;
    } catch (error) {
      handle[Symbol.dispose]();
      throw error;
    }
  }

  #requireRoom(): void {
    const { values } = this.#policy.limits;
    if (this.#held.values < values) return;
    throw new LimitExceeded('values', `This client holds ${values} values, as many as it may.`);
  }

  /** Every request passes here: its errors are those of the policy, or say nothing about data. */
  async #serve<T>(request: () => Promise<T>, { signal }: RequestOptions = {}): Promise<T> {
    try {
      return await request();
    } catch (error) {
      if (error instanceof LimitExceeded) {
        throw refused(this.#audit, {
          code: 'policy.computation_refused',
          rule: `limits.${error.limit}`,
          message: error.message.replace(/\.$/, ''),
        });
      }
      // The stack of the engine is a limit too.
      if (error instanceof RangeError) {
        throw refused(this.#audit, {
          code: 'policy.computation_refused',
          rule: 'limits.depth',
          message: 'What was asked for is too large or nested too deep',
        });
      }
      // What was not written for others may name files of this machine.
      if (!(error instanceof FedloomError) && !(signal?.aborted && signal.reason === error)) {
        this.#audit.failure(error, 'internal');
        throw this.#audit.told(
          new ExecutionError(
            'execution.kernel_failed',
            'This client could not do what was asked for; its own log says why.',
          ),
        );
      }
      this.#audit.refusal(error);
      throw error;
    }
  }
}

function complaintOf(type: Type): (place: string, problem: string) => Error {
  return (place, problem) =>
    new ExecutionError(
      'execution.unsupported_value',
      `Data of type ${compactNotation(type)} is due, and the value${place === '' ? '' : ` at ${place}`} ${problem}.`,
    );
}
