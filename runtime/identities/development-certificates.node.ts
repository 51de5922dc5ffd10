/**
 * @file Certificates of a development authority (RFC 5280): ECDSA on P-256, which every TLS library takes.
 * The authority certifies no other authorities.
 */

import { createPublicKey, X509Certificate as NodeCertificate, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import type { Extension, JsonGeneralName } from '@peculiar/x509';
import { clientUri } from '../grpc/certificate-identity.node.ts';

/** A certificate and its private key, in PEM. */
export interface CertificatePair {
  readonly certificate: string;
  /** PKCS #8. */
  readonly privateKey: string;
}

export interface CertificateValidity {
  readonly now: Date;
  readonly days: number;
}

/** Signs certificates. */
export interface DevelopmentAuthority {
  readonly pair: CertificatePair;
  readonly notAfter: Date;
  /** For a server, which may also call others. @param hosts names and addresses it is reached by. */
  certifyServer(hosts: readonly string[], validity: CertificateValidity): Promise<CertificatePair>;
  /**
   * For a client, which is named by a URI (SAN) and the common name.
   * @param hosts where it is reached, if it serves; without any it can only call.
   */
  certifyClient(
    name: string,
    hosts: readonly string[],
    validity: CertificateValidity,
  ): Promise<CertificatePair>;
}

/** A new authority. */
export async function createAuthority(
  validity: CertificateValidity,
): Promise<DevelopmentAuthority> {
  const x509 = await loadX509();
  const keys = await newKeys();
  // Two authorities with one name could be taken for each other.
  const name = `Fedloom development ${randomBytes(4).toString('hex')}`;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [name] }],
    ...period(validity),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return openAuthority({
    certificate: `${certificate.toString('pem')}\n`,
    privateKey: await exportKey(keys.privateKey),
  });
}

/** @throws Error if the two are no pair, or no authority. */
export async function openAuthority(pair: CertificatePair): Promise<DevelopmentAuthority> {
  const x509 = await loadX509();
  const root = new x509.X509Certificate(pair.certificate);
  requireAuthority(pair);
  const pkcs8 = x509.PemConverter.decodeFirst(pair.privateKey);
  const signingKey = await crypto.subtle.importKey('pkcs8', pkcs8, ALGORITHM, false, ['sign']);
  new Uint8Array(pkcs8).fill(0);
  const certify = async (subject: Subject, validity: CertificateValidity) => {
    const { publicKey, privateKey } = await newKeys();
    const { notBefore, notAfter } = period(validity);
    const extensions: Extension[] = [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(
        subject.usages.map((usage) => x509.ExtendedKeyUsage[usage]),
      ),
      new x509.SubjectAlternativeNameExtension([...subject.names]),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(root.publicKey),
    ];
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: [{ CN: [subject.commonName] }],
      issuer: root.subjectName,
      // Never longer than the certificate of the authority.
      notBefore: new Date(Math.max(notBefore.getTime(), root.notBefore.getTime())),
      notAfter: new Date(Math.min(notAfter.getTime(), root.notAfter.getTime())),
      publicKey,
      signingKey,
      signingAlgorithm: ALGORITHM,
      extensions,
    });
    return {
      certificate: `${certificate.toString('pem')}\n`,
      privateKey: await exportKey(privateKey),
    };
  };
  return {
    pair,
    notAfter: root.notAfter,
    certifyServer: (hosts, validity) =>
      certify(
        { commonName: 'server', names: hosts.map(hostName), usages: ['serverAuth', 'clientAuth'] },
        validity,
      ),
    certifyClient: (name, hosts, validity) =>
      certify(
        {
          // X.520 allows a common name of 64 characters; the URI has the whole name.
          commonName: [...name].slice(0, 64).join(''),
          names: [{ type: 'url', value: clientUri(name) }, ...hosts.map(hostName)],
          usages: hosts.length === 0 ? ['clientAuth'] : ['clientAuth', 'serverAuth'],
        },
        validity,
      ),
  };
}

interface Subject {
  readonly commonName: string;
  readonly names: readonly JsonGeneralName[];
  readonly usages: readonly ('serverAuth' | 'clientAuth')[];
}

/** @throws Error for what is neither an address nor a name of the DNS. */
export function requireHost(host: string): void {
  if (isIP(host) !== 0 || HOST.test(host)) return;
  throw new Error(
    `A host is a name such as example.org, or an IP address; got ${JSON.stringify(host)}.`,
  );
}

function hostName(host: string): JsonGeneralName {
  return { type: isIP(host) === 0 ? 'dns' : 'ip', value: host };
}

function requireAuthority({ certificate, privateKey }: CertificatePair): void {
  const parsed = new NodeCertificate(certificate);
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const certified = parsed.publicKey.export({ type: 'spki', format: 'der' });
  if (!parsed.ca || !publicKey.equals(certified)) {
    throw new Error('The certificate of the authority and its key do not belong together.');
  }
}

function newKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function exportKey(key: CryptoKey): Promise<string> {
  const { PemConverter } = await loadX509();
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', key);
  const pem = `${PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`;
  new Uint8Array(pkcs8).fill(0);
  return pem;
}

/** 127 random bits: positive, and at most 20 bytes long (RFC 5280, section 4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16);
  // Neither a sign nor a leading zero.
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toString('hex');
}

function period({ now, days }: CertificateValidity): {
  readonly notBefore: Date;
  readonly notAfter: Date;
} {
  return {
    notBefore: new Date(now.getTime() - CLOCK_SKEW_MS),
    notAfter: new Date(now.getTime() + days * DAY_MS),
  };
}

/** The library needs the metadata API, which is put into place for whoever makes certificates only. */
async function loadX509(): Promise<typeof import('@peculiar/x509')> {
  await import('./reflect-metadata.node.ts');
  return import('@peculiar/x509');
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 24 * 60 * 60 * 1000;
/** So far may the clocks of those who check be behind the one here. */
const CLOCK_SKEW_MS = 2 * 60 * 60 * 1000;
const HOST =
  /^(?=.{1,253}$)(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i;
