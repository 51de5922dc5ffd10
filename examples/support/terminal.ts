/**
 * @file What the examples print with: headings, aligned tables, bars and a progress line. Colour
 * and the progress line appear only on a terminal; `NO_COLOR` and `FORCE_COLOR` are respected.
 */

import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

export function heading(text: string): void {
  console.log(`\n${paint('bold', text)}`);
}

export function note(text: string): void {
  console.log(paint('dim', text));
}

/** One aligned line: a label, what came out, and a remark. */
export function result(label: string, value: string, remark = ''): void {
  console.log(`  ${label.padEnd(24)} ${paint('green', value.padEnd(12))} ${paint('dim', remark)}`);
}

/** Prints rows in aligned columns: numbers to the right, all else to the left. */
export function table(columns: readonly string[], rows: readonly (readonly Cell[])[]): void {
  const texts = rows.map((row) => row.map(String));
  const widths = columns.map((column, i) =>
    Math.max(column.length, ...texts.map((row) => row[i]?.length ?? 0)),
  );
  const align = (text: string, i: number): string => {
    const width = widths[i] ?? 0;
    const isNumber = rows.every((row) => typeof row[i] !== 'string');
    return isNumber ? text.padStart(width) : text.padEnd(width);
  };
  const line = (cells: readonly string[]): string => `  ${cells.map(align).join('  ').trimEnd()}`;
  console.log(paint('dim', line(columns)));
  for (const row of texts) console.log(line(row));
}

export type Cell = string | number | bigint;

/** A bar of blocks, as long as `value` is of `largest`. */
export function bar(value: number, largest: number, width = 30): string {
  const eighths = largest === 0 ? 0 : Math.round((value / largest) * width * 8);
  const rest = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8] ?? '';
  return '█'.repeat(Math.floor(eighths / 8)) + rest;
}

/** A line on the terminal that shows how far long work is. Prints nothing into a file or a pipe. */
export class Progress implements Disposable {
  readonly #label: string;
  readonly #total: number;

  constructor(label: string, total: number) {
    this.#label = label;
    this.#total = total;
    this.update(0);
  }

  update(done: number, remark = ''): void {
    if (!process.stderr.isTTY) return;
    const full = Math.round((done / this.#total) * 30);
    const line = `${'━'.repeat(full)}${' '.repeat(30 - full)}`;
    process.stderr.write(`\r\x1b[K  ${this.#label} ${line} ${done}/${this.#total} ${remark}`);
  }

  [Symbol.dispose](): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
}

function paint(style: Style, text: string): string {
  return hasColor ? styleText(style, text) : text;
}

const hasColor = process.env.FORCE_COLOR
  ? process.env.FORCE_COLOR !== '0'
  : Boolean(process.stdout.isTTY) && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
