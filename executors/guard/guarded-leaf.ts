/**
 * @file The executor of one client under guard, in one piece: what holds its data, the operators of the
 * protocols that its policy allows, and the guard around them. The operators get from the policy what
 * they check themselves, so that a rule stands in one place.
 */

import { type Backend, loadBackend } from '../../computations/tensors/index.ts';
import { ValueError } from '../../computations/types/index.ts';
import { memoryLedger, type SessionLedger } from '../../protocols/index.ts';
import type { Executor } from '../executor.ts';
import { DataExecutor, type DataSource } from '../leaf/data-source.ts';
import type { Operator } from '../leaf/operator.ts';
import { OperatorExecutor } from '../leaf/operators.ts';
import { SequenceExecutor } from '../leaf/sequence.ts';
import { TensorExecutor } from '../leaf/tensor.ts';
import type { IdentityProvider } from '../secure/identities.ts';
import { maskingOperators } from '../secure/masking-operators.ts';
import { clientOperators } from '../secure/paillier/client-operators.ts';
import { keyOperators } from '../secure/paillier/key-operators.ts';
import { perturbationOperators } from '../secure/perturbations-operators.ts';
import { quantizationOperators } from '../secure/quantization/operators.ts';
import {
  type QuantizedAggregationOptions,
  quantizationPolicy,
} from '../secure/quantization/options.ts';
import { secAggOperators } from '../secure/secagg/operators.ts';
import type { AuditSink } from './audit.ts';
import { BudgetedResolvingExecutor } from './budgeted-resolving.ts';
import { GuardingExecutor } from './guarding-executor.ts';
import { guardPolicy } from './policy/check-policy.ts';
import { checkedSource } from './policy/data-rules.ts';
import { type GuardedPaillierOptions, paillierUnder } from './policy/paillier-terms.ts';
import type {
  GuardPolicy,
  GuardPolicyOptions,
  GuardProtocol,
  ProtocolRules,
} from './policy/policy.ts';

export interface GuardedLeafOptions {
  /** Runs what has private data in it; may be shared by many leaves. */
  readonly backend: Backend;
  /** @default the client has no data */
  readonly dataSource?: DataSource;
  /**
   * Whose keys and roster; needed by SecAgg in the active model and by Paillier.
   * @default the client takes part in no protocol that signs
   */
  readonly identities?: IdentityProvider;
  /** @default `DEFAULT_GUARD_POLICY` */
  readonly policy?: GuardPolicyOptions;
  /** Where sessions and rounds are noted; one that lasts, for a client that restarts. @default in memory */
  readonly ledger?: SessionLedger;
  readonly audit?: AuditSink;
  readonly auditEntriesPerDay?: number;
  /** How this client makes integers of its floats. @default it does not */
  readonly quantization?: QuantizedAggregationOptions;
  /** What this client asks of Paillier's parties beyond its policy; see `PaillierTerms`. */
  readonly paillier?: GuardedPaillierOptions;
  /** More operators of the client's own. @default none */
  readonly operators?: readonly Operator[];
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
  /** Random bytes for operators; for tests. @default `crypto.getRandomValues` */
  readonly random?: (n: number) => Uint8Array;
}

/**
 * A client's executor: everything that a server may ask of it passes the guard.
 * @throws ValueError for a policy without sense, or one that needs identities and has none.
 */
export function guardedLeaf(options: GuardedLeafOptions): GuardingExecutor {
  const { backend, dataSource, audit, now, random, auditEntriesPerDay } = options;
  const policy = guardPolicy(options.policy);
  const ledger = options.ledger ?? memoryLedger();
  const operators = [...protocolOperators(policy, ledger, options), ...(options.operators ?? [])];
  const source = checkedSource(dataSource ?? NO_DATA);
  const withData = (target: Executor): Executor => new DataExecutor(target, source);
  const { elementCalls } = policy.limits;
  const sequences = (tensors: Executor): Executor =>
    new SequenceExecutor(new BudgetedResolvingExecutor(tensors, 'elementCalls', elementCalls));
  const calls = new OperatorExecutor(
    sequences(withData(new TensorExecutor(backend))),
    operators,
    random === undefined ? {} : { random },
  );
  return new GuardingExecutor(withData(calls), {
    policy,
    // In plain JavaScript there is no memory beside an array.
    publicTarget: async () => sequences(new TensorExecutor(await loadBackend({ prefer: 'cpu' }))),
    operators,
    ledger,
    ...(audit !== undefined && { audit }),
    ...(auditEntriesPerDay !== undefined && { auditEntriesPerDay }),
    ...(now !== undefined && { now }),
  });
}

const NO_DATA: DataSource = { resolve: () => null };

function protocolOperators(
  policy: GuardPolicy,
  ledger: SessionLedger,
  options: GuardedLeafOptions,
): readonly Operator[] {
  const { protocols } = policy;
  const operators: Operator[] = [];
  if (protocols.secAgg !== undefined || protocols.secAggPlus !== undefined) {
    operators.push(...secAggOperatorsUnder(policy, ledger, options.identities));
  }
  if (protocols.masking !== undefined) {
    operators.push(...maskingOperators({ minimumClients: cohortFor(policy, 'masking') }));
  }
  if (protocols.perturbations !== undefined) {
    const minimumClients = cohortFor(policy, 'perturbations');
    operators.push(...perturbationOperators({ minimumClients }));
  }
  if (protocols.paillier !== undefined) {
    operators.push(...paillierOperatorsUnder(policy, ledger, options));
  }
  if (options.quantization !== undefined) {
    operators.push(...quantizationOperators(quantizationPolicy(options.quantization)));
  }
  return operators;
}

function secAggOperatorsUnder(
  policy: GuardPolicy,
  ledger: SessionLedger,
  identities: IdentityProvider | undefined,
): readonly Operator[] {
  const { secAgg, secAggPlus } = policy.protocols;
  // One that is not allowed may begin, and is refused where a value is to leave.
  const rulesOf = (graph: 'complete' | 'sparse'): ProtocolRules =>
    (graph === 'complete' ? secAgg : secAggPlus) ?? secAgg ?? secAggPlus ?? {};
  const ofGraph = (graph: 'complete' | 'sparse') => {
    const { models = ['active'], smallestCohort = policy.smallestCohort } = rulesOf(graph);
    return { models, minimumClients: smallestCohort } as const;
  };
  const isActive = [secAgg, secAggPlus].some(
    (rules) => rules !== undefined && (rules.models ?? ['active']).includes('active'),
  );
  if (identities === undefined && isActive) {
    throw new ValueError(
      'value.out_of_range',
      'SecAgg in the active model signs: give the client its identities, or a policy without secAgg and secAggPlus.',
    );
  }
  const { securityBits, corruptRate } = policy;
  return secAggOperators({
    policy: { securityBits, corruptRate },
    policyOfGraph: ofGraph,
    identities,
    ledger,
  });
}

/** What a client does; the roles of key holder and aggregator are other parties'. */
function paillierOperatorsUnder(
  policy: GuardPolicy,
  ledger: SessionLedger,
  { identities, paillier }: GuardedLeafOptions,
): readonly Operator[] {
  if (identities === undefined) {
    throw new ValueError(
      'value.out_of_range',
      'Paillier inputs are signed: give the client its identities, or a policy without paillier.',
    );
  }
  const terms = paillierUnder(policy, identities, ledger, paillier);
  const prepare = keyOperators(terms).filter(({ uri }) => uri === 'paillier_prepare');
  return [...prepare, ...clientOperators(terms)];
}

function cohortFor({ protocols, smallestCohort }: GuardPolicy, protocol: GuardProtocol): number {
  return protocols[protocol]?.smallestCohort ?? smallestCohort;
}
