/**
 * @file How many calls that are neither maps nor zips must be made, one after the other, before a
 * value is there. What has the same number can be made at the same time.
 */

import { freeReferences } from '../../computations/free-references.ts';
import type { Body, Local } from '../../computations/transformations/index.ts';
import type { MemberGraph } from './member-graph.ts';

export interface Stages {
  /** The stage of each local; that of parameters is 0. */
  readonly stages: ReadonlyMap<string, number>;
  /** For each impure local, the one before it: their order stays. */
  readonly after: ReadonlyMap<string, readonly string[]>;
}

export function stagesOf(
  { locals }: Body,
  graph: MemberGraph,
  isPureLocal: (local: Local) => boolean,
): Stages {
  const stages = new Map<string, number>();
  const after = new Map<string, readonly string[]>();
  let impure: string | null = null;
  for (const local of locals) {
    const { name, value } = local;
    const needed = Math.max(0, ...[...freeReferences(value)].map((each) => stages.get(each) ?? 0));
    if (graph.value(name) !== undefined || value.kind !== 'call') {
      // A map may need less than it is given; it then waits longer than it must, which is no error.
      stages.set(name, needed);
      continue;
    }
    const before = impure === null || isPureLocal(local) ? 0 : (stages.get(impure) ?? 0);
    stages.set(name, Math.max(needed, before) + 1);
    if (isPureLocal(local)) continue;
    if (impure !== null) after.set(name, [impure]);
    impure = name;
  }
  return { stages, after };
}
