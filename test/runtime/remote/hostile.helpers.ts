/** @file Frames that are written by hand, and peers that send them. */

import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { expect, vi } from 'vitest';
import { TransportError } from '../../../computations/types/index.ts';
import {
  CancelSchema,
  FrameSchema,
  type Part,
  PartSchema,
  RequestSchema,
  type WelcomeSchema,
} from '../../../computations/wire/gen/fedloom/v1/envelope_pb.ts';
import { decodeStatus } from '../../../executors/remote/messages/status-codec.ts';
import type { ConnectedClient } from '../../../runtime/remote/connected-client.ts';
import { ConnectedClients } from '../../../runtime/remote/connected-clients.ts';
import {
  decodeFrame,
  encodeControl,
  type IncomingFrame,
  type OutgoingPart,
} from '../../../runtime/remote/envelope/frames.ts';
import type { EnvelopeLimits } from '../../../runtime/remote/envelope/options.ts';
import type { Link, LinkListener } from '../../../runtime/remote/link.ts';
import { memoryLinks } from '../../../runtime/remote/memory-link.ts';
import { bytesOf, type Echo, echoClient } from './envelope.helpers.ts';

export function frame(init: MessageInitShape<typeof FrameSchema>): Uint8Array {
  return toBinary(FrameSchema, create(FrameSchema, init));
}

export function welcome(value: MessageInitShape<typeof WelcomeSchema>): Uint8Array {
  return frame({ kind: { case: 'welcome', value } });
}

export function control(kind: 'ack' | 'ping' | 'pong', acknowledged = 0): Uint8Array {
  return encodeControl({ case: kind, acknowledged });
}

export type PartInit = MessageInitShape<typeof PartSchema>;

export function data(number: number, parts: readonly PartInit[]): Uint8Array {
  const value = { number: BigInt(number), parts: [...parts] };
  return frame({ kind: { case: 'data', value } });
}

export function request(call: number, method: string, length: number, chunk: Uint8Array): PartInit {
  const value = { method, length: BigInt(length), timeoutMs: 1000 };
  return { call: BigInt(call), head: { case: 'request', value }, chunk };
}

export function response(call: number, length: number, chunk: Uint8Array): PartInit {
  const value = { length: BigInt(length) };
  return { call: BigInt(call), head: { case: 'response', value }, chunk };
}

export function requestHead(call: number, method: string, length: number): Uint8Array {
  return toBinary(PartSchema, create(PartSchema, request(call, method, length, new Uint8Array(0))));
}

export function nothing(): OutgoingPart {
  return { head: new Uint8Array(0), offset: 0, pieces: [], length: 0 };
}

export function decodedOrNull(bytes: Uint8Array): IncomingFrame | null {
  try {
    return decodeFrame(bytes);
  } catch {
    return null;
  }
}

export function decodedOrRefused(bytes: Uint8Array): boolean {
  try {
    decodeFrame(bytes);
    return true;
  } catch (error) {
    return error instanceof TransportError && error.code === 'transport.invalid_argument';
  }
}

/** Makes a frame that may be the next one, or nearly, from its number. */
export function hostileFrame(): fc.Arbitrary<(number: number) => Uint8Array> {
  const part: fc.Arbitrary<PartInit> = fc.record({
    call: fc.bigInt(0n, 4n),
    offset: fc.constantFrom(0n, 0n, 5000n, 2n ** 60n),
    chunk: fc.constantFrom(0, 0, 5, 5000, 60_000).map((length) => bytesOf(length)),
    head: fc.oneof(
      fc.constant<NonNullable<Part['head']>>({ case: undefined }),
      fc
        .record({
          method: fc.constantFrom('createSelection', 'compute', 'toString', ''),
          length: fc.constantFrom(0n, 5n, 5000n, 65_000n, 2n ** 40n),
          timeoutMs: fc.constantFrom(0, 1, 2 ** 32 - 1),
        })
        .map((value) => ({ case: 'request', value: create(RequestSchema, value) }) as const),
      fc.constant({ case: 'cancel', value: create(CancelSchema) } as const),
    ),
  });
  return fc.oneof(
    {
      weight: 8,
      arbitrary: fc
        .array(part, { maxLength: 4 })
        .map((parts) => (number: number) => data(number, parts)),
    },
    {
      weight: 1,
      arbitrary: fc
        .integer({ min: 0, max: 3 })
        .map((more) => (number: number) => data(number + more, [])),
    },
    {
      weight: 2,
      arbitrary: fc
        .constantFrom('ack' as const, 'ping' as const, 'pong' as const)
        .map((kind) => () => control(kind)),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 50 }).map((bytes) => () => bytes) },
  );
}

/** A client of ours, and a coordinator of which every frame is written by hand. */
export async function hostileCoordinator(limits: Partial<EnvelopeLimits> = {}) {
  const echoes: Echo[] = [];
  const client = echoClient(echoes, { limits });
  let listener: LinkListener | null = null;
  const frames: IncomingFrame[] = [];
  let isOpen = true;
  const peer = {
    client,
    frames,
    isOpen: () => isOpen,
    onFrame: (_: IncomingFrame): void => {},
    /** Hands over a frame without waiting. */
    inject: (bytes: Uint8Array) => void listener?.frame(bytes),
    async send(bytes: Uint8Array): Promise<void> {
      await listener?.frame(bytes);
      for (let turn = 0; turn < 20; turn += 1) await null;
    },
    lastNumber: () =>
      frames.reduce((last, each) => (each.kind === 'data' ? Math.max(last, each.number) : last), 0),
    /** The code of the answer to each call that has one. */
    answered: () => {
      const codes = new Map<number, number>();
      for (const each of frames) {
        for (const { call, head } of each.kind === 'data' ? each.parts : []) {
          if (head.case !== 'response') continue;
          const { failure } = head.value;
          codes.set(call, failure.length === 0 ? 0 : decodeStatus(failure).code);
        }
      }
      return codes;
    },
    async responses(count: number) {
      await vi.waitFor(() => expect(peer.answered().size).toBeGreaterThanOrEqual(count));
    },
  };
  const link: Link = {
    peer: { name: null, address: 'hostile' },
    listen(given) {
      listener = given;
    },
    async send(bytes) {
      const decoded = decodeFrame(bytes);
      frames.push(decoded);
      peer.onFrame(decoded);
    },
    close() {
      isOpen = false;
    },
  };
  const served = client.serve(link);
  await null;
  peer.inject(
    frame({
      kind: {
        case: 'welcome',
        value: {
          version: 1,
          session: 's',
          token: new Uint8Array(32),
          maxMessageBytes: 10n ** 9n,
          heartbeatMs: 10_000,
          silenceMs: 30_000,
          graceMs: 1000,
        },
      },
    }),
  );
  const { lost } = await served;
  return Object.assign(peer, { lost, echo: echoes[0] as Echo });
}

/** A coordinator of ours, and a client of which every frame is written by hand. */
export async function hostileClient() {
  const clients = new ConnectedClients();
  const { left, right } = memoryLinks();
  const accepted = clients.accept(left);
  right.listen({ frame() {}, closed() {} });
  await right.send(
    frame({
      kind: { case: 'hello', value: { versions: [1], name: 'eve', maxMessageBytes: 1000n } },
    }),
  );
  const remote = (await accepted) as ConnectedClient;
  return { clients, remote, send: (bytes: Uint8Array) => right.send(bytes) };
}
