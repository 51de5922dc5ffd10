/** @file The public entry point of Fedloom. */

import './runtime/default-context.ts';

export * from './computations/index.ts';
export * from './executors/index.ts';
export * from './intrinsics/index.ts';
export * from './runtime/index.ts';
