/** @file A cohort of perturbations clients for tests, taken through its stages with seeded randomness. */

import {
  type AdvertisedKey,
  type DeliveredPerturbations,
  type ExchangedPerturbationsState,
  exchangePerturbations,
  handleAtPerturbationsServer,
  type IntegerVector,
  type MaskedInput,
  type MaskingParameters,
  maskWithPerturbations,
  type PerturbationsClientSetup,
  type PerturbationsClientState,
  type PerturbationsServerState,
  type Rng,
  type Roster,
  type SentPerturbations,
  startPerturbationsClient,
  startPerturbationsServer,
} from '../../../protocols/index.ts';
import { names } from '../masking/cohort.ts';
import { expectKind, SESSION, seeded } from '../support.ts';

export interface Advertised {
  readonly states: readonly PerturbationsClientState[];
  readonly keys: readonly AdvertisedKey[];
  readonly roster: Roster;
  readonly server: PerturbationsServerState;
}

export interface Exchanged {
  readonly states: readonly ExchangedPerturbationsState[];
  readonly sent: readonly SentPerturbations[];
  readonly deliveries: readonly DeliveredPerturbations[];
  readonly server: PerturbationsServerState;
}

export function setupOf(
  client: string,
  parameters: MaskingParameters,
  context: Uint8Array = new Uint8Array(0),
): PerturbationsClientSetup {
  return { client, session: SESSION, round: 0, parameters, minimumClients: 1, context };
}

export function serverOf(parameters: MaskingParameters): PerturbationsServerState {
  const clients = names(parameters.clients);
  return startPerturbationsServer({ session: SESSION, round: 0, parameters, clients });
}

/** After the first stage. */
export function advertiseAll(
  parameters: MaskingParameters,
  rng: Rng = seeded(0),
  contextOf: (client: number) => Uint8Array = () => new Uint8Array(0),
): Advertised {
  const started = names(parameters.clients).map((client, i) =>
    expectKind(
      startPerturbationsClient(setupOf(client, parameters, contextOf(i)), { rng }),
      'continue',
    ),
  );
  const keys = started.map(({ message }) => message);
  let server = serverOf(parameters);
  let roster: Roster | undefined;
  for (const key of keys) {
    const next = expectKind(handleAtPerturbationsServer(server, key), 'continue');
    server = next.state;
    roster = next.message;
  }
  return { states: started.map(({ state }) => state), keys, roster: roster!, server };
}

/** After the second stage. */
export function exchangeAll(
  { states, roster, server }: Advertised,
  rngOf: (client: number) => Rng,
): Exchanged {
  const exchanged = states.map((state, i) =>
    expectKind(exchangePerturbations(state, roster, { rng: rngOf(i) }), 'continue'),
  );
  const sent = exchanged.map(({ message }) => message);
  let next = server;
  let deliveries: readonly DeliveredPerturbations[] | undefined;
  for (const message of sent) {
    const step = expectKind(handleAtPerturbationsServer(next, message), 'continue');
    next = step.state;
    deliveries = step.deliveries;
  }
  return {
    states: exchanged.map(({ state }) => state),
    sent,
    deliveries: deliveries!,
    server: next,
  };
}

/** The masked inputs; inputs by client, then by vector. */
export function maskAll(
  { states, deliveries }: Exchanged,
  inputs: readonly (readonly IntegerVector[])[],
): MaskedInput[] {
  return states.map(
    (state, i) =>
      expectKind(maskWithPerturbations(state, deliveries[i]!, inputs[i]!), 'finish').message,
  );
}
