/** @file What `fedloom up` runs by itself: the secure mean of the clients' readings. */

import { parseArgs } from 'node:util';
import { federatedComputation, tensorComputation } from '../../computations/index.ts';
import { float32 } from '../../computations/types/index.ts';
import {
  type IdentityProvider,
  paillier,
  type SecureAggregation,
  secAgg,
} from '../../executors/index.ts';
import { federatedData, federatedMap, federatedMean } from '../../intrinsics/index.ts';
import type { CoordinatorProgram } from '../dial-in/program.node.ts';

const average = tensorComputation([float32(null)], (readings) => readings.mean());
const count = tensorComputation([float32(null)], (readings) => readings.onesLike().sum());

/** Each client's own mean, weighted by how many readings it has. */
const mean = federatedComputation([], function mean() {
  const readings = federatedData('readings', float32(null));
  return federatedMean(federatedMap(average, readings), { weight: federatedMap(count, readings) });
});

const quantization = { clippingRange: 100 };

const program: CoordinatorProgram = async ({ coordinator, out, signal, args }) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      clients: { type: 'string', default: '3' },
      'key-holder': { type: 'string' },
      'modulus-bits': { type: 'string' },
    },
  });
  const clients = Number(values.clients);
  const cohort = await coordinator.select({ atLeast: clients, within: 60_000, signal });
  const run = async (secureAggregation: (identities: IdentityProvider) => SecureAggregation) => {
    await using context = cohort.context({
      secureAggregation: (identities) => secureAggregation(identities).with({ quantization }),
    });
    const inSum = new Promise<readonly string[]>((resolve) => {
      context.on('progress', (event) => {
        if (event.stage === 'run' && event.step.kind === 'secure-sum') resolve(event.step.clients);
      });
    });
    const result = await context.invoke(mean, [], { signal });
    return { result, inSum: (await inSum).length };
  };
  const { result, inSum } = await run((identities) => secAgg({ identities }));
  out(`mean of the readings  ${result.toFixed(2)}`);
  out(`clients in the sum    ${inSum} of ${cohort.clients.length}`);
  const keyHolder = values['key-holder'];
  if (keyHolder !== 'server' && keyHolder !== 'key_holder') return;
  const modulusBits = Number(values['modulus-bits']);
  const again = await run((identities) => paillier({ identities, keyHolder, modulusBits }));
  out(`by the aggregator     ${again.result.toFixed(2)}`);
};

export default program;
