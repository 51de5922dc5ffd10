/** @file The terminal on which standard error is shown. */

import type { Surroundings } from './command.ts';

/** @returns nothing where it is shown on none, or on one that only prints. */
export function errorScreen(
  stream: NodeJS.WriteStream = process.stderr,
  env: NodeJS.ProcessEnv = process.env,
): Pick<Surroundings, 'screen'> {
  if (stream.isTTY !== true || env.TERM === 'dumb') return {};
  return {
    screen: {
      get columns() {
        return stream.columns || DEFAULT_COLUMNS;
      },
      get rows() {
        return stream.rows || DEFAULT_ROWS;
      },
      write: (text) => void stream.write(text),
    },
  };
}

/** Of terminals that do not say how large they are. */
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;
