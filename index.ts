/** @file The public entry point of Fedloom. */

export * from './computations/index.ts';
export * from './intrinsics/index.ts';
