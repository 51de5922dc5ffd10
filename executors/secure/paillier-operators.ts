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
import { opaqueKind } from '../leaf/opaque.ts';
import { type Operator, operatorStruct } from '../leaf/operator.ts';
import {
  channelKeyOperator,
  channelKeys,
  type HeldChannelKeys,
  openFrom,
  requirePinnedKey,
  sealFor,
} from './channel-operators.ts';
import { bytesOf, defineOperator } from './define-operator.ts';
import {
  decoded,
  faultError,
  protocolError,
  requireNoFault,
  requireProtocol,
  requireSender,
} from './faults.ts';
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
  /** Tells one aggregation from another of the same session. */
  readonly serial: symbol;
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
  // One key has one record of the sessions it served, however often it is asked for.
  let injected: HeldKey | undefined;
  const holdKey = async (rng: Rng): Promise<HeldKey> => {
    const options = { modulusBits, allowInsecureModulus, rng };
    if (policy.privateKey === undefined) {
      return { key: await generatePaillierKey(options), used: new Set() };
    }
    injected ??= { key: importPrivateKey(policy.privateKey, options), used: new Set() };
    return injected;
  };
  return [
    defineOperator({
      uri: 'paillier_key_pair',
      signature: '(uint8[?] -> <paillier_private_key,uint8[?]>)',
      purity: 'random',
      run: async ([message], { random }) => {
        const { session } = decoded(roundSetupCodec.decode(bytesOf(message)));
        const held = await holdKey(random as Rng).catch((error: unknown) => {
          throw protocolError('keys', error);
        });
        const announced = announcedKeyCodec.encode({
          kind: 'announced-key',
          session,
          round: 0,
          n: held.key.publicKey.n,
        });
        return operatorStruct(paillierPrivateKey.wrap(held), bytesValue(announced));
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
        try {
          const { message: decrypted } = requireNoFault(
            decryptAtKeyHolder(state, encrypted, { rng: random as Rng }),
          );
          return bytesValue(decryptedSumCodec.encode(decrypted));
        } finally {
          // A decryption that failed counts too, or faults could be provoked until one leaks.
          if (state.consumed) used.add(id);
        }
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
      requireCohort('encrypt', clients, minimumClients);
      // Before the plan is made: terms of more values than there are would make a plan of any size.
      const vectors = inputVectors(value, terms);
      const plan = packingPlan(terms, clients, encryptor.publicKey.modulusBits);
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

function aggregatorOperators({ sealed, minimumClients }: PaillierPolicy): readonly Operator[] {
  return [
    defineOperator({
      uri: 'paillier_aggregate',
      signature: '(<paillier_encryptor,uint8[?]> -> paillier_aggregate)',
      purity: 'random',
      run: ([prepared, message]) => {
        const encryptor = paillierEncryptor.unwrap(prepared);
        const { session, name, terms, clients } = decoded(roundSetupCodec.decode(bytesOf(message)));
        requireCohort('aggregate', clients, minimumClients);
        const plan = packingPlan(terms, clients, encryptor.publicKey.modulusBits);
        const names = Array.from({ length: clients }, (_, i) => clientName(i));
        const state = requireProtocol('aggregate', () =>
          startAggregator({ session, round: 0, plan, clients: names, encryptor }),
        );
        return paillierAggregate.wrap({ state, session, name, serial: Symbol() });
      },
    }),
    defineOperator({
      uri: 'paillier_add',
      signature: '(<paillier_aggregate,channel_keys,uint8[?],uint8[?]> -> paillier_aggregate)',
      purity: 'linear',
      run: async ([aggregate, keys, sender, message]) => {
        const aggregation = paillierAggregate.unwrap(aggregate);
        const from = new TextDecoder().decode(bytesOf(sender));
        const bytes = sealed
          ? await openOnce(channelKeys.unwrap(keys), aggregation, from, bytesOf(message))
          : bytesOf(message);
        const input = decoded(encryptedInputCodec.decode(bytes), from);
        requireSender('collect-inputs', input.client, from);
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

/** @throws ProtocolAbortError `cohort-too-small` */
function requireCohort(stage: string, clients: number, minimumClients: number): void {
  if (clients >= minimumClients) return;
  throw faultError({
    kind: 'fault',
    stage,
    code: 'cohort-too-small',
    message: `a cohort of ${clients} is below this party's minimum of ${minimumClients}`,
  });
}

/**
 * Opens an input, for one aggregation of its session only. A second one could put the same inputs
 * together with others, and the difference of two sums would tell an input.
 */
async function openOnce(
  { keys, sessions }: HeldChannelKeys,
  { session, name, serial }: Aggregation,
  from: string,
  sealed: Uint8Array,
): Promise<Uint8Array> {
  const bytes = await openFrom({ session, from, to: name }, keys, sealed);
  const id = toHex(session);
  const known = sessions.get(id) ?? serial;
  sessions.set(id, known);
  if (known === serial) return bytes;
  throw faultError({
    kind: 'fault',
    stage: 'collect-inputs',
    code: 'session-used',
    message: 'the aggregator opened inputs of this session for another aggregation already',
  });
}

/** How participants are named; see `ProtocolParties`. */
export function clientName(index: number): string {
  return `clients/${index}`;
}

/** Inputs are sealed for this party, whoever carries them. */
export const AGGREGATOR_NAME = 'aggregator/0';
