/** @file How the parts of an inspection are marked: in colour on a terminal, not at all elsewhere. */

export type Mark = 'heading' | 'name' | 'type' | 'dim' | 'warning' | 'safe';

/** Marks a piece of text. */
export type Paint = (mark: Mark, text: string) => string;

export const plainText: Paint = (_mark, text) => text;
