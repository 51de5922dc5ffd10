/** @file What a client of a Paillier sum does: it checks, packs, encrypts, signs and seals. */

import {
  encryptClientInput,
  encryptedInputCodec,
  encryptMaskedInput,
  inputMaskCodec,
  type PaillierClientSetup,
  type Rng,
} from '../../../protocols/index.ts';
import {
  type Operator,
  type OperatorValue,
  operatorStruct,
  type ReleaseTerms,
} from '../../leaf/operator.ts';
import { sealFor } from '../channel-operators.ts';
import { bytesOf, defineOperator } from '../define-operator.ts';
import { decoded, requireNoFault } from '../faults.ts';
import { inputVectors } from '../input-vectors.ts';
import { bytesValue } from '../participant.ts';
import { cohortOf, releaseTerms, roundSetupCodec } from '../round-setup.ts';
import { stateContextOperator } from '../stated-contexts.ts';
import { openChannelKey } from './channel-key.ts';
import { paillierEncryptor } from './key-operators.ts';
import {
  type PaillierPolicy,
  packingPlan,
  requireCohort,
  rosterOf,
  signingKeyOf,
} from './policy.ts';

/** A client gives its value by the one operator that its policy speaks of, masked if it says so. */
export function clientOperators(policy: PaillierPolicy): readonly Operator[] {
  return [
    stateContextOperator('paillier_state_context'),
    policy.decrypts === 'masked-inputs' ? maskedOperator(policy) : plainOperator(policy),
  ];
}

/** For an aggregator that adds: ciphertexts, sealed for it. */
function plainOperator(policy: PaillierPolicy): Operator {
  return defineOperator({
    uri: 'paillier_encrypt',
    signature: '(<paillier_encryptor,uint8[?],uint8[?],V> -> uint8[?])',
    purity: 'random',
    release: { value: 3, does: 'hide', termsOf: releaseTermsOf },
    run: async ([prepared, message, recipient, value], { random, context }) => {
      const rng = random as Rng;
      const { setup, vectors } = inputOf(policy, prepared, message, value);
      const { message: input } = requireNoFault(
        encryptClientInput(setup, { vectors, context }, { rng }),
      );
      const bytes = encryptedInputCodec.encode(input);
      return bytesValue(await toAggregator(policy, setup, bytesOf(recipient), bytes, rng));
    },
  });
}

/** For a key holder that adds: masked ciphertexts sealed for it, and the mask for the aggregator. */
function maskedOperator(policy: PaillierPolicy): Operator {
  return defineOperator({
    uri: 'paillier_encrypt_masked',
    signature: '(<paillier_encryptor,uint8[?],uint8[?],uint8[?],V> -> <uint8[?],uint8[?]>)',
    purity: 'random',
    release: { value: 4, does: 'hide', termsOf: releaseTermsOf },
    run: async ([prepared, message, maskKeeper, keyHolder, value], { random, context }) => {
      const rng = random as Rng;
      const { setup, vectors } = inputOf(policy, prepared, message, value);
      const { client: from, session } = setup;
      const recipient = openChannelKey(bytesOf(keyHolder), policy.keyHolder, policy.identities);
      const made = requireNoFault(encryptMaskedInput(setup, { vectors, context }, { rng }));
      // Sealed always: the mask keeper must not see what its masks cover.
      const route = { session, from, to: policy.keyHolder };
      const input = await sealFor(route, recipient, encryptedInputCodec.encode(made.message), rng);
      const bytes = inputMaskCodec.encode(made.mask);
      const mask = await toAggregator(policy, setup, bytesOf(maskKeeper), bytes, rng);
      return operatorStruct(bytesValue(mask), bytesValue(input));
    },
  });
}

function releaseTermsOf([, message]: readonly OperatorValue[]): ReleaseTerms {
  return releaseTerms('paillier', decoded(roundSetupCodec.decode(bytesOf(message))));
}

function inputOf(
  policy: PaillierPolicy,
  prepared: OperatorValue | undefined,
  message: OperatorValue | undefined,
  value: OperatorValue | undefined,
): { setup: PaillierClientSetup; vectors: ReturnType<typeof inputVectors> } {
  const { minimumClients, identities } = policy;
  const encryptor = paillierEncryptor.unwrap(prepared);
  const round = decoded(roundSetupCodec.decode(bytesOf(message)));
  const { session, name, terms, clients } = round;
  requireCohort('encrypt', clients, minimumClients);
  // Before the plan is made: terms of more values than there are would make a plan of any size.
  const vectors = inputVectors(value, terms);
  const setup = {
    session,
    round: 0,
    client: name,
    plan: packingPlan(terms, clients, encryptor.publicKey.modulusBits),
    encryptor,
    roster: rosterOf(identities, cohortOf(round)),
    signingKey: signingKeyOf(identities, name),
    minimumClients,
  };
  return { setup, vectors };
}

async function toAggregator(
  { sealed, aggregator, identities, aggregatorKeys }: PaillierPolicy,
  { session, client: from }: PaillierClientSetup,
  recipient: Uint8Array,
  bytes: Uint8Array,
  rng: Rng,
): Promise<Uint8Array> {
  if (!sealed) return bytes;
  const key = openChannelKey(recipient, aggregator, identities, aggregatorKeys?.publicKey);
  return sealFor({ session, from, to: aggregator }, key, bytes, rng);
}
