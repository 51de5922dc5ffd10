/**
 * @file What one seed stands for: who takes part in what, how bad the network is, and who misbehaves.
 *
 * Parameters are such that the guarantees hold for certain: where chance has a part in them (sparse
 * graphs), as many clients share as rules the bad cases out. Some sparse cohorts have parameters that
 * leave a little to chance, as large ones do; what is judged there is said in `guarantees.ts`.
 */

import {
  type MaskedVector,
  type NeighbourGraph,
  ProtocolError,
  secAggParameters,
} from '../../../../protocols/index.ts';
import { type Chooser, createChooser } from './chooser.ts';
import { drawVectors } from './vectors.ts';

/**
 * `honest`: follows the protocol. `meddling`: follows it but for what it changes in messages to some
 * clients. `equivocating`: tells every client what suits it.
 */
export type ServerKind = 'honest' | 'meddling' | 'equivocating';

/** What happens to messages; probabilities for each of them. */
export interface NetworkPlan {
  /** From the least to the most that a message takes, in milliseconds. */
  readonly delay: readonly [number, number];
  readonly loss: number;
  readonly duplicate: number;
  /** Delayed for longer than a stage. */
  readonly late: number;
  /** Some bits change on the way. */
  readonly flip: number;
  /** Something else arrives as well: an earlier message again, or bytes that nobody sent. */
  readonly forge: number;
  /** Whether altered and forged messages are noticed and thrown away, as on a sealed transport. */
  readonly sealed: boolean;
}

/** What happens to clients; probabilities for each message that one handles. */
export interface HostPlan {
  readonly crash: number;
  /** Of the restarts: from a snapshot that is not the newest one. */
  readonly rollback: number;
  /** Of the restarts: the process that was given up goes on. */
  readonly twin: number;
  /** Whether a client hands its protocol messages that it does not wait for. */
  readonly careless: boolean;
}

export interface Plan {
  readonly seed: number;
  readonly model: 'semi-honest' | 'active';
  readonly graph: NeighbourGraph;
  readonly clients: number;
  /** Members of the roster, at least as many. */
  readonly roster: number;
  readonly neighbours: number;
  readonly threshold: number;
  readonly inDegreeLimit: number;
  /** As many as the clients reckon with. */
  readonly corruptBound: number;
  readonly securityBits: number;
  readonly minimumClients: number;
  /** In how many rounds a client takes part. */
  readonly mostRounds: number;
  /** Clients that the server asks to be in the sum. */
  readonly leastSurvivors: number;
  /** Who works against the others; at most `corruptBound`. */
  readonly corrupt: readonly number[];
  /** Whether the corrupt send what they must not, or only look. */
  readonly misbehaving: boolean;
  readonly vectors: readonly MaskedVector[];
  readonly server: ServerKind;
  /** Of the times when the server hears from a client, that it crashes. */
  readonly serverCrash: number;
  readonly rounds: number;
  readonly network: NetworkPlan;
  readonly hosts: HostPlan;
  /** For how long the server waits in a stage, in milliseconds. */
  readonly stageTimeout: number;
}

/** What can be had instead of what the seed gives. */
export interface PlanChanges {
  readonly model?: Plan['model'];
  readonly graph?: Plan['graph'];
  readonly server?: ServerKind;
  readonly clients?: number;
}

export function planOf(seed: number, changes: PlanChanges = {}): Plan {
  const chooser = createChooser(`plan ${seed}`);
  const kind = chooser.weighted<readonly [Plan['model'], NeighbourGraph]>([
    [55, ['active', 'complete']],
    [37, ['semi-honest', 'complete']],
    [4, ['active', 'sparse']],
    [4, ['semi-honest', 'sparse']],
  ]);
  const { model = kind[0], graph = kind[1] } = changes;
  const calm = chooser.chance(0.04);
  const clients = changes.clients ?? drawClients(chooser, graph);
  const security = SECURITY[`${model}, ${graph}`](chooser, clients);
  const server = model === 'semi-honest' || calm ? 'honest' : chooser.weighted(SERVERS);
  const count = calm
    ? 0
    : chooser.between(Math.min(1, security.corruptBound), security.corruptBound);
  return {
    seed,
    model,
    graph,
    clients,
    ...security,
    roster: model === 'active' && chooser.chance(0.3) ? clients + chooser.between(1, 4) : clients,
    corrupt: chooser.sample([...Array(clients).keys()], count),
    mostRounds: chooser.weighted([
      [9, Number.POSITIVE_INFINITY],
      [1, 1],
    ]),
    leastSurvivors:
      model === 'semi-honest' && graph === 'sparse' && chooser.chance(0.5)
        ? clients - Math.floor(clients / 10)
        : security.threshold,
    misbehaving: chooser.chance(0.7),
    vectors: drawVectors(chooser, clients),
    server: changes.server ?? server,
    serverCrash: !calm && chooser.chance(0.1) ? 0.05 : 0,
    rounds: chooser.chance(0.12) ? 2 : 1,
    network: calm ? CALM : drawNetwork(chooser, server, model),
    hosts: {
      crash: calm ? 0 : chooser.weighted(CRASHES),
      rollback: chooser.pick([0, 0.3, 0.7]),
      twin: chooser.pick([0, 0.3]),
      careless: !calm && chooser.chance(0.2),
    },
    stageTimeout: 1000,
  };
}

/** One line for a trace. */
export function describePlan(plan: Plan): string {
  const { seed, model, graph, clients, neighbours, threshold, corrupt, server, network } = plan;
  return [
    `seed ${seed}: ${model}, ${graph} graph, ${clients} clients`,
    ...(graph === 'sparse' ? [`${neighbours} neighbours`] : []),
    `threshold ${threshold}`,
    `corrupt [${corrupt.join()}]${plan.misbehaving ? '' : ' only look'}`,
    `${server} server`,
    `loss ${network.loss}, late ${network.late}, flips ${network.flip}${network.sealed ? ' (noticed)' : ''}`,
    `crashes ${plan.hosts.crash}`,
  ].join('; ');
}

type SecurityPlan = Pick<
  Plan,
  'neighbours' | 'threshold' | 'inDegreeLimit' | 'corruptBound' | 'securityBits' | 'minimumClients'
>;

const SECURITY: {
  readonly [kind in `${Plan['model']}, ${NeighbourGraph}`]: (
    chooser: Chooser,
    clients: number,
  ) => SecurityPlan;
} = {
  'active, complete'(chooser, clients) {
    const corruptBound = chooser.below(Math.min(4, clients - 1));
    const least = Math.max(Math.floor((clients + corruptBound) / 2) + 1, corruptBound + 2);
    return inComplete(chooser, clients, corruptBound, least);
  },

  'semi-honest, complete'(chooser, clients) {
    const corruptBound = chooser.below(Math.min(4, clients - 1));
    return inComplete(chooser, clients, corruptBound, corruptBound + 2);
  },

  'active, sparse'(chooser, clients) {
    if (chooser.chance(0.3)) {
      const found = leftToChance(clients);
      if (found !== undefined) return found;
    }
    // No more than `corruptBound` holders of anybody are corrupt: then `chosen-graph.ts` has
    // nothing left to chance for a sum of `threshold - corruptBound` honest clients.
    const neighbours = chooser.between(5, Math.min(9, clients - 2));
    const corruptBound = chooser.below(3);
    const least = Math.max(Math.floor((neighbours + 1 + corruptBound) / 2) + 1, corruptBound + 3);
    return {
      neighbours,
      threshold: chooser.weighted([
        [3, least],
        [1, Math.min(least + 1, neighbours)],
      ]),
      inDegreeLimit: chooser.weighted([
        [4, clients - 1],
        [1, Math.min(2 * neighbours, clients - 1)],
      ]),
      corruptBound,
      securityBits: 40,
      minimumClients: 3,
    };
  },

  'semi-honest, sparse'(chooser, clients) {
    const corruptBound = chooser.below(3);
    const lost = Math.floor(clients / 10);
    // More than can be gone, so that the ring cannot fall apart.
    const neighbours = 2 * Math.ceil((corruptBound + lost + 1) / 2) + chooser.pick([0, 2]);
    return {
      neighbours: Math.max(4, neighbours),
      threshold: corruptBound + chooser.pick([2, 3]),
      inDegreeLimit: clients - 1,
      corruptBound,
      securityBits: 40,
      minimumClients: 3,
    };
  },
};

function inComplete(
  chooser: Chooser,
  clients: number,
  corruptBound: number,
  least: number,
): SecurityPlan {
  const threshold = chooser.weighted([
    [4, least],
    [1, Math.min(least + 1, clients)],
    [1, chooser.between(least, clients)],
  ]);
  return {
    neighbours: clients - 1,
    threshold,
    inDegreeLimit: clients - 1,
    corruptBound,
    securityBits: 40,
    minimumClients: Math.min(clients, chooser.pick([2, 3, 3, threshold + 1])),
  };
}

const LEFT_TO_CHANCE_BITS = 6;
const chances = new Map<number, SecurityPlan | undefined>();

/** As `secAggParameters` finds them for a risk that is large enough to see. */
function leftToChance(clients: number): SecurityPlan | undefined {
  if (!chances.has(clients)) chances.set(clients, search());
  return chances.get(clients);

  function search(): SecurityPlan | undefined {
    const corruptBound = Math.floor(clients / 8);
    try {
      const { neighbours, threshold, inDegreeLimit } = secAggParameters({
        clients,
        model: 'active',
        graph: 'sparse',
        corruptRate: rateOf(corruptBound, clients),
        dropoutRate: 0.1,
        securityBits: LEFT_TO_CHANCE_BITS,
        correctnessBits: 1,
        leastHonestInSum: 3,
      });
      return {
        neighbours,
        threshold,
        inDegreeLimit,
        corruptBound,
        securityBits: LEFT_TO_CHANCE_BITS,
        minimumClients: 3,
      };
    } catch (error) {
      if (error instanceof ProtocolError) return undefined;
      throw error;
    }
  }
}

/** A rate that means `corrupt` of `roster`. */
export function rateOf(corrupt: number, roster: number): number {
  return (corrupt + 0.5) / roster;
}

/** Small ones mostly: what a round of three takes, one of twelve takes twenty times. */
function drawClients(chooser: Chooser, graph: NeighbourGraph): number {
  return graph === 'complete'
    ? chooser.weighted([
        [15, 3],
        [6, 4],
        [1.5, 5],
        [0.25, 6],
        [0.15, chooser.between(7, 12)],
      ])
    : chooser.weighted([
        [12, chooser.between(12, 14)],
        [1, chooser.between(15, 40)],
      ]);
}

/** A server that lies gets better answers where little else goes wrong. */
function drawNetwork(chooser: Chooser, server: ServerKind, model: Plan['model']): NetworkPlan {
  const rough = chooser.chance(server === 'honest' ? 0.5 : 0.2);
  const rate = (high: number): number => (rough ? chooser.pick([0, high / 4, high]) : 0);
  return {
    delay: chooser.pick([
      [1, 20],
      [1, 300],
      [50, 480],
    ] as const),
    loss: rough || server === 'honest' ? chooser.weighted(LOSSES) : 0,
    duplicate: rate(0.2),
    late: rate(0.04),
    flip: rate(0.04),
    forge: rate(0.2),
    sealed: model === 'semi-honest' || chooser.chance(0.5),
  };
}

const LOSSES: readonly (readonly [number, number])[] = [
  [6, 0],
  [3, 0.01],
  [2, 0.03],
  [0.7, 0.12],
];

const CRASHES: readonly (readonly [number, number])[] = [
  [8, 0],
  [3, 0.03],
  [1, 0.15],
];

const SERVERS: readonly (readonly [number, ServerKind])[] = [
  [50, 'honest'],
  [20, 'meddling'],
  [30, 'equivocating'],
];

const CALM: NetworkPlan = {
  delay: [1, 50],
  loss: 0,
  duplicate: 0,
  late: 0,
  flip: 0,
  forge: 0,
  sealed: true,
};
