/**
 * @file TensorFlow Federated's own first example: sensors that report temperatures.
 *
 * Each sensor (a weather station in one year) keeps its readings. The server learns the average
 * temperature, and what share of the readings exceeds a threshold that it broadcasts.
 */

import * as tf from '@tensorflow/tfjs';
import {
  atClients,
  atServer,
  federatedBroadcast,
  federatedComputation,
  federatedMap,
  federatedMean,
  federatedSum,
  float32,
  sequence,
  sequenceReduce,
  struct,
  tensorComputation,
} from 'fedloom';
import { groupBy, loadWeather } from './support/data.ts';
import { heading, note, result, table } from './support/terminal.ts';

// The average over all readings: each sensor folds its sequence, and only totals leave it.
const Totals = struct({ sum: float32(), count: float32() });

const addReading = tensorComputation(
  [Totals, float32()],
  (totals, reading) => ({
    sum: tf.add(totals.sum, reading),
    count: tf.add(totals.count, 1),
  }),
  { result: Totals },
);
const divide = tensorComputation([Totals], ({ sum, count }) => tf.div(sum, count), {
  result: float32(),
});
const averageTemperature = federatedComputation([atClients(sequence(float32()))], (readings) =>
  federatedMap(divide, federatedSum(sequenceReduce(readings, { sum: 0, count: 0 }, addReading))),
);

// The share of readings over a threshold: the mean of the sensors' own shares.
const shareOver = tensorComputation(
  [float32(null), float32()],
  (readings, threshold) => tf.mean(tf.cast(tf.greater(readings, threshold), 'float32')),
  { result: float32() },
);
const averageShareOver = federatedComputation(
  [atClients(float32(null)), atServer(float32())],
  (readings, threshold) =>
    federatedMean(federatedMap(shareOver, [readings, federatedBroadcast(threshold)])),
);

const sensors = [...groupBy(loadWeather(), ({ location, year }) => `${location} ${year}`)];
const temperatures = sensors.map(([, days]) => days.map((day) => day.temperature));

heading('Temperature sensors');
table(
  ['sensor', 'readings', 'highest °C'],
  sensors.map(([name, days]) => [
    name,
    days.length,
    Math.max(...days.map((day) => day.temperature)).toFixed(1),
  ]),
);
note(`\n  ${averageTemperature.type}`);
result('average', `${(await averageTemperature(temperatures)).toFixed(2)} °C`);
note(`\n  ${averageShareOver.type}`);
for (const threshold of [10, 20, 30]) {
  const share = await averageShareOver(temperatures, threshold);
  result(`share over ${threshold} °C`, `${(share * 100).toFixed(1)} %`);
}
