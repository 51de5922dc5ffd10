/**
 * @file Secure aggregation as Flower's users know its sizes: 100 clients, 1,000,000 values, 10 % of the
 * clients lost after they shared their keys. A client's time is that of its whole step, from the bytes
 * it gets to the bytes it sends; the server's unmasking is from the last share to the sums.
 */

import { packedLength, secAggParameters, type ThreatModel } from '../../protocols/index.ts';
import type { Benchmark, BenchmarkFigure } from '../benchmark.ts';
import { measureRound, median } from '../support/secagg-round.ts';

const CLIENTS = 100;
const VALUES = 1_000_000;
const LOST = 10;
/** Values of 22 bits, as Flower quantises. */
const MAXIMUM = 2n ** 22n - 1n;

const benchmark: Benchmark = {
  name: 'secagg',
  target:
    'secAggPlus, 100 clients, 21 neighbours, 1,000,000 values, 10 % lost: a client masks in 20 ms, the ' +
    'server unmasks in 250 ms, an upload is 1.02 times the packed vector',
  async run() {
    return [
      ...figures('semi-honest, 22 neighbours', 'semi-honest', 22, true),
      ...figures('active, 25 neighbours chosen', 'active', 25, false),
      ...figures('active, complete graph', 'active', undefined, false),
    ];
  },
};

export default benchmark;

function figures(
  name: string,
  model: ThreatModel,
  neighbours: number | undefined,
  limited: boolean,
): BenchmarkFigure[] {
  const parameters = secAggParameters({
    clients: CLIENTS,
    model,
    dropoutRate: LOST / CLIENTS,
    ...(neighbours === undefined ? { graph: 'complete' } : { graph: 'sparse', neighbours }),
  });
  const input = Int32Array.from({ length: VALUES }, (_, i) => i % Number(MAXIMUM));
  const round = measureRound({
    parameters,
    length: VALUES,
    maximum: MAXIMUM,
    input: () => input,
    lost: LOST,
  });
  const { modulus } = round.finished.sums[0]!;
  const packed = packedLength(modulus, VALUES);
  const client = (stage: 'share-keys' | 'mask-vectors'): number =>
    median(round.client.get(stage) ?? []);
  return [
    { case: `${name}: client shares keys`, unit: 'ms', value: client('share-keys') },
    {
      case: `${name}: client masks`,
      unit: 'ms',
      value: client('mask-vectors'),
      ...(limited && { limit: { atMost: 20 } }),
    },
    {
      case: `${name}: server unmasks`,
      unit: 'ms',
      value: round.unmask,
      ...(limited && { limit: { atMost: 250 } }),
    },
    {
      case: `${name}: upload / packed vector`,
      unit: '',
      value: median(round.upload) / packed,
      limit: { atMost: 1.02 },
    },
    {
      case: `${name}: bytes a value`,
      unit: 'B',
      value: median(round.upload) / VALUES,
    },
  ];
}
