/** @file Addresses of listeners and peers, and which of them never leave this machine. */

import { BlockList, isIP } from 'node:net';
import { transportError } from '../../executors/remote/status.ts';

/** What may go over the wire in plain text. */
export type InsecureChannels = 'loopback' | 'anywhere';

/**
 * @throws TransportError `transport.invalid_argument` for an address off this machine, unless plain
 *   text is allowed anywhere.
 */
export function requirePlaintextAllowed(
  address: string,
  what: string,
  insecure: InsecureChannels = 'loopback',
): void {
  if (insecure === 'anywhere' || isLoopback(address)) return;
  throw transportError(
    'transport.invalid_argument',
    `${what} ${address} has no credentials, so all could be read and changed on the way. Give it credentials (TLS), use 127.0.0.1 or ::1, or, on a network that is trusted, say insecure: 'anywhere'.`,
  );
}

/** Whether `host:port` or `unix:path` is reached from this machine only. */
export function isLoopback(address: string): boolean {
  if (address.startsWith('unix:')) return true;
  const host = hostOf(address);
  const version = isIP(host);
  if (version === 0) return host === 'localhost';
  return LOOPBACK.check(host, version === 4 ? 'ipv4' : 'ipv6');
}

/** The host of `host:port`, without the brackets of IPv6. */
export function hostOf(address: string): string {
  const target = address.replace(/^dns:(\/\/\/)?/, '');
  const [, bracketed] = /^\[([^\]]*)\]/.exec(target) ?? [];
  return bracketed ?? target.replace(/:\d+$/, '');
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');
