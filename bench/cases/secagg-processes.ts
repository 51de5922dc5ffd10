/**
 * @file A secure sum of 100,000 values over 50 clients, each in a process of its own, against the same in
 * one process; and what the coordinator's memory does over 200 rounds of fewer values.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as tf from '@tensorflow/tfjs';
import { federatedComputation, tensorComputation } from '../../computations/index.ts';
import { int32, TensorValue } from '../../computations/types/index.ts';
import { secAggPlus } from '../../executors/index.ts';
import { federatedData, federatedMap, federatedSecureSumBitwidth } from '../../intrinsics/index.ts';
import type { Cohort } from '../../runtime/dial-in/cohort.ts';
import { ExecutionContext, localExecutorFactory } from '../../runtime/index.ts';
import type { Benchmark, BenchmarkFigure } from '../benchmark.ts';
import { Peers } from '../support/peers.ts';
import { median } from '../support/secagg-round.ts';

const CLIENTS = 50;
/** Fewer take part in the rounds that show what memory does, which take as many minutes otherwise. */
const CLIENTS_OF_MEMORY = 20;
const VALUES = 100_000;
const ROUNDS = 200;
/** Until then a process compiles what it runs most. */
const WARM_UP = 3;
const MEASURED = 5;

const benchmark: Benchmark = {
  name: 'secagg-processes',
  target:
    'secAggPlus with 50 client processes and 100,000 values: at most 3 times the time in one process; ' +
    'over 200 rounds the memory of the coordinator is flat within 5 %',
  long: true,
  async run() {
    const together = await inOneProcess();
    progress(`${CLIENTS} processes start`);
    await using peers = await Peers.start(CLIENTS, CLIENTS);
    const cohort = await peers.cohort();
    await using context = cohort.context({
      secureAggregation: secAggPlus({ identities: peers.identities, timeoutMs: 600_000 }),
    });
    const apart = await timeOfRound(context);
    return [
      { case: 'one process', unit: 's', value: together },
      { case: '50 processes', unit: 's', value: apart },
      {
        case: 'times the time in one process',
        unit: '',
        value: apart / together,
        limit: { atMost: 3 },
      },
      ...(await costOfRound(context, peers, cohort)),
      ...(await memoryGrowth(peers)),
    ];
  },
};

export default benchmark;

async function inOneProcess(): Promise<number> {
  await using context = new ExecutionContext(
    localExecutorFactory({
      secureAggregation: secAggPlus({ timeoutMs: 600_000 }),
      defaultClients: CLIENTS,
      dataSource: (_, index) => ({
        resolve: () => new TensorValue('int32', [], Int32Array.of(index)),
      }),
    }),
  );
  return await timeOfRound(context);
}

/** Median, in seconds. */
async function timeOfRound(context: ExecutionContext): Promise<number> {
  const sum = sumOf(VALUES);
  const times: number[] = [];
  for (let round = 0; round < WARM_UP + MEASURED; round += 1) {
    const start = performance.now();
    await context.invoke(sum, []);
    const seconds = (performance.now() - start) / 1000;
    progress(`a round took ${seconds.toFixed(2)} s`);
    if (round >= WARM_UP) times.push(seconds);
  }
  return median(times);
}

/** What does not depend on what else the machine does. */
async function costOfRound(
  context: ExecutionContext,
  peers: Peers,
  { clients }: Cohort,
): Promise<BenchmarkFigure[]> {
  const traffic = (): number =>
    clients.reduce((sum, client) => sum + client.traffic.received + client.traffic.sent, 0);
  const before = { bytes: traffic(), here: process.cpuUsage(), there: peers.processorSeconds };
  await context.invoke(sumOf(VALUES), []);
  const { user, system } = process.cpuUsage(before.here);
  const there = peers.processorSeconds - before.there;
  return [
    { case: 'processor time of the coordinator', unit: 's', value: (user + system) / 1e6 },
    { case: 'processor time of all clients', unit: 's', value: there },
    { case: 'bytes of a round', unit: 'MB', value: (traffic() - before.bytes) / 1e6 },
  ];
}

/** At the end against the end of the first tenth of the rounds, each time after a collection. */
async function memoryGrowth(peers: Peers): Promise<BenchmarkFigure[]> {
  const cohort = await peers.cohort(CLIENTS_OF_MEMORY);
  await using context = cohort.context({
    secureAggregation: secAggPlus({ identities: peers.identities, timeoutMs: 600_000 }),
  });
  const sum = sumOf(1_000);
  const first = ROUNDS / 10;
  let early = 0;
  for (let round = 1; round <= ROUNDS; round += 1) {
    await context.invoke(sum, []);
    if (round === first) early = await memoryInUse();
    if (round % first === 0) progress(`${round} rounds of ${ROUNDS}: ${memoryInWords()}`);
  }
  const late = await memoryInUse();
  const growth = (late - early) / (ROUNDS - first);
  return [
    { case: 'memory after 20 rounds', unit: 'MB', value: early / 1e6 },
    {
      case: 'memory after 200 rounds',
      unit: '% more',
      value: (100 * late) / early - 100,
      limit: { atMost: 5 },
    },
    { case: 'memory for each round', unit: 'kB more', value: growth / 1e3 },
  ];
}

/** Bytes on the heap and outside of it that are still referred to. */
async function memoryInUse(): Promise<number> {
  // What waits to be disposed of a while after its use.
  await new Promise((resolve) => setTimeout(resolve, 500));
  collectGarbage();
  await new Promise((resolve) => setTimeout(resolve, 10));
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function memoryInWords(): string {
  const { heapUsed, external, rss } = process.memoryUsage();
  return `heap ${megabytes(heapUsed)}, beside it ${megabytes(external)}, resident ${megabytes(rss)}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function sumOf(length: number) {
  const vector = tensorComputation([int32()], (first) =>
    tf.add(tf.range(0, length, 1, 'int32'), first),
  );
  return federatedComputation([], () =>
    federatedSecureSumBitwidth(federatedMap(vector, federatedData('first', int32())), 17),
  );
}

function progress(text: string): void {
  console.error(`  ${text}`);
}

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');
