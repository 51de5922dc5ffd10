/** @file The entry point `fedloom/node`: what needs Node, such as files. */

export {
  type FileProgramStateManagerOptions,
  fileProgramStateManager,
} from './program-state/file-state-manager.node.ts';
