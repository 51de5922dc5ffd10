/**
 * @file A link: an ordered way for frames between two processes, as long as it lasts. A gRPC stream, a
 * WebSocket and a pair in memory are links; what travels over them is the envelope's business.
 */

/** Who is at the other end, as far as the transport itself has proven it. */
export interface PeerIdentity {
  /** The name that its certificate proves; `null` where the transport proves none. */
  readonly name: string | null;
  /** Where it connects from, for logs. */
  readonly address: string;
}

export interface LinkListener {
  /**
   * A frame came, which is the listener's from now on. While the promise is pending the link reads no more, so that its peer is slowed down
   * and not this process filled up.
   */
  frame(bytes: Uint8Array): void | Promise<void>;
  /** The link is gone; called once, also after `close`. */
  closed(reason: Error): void;
}

export interface Link {
  readonly peer: PeerIdentity;
  /** Called once. Frames that came before are handed over then. */
  listen(listener: LinkListener): void;
  /**
   * @param frame at most `MAX_FRAME_BYTES`; the link's from now on.
   * @returns when the next frame may be sent: whoever sends waits for it.
   * @throws TransportError `transport.unavailable` if the link is gone.
   */
  send(frame: Uint8Array): Promise<void>;
  /** Ends the link at both ends; twice is allowed. */
  close(reason?: Error): void;
}

/** The longest frame of a link, in bytes: a chunk of 1 MiB and what is around it. */
export const MAX_FRAME_BYTES = 2 ** 20 + 4096;

/** What `newFrame` leaves free before a frame. */
export const FRAME_HEADROOM = 8;

/** Memory for a frame, with room before it: a link can put a header there, and need not copy the frame. */
export function newFrame(length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(FRAME_HEADROOM + length), FRAME_HEADROOM);
}

/** Whether a frame has room before it, and its memory to itself. */
export function hasHeadroom({ buffer, byteOffset, byteLength }: Uint8Array): boolean {
  return byteOffset === FRAME_HEADROOM && buffer.byteLength === FRAME_HEADROOM + byteLength;
}
