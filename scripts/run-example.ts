/** @file `npm run example [name]`: runs an example by its name, or lists the examples. */

import { readdirSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = fileURLToPath(new URL('../examples/', import.meta.url));
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3))
  .sort();
const [name] = process.argv.slice(2);

if (name !== undefined && names.includes(name)) {
  await import(pathToFileURL(`${folder}${name}.ts`).href);
} else {
  console.error(name === undefined ? 'Usage: npm run example <name>' : `No example '${name}'.`);
  console.error(`Examples: ${names.join(', ')}`);
  process.exitCode = 1;
}
