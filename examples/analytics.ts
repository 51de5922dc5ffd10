/**
 * @file Federated analytics: airports find out how late their flights are, together.
 *
 * The data are 20,000 real flights, split by airport of departure. Each airport counts its own
 * flights; the counts are summed by pairwise masking, so what leaves an airport is uniformly random
 * to the server, and only the totals come out.
 */

import * as tf from '@tensorflow/tfjs';
import {
  atClients,
  ExecutionContext,
  federatedComputation,
  federatedMap,
  federatedSecureSumBitwidth,
  int32,
  localExecutorFactory,
  masking,
  struct,
  tensorComputation,
  withContext,
} from 'fedloom';
import { groupBy, loadFlights } from './support/data.ts';
import { bar, heading, note, result, table } from './support/terminal.ts';

const LEAST_FLIGHTS = 50;
/** Limits between classes, in minutes and miles; a value on a limit belongs to the class below. */
const DELAY_LIMITS = [0, 15, 30, 45, 60];
const DELAYS = ['none', 'to 15 min', 'to 30 min', 'to 45 min', 'to 60 min', 'over 1 h'];
const DISTANCE_LIMITS = [500, 1000];
const DISTANCES = ['to 500 mi', 'to 1000 mi', 'over 1000 mi'];

/** A row a flight: its delay in minutes, its distance in miles. */
const Flights = int32(null, 2);
const Counts = struct({
  byDelay: int32(DELAYS.length),
  byDistance: int32(DISTANCES.length),
  lateByDistance: int32(DISTANCES.length),
  minutesLate: int32(),
});

/** One row a value, with a one in the column of its class. */
function classify(values: tf.Tensor, limits: number[]): tf.Tensor {
  const isOver = tf.greater(tf.expandDims(values, 1), tf.tensor1d(limits, 'int32'));
  return tf.oneHot(tf.sum(tf.cast(isOver, 'int32'), 1), limits.length + 1);
}

const countFlights = tensorComputation(
  [Flights],
  (flights) => {
    const [delay, distance] = tf.unstack(flights, 1) as [tf.Tensor, tf.Tensor];
    const distanceClass = classify(distance, DISTANCE_LIMITS);
    const isLate = tf.cast(tf.greater(delay, tf.scalar(15, 'int32')), 'int32');
    return {
      byDelay: tf.sum(classify(delay, DELAY_LIMITS), 0),
      byDistance: tf.sum(distanceClass, 0),
      lateByDistance: tf.sum(tf.mul(distanceClass, tf.expandDims(isLate, 1)), 0),
      minutesLate: tf.sum(tf.maximum(delay, tf.scalar(0, 'int32'))),
    };
  },
  { result: Counts },
);

const delayReport = federatedComputation([atClients(Flights)], (flights) =>
  federatedSecureSumBitwidth(federatedMap(countFlights, flights), 20),
);

const airports = [...groupBy(loadFlights(), (flight) => flight.origin)].filter(
  ([, flights]) => flights.length >= LEAST_FLIGHTS,
);
const rows = airports.map(([, flights]) => flights.map(({ delay, distance }) => [delay, distance]));

heading('Federated analytics: flight delays, one client an airport');
note(`  ${delayReport.type}`);

const context = new ExecutionContext(localExecutorFactory({ secureAggregation: masking() }));
const start = performance.now();
const report = await withContext(context, () => delayReport(rows));
const seconds = (performance.now() - start) / 1000;
await context.close();

const byDelay = [...report.byDelay.data];
const total = byDelay.reduce((sum, count) => sum + count, 0);
note(`  ${airports.length} airports, ${total} flights, ${seconds.toFixed(1)} s\n`);
table(
  ['delay', 'flights', 'share', ''],
  byDelay.map((count, i) => [
    DELAYS[i] ?? '',
    count,
    `${((count / total) * 100).toFixed(1).padStart(4)} %`,
    bar(count, Math.max(...byDelay)),
  ]),
);
console.log();
table(
  ['distance', 'flights', 'late', 'share late'],
  [...report.byDistance.data].map((flights, i) => {
    const late = report.lateByDistance.data[i] ?? 0;
    return [DISTANCES[i] ?? '', flights, late, `${((late / flights) * 100).toFixed(1)} %`];
  }),
);
console.log();
result(
  'average delay',
  `${(report.minutesLate / total).toFixed(1)} min`,
  'early flights count as 0',
);
