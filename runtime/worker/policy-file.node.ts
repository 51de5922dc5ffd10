/**
 * @file The policy of a client as a file: JSON with the version of its format beside the rules, such as
 * `{ "format": "fedloom policy", "version": 1, "smallestCohort": 10 }`. `$schema` may be there for editors.
 */

import { open } from 'node:fs/promises';
import { ValueError } from '../../computations/types/index.ts';
import { parseGuardPolicy } from '../../executors/guard/policy/check-policy.ts';
import type { GuardPolicy } from '../../executors/guard/policy/policy.ts';

export const POLICY_FORMAT = 'fedloom policy';
export const POLICY_VERSION = 1;

/**
 * Reads a policy. A file without `format` or `version` is refused: what another version means by a rule
 * may be less than what its owner relies on.
 * @throws ValueError `value.wrong_structure` or `value.out_of_range` with the path; the file system's
 *   errors.
 */
export async function readPolicyFile(path: string): Promise<GuardPolicy> {
  const text = await readText(path);
  try {
    return parseGuardPolicy(rulesOf(text));
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new ValueError(error.code, `${path}: ${error.message.replace(/^\[[^\]]*\] /, '')}`);
  }
}

/** The rules alone, as text. Text that is no JSON is passed on, to be refused where it is parsed. */
function rulesOf(text: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return text;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return text;
  const { $schema: _, format, version, ...rules } = parsed as { readonly [key: string]: unknown };
  if (format !== POLICY_FORMAT || version !== POLICY_VERSION) {
    throw new ValueError(
      'value.wrong_structure',
      `A policy has "format": "${POLICY_FORMAT}" and "version": ${POLICY_VERSION}; got ${JSON.stringify(format)} and ${JSON.stringify(version)}.`,
    );
  }
  return JSON.stringify(rules);
}

async function readText(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size > MAX_BYTES) {
      throw new ValueError(
        'value.wrong_structure',
        `${path} has ${size} bytes; a policy has at most ${MAX_BYTES}.`,
      );
    }
    return (await file.readFile('utf8')).replace(/^\uFEFF/, '');
  } finally {
    await file.close();
  }
}

const MAX_BYTES = 2 ** 20;
