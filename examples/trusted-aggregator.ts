/**
 * @file A protocol of your own: sums made by a trusted aggregator, in `support/trusted-aggregation.ts`.
 * The computation is that of `secure-addition.ts`; only the stack is another.
 */

import {
  atClients,
  ExecutionContext,
  federatedComputation,
  federatedSecureSumBitwidth,
  int32,
  localExecutorFactory,
  withContext,
} from 'fedloom';
import { heading, note, result } from './support/terminal.ts';
import { trustedAggregator } from './support/trusted-aggregation.ts';

const secureAddition = federatedComputation([atClients(int32(2))], (x) =>
  federatedSecureSumBitwidth(x, 32),
);
const vectors = [0, 1, 2, 3, 4].map((i) => [i, i + 1]);

heading('A trusted aggregator');
note(`  5 clients hold ${JSON.stringify(vectors)}`);

await using context = new ExecutionContext(
  localExecutorFactory({ secureAggregation: trustedAggregator() }),
);
result('sum', String(await withContext(context, () => secureAddition(vectors))));
