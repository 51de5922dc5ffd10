/**
 * @file 10,000 clients in one process sum 1,000 values each in the active model, with computed
 * parameters; 10 % of them vanish after they shared their keys.
 */

import type { Benchmark } from '../benchmark.ts';
import { measure } from './secagg-thousand.ts';

const benchmark: Benchmark = {
  name: 'secagg-ten-thousand',
  target: '10,000 clients in one process with 1,000 values: a round completes',
  long: true,
  run: () => measure(10_000, 1_000),
};

export default benchmark;
