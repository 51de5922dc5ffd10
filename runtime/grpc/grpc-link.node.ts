/**
 * @file A link over a gRPC stream: `fedloom.v1.ExecutorLinkService.Open`, whichever side opened it. The
 * frames of both directions are under HTTP/2's flow control, so a slow reader slows its writer down.
 */

import { type ClientDuplexStream, Metadata, type ServerDuplexStream } from '@grpc/grpc-js';
import { transportError } from '../../executors/remote/status.ts';
import { freeMemory } from '../../protocols/free-memory.ts';
import {
  hasHeadroom,
  type Link,
  type LinkListener,
  MAX_FRAME_BYTES,
  type PeerIdentity,
} from '../remote/link.ts';
import { certificateIdentity } from './certificate-identity.node.ts';
import type { LinkMessage } from './frame-codec.node.ts';
import { errorOfCall, grpcStatusOf, isServiceError } from './grpc-status.node.ts';
import { http2StreamOf, limitReadAhead } from './internals.node.ts';

/** The server's end of a call of Open. */
export function acceptedLink(stream: ServerDuplexStream<LinkMessage, LinkMessage>): Link {
  // The headers tell the other side that it is connected.
  stream.sendMetadata(new Metadata());
  return new GrpcLink({
    peer: peerOf(stream),
    stream,
    write: (frame, done) => void stream.write({ frame }, done),
    end(reason) {
      // grpc-js takes what is emitted as the status to end with.
      if (reason === undefined) stream.end();
      else stream.emit('error', grpcStatusOf(reason));
    },
    abort: () => http2StreamOf(stream)?.close(CANCEL),
  });
}

/** The client's end of a call of Open whose headers came. */
export function openedLink(stream: ClientDuplexStream<LinkMessage, LinkMessage>): Link {
  return new GrpcLink({
    peer: peerOf(stream),
    stream,
    write: (frame, done) => void stream.write({ frame }, done),
    end: () => stream.end(),
    abort: () => stream.cancel(),
  });
}

/** The longest message of a link: a frame, and what is around it. */
export const MAX_LINK_MESSAGE_BYTES = MAX_FRAME_BYTES + 16;

/** What grpc-js tells of the other end of a call. */
interface CallPeer {
  getPeer(): string;
  getAuthContext(): { readonly sslPeerCertificate?: { readonly raw: Buffer } } | null;
}

/** Who is at the other end of a call, as far as TLS has proven it. */
export function peerOf(call: CallPeer): PeerIdentity {
  const certificate = call.getAuthContext()?.sslPeerCertificate;
  return {
    name: certificate === undefined ? null : certificateIdentity(certificate.raw).name,
    address: call.getPeer(),
  };
}

type FrameStream =
  | ClientDuplexStream<LinkMessage, LinkMessage>
  | ServerDuplexStream<LinkMessage, LinkMessage>;

interface LinkEnds {
  readonly peer: PeerIdentity;
  readonly stream: FrameStream;
  /** @param done called when the frame has left this process. */
  write(frame: Uint8Array, done: () => void): void;
  /** Ends the stream when all is written. */
  end(reason: Error | undefined): void;
  /** Ends the stream at once. */
  abort(): void;
}

class GrpcLink implements Link {
  readonly peer: PeerIdentity;
  readonly #ends: LinkEnds;
  readonly #stream: FrameStream;
  #listener: LinkListener | null = null;
  /** Why the link is gone. */
  #ended: Error | null = null;
  /** Of frames that were written and have not left this process. */
  #bytesInFlight = 0;
  #wake: (() => void)[] = [];
  #abortTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(ends: LinkEnds) {
    this.peer = ends.peer;
    this.#ends = ends;
    this.#stream = ends.stream;
    limitReadAhead(this.#stream, READ_AHEAD);
    this.#watch();
  }

  listen(listener: LinkListener): void {
    this.#listener = listener;
    if (this.#ended !== null) {
      listener.closed(this.#ended);
      return;
    }
    this.#stream.on('data', ({ frame }: LinkMessage) => this.#receive(frame));
  }

  async send(frame: Uint8Array): Promise<void> {
    if (this.#ended !== null) throw this.#ended;
    if (frame.length > MAX_FRAME_BYTES) {
      throw transportError(
        'transport.invalid_argument',
        `A frame has at most ${MAX_FRAME_BYTES} bytes; got ${frame.length}.`,
      );
    }
    const bytes = frame.length + FRAME_COST;
    this.#bytesInFlight += bytes;
    this.#ends.write(frame, () => {
      this.#bytesInFlight -= bytes;
      if (hasHeadroom(frame)) freeMemory(frame.buffer);
      if (this.#bytesInFlight <= MAX_BYTES_IN_FLIGHT) this.#wakeAll();
    });
    while (this.#bytesInFlight > MAX_BYTES_IN_FLIGHT && this.#ended === null) {
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    if (this.#ended !== null) throw this.#ended;
  }

  close(reason?: Error): void {
    if (this.#ended !== null) return;
    const ended = reason ?? transportError('transport.unavailable', 'The link was closed here.');
    this.#finish(ended);
    this.#ends.end(reason);
    // A peer that reads no more would keep the stream, and what is written on it, for ever.
    this.#abortTimer = setTimeout(() => this.#ends.abort(), FLUSH_MS);
    this.#stream.resume();
  }

  /** While a frame is worked on, none is read. */
  #receive(frame: Uint8Array): void {
    if (this.#ended !== null || this.#listener === null) return;
    if (frame.length > MAX_FRAME_BYTES) {
      this.close(
        transportError(
          'transport.resource_exhausted',
          `A frame has at most ${MAX_FRAME_BYTES} bytes; got ${frame.length}.`,
        ),
      );
      return;
    }
    try {
      // A view of its own class: a Buffer's slice() is another than that of bytes.
      const bytes = new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength);
      const working = this.#listener.frame(bytes);
      if (working === undefined) return;
      this.#stream.pause();
      working.then(
        () => this.#stream.resume(),
        (error: unknown) => this.close(asError(error)),
      );
    } catch (error) {
      this.close(asError(error));
    }
  }

  #watch(): void {
    const stream = this.#stream;
    stream.on('error', (error: Error) => this.#finish(reasonOf(error)));
    stream.on('cancelled', () => this.#finish(gone('was broken off')));
    stream.on('end', () => {
      this.#finish(gone('was ended by the peer'));
      this.#ends.end(undefined);
    });
    stream.on('close', () => {
      this.#finish(gone('was broken off'));
      clearTimeout(this.#abortTimer);
    });
    // At a client: the last that is heard of a call.
    stream.on('status', () => clearTimeout(this.#abortTimer));
  }

  #finish(reason: Error): void {
    if (this.#ended !== null) return;
    this.#ended = reason;
    this.#wakeAll();
    this.#listener?.closed(reason);
  }

  #wakeAll(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}

function reasonOf(error: Error): Error {
  return isServiceError(error) ? errorOfCall(error, 'The link') : error;
}

function gone(how: string): Error {
  return transportError('transport.unavailable', `The link ${how}.`);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** NGHTTP2_CANCEL. */
const CANCEL = 8;

/** One frame is written while another waits to be. */
const MAX_BYTES_IN_FLIGHT = MAX_FRAME_BYTES;

/** What a frame costs beside its content, so that very many short ones count, too. */
const FRAME_COST = 256;

/** Frames that are read before the listener takes them. */
const READ_AHEAD = 2;

/** How long the last frames of a link may take to leave, in milliseconds. */
const FLUSH_MS = 2_000;
