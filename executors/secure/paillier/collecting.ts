/**
 * @file What the parties that take the clients' messages have in common: one at a time, opened for
 * one use of the session, and refused by a verdict where its sender is to blame.
 */

import { ProtocolAbortError, structOf, type Type } from '../../../computations/types/index.ts';
import { type Fault, isFault, type MessageCodec, toHex } from '../../../protocols/index.ts';
import type { OpaqueKind } from '../../leaf/opaque.ts';
import { type Operator, operatorStruct } from '../../leaf/operator.ts';
import { channelKeys, type HeldChannelKeys, openFrom } from '../channel-operators.ts';
import { bytesOf, defineOperator } from '../define-operator.ts';
import { decoded, faultError, requireSender } from '../faults.ts';
import { BYTES, bytesValue } from '../participant.ts';
import type { RoundSetup } from '../round-setup.ts';
import { type Verdict, verdictCodec } from './verdict.ts';

/** A protocol state that takes message after message, and the use that it is of its session. */
export interface Collection<S> {
  readonly state: S;
  readonly session: Uint8Array;
  /** Whose it is. */
  readonly name: string;
  /** Tells one collection from another of the same session. */
  readonly serial: symbol;
}

export function collectionOf<S>({ session, name }: RoundSetup, state: S): Collection<S> {
  return { state, session, name, serial: Symbol() };
}

/** What an operator of `takeOperator` returns: the collection, and a verdict as bytes. */
export function takenType<S>({ type }: OpaqueKind<Collection<S>>): Type {
  return structOf([
    { name: null, type },
    { name: null, type: BYTES },
  ]);
}

export interface TakeOperator<S, M> {
  readonly uri: string;
  readonly kind: OpaqueKind<Collection<S>>;
  readonly codec: MessageCodec<M>;
  /** Whether messages are sealed for this party. */
  readonly sealed: boolean;
  /** In which stage a message under another name is refused. */
  readonly stage: string;
  handle(state: S, message: M): { readonly kind: 'continue'; readonly state: S } | Fault;
}

/** An operator that takes the message of one client. */
export function takeOperator<S, M extends { readonly client: string }>({
  uri,
  kind,
  codec,
  sealed,
  stage,
  handle,
}: TakeOperator<S, M>): Operator {
  return defineOperator({
    uri,
    signature: `(<${kind.label},channel_keys,uint8[?],uint8[?]> -> <${kind.label},uint8[?]>)`,
    purity: 'linear',
    run: async ([collection, keys, sender, message]) => {
      const collected = kind.unwrap(collection);
      const from = new TextDecoder().decode(bytesOf(sender));
      const verdict = (refusal: Verdict['refusal']) =>
        bytesValue(verdictCodec.encode({ kind: 'verdict', refusal }));
      try {
        const bytes = sealed
          ? await openOnce(channelKeys.unwrap(keys), collected, from, bytesOf(message))
          : bytesOf(message);
        const input = decoded<M>(codec.decode(bytes), from);
        requireSender(stage, input.client, from);
        const outcome = handle(collected.state, input);
        if (isFault(outcome)) throw faultError(outcome);
        return operatorStruct(
          kind.wrap({ ...collected, state: outcome.state }),
          verdict(undefined),
        );
      } catch (error) {
        // The fault of one client does not end the sum of the others.
        if (!(error instanceof ProtocolAbortError) || error.offender !== from) throw error;
        const refusal = { code: error.reason, message: error.message };
        return operatorStruct(kind.wrap({ ...collected }), verdict(refusal));
      }
    },
  });
}

/**
 * Opens a message, for one collection of its session only. A second one could put the same inputs
 * together with others, and the difference of two sums would tell an input.
 */
async function openOnce(
  { keys, sessions }: HeldChannelKeys,
  { session, name, serial }: Collection<unknown>,
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
    message: `${name} opened messages of this session for another use already`,
  });
}
