import {
  atClients,
  ExecutionContext,
  federatedComputation,
  federatedSecureSumBitwidth,
  int32,
  localExecutorFactory,
  paillier,
  setDefaultContext,
} from 'fedloom';

const secureAddition = federatedComputation([atClients(int32(2))], (x) =>
  federatedSecureSumBitwidth(x, 32),
);

setDefaultContext(new ExecutionContext(localExecutorFactory({ secureAggregation: paillier() })));
console.log(
  await secureAddition([
    [0, 1],
    [1, 2],
    [2, 3],
    [3, 4],
    [4, 5],
  ]),
); // [10, 15]
