/**
 * @file How an error finds the call in the user's code that led to it. Types are the lowest room and
 * do not know which frames of a stack are the package's; the room above says so.
 */

/** A place in the user's code. */
export interface SourceLocation {
  /** Path relative to the working directory where there is one, else as the host gives it; no URL. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

/** Sets how `currentLocation` finds the user's call. */
export function locateErrorsWith(locator: () => SourceLocation | null): void {
  locate = locator;
}

/** The innermost call in the user's code, or `null` if it cannot be told. */
export function currentLocation(): SourceLocation | null {
  return locate();
}

let locate: () => SourceLocation | null = () => null;
