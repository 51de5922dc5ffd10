/**
 * @file The greeting on a new link. The client says who it is, what it can do and what it allows; the
 * coordinator welcomes it to a session, a new one or the one before, or refuses with a goodbye.
 */

import { create } from '@bufbuild/protobuf';
import { equalBytes } from '#crypto';
import { FedloomError, type TransportError } from '../../../computations/types/index.ts';
import {
  type Hello,
  HelloSchema,
  type Welcome,
  WelcomeSchema,
} from '../../../computations/wire/gen/fedloom/v1/envelope_pb.ts';
import { onAbort } from '../../../executors/interruption.ts';
import { errorOf, statusOf, transportError } from '../../../executors/remote/status.ts';
import { SecretBytes } from '../../../protocols/crypto/secret.ts';
import type { Link } from '../link.ts';
import { encodeControl, type IncomingFrame, violation } from './frames.ts';
import { ENVELOPE_VERSION, type Heartbeat, MAX_TIMER_MS, MIN_HEARTBEAT_MS } from './options.ts';
import { Port } from './port.ts';

/** What a client can do. */
export interface ClientCapabilities {
  /** Families of operators, e.g. `paillier`; at most 100. */
  readonly operators: readonly string[];
  /** What runs the kernels, e.g. `wasm`. */
  readonly backend: string;
  /** E.g. `node 20.19.0 linux x64`. */
  readonly platform: string;
  /** Version of this package. */
  readonly version: string;
}

/** What a client allows. */
export interface ClientPolicySummary {
  /** For people; at most 16,384 characters. */
  readonly text: string;
  /** SHA-256 of the policy, or nothing. */
  readonly hash: Uint8Array;
}

/** What a client says of itself. */
export interface ClientDescription {
  /** 1 to 200 characters, without control characters. */
  readonly name: string;
  readonly capabilities: ClientCapabilities;
  readonly policy: ClientPolicySummary;
}

/** What a coordinator is told. */
export interface ClientHello extends ClientDescription {
  /** The session that it would go on with. */
  readonly resume: ResumeRequest | null;
  readonly maxMessageBytes: number;
}

export interface ResumeRequest {
  readonly token: SecretBytes;
  /** Number of the last data frame that arrived at the client. */
  readonly received: number;
}

/** What a client is told. */
export interface CoordinatorWelcome {
  /** Names the session in logs. */
  readonly session: string;
  /** Whoever shows it takes over the session. */
  readonly token: SecretBytes;
  readonly resumed: boolean;
  readonly received: number;
  readonly maxMessageBytes: number;
  readonly heartbeat: Heartbeat;
}

/** A link on which the other side has said what it had to say first. */
export interface Greeted<T> {
  /** Paused until somebody reads it. */
  readonly port: Port;
  readonly message: T;
}

/** A token that resumes a session has so many bytes. */
export const TOKEN_BYTES = 32;

/**
 * Greets the coordinator at the other end of a link.
 * @throws TransportError what the coordinator refuses with; `transport.deadline_exceeded` if it does
 *   not answer in time; `transport.unavailable` if the link is lost. The link is closed then.
 */
export async function greetCoordinator(
  link: Link,
  hello: ClientHello,
  { helloMs, signal }: { readonly helloMs: number; readonly signal?: AbortSignal | undefined },
): Promise<Greeted<CoordinatorWelcome>> {
  return await greet(
    link,
    { waitMs: helloMs, signal, what: 'a welcome' },
    (frame) => {
      if (frame.kind === 'welcome') return fromWelcome(frame.welcome);
      if (frame.kind === 'bye') throw refusal(frame.code, frame.reason);
      throw violation(`a ${frame.kind} came instead of a welcome`);
    },
    encodeControl({ case: 'hello', value: toHello(hello) }),
  );
}

/**
 * Waits for a client at the other end of a link to say hello.
 * @throws TransportError `transport.unimplemented` for a version that is not spoken here, and as
 *   `greetCoordinator`. The link is closed then, and the client is told why.
 */
export async function awaitHello(
  link: Link,
  { helloMs, signal }: { readonly helloMs: number; readonly signal?: AbortSignal | undefined },
): Promise<Greeted<ClientHello>> {
  return await greet(
    link,
    { waitMs: helloMs, signal, what: 'a hello' },
    (frame) => {
      if (frame.kind === 'hello') return fromHello(frame.hello);
      throw violation(`a ${frame.kind} came instead of a hello`);
    },
    null,
  );
}

export function encodeWelcome(welcome: CoordinatorWelcome): Uint8Array {
  const { session, token, resumed, received, maxMessageBytes, heartbeat } = welcome;
  const value = create(WelcomeSchema, {
    version: ENVELOPE_VERSION,
    session,
    token: token.reveal(),
    resumed,
    received: BigInt(received),
    maxMessageBytes: BigInt(maxMessageBytes),
    ...heartbeat,
  });
  return encodeControl({ case: 'welcome', value });
}

/** Says why a client is not welcome, and ends the link. Of errors that are not ours it says nothing. */
export function refuse(port: Port, error: unknown): Promise<void> {
  const { code, message } = statusOf(error);
  const reason = error instanceof FedloomError ? message : 'The greeting failed.';
  return port.leave(code, reason, REFUSAL_MS);
}

/** Compares tokens in a time that tells nothing of them. */
export function isToken(shown: SecretBytes, token: SecretBytes): boolean {
  return shown.length === token.length && equalBytes(shown.reveal(), token.reveal());
}

/** Whether a client that was refused or dismissed so would be again. */
export function isFinalRefusal(error: unknown): boolean {
  return error instanceof Error && FINAL.has(String(Reflect.get(error, 'code')));
}

const FINAL: ReadonlySet<string> = new Set<TransportError['code']>([
  'transport.unauthenticated',
  'transport.permission_denied',
  'transport.unimplemented',
  'transport.invalid_argument',
]);

/** So long a refusal may wait until the link takes it. */
const REFUSAL_MS = 1000;

interface Wait {
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
  readonly what: string;
}

function greet<T>(
  link: Link,
  { waitMs, signal, what }: Wait,
  read: (frame: IncomingFrame) => T,
  first: Uint8Array | null,
): Promise<Greeted<T>> {
  const port = new Port(link);
  return new Promise((resolve, reject) => {
    let isDone = false;
    const done = (): boolean => {
      if (isDone) return false;
      isDone = true;
      clearTimeout(timer);
      stop?.();
      return true;
    };
    const fail = (error: unknown): void => {
      if (!done()) return;
      reject(error);
      // The other side is told, unless it is the one that told.
      if (port.isOpen && !isFarewell(error)) void refuse(port, error);
      else port.close();
    };
    const timer = setTimeout(
      () => {
        const text = `Nobody sent ${what} within ${waitMs} ms.`;
        fail(transportError('transport.deadline_exceeded', text));
      },
      Math.min(waitMs, MAX_TIMER_MS),
    );
    const stop = signal && onAbort(signal, () => fail(signal.reason));
    port.read({
      frame: (frame) => {
        try {
          const message = read(frame);
          // What comes next is not for the greeting.
          port.pause();
          if (done()) resolve({ port, message });
        } catch (error) {
          fail(error);
        }
      },
      closed: fail,
      violated: fail,
    });
    if (signal?.aborted) fail(signal.reason);
    else if (first !== null) port.send(first).catch(fail);
  });
}

/** Refusals by the other side, which need not be told of them. */
const farewells = new WeakSet<object>();

function refusal(code: number, reason: string): Error {
  const error = errorOf({ code, message: reason.slice(0, 1000) });
  farewells.add(error);
  return error;
}

function isFarewell(error: unknown): boolean {
  return typeof error === 'object' && error !== null && farewells.has(error);
}

function toHello({ name, resume, capabilities, policy, maxMessageBytes }: ClientHello): Hello {
  return create(HelloSchema, {
    versions: [ENVELOPE_VERSION],
    name,
    ...(resume !== null && {
      resume: { token: resume.token.reveal(), received: BigInt(resume.received) },
    }),
    capabilities: { ...capabilities, operators: [...capabilities.operators] },
    policy: { text: policy.text, hash: policy.hash },
    maxMessageBytes: BigInt(maxMessageBytes),
  });
}

function fromHello(hello: Hello): ClientHello {
  const { versions, name, resume, capabilities, policy, maxMessageBytes } = hello;
  if (!versions.includes(ENVELOPE_VERSION)) {
    throw transportError(
      'transport.unimplemented',
      `The client speaks versions ${versions.slice(0, 10).join(', ')} of the envelope; this is version ${ENVELOPE_VERSION}.`,
    );
  }
  const operators = capabilities?.operators ?? [];
  if (operators.length > 100) throw violation(`a client names ${operators.length} operators`);
  return {
    ...checkDescription({
      name,
      capabilities: {
        operators,
        backend: capabilities?.backend ?? '',
        platform: capabilities?.platform ?? '',
        version: capabilities?.version ?? '',
      },
      policy: { text: policy?.text ?? '', hash: Uint8Array.from(policy?.hash ?? []) },
    }),
    resume: resume === undefined ? null : fromResume(resume.token, resume.received),
    maxMessageBytes: within(maxMessageBytes, 1, 2 ** 32 - 1, 'the longest message'),
  };
}

/**
 * @returns what was given.
 * @throws TransportError `transport.invalid_argument` for a description that is out of bounds.
 */
export function checkDescription(description: ClientDescription): ClientDescription {
  const { name, capabilities, policy } = description;
  if (name === '') throw violation('a client has no name');
  const { operators, backend, platform, version } = capabilities;
  for (const word of [name, backend, platform, version, ...operators]) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
    if (word.length > 200 || /[\u0000-\u001f\u007f-\u009f]/.test(word)) {
      throw violation('a client describes itself in words that are too long or not printable');
    }
  }
  if (policy.text.length > 16_384 || policy.hash.length > 64) {
    throw violation('the summary of a policy is too long');
  }
  return description;
}

function fromResume(token: Uint8Array, received: bigint): ResumeRequest {
  if (token.length !== TOKEN_BYTES) throw violation(`a token has ${token.length} bytes`);
  return {
    token: new SecretBytes(Uint8Array.from(token)),
    received: within(received, 0, Number.MAX_SAFE_INTEGER, 'the number of a frame'),
  };
}

function fromWelcome(welcome: Welcome): CoordinatorWelcome {
  const { version, session, token, resumed, received, maxMessageBytes } = welcome;
  const { heartbeatMs, silenceMs, graceMs } = welcome;
  if (version !== ENVELOPE_VERSION) {
    throw transportError(
      'transport.unimplemented',
      `The coordinator speaks version ${version} of the envelope; this is version ${ENVELOPE_VERSION}.`,
    );
  }
  const heartbeat = {
    heartbeatMs: within(heartbeatMs, MIN_HEARTBEAT_MS, MAX_TIMER_MS, 'the heartbeat'),
    silenceMs: within(silenceMs, 2 * MIN_HEARTBEAT_MS, MAX_TIMER_MS, 'the longest silence'),
    graceMs: within(graceMs, 0, MAX_TIMER_MS, 'the period of grace'),
  };
  return {
    session: session.slice(0, 100),
    ...fromResume(token, received),
    resumed,
    maxMessageBytes: within(maxMessageBytes, 1, 2 ** 32 - 1, 'the longest message'),
    heartbeat,
  };
}

function within(value: bigint | number, from: number, to: number, what: string): number {
  if (value >= from && value <= to) return Number(value);
  throw violation(`${what} is ${value}, which is not from ${from} to ${to}`);
}
