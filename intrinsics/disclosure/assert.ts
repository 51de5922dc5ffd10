/** @file Refuses computations that show the server more of the clients than secure sums. */

import type { BuildingBlock } from '../../computations/building-blocks.ts';
import { printLocation } from '../../computations/call-site.ts';
import type { AnyComputation } from '../../computations/computation.ts';
import { UnsupportedAggregationError } from '../../computations/types/index.ts';
import { disclosure } from './disclosure.ts';
import type { DisclosureEntry, DisclosureReport } from './report.ts';

/**
 * Throws unless everything that leaves the clients is a secure sum.
 * @returns the report.
 * @throws UnsupportedAggregationError `aggregation.discloses`, naming each call that discloses more
 *   with its file and line.
 */
export function assertOnlySecureAggregation(
  computation: AnyComputation | BuildingBlock,
): DisclosureReport {
  const report = disclosure(computation);
  const open = report.entries.filter(({ kind, via }) => kind === 'disclosure' && via !== 'secure');
  if (open.length === 0) return report;
  const subject = report.name ?? `A computation of type ${report.type}`;
  const places = open.length === 1 ? '1 place' : `${open.length} places`;
  throw new UnsupportedAggregationError(
    'aggregation.discloses',
    `${subject} lets data of single clients leave them in ${places}:\n${open.map((entry) => `  ${describe(entry)}`).join('\n')}`,
  );
}

function describe(entry: DisclosureEntry): string {
  const { intrinsic, source, from, at } = entry;
  const where = source === undefined ? '' : `${printLocation(source)}: `;
  const what = from.join(', ');
  switch (entry.via) {
    case 'keys':
      return `${where}${intrinsic} shows the server which keys each client has, derived from ${what}. Use federatedSecureSelect.`;
    case 'returned':
      return `${where}${at === undefined ? 'the result' : `${at} of the result`} hands each client's value${intrinsic === undefined ? '' : `, made by ${intrinsic},`} to the caller, derived from ${what}. Return an aggregate of it, by a secure sum.`;
    default:
      return `${where}${intrinsic} shows the server each client's value, derived from ${what}. Use federatedSecureSum or federatedSecureSumBitwidth, on integers.`;
  }
}
