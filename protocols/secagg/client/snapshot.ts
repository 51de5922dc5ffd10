/**
 * @file A client's state as bytes, so that it outlives its process. The bytes are as secret as the
 * client's keys. They restore the state as often as wanted; that no step is done twice is the
 * ledger's part, so a client that is to be restored needs one that lasts.
 */

import { equalBytes, sha256 } from '#crypto';
import { utf8 } from '../../crypto/bytes.ts';
import { SecretBytes } from '../../crypto/secret.ts';
import { isFault, ProtocolError } from '../../errors.ts';
import type { SessionLedger } from '../../session-ledger.ts';
import { ByteReader, malformed } from '../../wire/byte-reader.ts';
import { ByteWriter } from '../../wire/byte-writer.ts';
import { decodePlain, encodePlain, type Plain } from '../../wire/plain-codec.ts';
import { agreementHash } from '../agreement.ts';
import { announcementCodec } from '../messages.ts';
import type { SecAggClientConfig } from './config.ts';
import { type ClientContent, clientState, type SecAggClientState } from './state.ts';

/**
 * The state, to be restored in another process. The state itself stays usable: whichever of the two
 * takes the next step first, the other is refused.
 * @throws ProtocolError `state-consumed`; `invalid-argument` without a ledger of the client's own.
 */
export function saveSecAggClient(state: SecAggClientState): SecretBytes {
  const { content, config } = state.peek();
  requireLedger(config);
  const { agreement, agreed: _, ...rest } = content;
  const announcement = announcementCodec.encode({
    kind: 'announcement',
    client: content.client,
    agreement,
  });
  const kept = encodePlain(rest as unknown as Plain);
  const body = new ByteWriter().raw(MAGIC).bytes(announcement).bytes(kept).finish();
  const saved = new ByteWriter().raw(body).raw(sha256(body)).finish();
  kept.fill(0);
  body.fill(0);
  return new SecretBytes(saved);
}

/**
 * @param config the client's own, as it is now: identity, roster and policy are not in the bytes.
 * @throws ProtocolError `malformed-message` for bytes that are no saved state; `invalid-argument`
 *   without a ledger.
 */
export function restoreSecAggClient(
  saved: SecretBytes | Uint8Array,
  config: SecAggClientConfig,
): SecAggClientState {
  const ledger = requireLedger(config);
  const bytes = saved instanceof SecretBytes ? saved.reveal() : saved;
  const body = bytes.subarray(0, Math.max(0, bytes.length - 32));
  if (
    bytes.length < MAGIC.length + 32 ||
    !equalBytes(body.subarray(0, MAGIC.length), MAGIC) ||
    !equalBytes(sha256(body), bytes.subarray(body.length))
  ) {
    throw malformed('this is no saved state of a secure aggregation client, or it is damaged');
  }
  const reader = new ByteReader(body.subarray(MAGIC.length));
  const announcement = announcementCodec.decode(reader.bytes(reader.remaining));
  if (isFault(announcement)) throw malformed(announcement.message);
  const { agreement } = announcement;
  const encoded = reader.bytes(reader.remaining);
  reader.end();
  const kept = decodePlain(encoded) as unknown as Omit<ClientContent, 'agreement' | 'agreed'>;
  // A copy, with the secrets in it.
  encoded.fill(0);
  const content = { ...kept, agreement, agreed: agreementHash(agreement) } as ClientContent;
  return clientState({ content, config, ledger });
}

function requireLedger({ ledger }: SecAggClientConfig): SessionLedger {
  if (ledger !== undefined) return ledger;
  throw new ProtocolError(
    'invalid-argument',
    'a client whose state is saved needs a ledger that outlives its process, or a step could be done twice',
  );
}

const MAGIC = utf8('fedloom secagg client state v1');
