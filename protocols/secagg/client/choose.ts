/**
 * @file A client chooses who will hold its shares, after the server has bound itself to everyone's
 * keys (Bell et al. 2020, section 4): the choice is the client's, and too late to be played with.
 */

import { randomBytes } from '#crypto';
import type { Rng } from '../../crypto/interface.ts';
import { fault } from '../../errors.ts';
import { chosenByClients } from '../agreement.ts';
import { chooseNeighbours } from '../graph.ts';
import type { Commitment, NeighbourChoice } from '../messages.ts';
import { problemForPolicy } from './advertise.ts';
import { policyOf } from './config.ts';
import {
  type AdvertisedState,
  beginStep,
  type ChosenState,
  type ClientStep,
  clientState,
  eraseSecrets,
  headingOf,
  orErase,
  type SecAggClientContinued,
  type SecAggClientFault,
  type SecAggClientFaultCode,
  type SecAggClientState,
} from './state.ts';

/** @throws ProtocolError `state-consumed` */
export function chooseClientNeighbours(
  state: SecAggClientState<AdvertisedState>,
  message: Commitment,
  { rng = randomBytes }: { readonly rng?: Rng } = {},
): SecAggClientContinued<NeighbourChoice, ChosenState> | SecAggClientFault {
  const step = beginStep(state, 'choose-neighbours', ['advertised'], message);
  return 'kind' in step ? step : orErase(step.content, () => choose(step, message, rng));
}

function choose(
  { content, config, ledger }: ClientStep<AdvertisedState>,
  message: Commitment,
  rng: Rng,
): SecAggClientContinued<NeighbourChoice, ChosenState> | SecAggClientFault {
  const { agreement, client } = content;
  const refuse = (code: SecAggClientFaultCode, text: string): SecAggClientFault => {
    eraseSecrets(content);
    return fault('choose-neighbours', code, text);
  };
  if (!chosenByClients(agreement)) {
    return refuse('wrong-step', 'in this round the neighbours are not chosen by the clients');
  }
  const { advertised, root } = message;
  if (advertised.size !== agreement.clients) {
    return refuse(
      'wrong-set',
      `the set is over ${advertised.size} clients, not ${agreement.clients}`,
    );
  }
  if (!advertised.has(client)) {
    return refuse(
      'own-key-missing',
      'the server does not count this client among those who advertised',
    );
  }
  const present = advertised.places();
  const neighbours = Math.min(agreement.neighbours, present.length - 1);
  // Those who did not advertise may all have been honest, so what is left has to be secure as well.
  const problem = problemForPolicy(
    { ...agreement, clients: present.length, neighbours, threshold: agreement.threshold },
    policyOf(config),
    config,
  );
  if (problem !== undefined || agreement.threshold > neighbours + 1) {
    return refuse(
      'too-few-clients',
      `${present.length} of ${agreement.clients} clients advertised keys: ${problem?.message ?? 'fewer than the threshold'}`,
    );
  }
  const candidates = present.filter((place) => place !== client);
  const chosen = chooseNeighbours(client, candidates, neighbours, rng);
  return {
    kind: 'continue',
    state: clientState({
      content: { ...content, stage: 'chosen', advertised: present, root, chosen },
      config,
      ledger,
    }),
    message: { kind: 'neighbour-choice', ...headingOf(content), neighbours: chosen },
  };
}
