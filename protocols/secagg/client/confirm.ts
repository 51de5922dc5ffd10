/**
 * @file The consistency check of the active model: a client says which survivors it was told of, so
 * that a server cannot tell different clients of different ones and unmask one vector by the shares
 * of both (Bonawitz et al. 2017, figure 4, round 3; Bell et al. 2020, section 4, rounds 4 and 5).
 */

import { ed25519Sign } from '#crypto';
import { fault, ProtocolError } from '../../errors.ts';
import { chosenByClients } from '../agreement.ts';
import type { Confirmation, SurvivorSet } from '../messages.ts';
import { pairChannel, survivorsStatement, TAG_LENGTH } from '../statements.ts';
import {
  beginStep,
  type ClientStep,
  type ConfirmedState,
  clientState,
  eraseSecrets,
  headingOf,
  type MaskedState,
  orErase,
  type SecAggClientContinued,
  type SecAggClientFault,
  type SecAggClientState,
} from './state.ts';
import { type CheckedSurvivors, checkSurvivors } from './survivors.ts';

/** @throws ProtocolError `state-consumed` */
export function confirmSurvivors(
  state: SecAggClientState<MaskedState>,
  message: SurvivorSet,
): SecAggClientContinued<Confirmation, ConfirmedState> | SecAggClientFault {
  const step = beginStep(state, 'confirm-survivors', ['masked'], message);
  return 'kind' in step ? step : orErase(step.content, () => confirm(step, message));
}

function confirm(
  step: ClientStep<MaskedState>,
  message: SurvivorSet,
): SecAggClientContinued<Confirmation, ConfirmedState> | SecAggClientFault {
  const { content, config, ledger } = step;
  const checked =
    content.agreement.model === 'active'
      ? checkSurvivors('confirm-survivors', content, message, config)
      : fault(
          'confirm-survivors' as const,
          'wrong-step' as const,
          'only in the active model survivors are confirmed',
        );
  if (checked.kind === 'fault') {
    eraseSecrets(content);
    return checked;
  }
  return {
    kind: 'continue',
    state: clientState({
      content: {
        ...content,
        stage: 'confirmed',
        alive: [...message.alive.places()],
        places: message.alive.size,
        unproven: checked.unproven,
      },
      config,
      ledger,
    }),
    message: {
      kind: 'confirmation',
      ...headingOf(content),
      statements: statementsOf(step, message, checked),
    },
  };
}

function statementsOf(
  { content, config }: ClientStep<MaskedState>,
  { alive }: SurvivorSet,
  { unproven }: CheckedSurvivors,
): Uint8Array[] {
  const { agreement, client, transcript, dealers } = content;
  if (!chosenByClients(agreement)) {
    if (config.signingKey === undefined) {
      throw new ProtocolError(
        'invalid-argument',
        'a client in the active model needs a signing key',
      );
    }
    return [ed25519Sign(config.signingKey, survivorsStatement(transcript, alive))];
  }
  const doubted = new Set(unproven);
  return alive.places().map((place) => {
    const { client: dealer, keys } = dealers[place]!;
    // No statement about a client that did not make its own.
    if (doubted.has(dealer)) return new Uint8Array(TAG_LENGTH);
    return pairChannel(keys, client, dealer).tag('ack');
  });
}
