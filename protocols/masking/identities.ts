/** @file What may identify a client, a session and a round. */

import { utf8 } from '../crypto/bytes.ts';
import { IDENTITY_LIMIT } from '../wire/message-codec.ts';
import type { ParametersProblem } from './parameters.ts';

export function problemOfIdentity(client: string): ParametersProblem | undefined {
  // A lone surrogate has no UTF-8 of its own, so two such names would have one encoding.
  if (
    client.length > 0 &&
    !/\p{Surrogate}/u.test(client) &&
    utf8(client).length <= IDENTITY_LIMIT
  ) {
    return undefined;
  }
  return {
    code: 'invalid-parameters',
    message: `a client is named by 1 to ${IDENTITY_LIMIT} bytes of UTF-8, got "${client}"`,
  };
}

export function problemOfSession(
  session: Uint8Array,
  round: number,
): ParametersProblem | undefined {
  if (session.length < 16 || session.length > 64) {
    return {
      code: 'invalid-parameters',
      message: `a session is identified by 16 to 64 bytes, got ${session.length}`,
    };
  }
  if (!Number.isInteger(round) || round < 0 || round >= 2 ** 32) {
    return {
      code: 'invalid-parameters',
      message: `a round is numbered from 0 to 2^32 - 1, got ${round}`,
    };
  }
  return undefined;
}
