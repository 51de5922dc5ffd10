/** @file Every program state manager, held to one suite. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryProgramStateManager } from 'fedloom';
import { afterAll } from 'vitest';
import { fileProgramStateManager } from '../../runtime/node.ts';
import { programStateManagerCompliance } from './program-state-manager.ts';

const root = mkdtempSync(join(tmpdir(), 'fedloom-states-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

programStateManagerCompliance('memory', async (keep) => memoryProgramStateManager({ keep }));
programStateManagerCompliance('files', async (keep) =>
  fileProgramStateManager(join(mkdtempSync(join(root, 'case-')), 'made', 'when needed'), { keep }),
);
