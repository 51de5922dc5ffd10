/** @file Options that several commands have, read in one way. */

import type { QuantizationOptions } from '../../protocols/index.ts';
import { UsageError } from './command.ts';

/** @throws UsageError if the option was not given. */
export function requiredOption(name: string, value: string | undefined): string {
  if (value !== undefined && value !== '') return value;
  throw new UsageError(`${name} is missing.`);
}

/** @throws UsageError unless the text is a whole number in the range, or nothing. */
export function wholeNumber(
  option: string,
  text: string | undefined,
  least: number,
  most: number,
): number | undefined {
  if (text === undefined) return undefined;
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new UsageError(
    `${option} takes a whole number from ${least} to ${most}; got ${JSON.stringify(text)}.`,
  );
}

/** @throws UsageError unless the text is a finite number above 0, or nothing. */
export function positiveNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = text.trim() === '' ? Number.NaN : Number(text);
  if (number > 0 && number < Number.POSITIVE_INFINITY) return number;
  throw new UsageError(`${option} takes a number above 0; got ${JSON.stringify(text)}.`);
}

/** How a client makes integers of its floats. */
export function quantizationOf(values: {
  readonly 'clipping-range'?: string | undefined;
  readonly 'max-weight'?: string | undefined;
}): QuantizationOptions {
  const clippingRange = positiveNumber('--clipping-range', values['clipping-range']);
  const maxWeight = positiveNumber('--max-weight', values['max-weight']);
  return {
    ...(clippingRange !== undefined && { clippingRange }),
    ...(maxWeight !== undefined && { maxWeight }),
  };
}
