/**
 * @file The package as its users get it: packed, installed in an empty folder, run by plain Node and
 * type-checked there. In the checkout it is found by its own name.
 */

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { readmeProgram, root } from '../package/code-blocks.ts';

const program = readmeProgram();
const entryPoints = Object.entries(manifest.exports).flatMap(([path, target]) =>
  typeof target === 'string' ? [] : [`fedloom${path.slice(1)}`],
);
/** A sum of a value at the server: the compiler must refuse it. */
const MISPLACED = `
import { atServer, federatedComputation, federatedSum, int32 } from 'fedloom';
federatedComputation([atServer(int32())], (x) => federatedSum(x));
`;

const ON_THREADS = `
import { atClients, ExecutionContext, federatedComputation, federatedSecureSumBitwidth, federatedSum,
  int32, localExecutorFactory, masking, withContext } from 'fedloom';
const sums = federatedComputation([atClients(int32())], (x) => [federatedSecureSumBitwidth(x, 8), federatedSum(x)]);
const secureAggregation = masking().with({ allowPlain: ['federated_sum'] });
const context = new ExecutionContext(localExecutorFactory({ threads: 2, secureAggregation }));
const plain = federatedComputation([atClients(int32())], (x) => federatedSecureSumBitwidth(x, 8));
console.log([await withContext(context, () => plain([1, 2])), (await withContext(context, () => sums([1, 2, 3])))[1]]);
await context.close();
`;

const ROUND = `
import { atClients, federatedComputation, federatedSum, int32 } from 'fedloom';
export const round = federatedComputation([atClients(int32())], (x) => federatedSum(x));
`;

let files: readonly string[];
let installed: string;
/** A folder of the checkout, where the package's own name is resolved by its manifest. */
let inside: string;

beforeAll(async () => {
  installed = mkdtempSync(join(tmpdir(), 'fedloom-installed-'));
  mkdirSync(join(root, '.blocks'), { recursive: true });
  inside = mkdtempSync(join(root, '.blocks', 'package-'));
  // Packing runs `prepare`, which builds.
  const packed = await run('npm', ['pack', '--json', `--pack-destination=${installed}`], root);
  const [{ filename, files: packedFiles }] = JSON.parse(packed.slice(packed.indexOf('[\n')));
  files = packedFiles.map(({ path }: { path: string }) => path);
  writeFileSync(join(installed, 'package.json'), JSON.stringify({ type: 'module', private: true }));
  const quickly = ['--prefer-offline', '--ignore-scripts', '--omit=optional', '--no-audit'];
  await run('npm', ['install', ...quickly, `./${filename}`], installed);
}, 180_000);

afterAll(() => {
  for (const folder of [installed, inside]) rmSync(folder, { recursive: true, force: true });
}, 180_000);

test('the package holds what is needed to run, and nothing else', () => {
  expect(files).toEqual(
    expect.arrayContaining([
      'package.json',
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
      'dist/index.js',
      'dist/index.d.ts',
      'dist/protocols/crypto/platform.node.js',
      'dist/protocols/crypto/platform.web.js',
    ]),
  );
  const others = files.filter(
    (path) => !/^(dist\/.*\.(js|d\.ts)|[^/]+\.(md|json)|LICENSE)$/.test(path),
  );
  expect(others).toEqual([]);
});

describe.each([
  ['installed in an empty folder', () => installed],
  ['in the checkout, by its own name', () => inside],
])('%s', (_, folder) => {
  test("the README's program runs with plain node", async () => {
    writeFileSync(join(folder(), 'program.mjs'), program.source);
    const stdout = await run(process.execPath, ['program.mjs'], folder());
    expect(stdout.trim().split('\n')).toEqual(program.output);
    // Nearly all of it goes into a 3072-bit key.
  }, 180_000);

  test('clients run on worker threads, which are found in the package', async () => {
    writeFileSync(join(folder(), 'threads.mjs'), ON_THREADS);
    expect(await run(process.execPath, ['threads.mjs'], folder())).toBe('[ 3, 6 ]\n');
  });

  test('the command prints what leaves the clients', async () => {
    writeFileSync(join(folder(), 'round.mjs'), ROUND);
    // The copy that the module imports: types of another copy of the package are not its types.
    const owner = folder() === installed ? join(installed, 'node_modules/fedloom') : root;
    const command = join(owner, manifest.bin.fedloom);
    const stdout = await run(process.execPath, [command, 'inspect', 'round.mjs'], folder());
    expect(stdout).toContain("the server sees each client's value");
  });

  test('every entry point can be imported', async () => {
    const source = entryPoints.map(
      (name) => `console.log((await import('${name}')) && '${name}');`,
    );
    writeFileSync(join(folder(), 'entry-points.mjs'), source.join('\n'));
    const stdout = await run(process.execPath, ['entry-points.mjs'], folder());
    expect(stdout.trim().split('\n')).toEqual(entryPoints);
  });

  test('types are found, and placements are checked', async () => {
    writeFileSync(join(folder(), 'program.ts'), program.source);
    const imports = entryPoints.map((name, i) => `export type * as m${i} from '${name}';`);
    writeFileSync(join(folder(), 'entry-points.ts'), imports.join('\n'));
    const sources = ['program.ts', 'entry-points.ts'];
    expect(await typeCheck(folder(), sources)).toBe('');
    // Without skipLibCheck the compiler objects to tfjs's declarations, and to none of ours.
    const objections = (await typeCheck(folder(), sources, false)).split('\n');
    const ours = objections.filter(
      (line) => /^\S+\(/.test(line) && !line.includes('node_modules/@'),
    );
    expect(ours).toEqual([]);
    writeFileSync(join(folder(), 'misplaced.ts'), MISPLACED);
    expect(await typeCheck(folder(), ['misplaced.ts'])).toContain(
      `'"server"' is not assignable to type '"clients"'`,
    );
  });
});

/** What the compiler finds wrong, with strict settings and nothing from this checkout. */
async function typeCheck(
  folder: string,
  sources: readonly string[],
  skipLibCheck = true,
): Promise<string> {
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable', 'dom'],
    module: 'nodenext',
    types: [],
    skipLibCheck,
  };
  const config = join(folder, 'tsconfig.json');
  writeFileSync(config, JSON.stringify({ compilerOptions, files: sources }));
  const require = createRequire(import.meta.url);
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc');
  return run(process.execPath, [tsc, '-p', config], folder).catch(
    (error: { stdout: string }) => error.stdout,
  );
}

async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { cwd, maxBuffer: 2 ** 26 });
  return stdout;
}
