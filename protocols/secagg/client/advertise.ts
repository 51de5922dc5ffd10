/**
 * @file A client's first step: it looks at what it is asked to take part in, against its own
 * policy and roster, and advertises fresh keys (Bonawitz et al. 2017, figure 4, round 0).
 */

import {
  ed25519Sign,
  equalBytes,
  generateX25519KeyPair,
  randomBytes,
  x25519PublicKey,
} from '#crypto';
import type { Rng } from '../../crypto/interface.ts';
import { fault, ProtocolError } from '../../errors.ts';
import type { MaskedVector } from '../../masking/parameters.ts';
import { memoryLedger } from '../../session-ledger.ts';
import { randomFieldElement } from '../../shamir/index.ts';
import { agreementHash, problemOfAgreement, type SecAggAgreement } from '../agreement.ts';
import type { Advertisement, Announcement } from '../messages.ts';
import { problemOfSecurity } from '../parameters/index.ts';
import { advertisementStatement } from '../statements.ts';
import {
  type ExpectedVector,
  policyOf,
  type SecAggClientConfig,
  type SecAggPolicy,
  takeRound,
} from './config.ts';
import {
  type AdvertisedState,
  clientState,
  headingOf,
  type SecAggClientContinued,
  type SecAggClientFault,
  stepName,
  withSecrets,
} from './state.ts';

/** Why a client does not take part. */
export type ParametersFaultCode =
  | 'invalid-parameters'
  | 'modulus-too-small'
  | 'model-refused'
  | 'cohort-too-small'
  | 'insecure-parameters'
  | 'unknown-roster'
  | 'not-in-cohort'
  | 'unexpected-vectors'
  | 'too-many-rounds';

/**
 * Takes part, or says why not.
 * @throws ProtocolError `invalid-argument` if the client's own configuration lacks what it needs.
 */
export function startSecAggClient(
  { agreement, client }: Announcement,
  config: SecAggClientConfig,
  { rng = randomBytes }: { readonly rng?: Rng } = {},
): SecAggClientContinued<Advertisement, AdvertisedState> | SecAggClientFault {
  const policy = policyOf(config);
  const ledger = config.ledger ?? memoryLedger();
  // Before the session is noted as used, and before there are secrets.
  if (agreement.model === 'active') required(config.signingKey, 'a signing key');
  const problem =
    problemOfAgreement(agreement) ??
    problemOfPlace(agreement, client, config) ??
    problemOfVectors(agreement, config) ??
    problemForPolicy(agreement, policy, config);
  if (problem !== undefined) return fault('advertise', problem.code, problem.message);

  const agreed = agreementHash(agreement);
  const membership = { agreement, agreed, client };
  if (!ledger.claim(stepName(membership, 'advertise'))) {
    return fault('advertise', 'session-used', 'this client took part in this session before');
  }
  if (!takeRound(ledger, config.name ?? '', policy.mostRounds)) {
    return fault(
      'advertise',
      'too-many-rounds',
      `this client takes part in ${policy.mostRounds} rounds, and did already`,
    );
  }
  return withSecrets((own) => {
    const channel = generateX25519KeyPair(rng);
    const channelSecret = own(channel.secretKey);
    const channelKey = channel.publicKey;
    const maskSecret = own(randomFieldElement(rng));
    const maskKey = x25519PublicKey(maskSecret);
    const signature =
      agreement.model === 'active'
        ? ed25519Sign(
            required(config.signingKey, 'a signing key'),
            advertisementStatement(agreed, client, channelKey, maskKey),
          )
        : new Uint8Array(0);
    return {
      kind: 'continue',
      state: clientState({
        content: {
          ...membership,
          stage: 'advertised',
          channelSecret,
          channelKey,
          maskSecret,
          maskKey,
        },
        config,
        ledger,
      }),
      message: {
        kind: 'advertisement',
        ...headingOf(membership),
        channelKey,
        maskKey,
        signature,
      },
    };
  });
}

interface Problem {
  readonly code: ParametersFaultCode;
  readonly message: string;
}

/** Whether this client has the number that it is given, by the roster that it trusts. */
function problemOfPlace(
  agreement: SecAggAgreement,
  client: number,
  config: SecAggClientConfig,
): Problem | undefined {
  if (client >= agreement.clients) {
    return {
      code: 'not-in-cohort',
      message: `there is no client ${client} of ${agreement.clients}`,
    };
  }
  if (agreement.model !== 'active') return undefined;
  const roster = required(config.roster, 'a roster');
  const name = required(config.name, 'a name in the roster');
  if (
    !equalBytes(agreement.rosterHash, roster.hash) ||
    agreement.cohort.size !== roster.members.length
  ) {
    return {
      code: 'unknown-roster',
      message: 'the round is of another roster than the one this client trusts',
    };
  }
  if (roster.members[agreement.cohort.places()[client]!]?.client !== name) {
    return {
      code: 'not-in-cohort',
      message: `number ${client} of the cohort is not this client, "${name}"`,
    };
  }
  return undefined;
}

/** Whether what is summed is what this client is ready to sum, bound by bound. */
function problemOfVectors(
  { vectors }: SecAggAgreement,
  { vectors: expected }: SecAggClientConfig,
): Problem | undefined {
  if (expected === undefined) return undefined;
  const alike =
    vectors.length === expected.length &&
    vectors.every((vector, i) => isAsExpected(vector, expected[i] as ExpectedVector));
  if (alike) return undefined;
  return {
    code: 'unexpected-vectors',
    message: 'the round sums other vectors, or with other bounds, than this client is ready to',
  };
}

function isAsExpected(vector: MaskedVector, expected: ExpectedVector): boolean {
  if (vector.length !== expected.length) return false;
  if (vector.kind === 'modular-sum') {
    return expected.kind === 'modular-sum' && vector.modulus === expected.modulus;
  }
  if (expected.kind !== 'sum') return false;
  const [given, wanted] = [vector.maximum, expected.maximum];
  if (typeof given === 'bigint' || typeof wanted === 'bigint') return given === wanted;
  return given.length === wanted.length && given.every((bound, i) => bound === wanted[i]);
}

/** Whether the round hides this client's value as well as it demands. */
export function problemForPolicy(
  agreement: SecAggAgreement,
  { models, minimumClients, securityBits, corruptRate }: SecAggPolicy,
  { roster }: SecAggClientConfig,
): Problem | undefined {
  const { model, graph, clients, neighbours, threshold } = agreement;
  if (!models.includes(model)) {
    return {
      code: 'model-refused',
      message: `this client takes part in the ${models.join(' or ')} model, not in the ${model} one`,
    };
  }
  if (clients < minimumClients) {
    return {
      code: 'cohort-too-small',
      message: `a cohort of ${clients} is below this client's minimum of ${minimumClients}`,
    };
  }
  // Alone in a cohort that it accepts, a client asks for nothing to be hidden.
  if (clients === 1) return undefined;
  // In a complete graph the client sees the survivors and counts them itself; in a sparse one the
  // graph has to make sure of it.
  const leastHonestInSum = graph === 'complete' ? Math.min(2, minimumClients) : minimumClients;
  return problemOfSecurity(
    { clients, roster: roster?.members.length ?? clients, model, graph, neighbours, threshold },
    { securityBits, corruptRate, leastHonestInSum },
  );
}

function required<T>(given: T | undefined, what: string): T {
  if (given !== undefined) return given;
  throw new ProtocolError('invalid-argument', `a client in the active model needs ${what}`);
}
