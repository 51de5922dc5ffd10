/** @file One kernel graph in the place of several calls of kernel graphs. */

import { GraphBuilder, inlineGraph } from '../tensors/builder.ts';
import type { KernelGraph, TensorSpec, ValueId } from '../tensors/graph.ts';
import { simplifyGraph } from '../tensors/simplify.ts';
import { equalSizes, isSizeExpression, MAX_UNKNOWNS, type Size } from '../tensors/sizes.ts';
import type { TensorType, TensorValue } from '../types/index.ts';

/** Where a tensor comes from: a parameter, a constant, or a result of an earlier call. */
export type TensorSource =
  | { readonly kind: 'parameter'; readonly index: number }
  | { readonly kind: 'constant'; readonly value: TensorValue }
  | { readonly kind: 'result'; readonly call: number; readonly index: number };

export interface GraphCall {
  readonly graph: KernelGraph;
  /** One source for each parameter of the graph. */
  readonly inputs: readonly TensorSource[];
}

export interface GraphComposition {
  readonly parameters: readonly TensorType[];
  readonly calls: readonly GraphCall[];
  readonly results: readonly TensorSource[];
}

/**
 * The graph that makes all calls.
 *
 * A graph may say that two of its unknown sizes are one. Where its inputs are parameters whose sizes
 * are unknown, these then become one in the composition too.
 * @returns `null` if no single graph can say it: a parameter has no known rank, there are too many
 *   unknown sizes, or two sizes must be equal of which only a run tells whether they are.
 */
export function composeGraphs(composition: GraphComposition): KernelGraph | null {
  const { parameters } = composition;
  if (parameters.some(({ shape }) => shape === null)) return null;
  const total = parameters.reduce((count, type) => count + unknownCount(type), 0);
  const classes = new SizeClasses(total);
  for (;;) {
    if (classes.count > MAX_UNKNOWNS) return null;
    const attempt = build(composition, classes);
    if (attempt.kind === 'built') return simplifyGraph(attempt.graph);
    const { equal } = attempt;
    // An unknown size of the composition on both sides: they become one, and all is built anew.
    if (!classes.unite(unknownIndex(equal[0]), unknownIndex(equal[1]))) return null;
  }
}

type Attempt =
  | { readonly kind: 'built'; readonly graph: KernelGraph }
  /** Two sizes that a graph wants to be equal, and which are not yet the same form. */
  | { readonly kind: 'unequal'; readonly equal: readonly [Size, Size] };

function build({ parameters, calls, results }: GraphComposition, classes: SizeClasses): Attempt {
  const builder = new GraphBuilder();
  let next = 0;
  const ids = parameters.map((type) => {
    const unknowns = Array.from({ length: unknownCount(type) }, () => classes.indexOf(next++));
    return builder.parameter(type, { unknowns });
  });
  const made: (readonly ValueId[])[] = [];
  const idOf = (source: TensorSource): ValueId => {
    switch (source.kind) {
      case 'parameter':
        return ids[source.index] as ValueId;
      case 'constant':
        return builder.constant(source.value);
      case 'result':
        return made[source.call]?.[source.index] as ValueId;
    }
  };
  for (const { graph, inputs } of calls) {
    const given = inputs.map(idOf);
    const equal = unequalSizes(
      graph,
      given.map((id) => builder.spec(id)),
    );
    if (equal !== null) return { kind: 'unequal', equal };
    made.push(inlineGraph(builder, graph, given));
  }
  return { kind: 'built', graph: builder.build(results.map(idOf)) };
}

/** The first two sizes of the inputs that the graph holds for one unknown size, but that differ. */
function unequalSizes(
  graph: KernelGraph,
  given: readonly TensorSpec[],
): readonly [Size, Size] | null {
  const sizes: Size[] = [];
  for (const [index, parameter] of graph.parameters.entries()) {
    let next = 0;
    for (const [axis, size] of parameter.shape.entries()) {
      if (size !== null) continue;
      const unknown = parameter.unknowns[next++] ?? 0;
      const actual = given[index]?.shape[axis] ?? 0;
      const bound = sizes[unknown];
      if (bound !== undefined && !equalSizes(bound, actual)) return [bound, actual];
      sizes[unknown] = actual;
    }
  }
  return null;
}

function unknownCount({ shape }: TensorType): number {
  return shape?.filter((size) => size === null).length ?? 0;
}

/** The index of an unknown size that stands alone, or `null` for a number or a sum. */
function unknownIndex(size: Size): number | null {
  if (!isSizeExpression(size) || size.constant !== 0) return null;
  const used = size.factors.flatMap((factor, index) => (factor === 0 ? [] : [index]));
  const [only] = used;
  return used.length === 1 && only !== undefined && size.factors[only] === 1 ? only : null;
}

/** Which of the unknown sizes of the parameters are one. Classes are numbered by their first member. */
class SizeClasses {
  readonly #class: number[];

  constructor(total: number) {
    this.#class = Array.from({ length: total }, (_, i) => i);
  }

  get count(): number {
    return new Set(this.#class).size;
  }

  /** The class of an unknown size, counted from 0 without gaps. */
  indexOf(member: number): number {
    return this.#numbers().indexOf(this.#class[member] as number);
  }

  /** Makes two classes one, given by their indices. @returns false if one is `null`. */
  unite(a: number | null, b: number | null): boolean {
    if (a === null || b === null) return false;
    const numbers = this.#numbers();
    const kept = Math.min(numbers[a] as number, numbers[b] as number);
    const gone = Math.max(numbers[a] as number, numbers[b] as number);
    this.#class.forEach((each, member) => {
      if (each === gone) this.#class[member] = kept;
    });
    return true;
  }

  #numbers(): readonly number[] {
    return [...new Set(this.#class)].sort((a, b) => a - b);
  }
}
