/**
 * @file `secAgg()` and `secAggPlus()`: secure sums that survive dropouts and, in the active model,
 * refuse a server that lies (Bonawitz et al. 2017; Bell et al. 2020).
 */

import { structOf, ValueError } from '../../../computations/types/index.ts';
import {
  Bitmap,
  type IdentityRoster,
  type MaskedVector,
  type NeighbourGraph,
  ProtocolError,
  type SecAggAgreement,
  type SecAggPolicy,
  type SecAggServerStage,
  secAggParameters,
  sumVector,
  type ThreatModel,
} from '../../../protocols/index.ts';
import type { ExecutorValue, RequestOptions } from '../../executor.ts';
import {
  DEFAULT_TIMEOUT_MS,
  isLostInput,
  type Lost,
  requireStageLimits,
  requireWhole,
} from '../cohort.ts';
import { withRecipe } from '../define-operator.ts';
import { faultError } from '../faults.ts';
import { type IdentityProvider, SimulatedIdentities, simulatedIdentities } from '../identities.ts';
import { BYTES, keptAndSent } from '../participant.ts';
import type {
  Participant,
  ProtocolParties,
  ProtocolSession,
  SecureAggregationProtocol,
  SecureSum,
  SecureSumTask,
} from '../protocol.ts';
import {
  type SecureAggregation,
  type SecureAggregationOptions,
  secureAggregation,
} from '../secure-aggregation.ts';
import {
  type SecAggOperatorRecipe,
  secAggOperators,
  secAggOperatorsOfRecipe,
  secAggState,
} from './operators.ts';
import { type SecAggPeer, SecAggRound } from './round.ts';
import type { UnmaskingPool } from './unmasking.ts';

/** What both protocols take. */
export interface SecAggOptions {
  /**
   * How many of those who hold a client's shares must stay until the end: a count, or a proportion
   * of them between 0 and 1.
   * @default the least that is secure
   */
  readonly threshold?: number;
  /**
   * How long each stage waits for its slowest client, in milliseconds.
   * @default 60,000
   */
  readonly timeoutMs?: number;
  /**
   * Whom the sum withstands: `active`, a server that lies and clients that help it; `semi-honest`, a
   * server that follows the protocol and looks.
   * @default 'active'
   */
  readonly model?: ThreatModel;
  /**
   * The smallest cohort in which a client hides its value.
   * @default 3
   */
  readonly minimumClients?: number;
  /**
   * In how many rounds a client takes part: of two sums of the same values, of which one leaves a
   * client out, the difference is its own.
   * @default no limit
   */
  readonly mostRounds?: number;
  /** Of all clients, those that help the server. @default 0.05 */
  readonly corruptRate?: number;
  /** Of all clients, those that may be lost without the sum failing. @default 0.1 */
  readonly dropoutRate?: number;
  /** An attack succeeds with 2^-securityBits. @default 40 */
  readonly securityBits?: number;
  /** The sum fails, though no more were lost than expected, with 2^-correctnessBits. @default 20 */
  readonly correctnessBits?: number;
  /** Who the clients are. @default keys made for the simulation */
  readonly identities?: IdentityProvider;
  /** What plain aggregations are allowed, how floats are quantised, and so on. */
  readonly aggregation?: SecureAggregationOptions;
  /** Expands masks elsewhere, for example on threads. @default on the server's thread */
  readonly unmasking?: UnmaskingPool;
}

export interface SecAggPlusOptions extends SecAggOptions {
  /**
   * How many clients hold a client's shares.
   * @default the least that is secure and correct
   */
  readonly neighbours?: number;
}

/**
 * Secure sums by SecAgg (Bonawitz et al. 2017), for `localExecutorFactory({ secureAggregation:
 * secAgg() })`: every client shares with every other. The cost of a client grows with their number;
 * above some hundred take `secAggPlus()`.
 *
 * A client may fail or vanish at any message. The sum is of those who sent their vectors, if at
 * least the threshold stays until the end, and is refused with `protocol.too_few_clients` otherwise.
 * @throws ValueError `value.out_of_range` for options without sense.
 */
export function secAgg(options: SecAggOptions = {}): SecureAggregation {
  return secureAggregation(secAggProtocol(options), options.aggregation);
}

/**
 * Secure sums by SecAgg+ (Bell et al. 2020): every client shares with some others, so that its cost
 * grows with the logarithm of their number. In cohorts too small for that it is `secAgg()`.
 * @throws ValueError `value.out_of_range` for options without sense.
 */
export function secAggPlus(options: SecAggPlusOptions = {}): SecureAggregation {
  return secureAggregation(secAggPlusProtocol(options), options.aggregation);
}

/** The protocol alone, to be combined with others by intrinsic. */
export function secAggProtocol(options: SecAggOptions = {}): SecureAggregationProtocol {
  return protocolOf('secAgg', 'complete', options);
}

/** The protocol alone, to be combined with others by intrinsic. */
export function secAggPlusProtocol(options: SecAggPlusOptions = {}): SecureAggregationProtocol {
  return protocolOf('secAggPlus', 'auto', options);
}

type Graph = NeighbourGraph | 'auto';

function protocolOf(
  name: string,
  graph: Graph,
  options: SecAggPlusOptions,
): SecureAggregationProtocol {
  const { model = 'active', minimumClients = 3, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  requireStageLimits(minimumClients, timeoutMs);
  requireThreshold(options.threshold);
  if (options.mostRounds !== undefined) requireWhole('mostRounds', options.mostRounds, 1, 2 ** 32);
  const identities = model === 'active' ? (options.identities ?? simulatedIdentities()) : undefined;
  const policy: Partial<SecAggPolicy> = {
    models: [model],
    minimumClients,
    ...(options.securityBits !== undefined && { securityBits: options.securityBits }),
    ...(options.corruptRate !== undefined && { corruptRate: options.corruptRate }),
    ...(options.mostRounds !== undefined && { mostRounds: options.mostRounds }),
  };
  // Keys that are not made for a simulation stay on the thread that has them.
  const recipe: SecAggOperatorRecipe | undefined =
    identities === undefined || identities instanceof SimulatedIdentities
      ? { policy, simulatedIdentities: identities?.seed }
      : undefined;
  return {
    name,
    roles: [],
    timeoutMs,
    survivesLosses: true,
    operators:
      recipe === undefined
        ? secAggOperators({ policy, identities })
        : withRecipe('secagg', secAggOperatorsOfRecipe, recipe),
    open: (parties) =>
      new SecAggSession(parties, { ...options, model, timeoutMs }, graph, identities),
  };
}

function requireThreshold(threshold: number | undefined): void {
  if (threshold === undefined) return;
  const count = Number.isSafeInteger(threshold) && threshold >= 1;
  if (count || (threshold > 0 && threshold < 1)) return;
  throw new ValueError(
    'value.out_of_range',
    `threshold is a count of clients (1 or more) or a proportion between 0 and 1; got ${threshold}.`,
  );
}

type SessionOptions = SecAggPlusOptions & {
  readonly model: ThreatModel;
  readonly timeoutMs: number;
};

class SecAggSession implements ProtocolSession {
  readonly #parties: ProtocolParties;
  readonly #options: SessionOptions;
  readonly #graph: Graph;
  readonly #identities: IdentityProvider | undefined;
  #parameters: ReturnType<typeof parametersFor> | undefined;

  constructor(
    parties: ProtocolParties,
    options: SessionOptions,
    graph: Graph,
    identities: IdentityProvider | undefined,
  ) {
    this.#parties = parties;
    this.#options = options;
    this.#graph = graph;
    this.#identities = identities;
  }

  async sum(task: SecureSumTask): Promise<SecureSum> {
    const { clients } = this.#parties;
    const { timeoutMs, unmasking, model } = this.#options;
    const names = clients.map(({ name }) => name);
    const roster = this.#identities?.roster(names);
    const members = roster?.members.length ?? clients.length;
    this.#parameters ??= parametersFor(clients.length, members, this.#graph, this.#options);
    const agreement: SecAggAgreement = {
      session: task.session,
      round: 0,
      model,
      clients: clients.length,
      ...this.#parameters,
      rosterHash: roster?.hash ?? new Uint8Array(0),
      cohort: roster === undefined ? new Bitmap(0) : cohortIn(roster, names),
      vectors: task.terms.map(
        ({ kind, length, bound }, i): MaskedVector =>
          kind === 'sum'
            ? sumVector(String(i), length, bound, clients.length)
            : { kind, id: String(i), length, modulus: bound },
      ),
    };
    const lostBefore = new Map<number, Lost>();
    for (const [i, input] of task.inputs.entries())
      if (isLostInput(input)) lostBefore.set(i, input);
    const peers = clients.map(
      (client, i) =>
        new ClientPeer(client, {
          input: task.inputs[i] as ExecutorValue,
          lastStep: model === 'active' ? 'secagg_unmask_confirmed' : 'secagg_unmask_survivors',
          state: undefined,
          left: false,
        }),
    );
    const round = new SecAggRound(
      peers,
      {
        agreement,
        names,
        ...(roster !== undefined && { roster }),
      },
      {
        timeoutMs,
        lostBefore,
        ...(task.options !== undefined && { request: task.options }),
        ...(unmasking !== undefined && { unmasking }),
      },
    );
    const { sums, ...result } = await round.run();
    return {
      ...result,
      sums: sums.map(({ values }) => values as ArrayLike<number> | ArrayLike<bigint>),
    };
  }

  close(): void {}
}

/**
 * The places of the clients in the roster. A round numbers its clients in the order of the roster, and
 * a stack in its own, so both have to be the same.
 */
function cohortIn({ members, positions }: IdentityRoster, names: readonly string[]): Bitmap {
  const places = names.map((name) => positions.get(name) ?? -1);
  if (places.every((place, i) => place > (places[i - 1] ?? -1))) {
    return Bitmap.of(members.length, places);
  }
  const stranger = names.find((name) => !positions.has(name));
  throw new ValueError(
    'value.out_of_range',
    stranger === undefined
      ? 'The clients of the stack are not in the order of the roster.'
      : `The roster of ${members.length} members has no "${stranger}".`,
  );
}

/** Graph, neighbours and threshold for a cohort of a roster. */
function parametersFor(
  clients: number,
  roster: number,
  graph: Graph,
  { threshold, neighbours, ...options }: SessionOptions,
): Pick<SecAggAgreement, 'graph' | 'neighbours' | 'threshold' | 'inDegreeLimit'> {
  // Alone, a client has nobody to share with; whether it takes part is its own decision.
  if (clients === 1) return { graph: 'complete', neighbours: 0, threshold: 1, inDegreeLimit: 1 };
  const { model, corruptRate, dropoutRate, securityBits, correctnessBits } = options;
  const among = neighbours === undefined || graph === 'complete' ? clients : neighbours + 1;
  const count = threshold !== undefined && threshold < 1 ? Math.ceil(threshold * among) : threshold;
  try {
    return secAggParameters({
      clients,
      roster,
      graph: neighbours === undefined ? graph : neighbours >= clients - 1 ? 'complete' : 'sparse',
      model,
      ...(count !== undefined && { threshold: count }),
      ...(neighbours !== undefined && { neighbours: Math.min(neighbours, clients - 1) }),
      ...(corruptRate !== undefined && { corruptRate }),
      ...(dropoutRate !== undefined && { dropoutRate }),
      ...(securityBits !== undefined && { securityBits }),
      ...(correctnessBits !== undefined && { correctnessBits }),
    });
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw faultError({
      kind: 'fault',
      stage: 'parameters',
      code: error.code,
      message: error.message.replace(/^\[[^\]]*\] /, ''),
    });
  }
}

const STEP = structOf([
  { name: null, type: secAggState.type },
  { name: null, type: BYTES },
]);

/** What a client holds for the round; one record, however often the peer is wrapped. */
interface Holding {
  readonly input: ExecutorValue;
  /** The operator of the last step: it takes what the model's stage before it leads to. */
  readonly lastStep: 'secagg_unmask_confirmed' | 'secagg_unmask_survivors';
  state: ExecutorValue | undefined;
  left: boolean;
}

/** A client of the stack, asked by operators. Its state stays where it is; a handle on it is here. */
class ClientPeer implements SecAggPeer {
  readonly #party: Participant;
  readonly #holding: Holding;

  constructor(party: Participant, holding: Holding) {
    this.#party = party;
    this.#holding = holding;
  }

  get name(): string {
    return this.#party.name;
  }

  within(options: RequestOptions): SecAggPeer {
    return new ClientPeer(this.#party.within(options), this.#holding);
  }

  async answer(stage: SecAggServerStage, message: Uint8Array): Promise<Uint8Array> {
    if (stage === 'advertise') return this.#step('secagg_advertise', [message]);
    const { input, lastStep } = this.#holding;
    using state = this.#takeState();
    switch (stage) {
      case 'choose-neighbours':
        return await this.#step('secagg_choose_neighbours', [state, message]);
      case 'share-keys':
        return await this.#step('secagg_share_keys', [state, message]);
      case 'mask-vectors':
        return await this.#step('secagg_mask_vectors', [state, message, input]);
      case 'confirm-survivors':
        return await this.#step('secagg_confirm_survivors', [state, message]);
      case 'unmask':
        return await this.#party.request(lastStep, [state, message]);
    }
  }

  statedContext(): Promise<Uint8Array> {
    return this.#party.request('secagg_state_context', [this.#holding.input]);
  }

  leave(): void {
    const { state } = this.#holding;
    this.#holding.left = true;
    this.#holding.state = undefined;
    state?.[Symbol.dispose]();
  }

  #takeState(): ExecutorValue {
    const { state } = this.#holding;
    if (state === undefined) throw new TypeError(`${this.name} has no state for this step.`);
    this.#holding.state = undefined;
    return state;
  }

  /** A step that leaves a state behind at the client and brings its message here. */
  async #step(uri: string, args: readonly (Uint8Array | ExecutorValue)[]): Promise<Uint8Array> {
    const { kept, sent } = await keptAndSent(this.#party, await this.#party.call(uri, args, STEP));
    // It came too late: the round went on without this client.
    if (this.#holding.left) kept[Symbol.dispose]();
    else this.#holding.state = kept;
    return sent;
  }
}
