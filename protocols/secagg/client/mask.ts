/**
 * @file A client masks its vectors: with its self mask, and with the mask it shares with each
 * neighbour that is still there (Bonawitz et al. 2017, figure 4, round 2). Once: the keys of the
 * masks are erased with this step.
 */

import { equalBytes, sha256 } from '#crypto';
import { SecretBytes } from '../../crypto/secret.ts';
import { fault, ProtocolError } from '../../errors.ts';
import { applyMasks, type Mask } from '../../masking/mask-kernel.ts';
import { inputResidues, type MaskedVector } from '../../masking/parameters.ts';
import { packResidues } from '../../residues/bit-packing.ts';
import type { IntegerVector, Residues } from '../../residues/residues.ts';
import { ByteReader } from '../../wire/byte-reader.ts';
import { chosenByClients } from '../agreement.ts';
import { Bitmap } from '../bitmap.ts';
import { agreedSecret } from '../key-agreement.ts';
import { maskOf, pairMaskSeed, selfMaskSeed } from '../mask-streams.ts';
import type { DealtShares, MaskedVectors, SealedShare } from '../messages.ts';
import { pairChannel, shareCommitment, TAG_LENGTH } from '../statements.ts';
import { policyOf } from './config.ts';
import {
  beginStep,
  type ClientStep,
  clientState,
  eraseSecrets,
  type HeldShares,
  headingOf,
  type MaskedState,
  type Partner,
  type SecAggClientContinued,
  type SecAggClientFault,
  type SecAggClientFaultCode,
  type SecAggClientState,
  type SharedState,
  withSecrets,
} from './state.ts';

export interface SecAggClientInput {
  /** One for each vector of the agreement, in its order; integers within their bounds. */
  readonly vectors: readonly IntegerVector[];
  /**
   * Bytes that every client must have alike, for example the hash of the model and the computation
   * that the input came from: a client that has others adds noise.
   * @default none
   */
  readonly context?: Uint8Array;
}

/** @throws ProtocolError `state-consumed` */
export function maskClientVectors(
  state: SecAggClientState<SharedState>,
  message: DealtShares,
  input: SecAggClientInput,
): SecAggClientContinued<MaskedVectors, MaskedState> | SecAggClientFault {
  const step = beginStep(state, 'mask-vectors', ['shared'], message);
  if ('kind' in step) return step;
  const { content } = step;
  let masked: SecAggClientContinued<MaskedVectors, MaskedState> | SecAggClientFault | undefined;
  try {
    masked = withSecrets((own) => mask(step, message, input, own));
    return masked;
  } finally {
    content.maskSecret.erase();
    content.selfSeed.erase();
    if (masked?.kind !== 'continue') eraseSecrets(content);
  }
}

function mask(
  step: ClientStep<SharedState>,
  { present, shares }: DealtShares,
  { vectors: inputs, context = new Uint8Array(0) }: SecAggClientInput,
  own: (secret: SecretBytes) => SecretBytes,
): SecAggClientContinued<MaskedVectors, MaskedState> | SecAggClientFault {
  const { content, config, ledger } = step;
  const { agreement, agreed, client, transcript, partners } = content;
  const refuse = (code: SecAggClientFaultCode, text: string): SecAggClientFault =>
    fault('mask-vectors', code, text);
  if (present.size !== partners.length) {
    return refuse(
      'wrong-set',
      `the set is over ${present.size} neighbours, not ${partners.length}`,
    );
  }
  const there = partners.filter((_, i) => present.has(i));
  const holders = there.filter(({ holder }) => holder);
  const dealers = there.filter(({ dealer }) => dealer);
  const least =
    agreement.graph === 'complete'
      ? Math.max(agreement.threshold, policyOf(config).minimumClients)
      : agreement.threshold;
  if (holders.length + 1 < least) {
    return refuse(
      'too-few-clients',
      `${holders.length + 1} of the clients that hold shares are left, below ${least}`,
    );
  }
  if (shares.length !== dealers.length) {
    return refuse('wrong-share-count', `${shares.length} shares for ${dealers.length} who dealt`);
  }
  const residues = checkInputs(agreement.vectors, inputs);
  if (!Array.isArray(residues)) return residues;

  const held = dealers.map((dealer, i) =>
    openShare(content, dealer, shares[i] as SealedShare, own),
  );
  const contextHash = sha256(context);
  const secrets = there.map(({ client: peer, maskKey }) => {
    const secret = agreedSecret(content.maskSecret, maskKey);
    return { peer, secret: secret === undefined ? undefined : own(secret) };
  });
  const lowOrder = secrets.find(({ secret }) => secret === undefined);
  if (lowOrder !== undefined) {
    for (const { secret } of secrets) secret?.erase();
    for (const dealer of held) eraseSecrets(dealer);
    return fault(
      'mask-vectors',
      'low-order-key',
      `the mask key of client ${lowOrder.peer} makes no secret`,
      `client ${lowOrder.peer}`,
    );
  }
  const { session, round } = agreement;
  const vectors = agreement.vectors.map(({ id }, i) => {
    const run = { session, round, transcript, vector: id };
    const masks: Mask[] = [maskOf({ seed: selfMaskSeed(content.selfSeed, run, client), sign: 1 })];
    for (const { peer, secret } of secrets) {
      masks.push(
        maskOf(pairMaskSeed(secret as SecretBytes, { ...run, contextHash }, client, peer)),
      );
    }
    const target = residues[i] as Residues;
    applyMasks(target, masks);
    return { modulus: target.modulus, length: target.values.length, packed: packResidues(target) };
  });
  for (const { secret } of secrets) secret?.erase();
  for (const [i, { keys }] of partners.entries()) if (!present.has(i)) keys.erase();
  return {
    kind: 'continue',
    state: clientState({
      content: {
        stage: 'masked',
        agreement,
        agreed,
        client,
        transcript,
        ownSelfShare: content.ownSelfShare,
        dealers: held,
        holders: holders.map((holder) => ({ client: holder.client, keys: holder.keys })),
      },
      config,
      ledger,
    }),
    message: {
      kind: 'masked-vectors',
      ...headingOf(content),
      contextHash,
      complaints: Bitmap.of(
        held.length,
        held.flatMap(({ selfShare }, i) => (selfShare === undefined ? [i] : [])),
      ),
      included: chosenByClients(agreement)
        ? holders.map(({ client: peer, keys }) => pairChannel(keys, client, peer).tag('included'))
        : [],
      vectors,
    },
  };
}

function checkInputs(
  vectors: readonly MaskedVector[],
  inputs: readonly IntegerVector[],
): Residues[] | SecAggClientFault {
  if (inputs.length !== vectors.length) {
    return fault(
      'mask-vectors',
      'wrong-vector-count',
      `${vectors.length} vectors are to be summed, got ${inputs.length}`,
    );
  }
  try {
    return vectors.map((vector, i) => inputResidues(vector, inputs[i]!));
  } catch (error) {
    if (
      error instanceof ProtocolError &&
      (error.code === 'invalid-length' ||
        error.code === 'not-an-integer' ||
        error.code === 'out-of-range')
    ) {
      // Not which element it was, nor on which side of its bound: this travels to the server, which
      // chose the bounds.
      return fault('mask-vectors', error.code, REFUSED[error.code]);
    }
    throw error;
  }
}

const REFUSED = {
  'invalid-length': "the lengths of this client's vectors are not those that are summed",
  'not-an-integer': 'a value of this client is no integer',
  'out-of-range': 'a value of this client is outside of what the sum takes',
} as const;

/**
 * Opens what a dealer sent. What is not from it, for this client, in this round, or not what it
 * committed to, counts as no share and is complained of; the round can do without it.
 */
function openShare(
  { agreement, client, transcript }: SharedState,
  { client: dealer, keys }: Partner,
  { sealed, commitments }: SealedShare,
  own: (secret: SecretBytes) => SecretBytes,
): HeldShares {
  const none: HeldShares = { client: dealer, keys, maskShare: undefined, selfShare: undefined };
  const plaintext = pairChannel(keys, client, dealer).open(sealed);
  if (plaintext === undefined) return none;
  const reader = new ByteReader(plaintext);
  const from = reader.uint16();
  const to = reader.uint16();
  const maskShare = own(new SecretBytes(reader.raw(32)));
  const selfShare = own(new SecretBytes(reader.raw(32)));
  plaintext.fill(0);
  const committed = (kind: 'mask-key' | 'self-mask', share: SecretBytes, start: number): boolean =>
    equalBytes(
      shareCommitment(transcript, kind, dealer, client, share.reveal()),
      commitments.subarray(start, start + TAG_LENGTH),
    );
  const holds =
    from === dealer &&
    to === client &&
    (agreement.model !== 'active' ||
      (committed('mask-key', maskShare, 0) && committed('self-mask', selfShare, TAG_LENGTH)));
  if (holds) return { client: dealer, keys, maskShare, selfShare };
  maskShare.erase();
  selfShare.erase();
  return none;
}
