/** @file Program states kept between runs. Files are in `fedloom/node`. */

export {
  type MemoryProgramStateManagerOptions,
  memoryProgramStateManager,
} from './memory-state-manager.ts';
export {
  ProgramStateError,
  type ProgramStateErrorCode,
  type ProgramStateManager,
  type SavedState,
} from './program-state.ts';
