/** @file A terminal of some size that shows what is written to it, as far as ECMA-48 is used here. */

export class FakeTerminal {
  columns: number;
  rows: number;
  /** Everything that was written. */
  written = '';
  /** How often something was. */
  writes = 0;
  readonly #lines: string[][] = [[]];
  #row = 0;
  #column = 0;

  constructor(columns = 80, rows = 24) {
    this.columns = columns;
    this.rows = rows;
  }

  /** Lines that were ever written, without trailing blanks, and without empty ones at the end. */
  get text(): string {
    return this.#lines
      .map((line) =>
        Array.from(line, (cell) => cell ?? ' ')
          .join('')
          .trimEnd(),
      )
      .join('\n')
      .trimEnd();
  }

  /** Where the next character goes: at the beginning of a line, with nothing below? */
  get isClean(): boolean {
    const below = this.#lines.slice(this.#row).every((line) => line.join('').trim() === '');
    return this.#column === 0 && below;
  }

  write(text: string): void {
    this.written += text;
    this.writes += 1;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a terminal is told.
    for (const [part, count, command] of text.matchAll(/\u001b\[([0-9;]*)([A-Za-z])|./gsu)) {
      if (command === undefined) this.#print(part);
      else this.#obey(command, count ?? '');
    }
  }

  /** As terminals do that break long lines anew. */
  resize(columns: number): void {
    const cursor = this.#row;
    const broken: string[][] = [];
    for (const [row, line] of this.#lines.entries()) {
      if (row === cursor) this.#row = broken.length;
      const cells = [...line];
      do broken.push(cells.splice(0, columns));
      while (cells.length > 0);
    }
    this.columns = columns;
    this.#lines.splice(0, this.#lines.length, ...broken);
  }

  #print(character: string): void {
    if (character === '\r') this.#column = 0;
    else if (character === '\n') this.#newLine();
    else {
      if (/\p{Cc}/u.test(character)) throw new Error(`a control: ${JSON.stringify(character)}`);
      if (this.#column >= this.columns) this.#newLine();
      this.#line[this.#column] = character;
      this.#column += 1;
    }
  }

  #obey(command: string, count: string): void {
    switch (command) {
      case 'A': {
        const top = Math.max(0, this.#lines.length - this.rows);
        this.#row = Math.max(top, this.#row - Number(count || 1));
        break;
      }
      case 'K':
        this.#line.splice(this.#column);
        break;
      case 'J':
        this.#line.splice(this.#column);
        for (const line of this.#lines.slice(this.#row + 1)) line.splice(0);
        break;
      case 'm':
        break;
      default:
        throw new Error(`a sequence that is not known here: ${command}`);
    }
  }

  get #line(): string[] {
    return this.#lines[this.#row] as string[];
  }

  #newLine(): void {
    this.#row += 1;
    this.#column = 0;
    if (this.#row === this.#lines.length) this.#lines.push([]);
  }
}
