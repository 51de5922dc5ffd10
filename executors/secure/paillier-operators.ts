/**
 * @file What the parties of a Paillier sum do: the key holder makes a key and decrypts, clients
 * encrypt, an aggregator adds. Each under its own policy, whatever the server asks for.
 */

import { structOf } from '../../computations/types/index.ts';
import {
  type AggregatorState,
  announcedKeyCodec,
  createEncryptor,
  createPackingPlan,
  decryptAtKeyHolder,
  decryptedSumCodec,
  type Encryptor,
  encryptClientInput,
  encryptedInputCodec,
  encryptedSumCodec,
  finishAggregator,
  generatePaillierKey,
  handleAtAggregator,
  importPrivateKey,
  importPublicKey,
  type PackingPlan,
  type PaillierPrivateKey,
  type PrivateKeyLike,
  type Rng,
  startAggregator,
  startKeyHolder,
  toHex,
  type X25519KeyPair,
} from '../../protocols/index.ts';
import { opaqueKind } from '../opaque.ts';
import { type Operator, operatorStruct } from '../operator.ts';
import {
  channelKeyOperator,
  channelKeys,
  openFrom,
  requirePinnedKey,
  sealFor,
} from './channel-operators.ts';
import { bytesOf, defineOperator } from './define-operator.ts';
import { decoded, faultError, requireNoFault, requireProtocol } from './faults.ts';
import { inputVectors } from './input-vectors.ts';
import { BYTES, bytesValue } from './participant.ts';
import type { SecureTerm } from './protocol.ts';
import { roundSetupCodec } from './round-setup.ts';

/** The key holder's key, and the sessions in which it decrypted: one sum each. */
export const paillierPrivateKey = opaqueKind<HeldKey>('paillier_private_key');
/** A checked public key with its owner's own tables for fast encryption. */
export const paillierEncryptor = opaqueKind<Encryptor>('paillier_encryptor');
/** Ciphertexts that were added up so far. */
export const paillierAggregate = opaqueKind<Aggregation>('paillier_aggregate', { linear: true });

export const KEY_PAIR = structOf([
  { name: null, type: paillierPrivateKey.type },
  { name: null, type: BYTES },
]);

interface HeldKey {
  readonly key: PaillierPrivateKey;
  readonly used: Set<string>;
}

interface Aggregation {
  readonly state: AggregatorState;
  readonly session: Uint8Array;
  readonly name: string;
}

/** What the parties insist on. */
export interface PaillierPolicy {
  readonly modulusBits: number;
  readonly allowInsecureModulus: boolean;
  readonly minimumClients: number;
  /** A separate key holder decrypts masked sums only; a server that holds the key, its own sum. */
  readonly decrypts: 'masked' | 'unmasked';
  /** Whether inputs are sealed for the aggregator. */
  readonly sealed: boolean;
  readonly privateKey?: PrivateKeyLike;
  readonly aggregatorKeys?: X25519KeyPair;
}

export function paillierOperators(policy: PaillierPolicy): readonly Operator[] {
  return [
    channelKeyOperator(policy.aggregatorKeys),
    ...keyHolderOperators(policy),
    prepareOperator(policy),
    encryptOperator(policy),
    ...aggregatorOperators(policy),
  ];
}

/** The same plan at every party: it follows from the terms and the size of the cohort. */
export function packingPlan(
  terms: readonly SecureTerm[],
  clients: number,
  modulusBits: number,
): PackingPlan {
  return requireProtocol('plan', () =>
    createPackingPlan({
      clients,
      modulusBits,
      segments: terms.map(({ kind, length, bound }) =>
        kind === 'sum' ? { kind, length, maximum: bound } : { kind, length, modulus: bound },
      ),
    }),
  );
}

function keyHolderOperators(policy: PaillierPolicy): readonly Operator[] {
  const { modulusBits, allowInsecureModulus, minimumClients, decrypts } = policy;
  return [
    defineOperator({
      uri: 'paillier_key_pair',
      signature: '(uint8[?] -> <paillier_private_key,uint8[?]>)',
      purity: 'random',
      run: async ([message], { random }) => {
        const { session } = decoded(roundSetupCodec.decode(bytesOf(message)));
        const options = { modulusBits, allowInsecureModulus, rng: random as Rng };
        const key =
          policy.privateKey === undefined
            ? await generatePaillierKey(options)
            : importPrivateKey(policy.privateKey, options);
        const announced = announcedKeyCodec.encode({
          kind: 'announced-key',
          session,
          round: 0,
          n: key.publicKey.n,
        });
        return operatorStruct(
          paillierPrivateKey.wrap({ key, used: new Set() }),
          bytesValue(announced),
        );
      },
    }),
    defineOperator({
      uri: 'paillier_decrypt',
      signature: '(<paillier_private_key,uint8[?],uint8[?]> -> uint8[?])',
      purity: 'random',
      run: ([held, message, sum], { random }) => {
        const { key, used } = paillierPrivateKey.unwrap(held);
        const { session, terms, clients } = decoded(roundSetupCodec.decode(bytesOf(message)));
        const plan = packingPlan(terms, clients, key.publicKey.modulusBits);
        const id = toHex(session);
        // One sum a session: a key holder that decrypts on request is an oracle.
        if (used.has(id)) {
          throw faultError({
            kind: 'fault',
            stage: 'decrypt',
            code: 'session-used',
            message: 'the key holder decrypted a sum of this session already',
          });
        }
        const minimumInputs = Math.max(plan.clients, minimumClients);
        const { state } = startKeyHolder({
          privateKey: key,
          session,
          round: 0,
          plan,
          decrypts,
          minimumInputs,
        });
        const encrypted = decoded(encryptedSumCodec.decode(bytesOf(sum)));
        const { message: decrypted } = requireNoFault(
          decryptAtKeyHolder(state, encrypted, { rng: random as Rng }),
        );
        used.add(id);
        return bytesValue(decryptedSumCodec.encode(decrypted));
      },
    }),
  ];
}

/** Checks a public key and readies it for encryption, with randomness of the one who encrypts. */
function prepareOperator(policy: PaillierPolicy): Operator {
  const { modulusBits, allowInsecureModulus } = policy;
  return defineOperator({
    uri: 'paillier_prepare',
    signature: '(uint8[?] -> paillier_encryptor)',
    purity: 'random',
    run: ([message], { random }) => {
      const { n } = decoded(announcedKeyCodec.decode(bytesOf(message)));
      if (policy.privateKey !== undefined && n !== policy.privateKey.n) {
        throw faultError({
          kind: 'fault',
          stage: 'keys',
          code: 'wrong-key',
          offender: 'the key holder',
          message:
            'the server passed on another public key than the one this party was configured with',
        });
      }
      const publicKey = requireProtocol('keys', () =>
        importPublicKey({ n }, { modulusBits, allowInsecureModulus }),
      );
      return paillierEncryptor.wrap(createEncryptor(publicKey, { rng: random as Rng }));
    },
  });
}

function encryptOperator(policy: PaillierPolicy): Operator {
  const { minimumClients, sealed, aggregatorKeys } = policy;
  return defineOperator({
    uri: 'paillier_encrypt',
    signature: '(<paillier_encryptor,uint8[?],uint8[?],V> -> uint8[?])',
    purity: 'random',
    run: async ([prepared, message, recipient, value], { random }) => {
      const encryptor = paillierEncryptor.unwrap(prepared);
      const { session, name, terms, clients } = decoded(roundSetupCodec.decode(bytesOf(message)));
      const plan = packingPlan(terms, clients, encryptor.publicKey.modulusBits);
      const vectors = inputVectors(value, terms);
      const setup = { session, round: 0, client: name, plan, encryptor, minimumClients };
      const encrypted = requireNoFault(
        encryptClientInput(setup, { vectors }, { rng: random as Rng }),
      );
      const bytes = encryptedInputCodec.encode(encrypted.message);
      if (!sealed) return bytesValue(bytes);
      const recipientKey = bytesOf(recipient);
      requirePinnedKey(recipientKey, aggregatorKeys?.publicKey, AGGREGATOR_NAME);
      const route = { session, from: name, to: AGGREGATOR_NAME };
      return bytesValue(await sealFor(route, recipientKey, bytes, random as Rng));
    },
  });
}

function aggregatorOperators({ sealed }: PaillierPolicy): readonly Operator[] {
  return [
    defineOperator({
      uri: 'paillier_aggregate',
      signature: '(<paillier_encryptor,uint8[?]> -> paillier_aggregate)',
      purity: 'random',
      run: ([prepared, message]) => {
        const encryptor = paillierEncryptor.unwrap(prepared);
        const { session, name, terms, clients } = decoded(roundSetupCodec.decode(bytesOf(message)));
        const plan = packingPlan(terms, clients, encryptor.publicKey.modulusBits);
        const names = Array.from({ length: clients }, (_, i) => clientName(i));
        const state = requireProtocol('aggregate', () =>
          startAggregator({ session, round: 0, plan, clients: names, encryptor }),
        );
        return paillierAggregate.wrap({ state, session, name });
      },
    }),
    defineOperator({
      uri: 'paillier_add',
      signature: '(<paillier_aggregate,channel_keys,uint8[?],uint8[?]> -> paillier_aggregate)',
      purity: 'linear',
      run: async ([aggregate, keys, sender, message]) => {
        const aggregation = paillierAggregate.unwrap(aggregate);
        const from = new TextDecoder().decode(bytesOf(sender));
        const { session, name } = aggregation;
        const bytes = sealed
          ? await openFrom({ session, from, to: name }, channelKeys.unwrap(keys), bytesOf(message))
          : bytesOf(message);
        const input = decoded(encryptedInputCodec.decode(bytes), from);
        if (input.client !== from) {
          throw faultError({
            kind: 'fault',
            stage: 'collect-inputs',
            code: 'wrong-sender',
            offender: from,
            message: `a message of "${from}" names "${input.client}" as its sender`,
          });
        }
        const { state } = requireNoFault(handleAtAggregator(aggregation.state, input));
        return paillierAggregate.wrap({ ...aggregation, state });
      },
    }),
    defineOperator({
      uri: 'paillier_finish',
      signature: '(paillier_aggregate -> uint8[?])',
      purity: 'linear',
      run: ([aggregate]) => {
        const { message } = requireNoFault(
          finishAggregator(paillierAggregate.unwrap(aggregate).state),
        );
        return bytesValue(encryptedSumCodec.encode(message));
      },
    }),
  ];
}

/** How participants are named; see `ProtocolParties`. */
export function clientName(index: number): string {
  return `clients/${index}`;
}

/** Inputs are sealed for this party, whoever carries them. */
export const AGGREGATOR_NAME = 'aggregator/0';
