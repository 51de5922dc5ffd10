/**
 * @file What secure aggregation adds to the traffic of a client: 2^10 clients, 2^20 values of 16 bits,
 * all bytes up and down against 2 bytes a value. Bonawitz et al. 2017 state 1.73 for their protocol;
 * ceil(log2 R) / 16 = 1.625 is the floor for any that sends one masked vector.
 *
 * The vectors are measured at a length at which a round is quick and everything else at full size:
 * the traffic is linear in the length, at a known number of bits a value.
 */

import { packedLength, secAggParameters, type ThreatModel } from '../../protocols/index.ts';
import type { Benchmark, BenchmarkFigure } from '../benchmark.ts';
import { measureRound, median } from '../support/secagg-round.ts';

const CLIENTS = 2 ** 10;
const VALUES = 2 ** 20;
const MAXIMUM = 2n ** 16n - 1n;
const MEASURED_VALUES = 2 ** 10;

const benchmark: Benchmark = {
  name: 'secagg-traffic',
  target: 'at 2^10 clients and 2^20 values of 16 bits, at most 1.64 times the plain data',
  long: true,
  async run() {
    return [
      figure('semi-honest, 10 % lost', 'semi-honest', 0.1),
      figure('active, 10 % lost', 'active', 0.1),
    ];
  },
};

export default benchmark;

function figure(name: string, model: ThreatModel, dropoutRate: number): BenchmarkFigure {
  const parameters = secAggParameters({ clients: CLIENTS, model, dropoutRate });
  const input = new Int32Array(MEASURED_VALUES);
  const { finished, upload, download } = measureRound({
    parameters,
    length: MEASURED_VALUES,
    maximum: MAXIMUM,
    input: () => input,
    lost: 0,
  });
  const { modulus } = finished.sums[0]!;
  const rest =
    median(upload.map((up, i) => up + download[i]!)) - packedLength(modulus, MEASURED_VALUES);
  const bytes = packedLength(modulus, VALUES) + rest;
  return {
    case: `${name}: ${parameters.neighbours} neighbours, ${rest} bytes beside the vector`,
    unit: 'x plain',
    value: bytes / (2 * VALUES),
    limit: { atMost: 1.64 },
  };
}
