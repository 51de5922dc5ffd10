/** @file Runs a graph in a worker thread, on a backend of its own. */

import { parentPort, workerData } from 'node:worker_threads';
import {
  type BackendName,
  type KernelGraph,
  loadBackend,
  typecheckGraph,
} from '../../../../computations/tensors/index.ts';
import { type DType, TensorValue } from '../../../../computations/types/index.ts';

interface Job {
  readonly prefer: BackendName;
  readonly graph: KernelGraph;
  readonly values: readonly { dtype: DType; shape: number[]; data: never }[];
}

const { prefer, graph, values } = workerData as Job;
typecheckGraph(graph);
const backend = await loadBackend({ prefer });
const inputs = values.map(({ dtype, shape, data }) =>
  backend.upload(new TensorValue(dtype, shape, data)),
);
const outputs = backend.prepare(graph).run(inputs);
const read = await Promise.all(outputs.map((output) => output.read()));
parentPort?.postMessage(read.map(({ data }) => data));
