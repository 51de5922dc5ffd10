/**
 * @file `masking()`: secure sums by pairwise one-time masks (Goetze and Bissell, "Secure Aggregation
 * for Federated Computation", section 2), every mask expanded from a secret that two clients share.
 * The server sees uniform vectors and their sum. It needs every client that began.
 */

import { structOf } from '../../computations/types/index.ts';
import {
  type AdvertisedKey,
  advertisedKeyCodec,
  finishMaskingServer,
  handleAtMaskingServer,
  type MaskedInput,
  maskedInputCodec,
  rosterCodec,
  startMaskingServer,
} from '../../protocols/index.ts';
import type { ExecutorValue } from '../executor.ts';
import {
  atEveryone,
  DEFAULT_TIMEOUT_MS,
  requireEveryInput,
  requireStageLimits,
  type StageOptions,
} from './cohort.ts';
import { withRecipe } from './define-operator.ts';
import { decoded, requireNoFault, requireSender } from './faults.ts';
import { maskingOperators, maskingParameters, maskingState } from './masking-operators.ts';
import { BYTES, type KeptAndSent, keptAndSent } from './participant.ts';
import type {
  ProtocolParties,
  ProtocolSession,
  SecureAggregationProtocol,
  SecureSum,
  SecureSumTask,
} from './protocol.ts';
import { encodeSetup } from './round-setup.ts';
import { type SecureAggregation, secureAggregation } from './secure-aggregation.ts';

export interface MaskingOptions {
  /**
   * The smallest cohort in which a client takes part. With one client the sum is its value, which
   * a test may want; nothing is hidden then.
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
 * Secure sums by pairwise masking, for `localExecutorFactory({ secureAggregation: masking() })`.
 *
 * The server must follow the protocol (honest but curious): it passes the clients' keys on, so one
 * that lies about them can read what it should not. Every client must stay until the end; if one is
 * lost the sum aborts with `protocol.client_lost`. A client whose value is out of range refuses, and
 * the server learns which client and at which position: with a bound of its choice, one bit of it.
 * @throws ValueError `value.out_of_range` for options that check nothing.
 */
export function masking(options: MaskingOptions = {}): SecureAggregation {
  return secureAggregation(maskingProtocol(options));
}

/** The protocol alone, to be combined with others by intrinsic. */
export function maskingProtocol({
  minimumClients = 2,
  timeoutMs = DEFAULT_TIMEOUT_MS,
}: MaskingOptions = {}): SecureAggregationProtocol {
  requireStageLimits(minimumClients, timeoutMs);
  return {
    name: 'masking',
    roles: [],
    timeoutMs,
    operators: withRecipe('masking', maskingOperators, { minimumClients }),
    open: (parties) => new MaskingSession(parties, timeoutMs),
  };
}

const ADVERTISED = structOf([
  { name: null, type: maskingState.type },
  { name: null, type: BYTES },
]);

class MaskingSession implements ProtocolSession {
  readonly #parties: ProtocolParties;
  readonly #timeoutMs: number;

  constructor(parties: ProtocolParties, timeoutMs: number) {
    this.#parties = parties;
    this.#timeoutMs = timeoutMs;
  }

  async sum(task: SecureSumTask): Promise<SecureSum> {
    const values = requireEveryInput(task.inputs);
    const { clients } = this.#parties;
    const names = clients.map(({ name }) => name);
    const parameters = maskingParameters(task.terms, clients.length);
    let server = startMaskingServer({
      session: task.session,
      round: 0,
      parameters,
      clients: names,
    });
    const states = await this.#advertise(task);
    try {
      let roster = new Uint8Array();
      for (const [i, { sent }] of states.entries()) {
        const advertised: AdvertisedKey = decoded(advertisedKeyCodec.decode(sent), names[i]);
        requireSender('collect-keys', advertised.client, names[i]);
        const step = requireNoFault(handleAtMaskingServer(server, advertised));
        server = step.state;
        if (step.message !== undefined) roster = Uint8Array.from(rosterCodec.encode(step.message));
      }
      const masked = await atEveryone(clients, this.#stage('mask', task), (client, i) =>
        client.request('masking_mask_input', [states[i]!.kept, roster, values[i] as ExecutorValue]),
      );
      for (const [i, bytes] of masked.entries()) {
        const input: MaskedInput = decoded(maskedInputCodec.decode(bytes), names[i]);
        requireSender('collect-inputs', input.client, names[i]);
        server = requireNoFault(handleAtMaskingServer(server, input)).state;
      }
      const { sums, clients: present } = requireNoFault(finishMaskingServer(server));
      return { sums: sums.map(({ values }) => values), clients: present };
    } finally {
      for (const { kept } of states) kept[Symbol.dispose]();
    }
  }

  close(): void {}

  /** Every client's key, and the handle on what it keeps. */
  #advertise(task: SecureSumTask): Promise<KeptAndSent[]> {
    return atEveryone(
      this.#parties.clients,
      this.#stage('advertise', task),
      async (client) => {
        const setup = encodeSetup(task, this.#parties, client.name);
        return keptAndSent(client, await client.call('masking_advertise', [setup], ADVERTISED));
      },
      ({ kept }) => kept[Symbol.dispose](),
    );
  }

  #stage(stage: string, { options }: SecureSumTask): StageOptions {
    return { stage, timeoutMs: this.#timeoutMs, request: options };
  }
}
