/**
 * @file Importing this module lets computations just run: as long as no context was chosen, calls go
 * to a local one, made at the first call. It holds no timer, socket or thread, so that it never
 * keeps a process alive.
 */

import { setFallbackContext } from '../computations/contexts/context.ts';
import { ExecutionContext } from './execution-context.ts';
import { localExecutorFactory } from './local-factory.ts';

setFallbackContext(() => new ExecutionContext(localExecutorFactory()));
