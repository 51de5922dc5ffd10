/**
 * @file Five clients add their vectors, and nobody sees a single one of them.
 *
 * The computation says what is computed. How the sum is made is the matter of the executor stack:
 * the same computation runs on Paillier encryption and on pairwise masks, and is refused by a stack
 * without secure aggregation.
 */

import {
  atClients,
  ExecutionContext,
  federatedComputation,
  federatedSecureSumBitwidth,
  int32,
  localExecutorFactory,
  masking,
  paillier,
  withContext,
} from 'fedloom';
import { heading, note, Progress, result } from './support/terminal.ts';

const secureAddition = federatedComputation([atClients(int32(2))], (x) =>
  federatedSecureSumBitwidth(x, 32),
);

const vectors = [0, 1, 2, 3, 4].map((i) => [i, i + 1]);

heading('Secure addition');
note(`  ${secureAddition.type}`);
note(`  5 clients hold ${JSON.stringify(vectors)}`);

const stacks = [
  { label: 'Paillier encryption', secureAggregation: paillier() },
  { label: 'pairwise masks', secureAggregation: masking() },
];
for (const [i, { label, secureAggregation }] of stacks.entries()) {
  // A Paillier key of 3072 bits takes a few seconds to make.
  const progress = new Progress('making the sum', stacks.length);
  progress.update(i, label);
  const context = new ExecutionContext(localExecutorFactory({ secureAggregation }));
  const start = performance.now();
  const sum = await withContext(context, () => secureAddition(vectors));
  await context.close();
  progress[Symbol.dispose]();
  result(label, String(sum), `${Math.round(performance.now() - start)} ms`);
}

const plaintext = new ExecutionContext(localExecutorFactory());
try {
  await withContext(plaintext, () => secureAddition(vectors));
} catch (error) {
  result('no secure stack', 'refused', error instanceof Error ? error.name : '');
}
await plaintext.close();
