/** @file Files read by an executor: what `data` blocks of a computation name. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  block,
  data,
  lambda,
  reference,
  structBlock,
} from '../../../../computations/building-blocks.ts';
import { atClients, sequence } from '../../../../computations/types/index.ts';
import { leafExecutor, localExecutorFactory } from '../../../../runtime/index.ts';
import { fileDataSource } from '../../../../runtime/worker/data/file-source.node.ts';
import { run } from '../../../compliance/executor-run.ts';
import { add, callIntrinsic, INT, intLiteral } from '../../../executors/blocks.ts';
import { trackedBackend } from '../../../executors/tracked-backend.ts';
import { openFilesIn, temporaryFolder } from './files.helpers.ts';

const folder = temporaryFolder();

const sum = (uri: string) =>
  lambda(
    null,
    null,
    callIntrinsic('sequence_reduce', [data(uri, sequence(INT)), intLiteral(0), add], INT),
  );

test('a computation reduces the rows of a file, as often as it is run', async () => {
  writeFileSync(join(folder(), 'r.csv'), 'v\n1\n20\n300\n');
  const dataSource = fileDataSource([{ name: 'rows', kind: 'csv', paths: ['r.csv'] }], {
    baseFolder: folder(),
  });
  const leaf = leafExecutor(await trackedBackend(), { dataSource });
  expect(await run(leaf, sum('rows'))).toBe(321);
  expect(await run(leaf, sum('rows'))).toBe(321);
  await expect(run(leaf, sum('others'))).rejects.toThrow(/no data named 'others'/);
  writeFileSync(join(folder(), 'r.csv'), 'v\n1\nhunter2\n');
  await expect(run(leaf, sum('rows'))).rejects.toThrow(
    "[value.wrong_type] A value in column 'v' of the data 'rows' cannot be int32.",
  );
  expect(openFilesIn(folder())).toEqual([]);
  await leaf.close();
});

test('a computation goes through the rows of a file more than once', async () => {
  writeFileSync(join(folder(), 'r.csv'), 'v\n1\n20\n300\n');
  const dataSource = fileDataSource([{ name: 'rows', kind: 'csv', paths: ['r.csv'] }], {
    baseFolder: folder(),
  });
  const leaf = leafExecutor(await trackedBackend(), { dataSource });
  const rows = reference('rows', sequence(INT));
  const reduce = (from: number) =>
    callIntrinsic('sequence_reduce', [rows, intLiteral(from), add], INT);
  const twice = lambda(
    null,
    null,
    block(
      [{ name: 'rows', value: data('rows', sequence(INT)) }],
      structBlock([
        { name: 'total', value: reduce(0) },
        { name: 'more', value: reduce(1000) },
        { name: 'rows', value: rows },
      ]),
    ),
  );
  expect(await run(leaf, twice)).toEqual([321, 1321, [1, 20, 300]]);
  expect(openFilesIn(folder())).toEqual([]);
  await leaf.close();
});

test('each client has files of its own', async () => {
  for (const client of [0, 1, 2]) {
    writeFileSync(join(folder(), `${client}.jsonl`), `{"v":${10 ** client}}\n`);
  }
  const factory = localExecutorFactory({
    backend: await trackedBackend(),
    dataSource: (_, client) =>
      fileDataSource([{ name: 'mine', kind: 'jsonl', paths: [`${client}.jsonl`] }], {
        baseFolder: folder(),
      }),
  });
  const executor = await factory.createExecutor({ clients: 3 });
  const type = atClients(sequence(INT));
  expect(await run(executor, lambda(null, null, data('mine', type)))).toEqual([[1], [10], [100]]);
  await factory.close();
});
