/** @file What a benchmark is: a module in `bench/cases/` whose default export has this shape. */

export interface Benchmark {
  /** Name of the module's file, by which `npm run bench <name>` finds it. */
  readonly name: string;
  /** What the figures must reach, in words. */
  readonly target: string;
  /** It takes minutes, so it runs only when it is named. */
  readonly long?: boolean;
  /** Measures once in the current process; the runner starts a new process for each call. */
  run(): Promise<readonly BenchmarkFigure[]>;
}

export interface BenchmarkFigure {
  readonly case: string;
  readonly unit: string;
  readonly value: number;
  /** What the median must reach, for the figures that have a limit of their own. */
  readonly limit?: { readonly atMost: number } | { readonly atLeast: number };
}
