/**
 * @file Reads a client's policy, and refuses one that has a key or a value without meaning: a rule that
 * was spelled wrong would otherwise be a rule that does not hold.
 */

import {
  containsType,
  FederatedTypeError,
  parseType,
  ValueError,
} from '../../../computations/types/index.ts';
import { LEAST_MODULUS_BITS } from '../../../protocols/index.ts';
import {
  DEFAULT_GUARD_POLICY,
  GUARD_PROTOCOLS,
  type GuardLimits,
  type GuardPolicy,
  type GuardPolicyOptions,
  type GuardProtocol,
  type ProtocolRules,
} from './policy.ts';

/**
 * The complete policy.
 * @throws ValueError `value.wrong_structure` or `value.out_of_range`, naming the rule.
 */
export function guardPolicy(options: GuardPolicyOptions = {}): GuardPolicy {
  const given = record(options, 'the policy');
  onlyKeys(given, Object.keys(DEFAULT_GUARD_POLICY), '');
  const policy = { ...DEFAULT_GUARD_POLICY, ...defined(given) } as GuardPolicy;
  whole('smallestCohort', policy.smallestCohort, 1, 2 ** 32 - 1);
  between('securityBits', policy.securityBits, 1, 256);
  between('corruptRate', policy.corruptRate, 0, 0.999);
  whole('largestBitWidth', policy.largestBitWidth, 1, 64);
  whole('largestVector', policy.largestVector, 1, 2 ** 32 - 1);
  if (policy.roundsPerDay !== Number.POSITIVE_INFINITY) {
    whole('roundsPerDay', policy.roundsPerDay, 0, MOST_ROUNDS);
  }
  if (typeof policy.plainCompute !== 'boolean') {
    throw wrong('plainCompute', 'true or false', policy.plainCompute);
  }
  checkProtocols(policy.protocols);
  checkComputations(policy.computations);
  checkData(policy.data);
  return { ...policy, limits: checkedLimits(policy.limits) };
}

/**
 * A policy from the text of a JSON file, for example
 * `{ "protocols": { "secAgg": {} }, "smallestCohort": 10, "roundsPerDay": 24 }`.
 * @throws ValueError as `guardPolicy`, and for text that is no JSON object.
 */
export function parseGuardPolicy(text: string): GuardPolicy {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new ValueError(
      'value.wrong_structure',
      `The policy is no JSON: ${error instanceof Error ? error.message : String(error)}.`,
    );
  }
  return guardPolicy(record(parsed, 'the policy') as GuardPolicyOptions);
}

function checkProtocols(protocols: unknown): void {
  const given = record(protocols, 'protocols');
  onlyKeys(given, GUARD_PROTOCOLS, 'protocols.');
  for (const [name, each] of Object.entries(given)) {
    const path = `protocols.${name}`;
    const rules = record(each, path);
    onlyKeys(rules, [...(OWN_RULES[name as GuardProtocol] ?? []), 'smallestCohort'], `${path}.`);
    const { models, leastThreshold, smallestCohort } = rules as ProtocolRules;
    const { keyHolder, modulusBits } = rules as ProtocolRules;
    if (smallestCohort !== undefined) {
      whole(`${path}.smallestCohort`, smallestCohort, 1, 2 ** 32 - 1);
    }
    if (keyHolder !== undefined && keyHolder !== 'server' && keyHolder !== 'key_holder') {
      throw wrong(`${path}.keyHolder`, `'server' or 'key_holder'`, keyHolder);
    }
    if (modulusBits !== undefined) {
      whole(`${path}.modulusBits`, modulusBits, LEAST_MODULUS_BITS, 16_384);
    }
    if (models !== undefined) checkModels(models, `${path}.models`);
    if (leastThreshold === undefined) continue;
    const proportion = leastThreshold > 0 && leastThreshold < 1;
    if (!proportion) whole(`${path}.leastThreshold`, leastThreshold, 2, 2 ** 32 - 1);
  }
}

const OWN_RULES: { readonly [name in GuardProtocol]?: readonly (keyof ProtocolRules)[] } = {
  secAgg: ['models', 'leastThreshold'],
  secAggPlus: ['models', 'leastThreshold'],
  paillier: ['keyHolder', 'modulusBits'],
};

function checkModels(models: unknown, path: string): void {
  const known = ['active', 'semi-malicious', 'semi-honest'];
  const fits =
    Array.isArray(models) && models.length > 0 && models.every((each) => known.includes(each));
  if (!fits) throw wrong(path, `a list of some of ${known.join(', ')}`, models);
}

function checkComputations(computations: unknown): void {
  if (computations === 'any') return;
  const expected = "'any', or a list of content hashes of 64 hexadecimal digits";
  if (!Array.isArray(computations)) throw wrong('computations', expected, computations);
  const odd = computations.find((each) => typeof each !== 'string' || !/^[0-9a-f]{64}$/.test(each));
  if (odd !== undefined) throw wrong('computations', expected, odd);
}

function checkData(data: unknown): void {
  if (data === 'any') return;
  for (const [name, notation] of Object.entries(record(data, 'data'))) {
    if (!isDataType(notation)) {
      throw wrong(`data.${name}`, 'a type in compact notation, such as "float32[?,3]*"', notation);
    }
  }
}

/** A name that is no dtype parses as an abstract type, of which no data is. */
function isDataType(notation: unknown): boolean {
  if (typeof notation !== 'string') return false;
  try {
    const type = parseType(notation);
    return !containsType(type, ({ kind }) => !['tensor', 'struct', 'sequence'].includes(kind));
  } catch (error) {
    if (error instanceof FederatedTypeError) return false;
    throw error;
  }
}

function checkedLimits(limits: unknown): GuardLimits {
  const given = record(limits, 'limits');
  onlyKeys(given, Object.keys(DEFAULT_GUARD_POLICY.limits), 'limits.');
  const complete = { ...DEFAULT_GUARD_POLICY.limits, ...defined(given) };
  for (const [name, value] of Object.entries(complete)) {
    whole(`limits.${name}`, value, 1, Number.MAX_SAFE_INTEGER);
  }
  return complete;
}

function record(value: unknown, path: string): { readonly [key: string]: unknown } {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as { readonly [key: string]: unknown };
  }
  throw wrong(path, 'an object', value);
}

/** A key that is there without a value has its default. */
function defined(given: { readonly [key: string]: unknown }): { readonly [key: string]: unknown } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function onlyKeys(given: object, known: readonly string[], path: string): void {
  const odd = Object.keys(given).find((key) => !known.includes(key));
  if (odd === undefined) return;
  throw new ValueError(
    'value.wrong_structure',
    `A policy has no rule "${path}${odd}"; there are ${known.map((key) => path + key).join(', ')}.`,
  );
}

function whole(path: string, value: unknown, least: number, most: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) {
    return;
  }
  throw outOfRange(path, `a whole number from ${least} to ${most}`, value);
}

function between(path: string, value: unknown, least: number, most: number): void {
  if (typeof value === 'number' && value >= least && value <= most) return;
  throw outOfRange(path, `a number from ${least} to ${most}`, value);
}

function outOfRange(path: string, expected: string, given: unknown): ValueError {
  return new ValueError(
    'value.out_of_range',
    `The rule "${path}" of a policy is ${expected}; got ${shown(given)}.`,
  );
}

function wrong(path: string, expected: string, given: unknown): ValueError {
  return new ValueError(
    'value.wrong_structure',
    `The rule "${path}" of a policy is ${expected}; got ${shown(given)}.`,
  );
}

function shown(value: unknown): string {
  const text = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value));
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** Each is looked for in the ledger, one by one. */
const MOST_ROUNDS = 100_000;
