/** @file Who a certificate is for: the name by which the holder is known in rosters and logs. */

import { X509Certificate } from 'node:crypto';

export interface CertificateIdentity {
  /** `null` for a certificate that names nobody, or more than one. */
  readonly name: string | null;
  /** Where the name stands. */
  readonly from: 'fedloom' | 'spiffe' | 'common-name' | null;
}

/**
 * The identity in a certificate. Only of one whose chain was verified does it prove anything. In this
 * order:
 * 1. a subject alternative name (URI) `fedloom:client:<name>`, percent-encoded as in a URI;
 * 2. one `spiffe://<trust domain>/<path>`, which is the name as it stands;
 * 3. the common name of the subject, if there is no such URI.
 *
 * A certificate with two names of one kind names nobody: who checks one would let the other pass.
 * @param certificate PEM or DER.
 */
export function certificateIdentity(certificate: Uint8Array | string): CertificateIdentity {
  const { subjectAltName, subject } = new X509Certificate(
    typeof certificate === 'string' ? certificate : Buffer.from(certificate),
  );
  const uris = urisOf(subjectAltName ?? '');
  const ours = uris.filter((uri) => uri.startsWith(OURS)).map(decodeName);
  if (ours.length > 0) return only(ours, 'fedloom');
  const spiffe = uris.filter((uri) => uri.startsWith('spiffe://'));
  if (spiffe.length > 0) return only(spiffe, 'spiffe');
  const commonNames = (subject ?? '').split('\n').filter((line) => line.startsWith('CN='));
  return only(
    commonNames.map((line) => line.slice(3)),
    'common-name',
  );
}

/** The URI that makes a certificate one of this client. */
export function clientUri(name: string): string {
  return OURS + encodeURIComponent(name);
}

function only(names: readonly (string | null)[], from: CertificateIdentity['from']) {
  const [name = null] = names;
  const isUsable = names.length === 1 && name !== null && name.length > 0;
  return isUsable ? { name, from } : { name: null, from: null };
}

function decodeName(uri: string): string | null {
  try {
    return decodeURIComponent(uri.slice(OURS.length));
  } catch {
    return null;
  }
}

/**
 * Node writes `URI:a, DNS:b`, and a value that holds commas, quotes or unprintable characters as a JSON
 * string, so that no value can look like two.
 */
function urisOf(subjectAltName: string): string[] {
  const entries = subjectAltName.matchAll(/(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)/g);
  return [...entries].flatMap(([, kind, value = '']) => {
    if (kind !== 'URI') return [];
    return [value.startsWith('"') ? String(JSON.parse(value)) : value];
  });
}

const OURS = 'fedloom:client:';
