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
import { heading, note, result } from './support/terminal.ts';

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
for (const { label, secureAggregation } of stacks) {
  const context = new ExecutionContext(localExecutorFactory({ secureAggregation }));
  const start = performance.now();
  const sum = await withContext(context, () => secureAddition(vectors));
  result(label, String(sum), `${Math.round(performance.now() - start)} ms`);
  await context.close();
}

const plaintext = new ExecutionContext(localExecutorFactory());
try {
  await withContext(plaintext, () => secureAddition(vectors));
} catch (error) {
  result('no secure stack', 'refused', error instanceof Error ? error.name : '');
}
await plaintext.close();
