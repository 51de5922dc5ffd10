/**
 * @file A cohort: the clients that were chosen for some rounds, and stacks that run on them. It stays
 * the same, whoever comes or goes meanwhile: a client that is gone is lost, and none takes its place.
 */

import { ValueError } from '../../computations/types/index.ts';
import type { ExecutorFactory } from '../../executors/executor.ts';
import { RemoteExecutor } from '../../executors/remote/client/remote-executor.ts';
import type { IdentityProvider } from '../../executors/secure/identities.ts';
import { type SecureStackProvider, toSecureStack } from '../../executors/secure/secure-stack.ts';
import type { IdentityRoster } from '../../protocols/index.ts';
import { ExecutionContext } from '../execution-context.ts';
import { type RosterIdentitiesOptions, rosterIdentities } from '../identities/roster-identities.ts';
import type { ConnectedClient } from '../remote/connected-client.ts';
import {
  type RemoteExecutorFactoryOptions,
  remoteExecutorFactory,
} from '../remote/remote-factory.ts';
import type { RoundTraffic } from '../rounds/round-status.ts';
import { type RoundListener, watchRounds } from '../rounds/watch-rounds.ts';
import { standardLeaves } from '../stack.ts';

/** As for other remote stacks; who the clients are is known. */
export interface CohortOptions
  extends Omit<
    RemoteExecutorFactoryOptions,
    | 'clients'
    | 'clientNumbers'
    | 'defaultClients'
    | 'secureAggregation'
    | 'maxFanout'
    | 'leaf'
    | 'leafGeneration'
  > {
  /**
   * How long an invocation waits for whoever plays a role, such as the aggregator's, to be connected, in
   * milliseconds. @default 30,000
   */
  readonly roleWithinMs?: number;
  /**
   * Runs the secure intrinsics. As a function it gets the identities of the coordinator's roster and
   * of the roles: `(identities) => secAgg({ identities })`.
   */
  readonly secureAggregation?:
    | SecureStackProvider
    | ((identities: IdentityProvider) => SecureStackProvider);
}

/** What a cohort knows of its coordinator. */
export interface CohortSurroundings {
  readonly roster: IdentityRoster | undefined;
  /** Of the coordinator itself, and of the roles. */
  readonly others: Omit<RosterIdentitiesOptions, 'roster'>;
  /**
   * Waits for whoever plays a role, such as the aggregator's.
   * @throws TransportError `transport.unavailable` if nobody comes in time, or may.
   */
  readonly role: (placement: string, withinMs: number) => Promise<ConnectedClient>;
  /** Told of the rounds, numbered by `nextRound`. @default nobody is */
  readonly onRound?: RoundListener;
  readonly nextRound: () => number;
}

export class Cohort {
  /** In the order of the roster, or of their names where there is none: the order of values. */
  readonly clients: readonly ConnectedClient[];
  readonly #surroundings: CohortSurroundings;
  readonly #places: readonly number[] | undefined;
  /** By what protocols and messages call them. */
  readonly #nameOf: ReadonlyMap<string, string>;

  constructor(chosen: readonly ConnectedClient[], surroundings: CohortSurroundings) {
    const { roster } = surroundings;
    const placeOf = ({ name }: ConnectedClient): number => roster?.positions.get(name) ?? -1;
    this.clients = [...chosen].sort(
      (a, b) => placeOf(a) - placeOf(b) || (a.name < b.name ? -1 : 1),
    );
    this.#surroundings = surroundings;
    this.#places = roster && this.clients.map(placeOf);
    this.#nameOf = new Map(
      this.clients.map(({ name }, i) => [`clients/${this.#places?.[i] ?? i}`, name]),
    );
  }

  get names(): readonly string[] {
    return this.clients.map(({ name }) => name);
  }

  /** A context whose clients are those of the cohort. Closing it leaves them connected. */
  context(options: CohortOptions = {}): ExecutionContext {
    const context = new ExecutionContext(this.executorFactory(options));
    const { onRound, nextRound } = this.#surroundings;
    if (onRound !== undefined) {
      watchRounds(context, {
        clients: this.clients.length,
        next: nextRound,
        // Others than clients are connected under the names of their roles, of which there is one each.
        nameOf: (party) => this.#nameOf.get(party) ?? party.replace(/\/0$/, ''),
        traffic: () => this.#traffic(),
        onRound,
      });
    }
    return context;
  }

  /**
   * A factory of stacks over the cohort. Closing it leaves the clients connected.
   * @throws ValueError `value.out_of_range` for a protocol with identities where there is no roster.
   */
  executorFactory({
    secureAggregation: given,
    roleWithinMs = 30_000,
    ...options
  }: CohortOptions = {}): ExecutorFactory {
    const secureAggregation = given && toSecureStack(this.#provider(given));
    const here = standardLeaves(options, secureAggregation ?? null);
    const { role } = this.#surroundings;
    const roles = new Set(secureAggregation?.roles ?? []);
    const players: ConnectedClient[] = [];
    return remoteExecutorFactory(
      // Without their `close`: they outlive the factory.
      this.clients.map((client) => ({ name: client.name, calls: client, clients: 1 })),
      {
        lostClients: secureAggregation?.survivesLosses ? 'survive' : 'fail',
        ...options,
        clients: 'one-by-one',
        ...(this.#places !== undefined && { clientNumbers: this.#places }),
        ...(secureAggregation !== undefined && { secureAggregation }),
        leaf: async (placement, index) => {
          if (!roles.has(placement)) return here(placement, index);
          const player = await role(placement, roleWithinMs);
          players.push(player);
          return new RemoteExecutor(player, options.remote);
        },
        // One that came back is in a new session, and knows nothing of what it was asked before.
        leafGeneration: () => players.filter(({ isEnded }) => isEnded).length,
      },
    );
  }

  #traffic(): RoundTraffic {
    let toClients = 0;
    let toServer = 0;
    for (const { traffic } of this.clients) {
      toClients += traffic.sent;
      toServer += traffic.received;
    }
    return { toClients, toServer };
  }

  #provider(given: NonNullable<CohortOptions['secureAggregation']>): SecureStackProvider {
    if (typeof given !== 'function') return given;
    const { roster, others } = this.#surroundings;
    if (roster !== undefined) return given(rosterIdentities({ ...others, roster }));
    throw new ValueError(
      'value.out_of_range',
      'This coordinator has no roster to take identities from. Start it with one, or give a protocol that needs none.',
    );
  }
}
