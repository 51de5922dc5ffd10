/**
 * @file A process that goes on in rounds: a computation that makes the first state, and one that
 * takes a state and gives the next. As `tff.templates.IterativeProcess`.
 */

import type { Computation } from '../../computations/computation.ts';
import { isAssignable, type StructType, type Type } from '../../computations/types/index.ts';
import { isComputation } from '../../computations/value.ts';
import { malformed, misfit } from './errors.ts';

/** What `next` may return: the state, or a struct that begins with it. */
export type NextResult<S extends Type> =
  | S
  | StructType<readonly [S, ...Type[]]>
  | StructType<{ readonly state: S; readonly [name: string]: Type }>;

export interface IterativeProcessParts<
  S extends Type,
  A extends readonly Type[],
  R extends NextResult<S>,
> {
  /** Makes the first state. It takes no parameter. */
  readonly initialize: Computation<readonly [], NoInfer<S>>;
  /** Takes the state and the data of a round; returns the next state, or a struct that begins with it. */
  readonly next: Computation<readonly [S, ...A], R>;
}

/**
 * A process with a state of type `S`, data of types `A` for each round, and rounds that return `R`.
 *
 * The types are checked when it is made, by the TypeScript compiler and again at run time, where
 * shapes are known: what `initialize` makes and what `next` returns must both be what `next` takes.
 */
export class IterativeProcess<
  S extends Type = Type,
  A extends readonly Type[] = readonly Type[],
  R extends NextResult<S> = NextResult<S>,
> {
  readonly initialize: Computation<readonly [], S>;
  readonly next: Computation<readonly [S, ...A], R>;
  /** The type of the state, as `next` takes it. */
  readonly stateType: S;
  /** Types of the data of a round, in order. */
  readonly dataTypes: A;
  /** True if the state is all that `next` returns. */
  readonly returnsStateOnly: boolean;

  /**
   * @throws TemplateError `template.initialize_parameter`, `template.next_without_state`,
   *   `template.state_not_accepted` if `next` does not take what `initialize` makes, or
   *   `template.state_not_returned` if it does not return what it takes.
   */
  constructor({ initialize, next }: IterativeProcessParts<S, A, R>) {
    requireComputation(initialize, 'initialize', '( -> S)');
    requireComputation(next, 'next', '(<S,…> -> <S,…>)');
    if (initialize.type.parameter !== null) {
      throw malformed(
        'template.initialize_parameter',
        'initialize makes the first state out of nothing, so it takes no parameter. Give what it needs to next, or define it as a constant.',
        `( -> ${String(initialize.type.result)})`,
        initialize.type,
      );
    }
    const [stateType, ...dataTypes] = next.parameters as readonly Type[];
    if (stateType === undefined) {
      throw malformed(
        'template.next_without_state',
        'next must take the state as its first parameter.',
        `(${String(initialize.resultType)} -> ${String(initialize.resultType)})`,
        next.type,
      );
    }
    if (!isAssignable(stateType, initialize.resultType)) {
      throw misfit(
        'template.state_not_accepted',
        'The state that initialize makes is not what next takes as its first parameter.',
        stateType,
        initialize.resultType,
      );
    }
    this.initialize = initialize;
    this.next = next;
    this.stateType = stateType as S;
    this.dataTypes = dataTypes as readonly Type[] as A;
    this.returnsStateOnly = requireStateReturned(stateType, next.resultType);
  }

  /** The state in what `next` returned, as plain data. */
  stateOf(output: unknown): unknown {
    if (this.returnsStateOnly) return output;
    return Object.values(output as { readonly [key: string]: unknown })[0];
  }

  toString(): string {
    return `${this.constructor.name}(initialize: ${String(this.initialize.type)}, next: ${String(this.next.type)})`;
  }
}

/** @returns true if the result is the state, false if the state is its first element. */
function requireStateReturned(state: Type, result: Type): boolean {
  if (isAssignable(state, result)) return true;
  const [first] = result.kind === 'struct' ? result.elements : [];
  if (first !== undefined && isAssignable(state, first.type)) return false;
  // A struct is most likely meant to begin with the state, unless it looks like the state itself.
  const isWhole = first === undefined || (state.kind === 'struct' && first.type.kind !== 'struct');
  throw misfit(
    'template.state_not_returned',
    isWhole
      ? 'next must return the state that it takes, or a struct that begins with it; the next round could not go on from this.'
      : `next returns a struct, but its first element${first.name === null ? '' : `, '${first.name}',`} is not the state that it takes; the next round could not go on from this.`,
    state,
    isWhole ? result : first.type,
  );
}

function requireComputation(candidate: unknown, name: string, expected: string): void {
  if (isComputation(candidate)) return;
  throw malformed(
    'template.not_a_computation',
    `${name} must be a computation with stated parameter types: federatedComputation([types], (…) => …).`,
    expected,
    typeof candidate === 'function' ? 'a function that is no computation' : typeof candidate,
  );
}
