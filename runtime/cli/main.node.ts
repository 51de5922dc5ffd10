#!/usr/bin/env node
/** @file The program `fedloom`. */

import { runCommand } from './run-command.node.ts';

process.exitCode = await runCommand(process.argv.slice(2), {
  out: (text) => console.log(text),
  error: (text) => console.error(text),
  env: process.env,
  isTerminal: process.stdout.isTTY === true,
});
