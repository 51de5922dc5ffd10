/**
 * @file The server of the protocol with perturbations (Goetze and Bissell, section 3.1): collects
 * the keys, passes the sealed perturbations on, and adds the masked values up. The stages before and
 * after the exchange are those of pairwise masking and are left to its server.
 */

import { equalBytes } from '#crypto';
import { type Fault, fault } from '../errors.ts';
import { LinearState } from '../linear-state.ts';
import {
  type AdvertisedKey,
  type MaskedInput,
  type Roster,
  transcriptHash,
} from '../masking/messages.ts';
import {
  finishMaskingServer,
  handleAtMaskingServer,
  type MaskingServerFault,
  type MaskingServerFinished,
  type MaskingServerSetup,
  type MaskingServerState,
  missingAtMaskingServer,
  missingClients,
  startMaskingServer,
} from '../masking/server.ts';
import type { DeliveredPerturbations, SentPerturbations } from './messages.ts';
import { perturbationLength } from './perturbation.ts';
import { SEAL_OVERHEAD } from './sealing.ts';

export type PerturbationsServerSetup = MaskingServerSetup;

export type PerturbationsServerFault = MaskingServerFault | ExchangeFault;

type ExchangeFault = Fault<
  'exchange-perturbations',
  | 'wrong-session'
  | 'unexpected-message'
  | 'unknown-client'
  | 'duplicate-message'
  | 'transcript-mismatch'
  | 'wrong-recipients'
  | 'invalid-length'
>;

export type PerturbationsServerState = LinearState<Exchange>;

/** The exchange moves on from state to state; only the newest state can use it. */
interface Exchange {
  readonly setup: PerturbationsServerSetup;
  readonly cohort: ReadonlySet<string>;
  /** Bytes of each sealed perturbation. */
  readonly sealedLength: number;
  masking: MaskingServerState;
  transcript: Uint8Array | undefined;
  /** By sender, then by recipient; emptied when all are passed on. */
  readonly sent: Map<string, ReadonlyMap<string, Uint8Array>>;
  delivered: boolean;
}

export interface PerturbationsServerContinued {
  readonly kind: 'continue';
  readonly state: PerturbationsServerState;
  /** To every client; present in the one step that completes the keys. */
  readonly message?: Roster;
  /** One to each client, in their order; present in the one step that completes the exchange. */
  readonly deliveries?: readonly DeliveredPerturbations[];
}

/**
 * @throws ProtocolError `invalid-argument`: the server's own parameters are wrong, for example a base
 * that does not hold the sum.
 */
export function startPerturbationsServer(
  setup: PerturbationsServerSetup,
): PerturbationsServerState {
  return stateOf({
    setup,
    cohort: new Set(setup.clients),
    sealedLength: perturbationLength(setup.parameters.vectors) + SEAL_OVERHEAD,
    masking: startMaskingServer(setup),
    transcript: undefined,
    sent: new Map(),
    delivered: false,
  });
}

/**
 * Takes one client's message. A fault refuses the message and leaves the state usable; success gives
 * the next state.
 * @throws ProtocolError `state-consumed`
 */
export function handleAtPerturbationsServer(
  state: PerturbationsServerState,
  message: AdvertisedKey | SentPerturbations | MaskedInput,
): PerturbationsServerContinued | PerturbationsServerFault {
  const exchange = state.peek();
  if (message.kind === 'sent-perturbations') return collectSent(state, exchange, message);
  if (message.kind === 'masked-input' && !exchange.delivered) {
    return fault(
      'collect-inputs',
      'unexpected-message',
      `"${message.client}" sent its input before it got the perturbations`,
      message.client,
    );
  }
  const step = handleAtMaskingServer(exchange.masking, message);
  if (step.kind === 'fault') return step;
  state.consume();
  exchange.masking = step.state;
  if (step.message === undefined) return { kind: 'continue', state: stateOf(exchange) };
  exchange.transcript = transcriptHash(exchange.setup.parameters, step.message);
  return { kind: 'continue', state: stateOf(exchange), message: step.message };
}

function collectSent(
  state: PerturbationsServerState,
  exchange: Exchange,
  message: SentPerturbations,
): PerturbationsServerContinued | PerturbationsServerFault {
  const { setup, cohort, transcript, sent, sealedLength } = exchange;
  const { client } = message;
  const refuse = (code: ExchangeFault['code'], text: string): ExchangeFault =>
    fault('exchange-perturbations', code, text, client);
  if (!equalBytes(message.session, setup.session) || message.round !== setup.round) {
    return refuse('wrong-session', `"${client}" sent perturbations of another session or round`);
  }
  if (transcript === undefined) {
    return refuse('unexpected-message', `"${client}" sent perturbations before there was a roster`);
  }
  if (!cohort.has(client)) return refuse('unknown-client', `"${client}" is not of this cohort`);
  if (exchange.delivered || sent.has(client)) {
    return refuse('duplicate-message', `"${client}" sent its perturbations twice`);
  }
  if (!equalBytes(message.transcript, transcript)) {
    return refuse(
      'transcript-mismatch',
      `"${client}" drew perturbations for other parameters or another roster`,
    );
  }
  const byRecipient = new Map(message.perturbations.map(({ peer, sealed }) => [peer, sealed]));
  const others = setup.clients.length - 1;
  if (
    message.perturbations.length !== others ||
    byRecipient.size !== others ||
    byRecipient.has(client) ||
    message.perturbations.some(({ peer }) => !cohort.has(peer))
  ) {
    return refuse('wrong-recipients', `"${client}" owes each of ${others} others one perturbation`);
  }
  for (const { peer, sealed } of message.perturbations) {
    if (sealed.length !== sealedLength) {
      return refuse(
        'invalid-length',
        `the perturbation of "${client}" for "${peer}" has ${sealed.length} bytes instead of ${sealedLength}`,
      );
    }
  }
  state.consume();
  sent.set(client, byRecipient);
  if (sent.size < setup.clients.length) return { kind: 'continue', state: stateOf(exchange) };
  const deliveries = deliver(exchange);
  exchange.delivered = true;
  sent.clear();
  return { kind: 'continue', state: stateOf(exchange), deliveries };
}

function deliver({ setup, sent }: Exchange): DeliveredPerturbations[] {
  const { session, round, clients } = setup;
  return clients.map((client) => ({
    kind: 'delivered-perturbations',
    session,
    round,
    client,
    perturbations: clients
      .filter((peer) => peer !== client)
      .map((peer) => ({ peer, sealed: sent.get(peer)!.get(client)! })),
  }));
}

/** Who has not yet sent what the server waits for now. */
export function missingAtPerturbationsServer(state: PerturbationsServerState): readonly string[] {
  const { setup, masking, transcript, sent, delivered } = state.peek();
  if (transcript === undefined || delivered) return missingAtMaskingServer(masking);
  return setup.clients.filter((client) => !sent.has(client));
}

/**
 * The sums, or a fault: one that names who is missing leaves the state usable, so that waiting
 * longer is possible; one about a sum out of range ends the run.
 * @throws ProtocolError `state-consumed`
 */
export function finishPerturbationsServer(
  state: PerturbationsServerState,
): MaskingServerFinished | MaskingServerFault {
  const { setup, masking, delivered } = state.peek();
  if (!delivered) return missingClients(missingAtPerturbationsServer(state), setup.clients.length);
  const outcome = finishMaskingServer(masking);
  if (masking.consumed) state.consume();
  return outcome;
}

function stateOf(exchange: Exchange): PerturbationsServerState {
  return new LinearState('the perturbations server', exchange);
}
