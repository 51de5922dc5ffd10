/** @file How the parties of a Paillier sum get keys: made and announced, signed, checked. */

import { structOf } from '../../../computations/types/index.ts';
import {
  announcedKeyCodec,
  announceKey,
  createEncryptor,
  type Encryptor,
  generatePaillierKey,
  handleAnnouncedKey,
  importPrivateKey,
  PaillierError,
  type PaillierPrivateKey,
  proveForHolder,
  type Rng,
  type SecretBytes,
} from '../../../protocols/index.ts';
import { opaqueKind } from '../../leaf/opaque.ts';
import { type Operator, operatorStruct } from '../../leaf/operator.ts';
import { channelKeyOperator, channelKeys } from '../channel-operators.ts';
import { bytesOf, defineOperator } from '../define-operator.ts';
import { decoded, protocolError, requireNoFault } from '../faults.ts';
import { BYTES, bytesValue } from '../participant.ts';
import { roundSetupCodec } from '../round-setup.ts';
import { signChannelKey } from './channel-key.ts';
import { identityOf, type PaillierPolicy, signingKeyOf } from './policy.ts';

export interface HeldKey {
  readonly key: PaillierPrivateKey;
  /** That it is well-formed; empty where that cannot be proven. */
  readonly proof: Uint8Array;
}

export const paillierPrivateKey = opaqueKind<HeldKey>('paillier_private_key');
/** A checked public key with its owner's own tables for fast encryption. */
export const paillierEncryptor = opaqueKind<Encryptor>('paillier_encryptor');

export const KEY_PAIR = structOf([
  { name: null, type: paillierPrivateKey.type },
  { name: null, type: BYTES },
]);

export function keyOperators(policy: PaillierPolicy): readonly Operator[] {
  return [
    keyPairOperator(policy),
    prepareOperator(policy),
    channelKeyOperator(policy.aggregatorKeys),
    // The key holder's, for inputs: never those that were given for the aggregator.
    { ...channelKeyOperator(), uri: 'paillier_input_key_pair' },
    defineOperator({
      uri: 'paillier_sign_channel_key',
      signature: '(<channel_keys,uint8[?]> -> uint8[?])',
      purity: 'pure',
      run: ([keys, message]) => {
        const { name } = decoded(roundSetupCodec.decode(bytesOf(message)));
        const { publicKey } = channelKeys.unwrap(keys).keys;
        return bytesValue(signChannelKey(name, publicKey, signingKeyOf(policy.identities, name)));
      },
    }),
  ];
}

/** Makes the key, or takes the one it was given, and announces it. */
function keyPairOperator(policy: PaillierPolicy): Operator {
  // Given once, a key is proven once.
  let given: Promise<HeldKey> | undefined;
  return defineOperator({
    uri: 'paillier_key_pair',
    signature: '(uint8[?] -> <paillier_private_key,uint8[?]>)',
    purity: 'random',
    run: async ([message], { random }) => {
      const { session, name } = decoded(roundSetupCodec.decode(bytesOf(message)));
      const signingKey = signingKeyOf(policy.identities, name);
      const make = () => holdKey(policy, name, signingKey, random as Rng);
      if (policy.privateKey !== undefined) given ??= make();
      const held = await (given ?? make());
      const announced = announceKey({
        privateKey: held.key,
        session,
        round: 0,
        holder: name,
        signingKey,
        proof: held.proof,
      });
      return operatorStruct(
        paillierPrivateKey.wrap(held),
        bytesValue(announcedKeyCodec.encode(announced)),
      );
    },
  });
}

async function holdKey(
  { modulusBits, allowInsecureModulus, privateKey }: PaillierPolicy,
  holder: string,
  signingKey: SecretBytes,
  rng: Rng,
): Promise<HeldKey> {
  const options = { modulusBits, allowInsecureModulus, rng };
  try {
    const key =
      privateKey === undefined
        ? await generatePaillierKey(options)
        : importPrivateKey(privateKey, options);
    return { key, proof: proofFor(key, holder, signingKey, rng) };
  } catch (error) {
    throw protocolError('keys', error);
  }
}

/** Of a key that was made elsewhere there may be none; those who pinned it do not need it. */
function proofFor(
  key: PaillierPrivateKey,
  holder: string,
  signingKey: SecretBytes,
  rng: Rng,
): Uint8Array {
  try {
    return proveForHolder(key, { holder, signingKey }, { rng });
  } catch (error) {
    if (error instanceof PaillierError && error.code === 'unprovable-key') return new Uint8Array();
    throw error;
  }
}

/** Checks a public key and readies it for encryption, with randomness of the one who encrypts. */
function prepareOperator(policy: PaillierPolicy): Operator {
  return defineOperator({
    uri: 'paillier_prepare',
    signature: '(uint8[?] -> paillier_encryptor)',
    purity: 'random',
    run: ([message], { random }) => {
      const announced = decoded(announcedKeyCodec.decode(bytesOf(message)));
      const { publicKey } = requireNoFault(handleAnnouncedKey(announced, keyExpectation(policy)));
      return paillierEncryptor.wrap(createEncryptor(publicKey, { rng: random as Rng }));
    },
  });
}

/** What a party asks of the key it is told of. */
export function keyExpectation(policy: PaillierPolicy) {
  const { modulusBits, allowInsecureModulus, acceptUnprovenKeys, privateKey } = policy;
  return {
    modulusBits,
    allowInsecureModulus,
    acceptUnprovenKeys,
    holder: identityOf(policy.identities, policy.keyHolder),
    ...(privateKey === undefined ? {} : { pinned: privateKey.n }),
  };
}
