/** @file What is wrong with the computations that a template is made of. */

import {
  compactNotation,
  explainDifference,
  type FedloomErrorOptions,
  type Type,
  UsageError,
} from '../../computations/types/index.ts';

export type TemplateErrorCode =
  | 'template.not_a_computation'
  | 'template.initialize_parameter'
  | 'template.next_without_state'
  | 'template.state_not_accepted'
  | 'template.state_not_returned'
  | 'template.not_measured'
  | 'template.not_composable';

/** Computations that do not make the process they were given for. Carries both types. */
export class TemplateError extends UsageError<TemplateErrorCode> {
  /** Compact notation of what was expected. */
  readonly expected: string;
  /** Compact notation of what was given. */
  readonly given: string;

  constructor(
    code: TemplateErrorCode,
    message: string,
    options: FedloomErrorOptions & { readonly expected: string; readonly given: string },
  ) {
    super(code, message, options);
    this.expected = options.expected;
    this.given = options.given;
  }
}

/** The error for a type that does not fit where another is due, with the first difference marked. */
export function misfit(
  code: TemplateErrorCode,
  message: string,
  expected: Type,
  given: Type,
): TemplateError {
  return new TemplateError(code, `${message}\n${explainDifference(expected, given)}`, {
    expected: compactNotation(expected),
    given: compactNotation(given),
  });
}

/** The error for a type that has not the form that is due. */
export function malformed(
  code: TemplateErrorCode,
  message: string,
  expected: string,
  given: Type | string,
): TemplateError {
  const shown = typeof given === 'string' ? given : compactNotation(given);
  return new TemplateError(code, `${message}\n  expected: ${expected}\n  given:    ${shown}`, {
    expected,
    given: shown,
  });
}
