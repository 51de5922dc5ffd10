/**
 * @file An iterative process whose rounds return `{ state, result, measurements }`: what the next
 * round needs, what was computed, and what to watch. As `tff.templates.MeasuredProcess`.
 */

import type { Computation } from '../../computations/computation.ts';
import type { StructType, Type } from '../../computations/types/index.ts';
import { malformed } from './errors.ts';
import { IterativeProcess } from './iterative-process.ts';

/** What `next` of a measured process returns, in this order. */
export type MeasuredOutput<S extends Type, R extends Type, M extends Type> = StructType<{
  readonly state: S;
  readonly result: R;
  readonly measurements: M;
}>;

export interface MeasuredProcessParts<
  S extends Type,
  A extends readonly Type[],
  R extends Type,
  M extends Type,
> {
  /** Makes the first state. It takes no parameter. */
  readonly initialize: Computation<readonly [], NoInfer<S>>;
  /** Takes the state and the data of a round; returns `{ state, result, measurements }`. */
  readonly next: Computation<readonly [S, ...A], MeasuredOutput<NoInfer<S>, R, M>>;
}

/** A process with a state of type `S`, data of types `A`, results of type `R` and measurements `M`. */
export class MeasuredProcess<
  S extends Type = Type,
  A extends readonly Type[] = readonly Type[],
  R extends Type = Type,
  M extends Type = Type,
> extends IterativeProcess<S, A, MeasuredOutput<S, R, M>> {
  /** Type of the `result` of a round. */
  readonly resultType: R;
  /** Type of the `measurements` of a round. */
  readonly measurementsType: M;

  /**
   * @throws TemplateError what an `IterativeProcess` throws, and `template.not_measured` unless
   *   `next` returns `<state,result,measurements>`.
   */
  constructor(parts: MeasuredProcessParts<S, A, R, M>) {
    super(parts);
    const { resultType } = this.next;
    const elements = (resultType as Type).kind === 'struct' ? resultType.elements : [];
    const [, result, measurements] = elements;
    if (
      elements.length !== NAMES.length ||
      !NAMES.every((name, i) => elements[i]?.name === name) ||
      result === undefined ||
      measurements === undefined
    ) {
      throw malformed(
        'template.not_measured',
        "next of a MeasuredProcess must return { state, result, measurements }, in this order. For measurements of nothing, return an empty struct: federatedValue({}, 'server', struct({})).",
        `<state=${String(this.stateType)},result=R,measurements=M>`,
        resultType,
      );
    }
    this.resultType = result.type as R;
    this.measurementsType = measurements.type as M;
  }
}

const NAMES = ['state', 'result', 'measurements'] as const;
