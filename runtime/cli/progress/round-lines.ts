/** @file How rounds read: the few lines of one that runs, a line for each stage, a line at its end. */

import type { LostClient } from '../../../executors/lost-client.ts';
import type { RoundStatus, RoundTraffic, StageStatus } from '../../rounds/round-status.ts';
import { bytesText, durationText, namesText } from './quantities.ts';
import { type Line, lineWidth } from './text-width.ts';

/** The lines of a round that runs. @param columns to which lists of names are shortened. */
export function runningLines(status: RoundStatus, columns: number): readonly Line[] {
  const { clients, milliseconds, stages, traffic, lost } = status;
  const open = stages.filter(({ isOver }) => !isOver);
  const shown = open.slice(-MOST_STAGES);
  return [
    [
      ...roundLabel(status),
      `  ${count(clients, 'client')}`,
      ['dim', `  ${durationText(milliseconds)}`],
    ],
    ...(shown.length === 0 ? [betweenStages(stages.at(-1))] : []),
    ...shown.map((stage) => stageLine(stage, columns)),
    ...(open.length > shown.length ? [[`  and ${open.length - shown.length} more`] as Line] : []),
    [['dim', `  ${trafficText(traffic)}`]],
    ...(lost.length > 0 ? [['  ', ...lostPieces(lost, columns - 2)]] : []),
  ];
}

/** What is said of a stage that is over, where nothing is redrawn. */
export function stageReport(status: RoundStatus, stage: StageStatus): Line {
  const { by, milliseconds, traffic } = stage;
  const cost = `; ${trafficText(traffic)}, ${durationText(milliseconds)}`;
  return [
    ...roundLabel(status),
    `  ${stage.stage}: `,
    ...answersOf(stage, Number.POSITIVE_INFINITY),
    // Others have connections of their own, and may be asked again for the same stage.
    by === 'clients' ? cost : '',
  ];
}

/** What is left of a round that is over. */
export function roundReport(status: RoundStatus): Line {
  const { clients, counted, milliseconds, traffic, failure, lost } = status;
  const cost = `; ${trafficText(traffic)}, ${durationText(milliseconds)}`;
  if (failure === undefined) {
    return [
      ...roundLabel(status),
      '  ',
      ['safe', 'done'],
      ` with ${counted} of ${count(clients, 'client')}`,
      ...(lost.length > 0 ? [', ', ...lostPieces(lost, Number.POSITIVE_INFINITY)] : []),
      cost,
    ];
  }
  const { stage, reason, code, missing } = failure;
  const why = reason ?? code;
  return [
    ...roundLabel(status),
    '  ',
    ['warning', stage === undefined ? 'failed' : `failed in ${stage}`],
    why === undefined ? '' : `: ${why}`,
    missing.length > 0 ? `, missing ${namesText(missing, MOST_NAMES)}` : '',
    cost,
  ];
}

function roundLabel({ round, computation }: RoundStatus): Line {
  const label: Line = [['heading', `round ${round}`]];
  return computation === NAMELESS ? label : [...label, '  ', ['name', computation]];
}

function betweenStages(last: StageStatus | undefined): Line {
  return [['dim', last === undefined ? '  starting' : `  the server works, after ${last.stage}`]];
}

/** `  mask-vectors  ━━━━━━━━━━━━        3 of 5, missing client-2, client-5`. */
function stageLine(stage: StageStatus, columns: number): Line {
  const label: Line = [`  ${stage.stage}  `];
  const bar = columns >= BAR_COLUMNS ? barOf(stage) : [];
  const left = columns - lineWidth(label) - lineWidth(bar);
  return [...label, ...bar, ...answersOf(stage, left)];
}

function barOf({ done, total }: StageStatus): Line {
  const full = total === 0 ? BAR : Math.round((done / total) * BAR);
  return [['safe', '━'.repeat(full)], ['dim', '─'.repeat(BAR - full)], '  '];
}

/** With as many names as fit into so many columns. */
function answersOf({ by, done, total, missing }: StageStatus, columns: number): Line {
  if (by === 'server') return [`${done} of ${total} parts`];
  if (missing.length === 0) return [`${done} of ${total}`];
  return longestThatFits(columns, (most) => [
    `${done} of ${total}, `,
    ['warning', most === 0 ? `${missing.length} missing` : `missing ${namesText(missing, most)}`],
  ]);
}

function lostPieces(lost: readonly LostClient[], columns: number): Line {
  const described = lost.map(({ client, stage, reason }) => `${client} in ${stage} (${reason})`);
  return longestThatFits(columns, (most) => [
    ['warning', most === 0 ? `${lost.length} lost` : `lost ${namesText(described, most)}`],
  ]);
}

function longestThatFits(columns: number, make: (most: number) => Line): Line {
  for (let most = MOST_NAMES; most > 0; most -= 1) {
    const line = make(most);
    if (lineWidth(line) <= columns) return line;
  }
  return make(0);
}

function trafficText({ toClients, toServer }: RoundTraffic): string {
  return `sent ${bytesText(toClients)}, received ${bytesText(toServer)}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

/** What computations are called that have no name. */
const NAMELESS = 'computation';

/** Of one round, at a time. */
const MOST_STAGES = 3;
const MOST_NAMES = 5;
const BAR = 16;
/** Narrower terminals have no room for a bar. */
const BAR_COLUMNS = 72;
