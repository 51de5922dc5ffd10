/** @file Messages of an example protocol: JSON, in the clear or sealed for one party (HPKE, RFC 9180). */

import {
  BYTES,
  bytesOf,
  bytesValue,
  defineOperator,
  type OperatorValue,
  opaqueKind,
  operatorStruct,
  type RoundSetup,
  roundSetupCodec,
  struct,
} from 'fedloom';
import {
  concatBytes,
  generateRecipientKeys,
  open,
  seal,
  utf8,
  type X25519KeyPair,
} from 'fedloom/protocols';

/** Keys of a receiving party. Being linear they open one set of messages, and never a second one. */
export const recipientKeys = opaqueKind<X25519KeyPair>('recipient_keys', { linear: true });

/** Type of what `make_recipient_keys` returns: the keys, and the public one as bytes. */
export const RECIPIENT_KEY_PAIR = struct([recipientKeys.type, BYTES]);

export const makeRecipientKeys = defineOperator({
  uri: 'make_recipient_keys',
  signature: '( -> <recipient_keys,uint8[?]>)',
  purity: 'random',
  run: async (_, { random }) => {
    const keys = await generateRecipientKeys((n) => Uint8Array.from(random(n)));
    return operatorStruct(recipientKeys.wrap(keys), bytesValue(keys.publicKey));
  },
});

/** What a sealed value is bound to: it opens for this session and as from this sender only. */
export interface Origin {
  readonly session: Uint8Array;
  readonly name: string;
}

/** @param random `n` random bytes, as an operator's environment gives them. */
export async function sealJson(
  value: unknown,
  recipientPublicKey: Uint8Array,
  { session, name }: Origin,
  random: (n: number) => Uint8Array,
): Promise<Uint8Array> {
  const { encapsulatedKey, ciphertext } = await seal(recipientPublicKey, {
    info: session,
    aad: utf8(name),
    plaintext: toBytes(value),
    rng: (n) => Uint8Array.from(random(n)),
  });
  return concatBytes(encapsulatedKey, ciphertext);
}

export async function openJson<T>(
  sealed: Uint8Array,
  keys: OperatorValue | undefined,
  { session, name }: Origin,
): Promise<T> {
  const plaintext = await open(recipientKeys.unwrap(keys), {
    info: session,
    aad: utf8(name),
    sealed: { encapsulatedKey: sealed.subarray(0, 32), ciphertext: sealed.subarray(32) },
  });
  return fromBytes(plaintext);
}

export function toBytes(value: unknown): Uint8Array {
  return utf8(JSON.stringify(value));
}

export function fromBytes<T>(bytes: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** What the server said about a sum, as an operator got it. */
export function readSetup(message: OperatorValue | undefined): RoundSetup {
  const setup = roundSetupCodec.decode(bytesOf(message));
  if ('kind' in setup) throw new Error(setup.message);
  return setup;
}
