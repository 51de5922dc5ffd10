#!/usr/bin/env node

/** @file The program `fedloom`. */

import { runCommand } from './commands/run-command.node.ts';
import { endWithParent } from './parent.node.ts';
import { errorScreen } from './screen.node.ts';

// The first request to stop is asked for; whoever repeats it means it.
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => {
    stop.abort(new Error(`The process got ${name}.`));
    process.once(name, () => process.exit(130));
  });
}

endWithParent(() => stop.abort(new Error('The process that started this one is gone.')));

process.exitCode = await runCommand(process.argv.slice(2), {
  out: (text) => console.log(text),
  error: (text) => console.error(text),
  env: process.env,
  isTerminal: process.stdout.isTTY === true,
  ...errorScreen(),
  // Whoever does not listen any more need not be told.
  tellParent: (message) => void process.send?.(message, undefined, {}, () => {}),
  signal: stop.signal,
});
