/** @file What a workflow is told, in Flower's words, checked before there is any round. */

import { ValueError } from '../../computations/types/index.ts';
import type { UnmaskingPool } from '../../executors/index.ts';
import { requireWhole } from '../../executors/secure/cohort.ts';
import {
  type IdentityRoster,
  ProtocolError,
  type Quantization,
  type QuantizationOptions,
  quantization,
  type Rng,
  type ThreatModel,
} from '../../protocols/index.ts';
import { FLOWER_MODULUS_RANGE, withoutCode } from './task.ts';

export interface SecAggWorkflowOptions extends QuantizationOptions {
  /**
   * How many shares of a client's key give it back: a whole number from 2, or a proportion of the
   * shares above 0 and up to 1, which is rounded up. As many of those who hold shares must stay until
   * the end. Higher hides better, lower bears more losses; too low is refused, with what would do.
   * @default the least that is secure
   */
  readonly reconstructionThreshold?: number;
  /**
   * Into how many shares a client's key is split, its own included: a whole number from 3, or a
   * proportion of the clients above 0 and up to 1. With it the protocol is SecAgg+, in which a client
   * deals with some of the others only; without it, or with as many as there are clients, SecAgg.
   * @default one for each client
   */
  readonly numShares?: number;
  /**
   * How long each step waits for its slowest client, in seconds. A client trains within one.
   * @default 600. Flower's waits for ever.
   */
  readonly timeout?: number;
  /**
   * Whom a round withstands: `active`, a server that lies and clients that help it; `semi-honest`, a
   * server that follows the protocol and looks.
   * @default 'active'
   */
  readonly model?: ThreatModel;
  /** Who the clients can be, by name and key. Needed in the active model, meaningless in others. */
  readonly roster?: IdentityRoster;
  /** Fewer clients than that are not asked: theirs is no sum to hide in. @default 3 */
  readonly minimumClients?: number;
  /** Of the roster, clients that help the server. @default 0.05 */
  readonly corruptRate?: number;
  /**
   * Of the clients, those that may be lost with the round going on.
   * @default 0.1, or as few as a given threshold leaves room for
   */
  readonly dropoutRate?: number;
  /** An attack succeeds with 2^-securityBits. @default 40 */
  readonly securityBits?: number;
  /** A round fails, though no more were lost than expected, with 2^-correctnessBits. @default 20 */
  readonly correctnessBits?: number;
  /** Expands masks elsewhere, for example on threads. @default here */
  readonly unmasking?: UnmaskingPool;
  readonly rng?: Rng;
}

export interface CheckedOptions extends SecAggWorkflowOptions {
  readonly quantization: Quantization;
  readonly timeoutMs: number;
  readonly model: ThreatModel;
  readonly minimumClients: number;
}

/** @throws ValueError `value.out_of_range` naming the option, what it may be and what it was. */
export function checkedOptions(options: SecAggWorkflowOptions): CheckedOptions {
  const { reconstructionThreshold, numShares, model = 'active', minimumClients = 3 } = options;
  const { timeout = DEFAULT_TIMEOUT_S } = options;
  if (!(typeof timeout === 'number' && timeout >= 0.001 && timeout <= LONGEST_TIMEOUT_S)) {
    throw invalid(
      `timeout is a number of seconds from 0.001 to ${LONGEST_TIMEOUT_S}; got ${timeout}. Nothing waits without a limit.`,
    );
  }
  requireShare('reconstructionThreshold', reconstructionThreshold, 2);
  requireShare('numShares', numShares, 3);
  if (
    isCount(reconstructionThreshold) &&
    isCount(numShares) &&
    reconstructionThreshold > numShares
  ) {
    throw invalid(
      `reconstructionThreshold is at most numShares; got ${reconstructionThreshold} of ${numShares} shares.`,
    );
  }
  requireWhole('minimumClients', minimumClients, 2, 65_535);
  if (!['active', 'semi-honest', 'semi-malicious'].includes(model)) {
    throw invalid(`model is 'active', 'semi-honest' or 'semi-malicious'; got '${model}'.`);
  }
  if ((model === 'active') !== (options.roster !== undefined)) {
    throw invalid(
      model === 'active'
        ? 'The active model needs a roster of who the clients can be: read one, generateIdentities for a simulation, or choose another model.'
        : `A roster is for the active model, and this is the ${model} one: nobody would check it.`,
    );
  }
  return {
    ...options,
    quantization: checkedQuantization(options),
    timeoutMs: Math.ceil(timeout * 1_000),
    model,
    minimumClients,
  };
}

/** A count from `least`, or a proportion. 1 is all of them, as in Flower. */
export function isCount(share: number | undefined): share is number {
  return share !== undefined && share > 1;
}

function checkedQuantization(options: QuantizationOptions): Quantization {
  const { clippingRange, quantizationRange, maxWeight, modulusRange } = options;
  try {
    return quantization({
      clippingRange,
      quantizationRange,
      maxWeight,
      modulusRange: modulusRange ?? FLOWER_MODULUS_RANGE,
    });
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw invalid(`${withoutCode(error)}.`, error);
  }
}

function requireShare(option: string, given: number | undefined, least: number): void {
  if (given === undefined || (given > 0 && given <= 1)) return;
  if (Number.isSafeInteger(given) && given >= least && given <= 65_535) return;
  throw invalid(
    `${option} is a whole number from ${least} to 65535, or a proportion above 0 and up to 1; got ${given}.`,
  );
}

function invalid(message: string, cause?: unknown): ValueError {
  return new ValueError('value.out_of_range', message, { cause });
}

const DEFAULT_TIMEOUT_S = 600;
const LONGEST_TIMEOUT_S = 2_147_483;
