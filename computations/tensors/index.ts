/** @file Tensor computations as kernel graphs: tracing, building, checking, printing, replay. */

export type { Backend, BackendName, DeviceTensor, Program } from './backends/backend.ts';
export { type BackendOptions, loadBackend } from './backends/load.ts';
export { GraphBuilder, inlineGraph, type ParameterOptions } from './builder.ts';
export * from './graph.ts';
export { type GraphSize, graphBytes, graphHash, graphSize } from './graph-hash.ts';
export { abstractEval } from './kernels/index.ts';
export { type PrintOptions, printGraph } from './print.ts';
export { type RandomKey, random } from './random.ts';
export { simplifyGraph } from './simplify.ts';
export type { TracedArgument, TracedArguments, TracedResult } from './trace/arguments.ts';
export { isTracingTensors } from './trace/guards.ts';
export { type TracedTensors, type TraceOptions, traceTensors } from './trace/trace.ts';
export {
  DEFAULT_GRAPH_LIMITS,
  type GraphLimits,
  typecheckGraph,
} from './typecheck.ts';
