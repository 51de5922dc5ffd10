/** @file What is asked of the parameters of a round, checked and turned from rates into clients. */

import { ProtocolError } from '../../errors.ts';
import { type Adversity, lnOfBits, type ThreatModel } from './guarantees.ts';

/** What a round is to withstand, in the terms of whoever plans it. */
export interface Rates {
  readonly model: ThreatModel;
  readonly clients: number;
  /** Everybody who can be in a cohort; the server picks the cohort among them. */
  readonly roster: number;
  readonly corruptRate: number;
  readonly dropoutRate: number;
}

/** What the parameters have to reach. */
export interface Demands {
  /** ln of what each of exposure and split may have as its probability: half of 2^-securityBits. */
  readonly lnSecurity: number;
  /** ln of the probability of failure, 2^-correctnessBits. */
  readonly lnCorrectness: number;
  readonly leastHonestInSum: number;
}

/** The corrupt are a rate of the roster and all in the cohort; the lost are a rate of the cohort. */
export function adversityOf({
  model,
  clients,
  roster,
  corruptRate,
  dropoutRate,
}: Rates): Adversity {
  const lost = Math.floor((dropoutRate + ROUNDING) * clients);
  const corrupt = Math.floor((corruptRate + ROUNDING) * roster);
  return { model, clients, candidates: clients - lost, corrupt, lost };
}

/** The corrupt clients before they are rounded. */
export function exactCorrupt({ roster, corruptRate }: Rates): number {
  return corruptRate * roster;
}

export function demandsOf(
  securityBits: number,
  correctnessBits: number,
  leastHonestInSum: number,
): Demands {
  return {
    lnSecurity: lnOfBits(securityBits + 1),
    lnCorrectness: lnOfBits(correctnessBits),
    leastHonestInSum,
  };
}

/** @throws ProtocolError `invalid-argument` unless `value` is a number of [0, 1). */
export function checkRate(name: string, value: number): void {
  if (!(value >= 0 && value < 1)) refuse(`${name} is a share from 0 to below 1, got ${value}`);
}

/** @throws ProtocolError `invalid-argument` unless `value` is a number of [1, 256]. */
export function checkBits(name: string, value: number): void {
  if (!(value >= 1 && value <= 256)) refuse(`${name} is from 1 to 256, got ${value}`);
}

/** @throws ProtocolError `invalid-argument` unless `value` is an integer of [least, most]. */
export function checkCount(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    refuse(`${name} is a whole number from ${least} to ${most}, got ${value}`);
  }
}

export function refuse(message: string): never {
  throw new ProtocolError('invalid-argument', message);
}

/** As many as the bounds were tried with. */
export const MOST_CLIENTS = 1_000_000;
export const LARGEST_ROSTER = 2 ** 31;
export const DEFAULT_DROPOUT_RATE = 0.1;
export const DEFAULT_CORRECTNESS_BITS = 20;

/** So that 0.3 of 10 is 3 and not 2: a rate that is no binary fraction never rounds a client away. */
const ROUNDING = 1e-14;
