/** @file Rows of text as lines with columns below each other. */

/** @param right places of columns whose cells end below each other, such as numbers. */
export function alignColumns(
  rows: readonly (readonly string[])[],
  { right = [] }: { readonly right?: readonly number[] } = {},
): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, widthOf(cell));
    }
  }
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const padding = ' '.repeat((widths[column] ?? 0) - widthOf(cell));
        return right.includes(column) ? padding + cell : cell + padding;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** In characters as they are seen; wide ones of East Asian scripts count once. */
function widthOf(text: string): number {
  let width = 0;
  for (const _ of SEGMENTER.segment(text)) width++;
  return width;
}

const SEGMENTER = new Intl.Segmenter('en');
