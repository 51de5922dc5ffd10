/** @file Quantities as people read them. */

/** `999 B`, `12.3 kB`, `4.5 MB`: powers of 1000. */
export function bytesText(bytes: number): string {
  let value = bytes;
  for (const unit of ['B', 'kB', 'MB', 'GB']) {
    const digits = unit === 'B' ? 0 : value < 100 ? 1 : 0;
    // What would be rounded to 1000 belongs to the next unit.
    if (Number(value.toFixed(digits)) < 1000) return `${value.toFixed(digits)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(1)} TB`;
}

/** `85 ms`, `1.3 s`, `34 s`, `2 min 05 s`. */
export function durationText(milliseconds: number): string {
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

/** `a, b and 3 more`. @param most so many are named, at least 1. */
export function namesText(names: readonly string[], most: number): string {
  const named = names.slice(0, most);
  const rest = names.length - named.length;
  return rest === 0 ? named.join(', ') : `${named.join(', ')} and ${rest} more`;
}
