/** @file The words and the layout of a disclosure report. */

import { printLocation } from '../../computations/call-site.ts';
import type { BoundValue, DisclosureEntry, DisclosureReport, SecureBound } from './report.ts';

type ReportData = Pick<DisclosureReport, 'name' | 'type' | 'entries'>;

export function printReport({ name, type, entries }: ReportData): string {
  const title = `What leaves the clients in ${name ?? `a computation of type ${type}`}:`;
  if (entries.length === 0) return `${title}\nnothing that is derived from clients' data.`;
  const rows = entries.map((entry, i) => [
    String(i + 1),
    describeWay(entry),
    describeOrigin(entry),
    entry.type,
    describePlace(entry),
  ]);
  const lines = layOut([['', 'How', 'Derived from', 'Type', 'Where'], ...rows]);
  return `${title}\n${summarise(entries)}\n\n${lines.join('\n')}`;
}

/** How something leaves, for a person who decides whether it may. */
function describeWay({ via, to, bound, at = '' }: DisclosureEntry): string {
  switch (via) {
    case 'plain':
      return "the server sees each client's value";
    case 'secure':
      return `the server sees only the sum of all clients (secure${bound === undefined ? '' : `, ${describeBound(bound)}`})`;
    case 'keys':
      return "the server sees each client's keys";
    case 'returned':
      return `each client's value is handed to the caller${at === '' ? '' : `, as ${at} of the result`}`;
    case 'broadcast':
      return `sent to all ${to}; nothing new leaves`;
  }
}

function describeOrigin({ from, through = [] }: DisclosureEntry): string {
  const names = from.join(', ');
  return through.length === 0
    ? names
    : `${names} (through ${through.map((i) => i + 1).join(', ')})`;
}

function describePlace({ intrinsic, source }: DisclosureEntry): string {
  return [intrinsic, source && printLocation(source)].filter(Boolean).join('\n');
}

function describeBound({ kind, value }: SecureBound): string {
  const text = printBound(value);
  switch (kind) {
    case 'max':
      return `values from 0 to ${text}`;
    case 'bitwidth':
      return `values of ${text} bits`;
    case 'modulus':
      return `modulo ${text}`;
  }
}

function printBound(value: BoundValue): string {
  if (value === null) return 'a bound known only when it runs';
  if (typeof value !== 'object') return String(value);
  const parts = Array.isArray(value)
    ? value.map(printBound)
    : Object.entries(value).map(([name, part]) => `${name}=${printBound(part)}`);
  return `<${parts.join(',')}>`;
}

function summarise(entries: readonly DisclosureEntry[]): string {
  const left = entries.filter(({ kind }) => kind === 'disclosure');
  const secure = left.filter(({ via }) => via === 'secure').length;
  const open = left.length - secure;
  const parts = [
    open > 0 ? `${count(open, 'disclosure')} of single clients' values` : '',
    secure > 0 ? count(secure, 'secure sum') : '',
  ];
  return `${parts.filter(Boolean).join(', ')}.`;
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}

/** Columns under each other; cells that are too long go on in the next line, between words. */
function layOut(rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((row) => row.map((cell) => wrap(cell)));
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...cells.flatMap((row) => (row[column] ?? []).map((line) => line.length))),
  );
  const lines = cells.flatMap((row) => {
    const height = Math.max(...row.map((cell) => cell.length));
    return Array.from({ length: height }, (_, line) =>
      row.map((cell, column) => (cell[line] ?? '').padEnd(widths[column] ?? 0)).join('  '),
    );
  });
  return lines.map((line) => line.trimEnd());
}

function wrap(text: string): string[] {
  return text.split('\n').flatMap((part) => {
    const lines: string[] = [];
    for (const word of part.split(' ')) {
      const last = lines.at(-1);
      if (last === undefined || last.length + 1 + word.length > CELL_WIDTH) lines.push(word);
      else lines[lines.length - 1] = `${last} ${word}`;
    }
    return lines;
  });
}

const CELL_WIDTH = 40;
