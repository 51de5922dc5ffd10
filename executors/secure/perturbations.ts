/**
 * @file `perturbations()`: secure sums by explicit perturbations (Goetze and Bissell, "Secure
 * Aggregation for Federated Computation", section 3.1). Every client sends every other one a random
 * vector, sealed, through the server. What `masking()` does with a shared secret, spelled out: for
 * teaching and comparison.
 */

import { structOf, ValueError } from '../../computations/types/index.ts';
import {
  type AdvertisedKey,
  advertisedKeyCodec,
  type DeliveredPerturbations,
  deliveredPerturbationsCodec,
  finishPerturbationsServer,
  handleAtPerturbationsServer,
  type MaskedInput,
  type MessageCodec,
  maskedInputCodec,
  type PerturbationsServerContinued,
  type PerturbationsServerState,
  parametersCodec,
  type Roster,
  rosterCodec,
  type SentPerturbations,
  sentPerturbationsCodec,
  startPerturbationsServer,
} from '../../protocols/index.ts';
import { problemOfParameters } from '../../protocols/masking/parameters.ts';
import type { ExecutorValue } from '../executor.ts';
import {
  atEveryone,
  DEFAULT_TIMEOUT_MS,
  requireEveryInput,
  requireStageLimits,
  type StageOptions,
} from './cohort.ts';
import { withRecipe } from './define-operator.ts';
import { decoded, faultError, requireNoFault, requireSender } from './faults.ts';
import { BYTES, type KeptAndSent, keptAndSent } from './participant.ts';
import {
  exchangedState,
  perturbationOperators,
  perturbationParameters,
  perturbationsState,
} from './perturbations-operators.ts';
import type {
  Participant,
  ProtocolParties,
  ProtocolSession,
  SecureAggregationProtocol,
  SecureSum,
  SecureSumTask,
} from './protocol.ts';
import { encodeSetup } from './round-setup.ts';
import { type SecureAggregation, secureAggregation } from './secure-aggregation.ts';

export interface PerturbationsOptions {
  /**
   * The base b: perturbations are from 0 to b - 1 and the sum is taken modulo b, so it must exceed
   * the number of clients times the largest value. A modular sum keeps its own modulus.
   * @default the smallest power of two that holds the sum
   */
  readonly base?: bigint | number;
  /**
   * The smallest cohort in which a client takes part. With one client the sum is its value.
   * @default 2
   */
  readonly minimumClients?: number;
  /**
   * How long a stage waits for its slowest client, in milliseconds.
   * @default 60,000
   */
  readonly timeoutMs?: number;
}

/**
 * Secure sums by perturbations, for `localExecutorFactory({ secureAggregation: perturbations() })`.
 *
 * All must be honest but curious, the server that passes the keys on among them. Every client must
 * stay until the end; if one is lost the sum aborts with `protocol.client_lost`. Each client sends
 * as many vectors as there are other clients: `masking()` gives the same sums under the same
 * assumptions for one.
 * @throws ValueError `value.out_of_range` for options that check nothing, or a base below 2.
 */
export function perturbations(options: PerturbationsOptions = {}): SecureAggregation {
  return secureAggregation(perturbationsProtocol(options));
}

/** The protocol alone, to be combined with others by intrinsic. */
export function perturbationsProtocol({
  base,
  minimumClients = 2,
  timeoutMs = DEFAULT_TIMEOUT_MS,
}: PerturbationsOptions = {}): SecureAggregationProtocol {
  requireStageLimits(minimumClients, timeoutMs);
  const exactBase = base === undefined ? undefined : requireBase(base);
  return {
    name: 'perturbations',
    roles: [],
    timeoutMs,
    operators: withRecipe('perturbations', perturbationOperators, { minimumClients }),
    open: (parties) => new PerturbationsSession(parties, exactBase, timeoutMs),
  };
}

function requireBase(base: bigint | number): bigint {
  const whole = typeof base === 'bigint' || Number.isSafeInteger(base);
  if (whole && base >= 2 && base <= 2n ** 64n) return BigInt(base);
  throw new ValueError(
    'value.out_of_range',
    `base is a whole number from 2 to 2^64, above 2^53 as a bigint; got ${base}.`,
  );
}

const ADVERTISED = structOf([
  { name: null, type: perturbationsState.type },
  { name: null, type: BYTES },
]);
const EXCHANGED = structOf([
  { name: null, type: exchangedState.type },
  { name: null, type: BYTES },
]);

class PerturbationsSession implements ProtocolSession {
  readonly #parties: ProtocolParties;
  readonly #base: bigint | undefined;
  readonly #timeoutMs: number;

  constructor(parties: ProtocolParties, base: bigint | undefined, timeoutMs: number) {
    this.#parties = parties;
    this.#base = base;
    this.#timeoutMs = timeoutMs;
  }

  async sum(task: SecureSumTask): Promise<SecureSum> {
    const values = requireEveryInput(task.inputs);
    const { clients } = this.#parties;
    const names = clients.map(({ name }) => name);
    const parameters = perturbationParameters(task.terms, clients.length, this.#base);
    const problem = problemOfParameters(parameters);
    if (problem !== undefined) throw faultError({ kind: 'fault', stage: 'setup', ...problem });
    const announced = parametersCodec.encode(parameters);
    const { session } = task;
    const server = startPerturbationsServer({ session, round: 0, parameters, clients: names });
    const states: ExecutorValue[] = [];
    try {
      const keys = await this.#step('advertise', task, states, (client) =>
        client.call(
          'perturbations_advertise',
          [encodeSetup(task, this.#parties, client.name), announced],
          ADVERTISED,
        ),
      );
      const keyed = collect(server, 'collect-keys', advertisedKeyCodec, names, keys);
      // Present, as all have sent: the message of the step that completes the stage.
      const roster = rosterCodec.encode(keyed.message as Roster);

      const sealed = await this.#step('exchange', task, states, (client, i) =>
        client.call('perturbations_exchange', [keys[i]!.kept, roster, values[i]!], EXCHANGED),
      );
      const exchanged = collect(
        keyed.state,
        'exchange-perturbations',
        sentPerturbationsCodec,
        names,
        sealed,
      );
      const deliveries = exchanged.deliveries as readonly DeliveredPerturbations[];

      const masked = await atEveryone(clients, this.#options('mask', task), async (client, i) => {
        const delivered = deliveredPerturbationsCodec.encode(deliveries[i]!);
        const sent = await client.request('perturbations_mask_input', [
          sealed[i]!.kept,
          delivered,
          values[i]!,
        ]);
        return { sent };
      });
      const { state } = collect(exchanged.state, 'collect-inputs', maskedInputCodec, names, masked);
      const { sums, clients: present } = requireNoFault(finishPerturbationsServer(state));
      return { sums: sums.map(({ values }) => values), clients: present };
    } finally {
      for (const state of states) state[Symbol.dispose]();
    }
  }

  close(): void {}

  /** A stage in which every client keeps a state, noted in `states`, and sends a message. */
  async #step(
    stage: string,
    task: SecureSumTask,
    states: ExecutorValue[],
    call: (client: Participant, index: number) => Promise<ExecutorValue>,
  ): Promise<KeptAndSent[]> {
    const steps = await atEveryone(
      this.#parties.clients,
      this.#options(stage, task),
      async (client, index) => keptAndSent(client, await call(client, index)),
      ({ kept }) => kept[Symbol.dispose](),
    );
    states.push(...steps.map(({ kept }) => kept));
    return steps;
  }

  #options(stage: string, { options }: SecureSumTask): StageOptions {
    return { stage, timeoutMs: this.#timeoutMs, request: options };
  }
}

/** Gives the server one message of each client; the last one completes the stage. */
function collect<M extends AdvertisedKey | SentPerturbations | MaskedInput>(
  server: PerturbationsServerState,
  stage: string,
  codec: MessageCodec<M>,
  names: readonly string[],
  messages: readonly { readonly sent: Uint8Array }[],
): PerturbationsServerContinued {
  let step: PerturbationsServerContinued = { kind: 'continue', state: server };
  for (const [i, { sent }] of messages.entries()) {
    const message = decoded(codec.decode(sent), names[i]) as M;
    requireSender(stage, message.client, names[i]);
    step = requireNoFault(handleAtPerturbationsServer(step.state, message));
  }
  return step;
}
