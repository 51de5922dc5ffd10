/** @file What `fedloom up` runs by itself: the secure mean of the clients' readings. */

import { federatedComputation, tensorComputation, withContext } from '../../computations/index.ts';
import { float32 } from '../../computations/types/index.ts';
import { secAgg } from '../../executors/index.ts';
import { federatedData, federatedMap, federatedMean } from '../../intrinsics/index.ts';
import type { CoordinatorProgram } from '../dial-in/program.node.ts';

const average = tensorComputation([float32(null)], (readings) => readings.mean());
const count = tensorComputation([float32(null)], (readings) => readings.onesLike().sum());

/** Each client's own mean, weighted by how many readings it has. */
const mean = federatedComputation([], () => {
  const readings = federatedData('readings', float32(null));
  return federatedMean(federatedMap(average, readings), { weight: federatedMap(count, readings) });
});

const program: CoordinatorProgram = async ({ coordinator, out, signal, args }) => {
  const clients = Number(args[args.indexOf('--clients') + 1]);
  const cohort = await coordinator.select({ atLeast: clients, within: 60_000, signal });
  await using context = cohort.context({
    secureAggregation: (identities) =>
      secAgg({ identities }).with({ quantization: { clippingRange: 100 } }),
  });
  const inSum = new Promise<readonly string[]>((resolve) => {
    context.on('progress', (event) => {
      if (event.stage === 'run' && event.step.kind === 'secure-sum') resolve(event.step.clients);
    });
  });
  const result = await withContext(context, () => mean());
  out(`mean of the readings  ${result.toFixed(2)}`);
  out(`clients in the sum    ${(await inSum).length} of ${cohort.clients.length}`);
};

export default program;
