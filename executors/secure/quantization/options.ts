/** @file What a stack is told about the quantisation of floats, checked when the stack is described. */

import { ValueError } from '../../../computations/types/index.ts';
import {
  ProtocolError,
  type Quantization,
  type QuantizationOptions,
  quantization,
} from '../../../protocols/index.ts';

export interface QuantizedAggregationOptions extends QuantizationOptions {
  /**
   * Values outside of the clipping range: `clip` them, or have their client `refuse` to take part.
   * A client that refuses tells the server so, and at which position.
   * @default 'clip'
   */
  readonly onClip?: 'clip' | 'refuse' | undefined;
  /**
   * Called after each sum with the number of values that all clients together clipped. The number is
   * summed securely beside the values: the server learns it of the cohort, and of no client.
   * @default not counted
   */
  readonly onClipped?: ((count: ClippedCount) => void) | undefined;
}

/** How many values were clipped in one sum. */
export interface ClippedCount {
  /** URI of the aggregation, e.g. `federated_mean`. */
  readonly uri: string;
  readonly clipped: number;
  /** How many values there were, of all clients in the sum. */
  readonly values: number;
}

/** What a client insists on. It is data, so that other threads can make the same operators. */
export interface QuantizationPolicy {
  readonly quantization: Quantization;
  readonly onClip: 'clip' | 'refuse';
  /** Whether clients also sum how many values they clipped. */
  readonly countsClipped: boolean;
}

/** @throws ValueError `value.out_of_range` for options without sense, before anything is sent. */
export function quantizationPolicy({
  onClip = 'clip',
  onClipped,
  ...options
}: QuantizedAggregationOptions): QuantizationPolicy {
  if (onClip !== 'clip' && onClip !== 'refuse') {
    throw new ValueError('value.out_of_range', `onClip is 'clip' or 'refuse'; got '${onClip}'.`);
  }
  try {
    return { quantization: quantization(options), onClip, countsClipped: onClipped !== undefined };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new ValueError('value.out_of_range', `quantization: ${withoutCode(error)}.`, {
      cause: error,
    });
  }
}

/** The message of an error without the code that leads it. */
export function withoutCode({ message, code }: ProtocolError): string {
  return message.slice(`[${code}] `.length);
}
