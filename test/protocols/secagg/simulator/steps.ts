/** @file A client's part of the protocol as an object, so that a test can put a flaw into it. */

import {
  type ClientMessage,
  chooseClientNeighbours,
  confirmSurvivors,
  maskClientVectors,
  type Rng,
  type SecAggClientConfig,
  type SecAggClientFault,
  type SecAggClientInput,
  type SecAggClientState,
  type ServerMessage,
  shareClientSecrets,
  startSecAggClient,
  unmaskConfirmed,
  unmaskSurvivors,
} from '../../../../protocols/index.ts';
import type {
  AdvertisedState,
  ConfirmedState,
  MaskedState,
  SharedState,
} from '../../../../protocols/secagg/client/state.ts';

export type StepOutcome =
  | {
      readonly kind: 'continue';
      readonly state: SecAggClientState;
      readonly message: ClientMessage;
    }
  | { readonly kind: 'finish'; readonly message: ClientMessage }
  | SecAggClientFault;

export interface StepContext {
  readonly config: SecAggClientConfig;
  readonly rng: Rng;
  readonly input: SecAggClientInput;
  /** Whether survivors are confirmed before anything is given away, as the client understood it. */
  readonly confirms: boolean;
}

/**
 * What a client makes of a message. Any state may meet any message; the step refuses what does not
 * fit.
 */
export type ClientSteps = (
  state: SecAggClientState | undefined,
  message: ServerMessage,
  context: StepContext,
) => StepOutcome;

export const realSteps: ClientSteps = (state, message, { config, rng, input, confirms }) => {
  if (message.kind === 'announcement') return startSecAggClient(message, config, { rng });
  if (state === undefined) throw new Error('only an announcement comes before any state');
  switch (message.kind) {
    case 'commitment':
      return chooseClientNeighbours(state as SecAggClientState<AdvertisedState>, message, { rng });
    case 'neighbourhood':
      return shareClientSecrets(state as SecAggClientState<AdvertisedState>, message, { rng });
    case 'dealt-shares':
      return maskClientVectors(state as SecAggClientState<SharedState>, message, input);
    case 'survivor-set':
      return confirms
        ? confirmSurvivors(state as SecAggClientState<MaskedState>, message)
        : unmaskSurvivors(state as SecAggClientState<MaskedState>, message);
    case 'confirmations':
      return unmaskConfirmed(state as SecAggClientState<ConfirmedState>, message);
  }
};
