/**
 * @file A secure sum that survives its clients: every tenth vanishes after it shared its keys, one
 * refuses its own value, and the server, who may lie, still learns only the sum of the others.
 *
 * `npm run example dropouts -- --clients 1000 --values 100000` takes half a minute on two cores.
 */

import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import {
  atClients,
  ExecutionContext,
  federatedComputation,
  federatedMap,
  federatedSecureSum,
  int32,
  localExecutorFactory,
  type SecureSumStep,
  secAggPlus,
  tensorComputation,
  unmaskingThreads,
  withContext,
} from 'fedloom';
import { secAggParameters } from 'fedloom/protocols';
import { heading, note, Progress, result } from './support/terminal.ts';
import { vanishing } from './support/vanishing.ts';

const { values: options } = parseArgs({
  // `npm run example` passes the name of the example on.
  allowPositionals: true,
  options: {
    clients: { type: 'string', default: '120' },
    values: { type: 'string', default: '10000' },
  },
});
const clients = Number(options.clients);
const length = Number(options.values);
const lost = Math.floor(clients / 10);

// Every client makes a vector from a number of its own; that of the last is larger than the bound.
const vector = tensorComputation([int32()], (first) =>
  tf.add(tf.range(0, length, 1, 'int32'), first),
);
const total = federatedComputation([atClients(int32())], (first) =>
  federatedSecureSum(federatedMap(vector, first), length + clients),
);
const firsts = Array.from({ length: clients }, (_, i) => (i === clients - 1 ? 10 * length : i));

heading('A sum that survives its clients');
for (const line of String(secAggParameters({ clients, dropoutRate: 0.1 })).split('\n')) {
  note(`  ${line}`);
}

await using unmasking = unmaskingThreads();
await using context = new ExecutionContext(
  localExecutorFactory({
    secureAggregation: secAggPlus({ unmasking, timeoutMs: 300_000 }),
    threads: 'auto',
    wrapLeaf: (leaf, placement, index) =>
      placement === 'clients' && index < lost ? vanishing(leaf, 'secagg_mask_vectors') : leaf,
  }),
);

let made: SecureSumStep | undefined;
using progress = new Progress('the round', clients);
context.on('progress', (event) => {
  if (event.stage !== 'run') return;
  const { step } = event;
  if (step.kind === 'secure-sum') made = step;
  if (step.kind === 'protocol') {
    progress.update(Math.round((clients * step.done) / step.total), step.stage);
  }
});
const start = performance.now();
const sum = await withContext(context, () => total(firsts));
const seconds = (performance.now() - start) / 1000;
progress[Symbol.dispose]();

const inSum = made?.clients ?? [];
const refused = made?.lost.filter(({ reason }) => reason === 'refused') ?? [];
const expected = inSum.reduce((all, name) => all + (firsts[Number(name.split('/')[1])] ?? 0), 0);
const { toServer = 0, toClients = 0 } = made?.traffic ?? {};
result('in the sum', String(inSum.length), `of ${clients} clients`);
result('vanished', String((made?.lost.length ?? 0) - refused.length), 'after they shared keys');
result('refused', String(refused.length), refused.map(({ client }) => client).join(', '));
result('sum of the first values', String(sum.toArray()[0]), `${expected} in the clear`);
result('a client sends', `${kilobytes(toServer / clients)} kB`, `for ${length} values`);
result('a client gets', `${kilobytes(toClients / clients)} kB`);
result('time', `${seconds.toFixed(1)} s`, `${clients} clients and the server in one process`);

function kilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(1);
}
