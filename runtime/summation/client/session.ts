/** @file One round at a client: its state, its last answer, and how both are kept. */

import {
  abandonClient,
  equalBytes,
  isFault,
  restoreSecAggClient,
  type SecAggClientConfig,
  type SecAggClientState,
  SecretBytes,
  saveSecAggClient,
  sha256,
} from '../../../protocols/index.ts';
import { decodePlain, encodePlain, type Plain } from '../../../protocols/wire/plain-codec.ts';
import { taskCodec } from '../messages.ts';
import type { SummationTask } from '../task.ts';

/** The last step that was done: asked the very same again, a client says the very same again. */
export interface LastStep {
  /** SHA-256 of the request. */
  readonly digest: Uint8Array;
  readonly reply: Uint8Array;
}

export interface ClientSession {
  /** In hexadecimal. */
  readonly name: string;
  readonly task: SummationTask;
  readonly clients: number;
  /** Aborted when the round is over, for whoever works for it. */
  readonly controller: AbortController;
  /** When its latest step began, in milliseconds. */
  touched: number;
  state: SecAggClientState;
  last: LastStep;
}

export function isRepeated({ last }: Pick<ClientSession, 'last'>, digest: Uint8Array): boolean {
  return equalBytes(last.digest, digest);
}

/** Forgets a session. */
export function endSession(session: ClientSession, reason: string): void {
  abandonClient(session.state);
  session.controller.abort(new Error(reason));
}

/** As bytes that are as secret as the client's keys. */
export function saveSession({ task, clients, touched, state, last }: ClientSession): SecretBytes {
  const saved = saveSecAggClient(state);
  const kept = encodePlain({
    version: VERSION,
    task: taskCodec.encode(task),
    clients,
    touched,
    digest: last.digest,
    reply: last.reply,
    state: saved,
  });
  saved.erase();
  const bytes = new Uint8Array(kept.length + 32);
  bytes.set(kept);
  bytes.set(sha256(kept), kept.length);
  kept.fill(0);
  return new SecretBytes(bytes);
}

/**
 * What was saved under that name, for a client as it is configured now.
 * @throws ProtocolError or TypeError for bytes that are no session.
 */
export function restoreSession(
  name: string,
  saved: SecretBytes,
  config: SecAggClientConfig,
): ClientSession {
  const bytes = saved.reveal();
  const end = bytes.length - 32;
  const content = bytes.subarray(0, Math.max(0, end));
  if (end < 0 || !equalBytes(sha256(content), bytes.subarray(end))) {
    throw new TypeError('This is no saved session of a summation client, or it is damaged.');
  }
  const read = decodePlain(content) as { readonly [key: string]: Plain };
  const task = taskCodec.decode(read.task as Uint8Array);
  if (read.version !== VERSION || isFault(task)) {
    throw new TypeError('This session was saved by another version of the summation client.');
  }
  const state = read.state as SecretBytes;
  try {
    return {
      name,
      task,
      clients: read.clients as number,
      touched: read.touched as number,
      controller: new AbortController(),
      state: restoreSecAggClient(state, config),
      last: { digest: read.digest as Uint8Array, reply: read.reply as Uint8Array },
    };
  } finally {
    state.erase();
  }
}

const VERSION = 1;
