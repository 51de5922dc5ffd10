/**
 * @file Mutual TLS: certificates and keys read from PEM files, looked at before they are used, so that
 * what is wrong with them is said here and not as a connection that fails.
 */

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureVersion } from 'node:tls';
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import { transportError } from '../../executors/remote/status.ts';
import { type CertificateIdentity, certificateIdentity } from './certificate-identity.node.ts';

/** The path of a PEM file, or what is in one. */
export type PemSource = string | Uint8Array;

export interface TlsSources {
  /** Certificates of the authorities that peers must be certified by. @default those of Node */
  readonly ca?: PemSource;
  /** Our own certificate, and those between it and an authority. A server must have one. */
  readonly cert?: PemSource;
  /** The private key of our certificate. */
  readonly key?: PemSource;
}

export interface TlsOptions {
  /**
   * Whether a server asks its clients for a certificate, and refuses those without a valid one.
   * @default 'required' if `ca` is given, else 'none'
   */
  readonly clientCertificates?: 'required' | 'none';
  /** @default 'TLSv1.3' */
  readonly minVersion?: SecureVersion;
  /** How long a peer may take to shake hands, in milliseconds. @default 10000 */
  readonly handshakeTimeoutMs?: number;
  /** The time by which our certificate must be valid. @default that of the clock */
  readonly now?: Date;
}

/** What both ends of a channel take: a server serves with it, a client calls with it. */
export class GrpcCredentials {
  readonly #sources: LoadedTls;
  readonly #options: TlsOptions;

  /** @internal */
  constructor(sources: LoadedTls, options: TlsOptions) {
    this.#sources = sources;
    this.#options = options;
  }

  /** Whom our own certificate names; `null` without one. */
  get identity(): CertificateIdentity | null {
    const { cert } = this.#sources;
    return cert === undefined ? null : certificateIdentity(cert);
  }

  /** @throws TransportError `transport.invalid_argument` without a certificate. */
  toServer(): ServerCredentials {
    const { ca, cert, key } = this.#sources;
    if (cert === undefined || key === undefined) {
      throw transportError(
        'transport.invalid_argument',
        'A server needs a certificate and its key: give the credentials cert and key.',
      );
    }
    const { clientCertificates = ca === undefined ? 'none' : 'required' } = this.#options;
    return new TlsServerCredentials(
      {
        requestCert: clientCertificates === 'required',
        rejectUnauthorized: clientCertificates === 'required',
        handshakeTimeout: this.#options.handshakeTimeoutMs ?? DEFAULT_HANDSHAKE_TIMEOUT_MS,
        minVersion: this.#minVersion,
      },
      { cert, key, ...(ca !== undefined && { ca }) },
    );
  }

  toChannel(): ChannelCredentials {
    return ChannelCredentials.createFromSecureContext(
      createSecureContext({ ...this.#sources, minVersion: this.#minVersion }),
    );
  }

  get #minVersion(): SecureVersion {
    return this.#options.minVersion ?? 'TLSv1.3';
  }
}

/**
 * Reads and checks certificates and keys.
 * @throws TransportError `transport.not_found` for a file that cannot be read,
 *   `transport.invalid_argument` for one that holds no certificate or key, for a key of another
 *   certificate, and for a certificate without key; `transport.unauthenticated` for a certificate
 *   that is not valid yet, or no more.
 */
export async function tlsCredentials(
  { ca, cert, key }: TlsSources,
  options: TlsOptions = {},
): Promise<GrpcCredentials> {
  if ((cert === undefined) !== (key === undefined)) {
    throw transportError(
      'transport.invalid_argument',
      `A certificate needs its key and a key its certificate; only the ${cert === undefined ? 'key' : 'certificate'} was given.`,
    );
  }
  const now = options.now ?? new Date();
  return new GrpcCredentials(
    {
      ...(ca !== undefined && { ca: await readAuthorities(ca, now) }),
      ...(cert !== undefined && key !== undefined && (await readPair(cert, key, now))),
    },
    options,
  );
}

interface LoadedTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** `createSsl` of grpc-js sets no version and no time to shake hands. */
class TlsServerCredentials extends ServerCredentials {
  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

async function readAuthorities(source: PemSource, now: Date): Promise<Buffer> {
  const pem = await read(source, 'the certificates of the authorities (ca)');
  const blocks = pem.toString('latin1').match(CERTIFICATES) ?? [];
  if (blocks.length === 0) throw notPem(source, 'ca', 'CERTIFICATE');
  // Of several, some may have run out: they certify nobody then.
  const authorities = blocks.map((block) => parseCertificate(block, source, 'ca'));
  if (authorities.every((authority) => validity(authority, now) !== 'valid')) {
    requireValid(authorities[0] as X509Certificate, now, `ca ${describe(source)}`);
  }
  return pem;
}

async function readPair(
  certSource: PemSource,
  keySource: PemSource,
  now: Date,
): Promise<{ readonly cert: Buffer; readonly key: Buffer }> {
  const cert = await read(certSource, 'the certificate (cert)');
  const key = await read(keySource, 'the private key (key)');
  const certificate = parseCertificate(cert.toString('latin1'), certSource, 'cert');
  if (!certificate.checkPrivateKey(parseKey(key, keySource))) {
    throw transportError(
      'transport.invalid_argument',
      `The key ${describe(keySource)} is not that of the certificate ${describe(certSource)} (${oneLine(certificate.subject)}). Give the two that were made together.`,
    );
  }
  requireValid(certificate, now, `certificate ${describe(certSource)}`);
  return { cert, key };
}

function parseCertificate(pem: string, source: PemSource, what: string): X509Certificate {
  const [first] = pem.match(CERTIFICATES) ?? [];
  if (first === undefined) throw notPem(source, what, 'CERTIFICATE');
  try {
    return new X509Certificate(first);
  } catch (cause) {
    throw transportError(
      'transport.invalid_argument',
      `The certificate in ${what} ${describe(source)} cannot be read.`,
      cause,
    );
  }
}

function parseKey(pem: Buffer, source: PemSource): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    // Never with the key itself in the message.
    throw transportError(
      'transport.invalid_argument',
      `There is no private key in key ${describe(source)}, or it is locked with a password. It must be an unencrypted PEM file.`,
      cause,
    );
  }
}

function requireValid(certificate: X509Certificate, now: Date, what: string): void {
  const state = validity(certificate, now);
  if (state === 'valid') return;
  const { subject, validFrom, validTo } = certificate;
  throw transportError(
    'transport.unauthenticated',
    state === 'early'
      ? `The ${what} (${oneLine(subject)}) is valid from ${validFrom} on, and the clock of this machine says ${now.toISOString()}. Is the clock right?`
      : `The ${what} (${oneLine(subject)}) ran out at ${validTo}, and it is ${now.toISOString()}. Make a new one.`,
  );
}

function validity({ validFrom, validTo }: X509Certificate, now: Date): 'valid' | 'early' | 'late' {
  if (now.getTime() < Date.parse(validFrom)) return 'early';
  return now.getTime() > Date.parse(validTo) ? 'late' : 'valid';
}

async function read(source: PemSource, what: string): Promise<Buffer> {
  if (typeof source !== 'string') return Buffer.from(source);
  if (source.includes('-----BEGIN ')) return Buffer.from(source);
  try {
    const { size } = await stat(source);
    if (size > MAX_FILE_BYTES) throw new Error(`it has ${size} bytes, more than PEM files have`);
    return await readFile(source);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw transportError(
      'transport.not_found',
      `The file with ${what} cannot be read: ${reason}.`,
      cause,
    );
  }
}

function notPem(source: PemSource, what: string, label: string) {
  return transportError(
    'transport.invalid_argument',
    `There is no certificate in ${what} ${describe(source)}: a PEM file with -----BEGIN ${label}----- is due.`,
  );
}

/** A path as it is; what is in a file is nobody's business. */
function describe(source: PemSource): string {
  return typeof source === 'string' && !source.includes('-----BEGIN ')
    ? `'${source}'`
    : 'given as PEM';
}

function oneLine(subject: string | undefined): string {
  return (subject ?? '').replaceAll('\n', ', ');
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const DEFAULT_HANDSHAKE_TIMEOUT_MS = 10_000;
const MAX_FILE_BYTES = 2 ** 20;
