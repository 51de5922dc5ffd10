/** @file Parameters as a person reads them. */

import type { ParameterFindings } from './findings.ts';
import type { ThreatModel } from './guarantees.ts';

/** A line for each decision and each bound, in columns. */
export function explainParameters(findings: ParameterFindings): string {
  const { clients, roster, model, threshold, neighbours, corrupt, leastHonestInSum } = findings;
  const { securityBits, reachedSecurityBits, correctnessBits, reachedCorrectnessBits } = findings;
  const lost = clients - findings.leastSurvivors;
  const cohort = roster > clients ? `${clients} clients of ${roster}` : `${clients} clients`;
  const rows: readonly (readonly [string, string])[] = [
    ['model', MODELS[model]],
    ['graph', describeGraph(findings)],
    ['threshold', `${threshold} of the ${neighbours + 1} shares of a secret, one's own included`],
    ['withstands', `${describeServer(corrupt)}, and ${count(lost, 'lost client')}`],
    ['reveals', `no sum of fewer than ${leastHonestInSum} honest clients`],
    ['security', describeBits('an attack succeeds', reachedSecurityBits, securityBits)],
    ['correctness', describeBits('a round fails', reachedCorrectnessBits, correctnessBits)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  const lines = rows.map(([name, text]) => `  ${name.padEnd(width)}${text}`);
  return [`secure aggregation of ${cohort}`, ...lines].join('\n');
}

function describeGraph({ model, graph, neighbours, inDegreeLimit }: ParameterFindings): string {
  if (graph === 'complete')
    return `complete: everyone shares with the ${count(neighbours, 'other')}`;
  return model === 'active'
    ? `sparse: each client chooses ${count(neighbours, 'other')}, and at most ${inDegreeLimit} choose it`
    : `sparse: the server joins each client to ${count(neighbours, 'other')} on a random ring`;
}

function describeServer(corrupt: number): string {
  return corrupt === 0 ? 'the server alone' : `the server and ${count(corrupt, 'corrupt client')}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function describeBits(event: string, reached: number, asked: number): string {
  if (reached === Number.POSITIVE_INFINITY) return 'certain: nothing is left to chance';
  return `${reached.toFixed(1)} bits (${asked} asked for): ${event} with a probability below 2^-${Math.floor(reached)}`;
}

const MODELS: Readonly<Record<ThreatModel, string>> = {
  active: 'active: the server and the corrupt clients do whatever helps them',
  'semi-malicious':
    'semi-malicious: the server follows the protocol but for whose shares it asks whom',
  'semi-honest': 'semi-honest: the server follows the protocol and looks at what it gets',
};
