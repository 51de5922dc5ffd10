/** @file A cohort of masking clients for tests, started with seeded keys. */

import {
  type AdvertisedKey,
  type MaskingClientSetup,
  type MaskingClientState,
  type MaskingParameters,
  type Roster,
  startMaskingClient,
  sumVector,
} from '../../../protocols/index.ts';
import { expectKind, SESSION, seeded } from '../support.ts';

export interface Started {
  readonly states: readonly MaskingClientState[];
  readonly keys: readonly AdvertisedKey[];
  readonly roster: Roster;
}

export const names = (count: number) => Array.from({ length: count }, (_, i) => `client ${i}`);

export const one = (length: number, maximum: bigint, clients: number): MaskingParameters => ({
  clients,
  vectors: [sumVector('x', length, maximum, clients)],
});

export function setupOf(client: string, parameters: MaskingParameters): MaskingClientSetup {
  return { client, session: SESSION, round: 0, parameters, minimumClients: 1 };
}

export function startAll(parameters: MaskingParameters, seed: string | number = 0): Started {
  const rng = seeded(seed);
  const started = names(parameters.clients).map((client) =>
    expectKind(startMaskingClient(setupOf(client, parameters), { rng }), 'continue'),
  );
  const keys = started.map(({ message }) => message);
  const entries = keys.map(({ client, publicKey }) => ({ client, publicKey }));
  return {
    states: started.map(({ state }) => state),
    keys,
    roster: { kind: 'roster', session: SESSION, round: 0, entries },
  };
}
