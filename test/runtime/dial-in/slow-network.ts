/**
 * @file A network between clients and a coordinator, for tests: a TCP proxy on loopback that hands bytes
 * on late, in order, no faster than it may, and whose connections can be cut.
 */

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export interface SlowNetworkOptions {
  /** How long each byte takes, each way, in milliseconds. @default 0 */
  readonly delayMs?: number;
  /** Of each connection, each way. @default no limit */
  readonly bytesPerSecond?: number;
}

export class SlowNetwork implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #connections = 0;
  /** Those that were there when it was frozen carry nothing any more. */
  #frozenAt = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param port of the coordinator. */
  static async start(port: number, options: SlowNetworkOptions = {}): Promise<SlowNetwork> {
    const server = createServer({ allowHalfOpen: true });
    const network = new SlowNetwork(server);
    server.on('connection', (near) => {
      const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      const number = ++network.#connections;
      const isFrozen = (): boolean => number <= network.#frozenAt;
      for (const socket of [near, far]) network.#keep(socket);
      carry(near, far, options, isFrozen);
      carry(far, near, options, isFrozen);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return network;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How many connections there have been. */
  get connections(): number {
    return this.#connections;
  }

  /** Ends all connections; new ones can be made. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Nothing arrives any more over the connections that there are, and nobody is told. */
  freeze(): void {
    this.#frozenAt = this.#connections;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    await closed;
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  }
}

/** Hands on what `from` says to `to`. */
function carry(
  from: Socket,
  to: Socket,
  options: SlowNetworkOptions,
  isFrozen: () => boolean,
): void {
  const { delayMs = 0, bytesPerSecond = Number.POSITIVE_INFINITY } = options;
  /** `null` is the end. */
  const onTheWay: { readonly bytes: Buffer | null; readonly dueAt: number }[] = [];
  let held = 0;
  let isFreeAt = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deliver = (): void => {
    timer = undefined;
    while (onTheWay[0] !== undefined && onTheWay[0].dueAt <= performance.now()) {
      const { bytes } = onTheWay.shift() as (typeof onTheWay)[number];
      if (!isFrozen()) {
        if (bytes === null) to.end();
        else to.write(bytes);
      }
      held -= bytes?.length ?? 0;
    }
    if (held <= MOST_HELD) from.resume();
    wait();
  };
  const wait = (): void => {
    const [next] = onTheWay;
    if (next === undefined || timer !== undefined) return;
    timer = setTimeout(deliver, Math.max(0, next.dueAt - performance.now()));
  };
  const accept = (bytes: Buffer | null): void => {
    const length = bytes?.length ?? 0;
    const begins = Math.max(performance.now(), isFreeAt);
    isFreeAt = begins + (1000 * length) / bytesPerSecond;
    onTheWay.push({ bytes, dueAt: isFreeAt + delayMs });
    held += length;
    if (held > MOST_HELD) from.pause();
    wait();
  };
  from.on('data', accept);
  from.on('end', () => accept(null));
  from.on('close', () => {
    if (from.readableEnded || isFrozen()) return;
    clearTimeout(timer);
    to.destroy();
  });
  to.on('close', () => {
    clearTimeout(timer);
    if (!isFrozen()) from.destroy();
  });
}

/** A slow line holds little; what is more waits at its sender. */
const MOST_HELD = 256 * 1024;
