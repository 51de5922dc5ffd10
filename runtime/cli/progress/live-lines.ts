/**
 * @file A few lines at the end of what a terminal shows, drawn again and again in their place (ECMA-48). The
 * cursor stays visible, at the beginning of the line below them: a process that is killed leaves a terminal
 * that can be used at once.
 */

import type { Screen } from '../command.ts';
import type { Paint } from '../paint.ts';
import { type Line, lineText, lineWidth, MOST_COLUMNS } from './text-width.ts';

export class LiveLines {
  readonly #screen: Screen;
  readonly #paint: Paint;
  #lines: readonly Line[] = [];
  /** Widths of the lines that are on the screen. */
  #drawn: readonly number[] = [];

  constructor(screen: Screen, paint: Paint) {
    this.#screen = screen;
    this.#paint = paint;
  }

  /** Columns for a line: one that fills the last column is broken by some terminals. */
  get columns(): number {
    return Math.max(1, this.#screen.columns - 1);
  }

  /**
   * Draws other lines in the place of those before.
   * @param above stays on the screen for good, above them.
   */
  show(lines: readonly Line[], above: readonly Line[] = []): void {
    const { columns } = this;
    // Of more lines than rows the first would be out of reach.
    this.#lines = lines.slice(0, Math.max(1, this.#screen.rows - 1));
    const kept = above.map((line) => this.#text(line, MOST_COLUMNS));
    const drawn = this.#lines.map((line) => this.#text(line, columns));
    this.#screen.write(`${this.#home()}${kept.join('')}${drawn.join('')}${CLEAR_BELOW}`);
    this.#drawn = this.#lines.map((line) => Math.min(columns, lineWidth(line)));
  }

  /** Lets something be written that ends with a line break, above the lines. */
  around(write: () => void): void {
    const lines = this.#lines;
    this.clear();
    write();
    if (lines.length > 0) this.show(lines);
  }

  /** Takes the lines off the screen. */
  clear(): void {
    if (this.#drawn.length > 0) this.#screen.write(`${this.#home()}${CLEAR_BELOW}`);
    this.#drawn = [];
    this.#lines = [];
  }

  #text(line: Line, columns: number): string {
    return `${lineText(line, columns, this.#paint)}${CLEAR_RIGHT}\n`;
  }

  /** To where the first line begins. A terminal that became narrower has broken lines since. */
  #home(): string {
    const { columns } = this.#screen;
    const height = this.#drawn.reduce(
      (sum, width) => sum + Math.max(1, Math.ceil(width / Math.max(1, columns))),
      0,
    );
    return height === 0 ? '' : `\u001b[${height}A\r`;
  }
}

const CLEAR_RIGHT = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
