/** @file The entry point `fedloom/node`: what needs Node, such as files. */

export {
  type IdentityFiles,
  identityPath,
  readIdentity,
  readIdentityRoster,
  writeIdentities,
  writeIdentity,
} from './identities/identity-files.node.ts';
export { fileSessionLedger } from './identities/session-ledger.node.ts';
export {
  type FileSessionStoreOptions,
  fileSessionStore,
} from './identities/session-store.node.ts';
export {
  type FileProgramStateManagerOptions,
  fileProgramStateManager,
} from './program-state/file-state-manager.node.ts';
