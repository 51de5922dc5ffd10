/**
 * @file The server's part of a secure sum, 280 masks of 1,000,000 values (100 clients, 21 neighbours,
 * 10 % lost), on the calling thread and on two worker threads. Both take turns.
 */

import {
  type MasksToRemove,
  randomBytes,
  removeMasks,
  SecretBytes,
  zeroResidues,
} from '../../protocols/index.ts';
import { unmaskingThreads } from '../../runtime/index.ts';
import type { Benchmark } from '../benchmark.ts';
import { median } from '../support/secagg-round.ts';

const MASKS = 280;
const VALUES = 1_000_000;
const THREADS = 2;
const ROUNDS = 5;

const benchmark: Benchmark = {
  name: 'unmasking-threads',
  target: 'two threads take the masks off in nearly half the time, at least 1.7 times as fast',
  async run() {
    await using threads = unmaskingThreads({ threads: THREADS });
    await threads.removeMasks(masksToRemove());
    const here: number[] = [];
    const there: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const first = masksToRemove();
      let start = performance.now();
      removeMasks(first);
      here.push(performance.now() - start);
      const second = masksToRemove();
      start = performance.now();
      await threads.removeMasks(second);
      there.push(performance.now() - start);
    }
    const [one, two] = [median(here), median(there)];
    return [
      { case: 'calling thread', unit: 'ms', value: one },
      { case: `${THREADS} worker threads`, unit: 'ms', value: two },
      { case: 'times as fast', unit: '', value: one / two, limit: { atLeast: 1.7 } },
    ];
  },
};

export default benchmark;

/** What a round leaves to be done; of the round itself only the vectors' bounds are looked at. */
function masksToRemove(): MasksToRemove {
  const masks = Array.from({ length: MASKS }, (_, i) => ({
    seed: new SecretBytes(randomBytes(32)),
    sign: i % 2 === 0 ? (1 as const) : (-1 as const),
  }));
  return {
    kind: 'masks',
    sums: [zeroResidues(2n ** 32n, VALUES)],
    masks: [masks],
    report: { clients: [], lost: [], blamed: [] },
    collection: { setup: { agreement: { vectors: [] } } } as never,
  };
}
