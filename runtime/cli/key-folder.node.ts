/** @file A folder of keys, as `fedloom keys` makes them: what a process needs to be known and to know. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createIdentityRoster, type Identity, type IdentityRoster } from '../../protocols/index.ts';
import { type GrpcCredentials, tlsCredentials } from '../grpc/credentials.node.ts';
import { readIdentity, readIdentityRoster } from '../identities/identity-files.node.ts';

export interface KeyFolder {
  readonly credentials: GrpcCredentials;
  readonly roster: IdentityRoster;
  /** Who plays roles, such as the aggregator's; nobody where that was not asked for. */
  readonly roles: IdentityRoster;
  /** Of a client, or of who plays a role; a server has one where there are roles. */
  readonly identity: Identity | null;
}

/** @throws what is wrong with the files, each with its path. */
export async function readKeyFolder(folder: string): Promise<KeyFolder> {
  const at = (file: string): string => join(folder, file);
  const credentials = await tlsCredentials({
    ca: at('ca.pem'),
    cert: at('cert.pem'),
    key: at('key.pem'),
  });
  return {
    credentials,
    roster: await readIdentityRoster(at('roster.json')),
    roles: existsSync(at('roles.json'))
      ? await readIdentityRoster(at('roles.json'))
      : createIdentityRoster([]),
    identity: existsSync(at('identity.json')) ? await readIdentity(at('identity.json')) : null,
  };
}
