/**
 * @file `paillier()`: secure sums under additively homomorphic encryption (Paillier, EUROCRYPT 1999).
 *
 * `keyHolder: 'server'` has the roles of tf-encrypted's federated-aggregations: the server holds the
 * key, an aggregation service adds ciphertexts that are sealed for it. It is for a server and an
 * aggregator that do not collude, and an aggregator that follows the protocol.
 *
 * `keyHolder: 'key_holder'` is after the RFC: a separate key holder decrypts what only the server can
 * unmask. By default it adds up the signed inputs itself, masked by their clients; then nobody sees a
 * client's value unless key holder and aggregator collude, whatever the others do. With
 * `verifyInputs: false` it decrypts what the aggregator and the server say is the masked sum, which is
 * for parties that follow the protocol.
 *
 * Keys and inputs are signed, and the key's modulus is proven well-formed. That inputs are honest is
 * not proven, and a sum can be falsified by those who add and unmask it.
 */

import { UnsupportedAggregationError } from '../../computations/types/index.ts';
import {
  bitLength,
  DEFAULT_MODULUS_BITS,
  LEAST_MODULUS_BITS,
  memoryLedger,
  type PrivateKeyLike,
  type SessionLedger,
  type X25519KeyPair,
} from '../../protocols/index.ts';
import type { Operator } from '../leaf/operator.ts';
import type { ChannelGrid } from './channel-operators.ts';
import { DEFAULT_TIMEOUT_MS, requireStageLimits, requireWhole } from './cohort.ts';
import { withRecipe } from './define-operator.ts';
import { type IdentityProvider, SimulatedIdentities, simulatedIdentities } from './identities.ts';
import type { PaillierPolicy, PaillierTerms } from './paillier/policy.ts';
import { PaillierSession } from './paillier/session.ts';
import { paillierOperators, paillierOperatorsOfRecipe } from './paillier-operators.ts';
import type { SecureAggregationProtocol } from './protocol.ts';
import { type SecureAggregation, secureAggregation } from './secure-aggregation.ts';

export interface PaillierOptions {
  /**
   * Bits of the modulus; at least 2048.
   * @default 3072
   */
  readonly modulusBits?: number;
  /**
   * Who holds the private key: the server, or a party of its own that must not collude with it.
   * @default 'server'
   */
  readonly keyHolder?: 'server' | 'key_holder';
  /**
   * Who adds ciphertexts. The server can only where it does not hold the key.
   * @default 'aggregator'
   */
  readonly aggregator?: 'aggregator' | 'server';
  /**
   * How clients' messages to the aggregator travel. In plaintext a server that holds the key could
   * read every value, so that is refused there.
   * @default { 'clients->aggregator': 'sealed' }
   */
  readonly channels?: ChannelGrid;
  /** Keys made beforehand. Clients that know them accept no others from the server. */
  readonly keys?: {
    /** `PrivateKey` of paillier-bigint, or its numbers. */
    readonly paillier?: PrivateKeyLike;
    readonly aggregator?: X25519KeyPair;
  };
  /**
   * Whether a separate key holder adds the inputs itself, so that nobody can have it decrypt anything
   * else. The clients then mask their values, seal them for it, and leave the masks with the
   * aggregator, which adds masks instead of ciphertexts. Without, the aggregator and the server are
   * taken at their word. A server that holds the key cannot: its clients' values would be masked
   * from it by the aggregator alone.
   * @default true where `keyHolder` is 'key_holder'
   */
  readonly verifyInputs?: boolean;
  /**
   * Who signs what, and by which roster it is checked. The parties are called `clients/0` and so on,
   * `key_holder/0`, `aggregator/0` and `server/0`.
   * @default `simulatedIdentities()`, which protect nothing outside of a simulation
   */
  readonly identities?: IdentityProvider;
  /**
   * Where the key holder and the aggregator note the sessions they served. Give one that lasts where
   * they have keys that do.
   * @default one that lives as long as the stack
   */
  readonly ledger?: SessionLedger;
  /**
   * Accept a key without a proof that it is well-formed, such as one of another library. A key that
   * was given (`keys.paillier`) needs none.
   * @default false
   */
  readonly acceptUnprovenKeys?: boolean;
  /**
   * The smallest cohort, and the fewest clients in a sum, in which a client takes part. The others
   * may be lost.
   * @default 2
   */
  readonly minimumClients?: number;
  /**
   * How long a stage waits for its slowest party, in milliseconds.
   * @default 60,000
   */
  readonly timeoutMs?: number;
  /**
   * Accept a modulus that can be factored, to keep tests quick.
   * @default false
   */
  readonly allowInsecureModulus?: boolean;
}

/**
 * Secure sums by Paillier encryption, for `localExecutorFactory({ secureAggregation: paillier() })`.
 * Many values are packed in each ciphertext. The key is made at the first sum of an executor stack
 * (some four seconds for 3072 bits, with its proof) and kept by it.
 *
 * A client that fails, is late or refuses its value is lost; the sum is of the others, as long as
 * there are `minimumClients` of them.
 * @throws UnsupportedAggregationError for an arrangement in which the server could read values.
 * @throws ValueError `value.out_of_range` for options that check nothing, or too small a modulus.
 */
export function paillier(options: PaillierOptions = {}): SecureAggregation {
  return secureAggregation(paillierProtocol(options));
}

/** The protocol alone, to be combined with others by intrinsic. */
export function paillierProtocol(options: PaillierOptions = {}): SecureAggregationProtocol {
  const {
    keyHolder = 'server',
    aggregator = 'aggregator',
    minimumClients = 2,
    keys = {},
  } = options;
  const { allowInsecureModulus = false, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  requireStageLimits(minimumClients, timeoutMs);
  const sealed =
    aggregator === 'aggregator' && options.channels?.['clients->aggregator'] !== 'plaintext';
  requireSafeRoles(keyHolder, aggregator, sealed, options.verifyInputs);
  const modulusBits =
    options.modulusBits ??
    (keys.paillier === undefined ? DEFAULT_MODULUS_BITS : bitLength(keys.paillier.n));
  const least = allowInsecureModulus ? QUICK_MODULUS_BITS : LEAST_MODULUS_BITS;
  requireWhole('modulusBits', modulusBits, least, LARGEST_MODULUS_BITS);
  const separate = (options.verifyInputs ?? true) ? 'masked-inputs' : 'masked';
  const terms: PaillierTerms = {
    modulusBits,
    allowInsecureModulus,
    acceptUnprovenKeys: options.acceptUnprovenKeys ?? false,
    minimumClients,
    keyHolder: `${keyHolder}/0`,
    aggregator: `${aggregator}/0`,
    decrypts: keyHolder === 'server' ? 'unmasked' : separate,
    sealed,
  };
  const policy: PaillierPolicy = {
    ...terms,
    identities: options.identities ?? simulatedIdentities(),
    ledger: options.ledger ?? memoryLedger(),
    ...(keys.paillier === undefined ? {} : { privateKey: keys.paillier }),
    ...(keys.aggregator === undefined ? {} : { aggregatorKeys: keys.aggregator }),
  };
  return {
    name: 'paillier',
    timeoutMs,
    survivesLosses: true,
    roles: [keyHolder, aggregator].filter((placement) => placement !== 'server'),
    operators: operatorsOf(policy, terms, options),
    open: (parties) => new PaillierSession(parties, policy, timeoutMs),
  };
}

/** Keys, identities and ledgers that were given stay on the thread where they are. */
function operatorsOf(
  policy: PaillierPolicy,
  terms: PaillierTerms,
  { keys = {}, ledger }: PaillierOptions,
): readonly Operator[] {
  const { identities } = policy;
  const given =
    keys.paillier !== undefined || keys.aggregator !== undefined || ledger !== undefined;
  if (given || !(identities instanceof SimulatedIdentities)) return paillierOperators(policy);
  return withRecipe('paillier', paillierOperatorsOfRecipe, { terms, identities: identities.seed });
}

/** Keys of this size can be factored; below it not even the tests' values fit. */
const QUICK_MODULUS_BITS = 256;
/** More takes longer than anybody waits. */
const LARGEST_MODULUS_BITS = 16_384;

function requireSafeRoles(
  keyHolder: string,
  aggregator: string,
  sealed: boolean,
  verifyInputs: boolean | undefined,
): void {
  // Without types a role could be given to a client, or two roles to one party.
  if (
    !['server', 'key_holder'].includes(keyHolder) ||
    !['server', 'aggregator'].includes(aggregator)
  ) {
    throw new UnsupportedAggregationError(
      'aggregation.unsafe_roles',
      `A key is held by 'server' or 'key_holder', and ciphertexts are added by 'aggregator' or 'server'; got '${keyHolder}' and '${aggregator}'.`,
    );
  }
  if (keyHolder !== 'server') return;
  const problem =
    aggregator === 'server'
      ? "The server cannot both hold the key and receive the clients' ciphertexts: it could decrypt each of them. Let an aggregator add (aggregator: 'aggregator'), or a key holder decrypt (keyHolder: 'key_holder')."
      : verifyInputs === true
        ? "A server that holds the key gets the sum alone, from an aggregator that it trusts to add: only a separate key holder can verify inputs (keyHolder: 'key_holder')."
        : sealed
          ? undefined
          : "A server that holds the key must not see the clients' ciphertexts: leave { 'clients->aggregator': 'sealed' }.";
  if (problem !== undefined)
    throw new UnsupportedAggregationError('aggregation.unsafe_roles', problem);
}
