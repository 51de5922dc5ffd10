import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificateIdentity, clientUri } from '../../../runtime/grpc/certificate-identity.node.ts';
import { tlsCredentials } from '../../../runtime/grpc/credentials.node.ts';
import { type TestAuthority, testAuthority } from './certificates.ts';

let authority: TestAuthority;
let folder: string;

beforeAll(async () => {
  authority = await testAuthority();
  folder = await mkdtemp(join(tmpdir(), 'fedloom-tls-'));
});

afterAll(() => rm(folder, { recursive: true }));

describe('tlsCredentials', () => {
  it('reads PEM from files, strings and bytes alike', async () => {
    const { cert, key } = await authority.issue({ uris: ['fedloom:client:ada'] });
    const path = join(folder, 'cert.pem');
    await writeFile(path, cert);
    const credentials = await tlsCredentials({
      ca: authority.ca,
      cert: path,
      key: Buffer.from(key),
    });
    expect(credentials.identity).toEqual({ name: 'ada', from: 'fedloom' });
    expect(credentials.toServer()._isSecure()).toBe(true);
    expect(credentials.toChannel()._isSecure()).toBe(true);
  });

  it('has no identity without a certificate, and serves nobody then', async () => {
    const credentials = await tlsCredentials({ ca: authority.ca });
    expect(credentials.identity).toBeNull();
    expect(() => credentials.toServer()).toThrow(
      expect.objectContaining({ code: 'transport.invalid_argument' }),
    );
  });

  it('names the file that is missing', async () => {
    const { key } = await authority.issue();
    await expect(tlsCredentials({ cert: join(folder, 'none.pem'), key })).rejects.toMatchObject({
      code: 'transport.not_found',
      message: expect.stringContaining('none.pem'),
    });
  });

  it('refuses the key of another certificate', async () => {
    const { cert } = await authority.issue();
    const { key } = await authority.issue();
    await expect(tlsCredentials({ cert, key })).rejects.toMatchObject({
      code: 'transport.invalid_argument',
      message: expect.stringContaining('is not that of the certificate'),
    });
  });

  it('refuses a certificate without key, files that hold neither, and never quotes a key', async () => {
    const { cert, key } = await authority.issue();
    const refused = { code: 'transport.invalid_argument' };
    await expect(tlsCredentials({ cert })).rejects.toMatchObject(refused);
    await expect(tlsCredentials({ key })).rejects.toMatchObject(refused);
    await expect(tlsCredentials({ ca: key })).rejects.toMatchObject(refused);
    const broken = `-----BEGIN PRIVATE KEY-----\n${key.slice(40, 80)}\n-----END PRIVATE KEY-----`;
    const error = await tlsCredentials({ cert, key: broken }).catch((thrown: Error) => thrown);
    expect(error).toMatchObject(refused);
    expect(String(error)).not.toContain(key.slice(40, 60));
  });

  it('refuses certificates that ran out or are not valid yet, and authorities likewise', async () => {
    const expired = await authority.issue({ from: -3, to: -1 });
    await expect(tlsCredentials(expired)).rejects.toMatchObject({
      code: 'transport.unauthenticated',
      message: expect.stringContaining('ran out'),
    });
    const early = await authority.issue({ from: 1, to: 3 });
    await expect(tlsCredentials(early)).rejects.toMatchObject({
      code: 'transport.unauthenticated',
      message: expect.stringContaining('Is the clock right?'),
    });
    const inTwoHours = new Date(Date.now() + 2 * 3_600_000);
    await expect(tlsCredentials(early, { now: inTwoHours })).resolves.toBeDefined();
    await expect(tlsCredentials({ ca: expired.cert })).rejects.toMatchObject({
      code: 'transport.unauthenticated',
    });
    // One that is valid is enough.
    await expect(tlsCredentials({ ca: expired.cert + authority.ca })).resolves.toBeDefined();
  });
});

describe('certificateIdentity', () => {
  it.each([
    [{ uris: ['fedloom:client:ada'] }, 'ada', 'fedloom'],
    [{ uris: [clientUri('Ada, "the first" / 1')] }, 'Ada, "the first" / 1', 'fedloom'],
    [{ uris: ['spiffe://trust.example/client/7'] }, 'spiffe://trust.example/client/7', 'spiffe'],
    [{ uris: ['spiffe://t.example/x', 'fedloom:client:ada'] }, 'ada', 'fedloom'],
    [{ commonName: 'eve' }, 'eve', 'common-name'],
    [{ commonName: 'eve', uris: ['https://example.org/'] }, 'eve', 'common-name'],
  ] as const)('of %o is %s', async (options, name, from) => {
    const { cert } = await authority.issue(options);
    expect(certificateIdentity(cert)).toEqual({ name, from });
  });

  it.each([
    { uris: ['fedloom:client:ada', 'fedloom:client:eve'] },
    { uris: ['fedloom:client:'], commonName: 'ada' },
    { uris: ['fedloom:client:%'], commonName: 'ada' },
    { uris: ['spiffe://t.example/a', 'spiffe://t.example/b'], commonName: 'ada' },
  ])('of %o is nobody', async (options) => {
    const { cert } = await authority.issue(options);
    expect(certificateIdentity(cert).name).toBeNull();
  });

  it('does not take a value that looks like another for two', async () => {
    const { cert } = await authority.issue({
      commonName: 'eve',
      uris: ['https://example.org/, URI:fedloom:client:ada'],
    });
    expect(certificateIdentity(cert).name).toBe('eve');
  });
});
