/** @file How wide texts are on a terminal, and how they are cut to fit. */

import { escapeInvisible } from '../../logging/json-line.ts';
import type { Mark, Paint } from '../paint.ts';

/** Pieces of a line, marked or not. */
export type Line = readonly (string | readonly [Mark, string])[];

/** Of a line that stays: clients choose some of what stands in it, as long as they like. */
export const MOST_COLUMNS = 2_000;

/** Columns that a text takes; it has no control characters. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/[\p{Mn}\p{Me}]/u.test(character)) continue;
    width += WIDE.test(character) ? 2 : 1;
  }
  return width;
}

/** A line as text; what does not fit is left out, and `…` says so. */
export function lineText(line: Line, columns: number, paint: Paint): string {
  let left = columns;
  let fitted = '';
  for (const piece of line) {
    const [mark, given] = typeof piece === 'string' ? [null, piece] : piece;
    // Peers choose some of the texts: none is to move the cursor.
    const text = escapeInvisible(given);
    const isWhole = widthOf(text) <= left;
    const shown = isWhole ? text : cut(text, left);
    fitted += mark === null || shown === '' ? shown : paint(mark, shown);
    if (!isWhole) break;
    left -= widthOf(text);
  }
  return fitted;
}

/** Columns that a line would take. */
export function lineWidth(line: Line): number {
  return line.reduce(
    (sum, piece) => sum + widthOf(escapeInvisible(typeof piece === 'string' ? piece : piece[1])),
    0,
  );
}

function cut(text: string, columns: number): string {
  if (columns < 1) return '';
  let left = columns - 1;
  let kept = '';
  for (const character of text) {
    left -= widthOf(character);
    if (left < 0) break;
    kept += character;
  }
  return `${kept}…`;
}

/** Of East Asian scripts, and pictures (Unicode Standard Annex 11). */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
