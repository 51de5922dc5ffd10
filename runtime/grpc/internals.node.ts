/**
 * @file The HTTP/2 stream under a call that grpc-js serves. grpc-js 1.14 has no way to it, and without
 * it three things cannot be done: to notice that a connection ended, to receive more than 64 KiB a
 * round trip, and to break off a call whose peer reads no more. A later grpc-js may keep the stream
 * elsewhere: then these three are left out, and all else goes on.
 */

import type { Http2Session, ServerHttp2Stream } from 'node:http2';
import { transportError } from '../../executors/remote/status.ts';

/** The stream of a call, if it is where we look for it. */
export function http2StreamOf(call: object): ServerHttp2Stream | null {
  const inner: unknown = Reflect.get(call, 'call');
  if (typeof inner !== 'object' || inner === null) return null;
  const stream: unknown = Reflect.get(inner, 'stream');
  return isServerStream(stream) ? stream : null;
}

/**
 * The connection of a call; `null` if it cannot be told.
 * @throws TransportError `transport.cancelled` if it has ended.
 */
export function sessionOf(call: object): Http2Session | null {
  const stream = http2StreamOf(call);
  if (stream === null) return null;
  const { session } = stream;
  if (session !== undefined && !session.destroyed) return session;
  throw transportError('transport.cancelled', 'The connection of the call has ended.');
}

/**
 * Lets the peer send so many bytes before it hears from us, on each stream and on the connection; once
 * for each connection. Otherwise it is 64 KiB a round trip, as slow as 1.3 MB/s at 50 ms.
 */
export function widenWindow(session: Http2Session, bytes: number): void {
  if (widened.has(session)) return;
  widened.add(session);
  session.settings({ initialWindowSize: bytes });
  session.setLocalWindowSize(bytes);
}

/**
 * How many frames a stream of objects reads ahead of who listens; Node's default is 16, which are
 * 16 MiB for a peer that is not read from.
 */
export function limitReadAhead(stream: object, frames: number): void {
  const state: unknown = Reflect.get(stream, '_readableState');
  if (typeof state === 'object' && state !== null && 'highWaterMark' in state) {
    state.highWaterMark = frames;
  }
}

const widened = new WeakSet<Http2Session>();

function isServerStream(stream: unknown): stream is ServerHttp2Stream {
  return typeof stream === 'object' && stream !== null && 'session' in stream && 'close' in stream;
}
