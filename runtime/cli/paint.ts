/** @file How the parts of an output are marked: in colour on a terminal, not at all elsewhere. */

import type { Surroundings } from './command.ts';

export type Mark = 'heading' | 'name' | 'type' | 'dim' | 'warning' | 'safe';

/** Marks a piece of text. */
export type Paint = (mark: Mark, text: string) => string;

export const plainText: Paint = (_mark, text) => text;

/** Colour on a terminal, or with FORCE_COLOR; never with NO_COLOR (no-color.org). */
export function paintFor({ env, isTerminal }: Pick<Surroundings, 'env' | 'isTerminal'>): Paint {
  const { NO_COLOR = '', FORCE_COLOR = '' } = env;
  const isForced = FORCE_COLOR !== '' && FORCE_COLOR !== '0';
  if (NO_COLOR !== '' || !(isForced || isTerminal)) return plainText;
  return (mark, text) => {
    const [begin, end] = STYLES[mark];
    return `\u001b[${begin}m${text}\u001b[${end}m`;
  };
}

/** Numbers of the escape sequences (ECMA-48, SGR) that begin and end a mark. */
const STYLES: { readonly [M in Mark]: readonly [begin: number, end: number] } = {
  heading: [1, 22],
  name: [36, 39],
  type: [34, 39],
  dim: [2, 22],
  warning: [33, 39],
  safe: [32, 39],
};
