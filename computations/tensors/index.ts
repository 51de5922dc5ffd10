/** @file Tensor computations as kernel graphs: tracing, building, checking, printing, replay. */

export { GraphBuilder, inlineGraph, type ParameterOptions } from './builder.ts';
export * from './graph.ts';
export { simplifyGraph } from './simplify.ts';
export type { Size, SizeExpression } from './sizes.ts';
export type { TracedArgument, TracedArguments, TracedResult } from './trace/arguments.ts';
export { isTracingTensors } from './trace/guards.ts';
export { type TracedTensors, type TraceOptions, traceTensors } from './trace/trace.ts';
