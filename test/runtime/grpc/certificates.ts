/** @file Authorities and certificates for tests, made anew. */

import '../../../runtime/identities/reflect-metadata.node.ts';
import {
  BasicConstraintsExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

export interface TestPair {
  readonly cert: string;
  readonly key: string;
}

export interface IssueOptions {
  readonly commonName?: string;
  /** Of the subject, e.g. `fedloom:client:ada`. */
  readonly uris?: readonly string[];
  /** @default localhost and 127.0.0.1 */
  readonly hosts?: readonly string[];
  /** Hours from now. @default -2 */
  readonly from?: number;
  /** Hours from now. @default 2 */
  readonly to?: number;
}

export interface TestAuthority {
  readonly ca: string;
  issue(options?: IssueOptions): Promise<TestPair>;
}

export async function testAuthority(name = 'Test CA'): Promise<TestAuthority> {
  const keys = await newKeys();
  const root = await X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=${name}`,
    ...validity({ from: -1_000, to: 1_000 }),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, 1, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  let serial = 1;
  return {
    ca: root.toString('pem'),
    async issue({ commonName = 'somebody', uris = [], hosts = HOSTS, ...valid } = {}) {
      const subject = await newKeys();
      serial += 1;
      const names: Extension = new SubjectAlternativeNameExtension([
        ...hosts.map((value) => ({ type: /^[\d.]+$/.test(value) ? 'ip' : 'dns', value }) as const),
        ...uris.map((value) => ({ type: 'url', value }) as const),
      ]);
      const certificate = await X509CertificateGenerator.create({
        serialNumber: serial.toString(16).padStart(2, '0'),
        subject: [{ CN: [commonName] }],
        issuer: root.subject,
        ...validity(valid),
        publicKey: subject.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: ALGORITHM,
        extensions: [new BasicConstraintsExtension(false), names],
      });
      const key = await crypto.subtle.exportKey('pkcs8', subject.privateKey);
      return { cert: certificate.toString('pem'), key: PemConverter.encode(key, 'PRIVATE KEY') };
    },
  };
}

function newKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

function validity({ from = -2, to = 2 }: IssueOptions) {
  return { notBefore: hoursFromNow(from), notAfter: hoursFromNow(to) };
}

function hoursFromNow(hours: number): Date {
  return new Date(Date.now() + hours * 3_600_000);
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const HOSTS = ['localhost', '127.0.0.1'];
