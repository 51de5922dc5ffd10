/**
 * @file What there is to see of a computation: its type, its building blocks, its kernel graphs and
 * their sizes, what the compiler makes of it, and what leaves the clients.
 */

import {
  type BuildingBlock,
  type Compiled,
  childBlocks,
} from '../../computations/building-blocks.ts';
import type { AnyComputation } from '../../computations/computation.ts';
import { printIndented } from '../../computations/notation.ts';
import {
  type GraphSize,
  graphHash,
  graphSize,
  printGraph,
} from '../../computations/tensors/index.ts';
import { compactNotation, formattedNotation } from '../../computations/types/index.ts';
import { disclosure } from '../../intrinsics/disclosure/index.ts';
import { compileForExecution } from '../../intrinsics/index.ts';
import type { Paint } from './paint.ts';

export interface InspectOptions {
  readonly paint: Paint;
  /** Prints every node of every kernel graph. @default false */
  readonly graphs?: boolean;
}

/** A tensor computation that occurs in a computation. */
interface GraphEntry {
  readonly block: Compiled;
  readonly size: GraphSize;
  readonly uses: number;
}

/** The whole inspection as text, of several lines. */
export function inspect(computation: AnyComputation, options: InspectOptions): string {
  const { paint, graphs = false } = options;
  const { buildingBlock: written, type, name } = computation;
  const compiled = compileForExecution(written);
  const report = disclosure(computation);
  const section = (title: string, text: string): string =>
    `${paint('heading', title)}\n${indent(text)}`;
  return [
    `${paint('heading', name)} ${paint('type', formattedNotation(type))}`,
    section('Building blocks', printIndented(written)),
    section('Kernel graphs', printGraphs(written, paint, graphs)),
    section(`Compiled ${paint('dim', calls(written, compiled))}`, printIndented(compiled)),
    section('Kernel graphs, compiled', printGraphs(compiled, paint, graphs)),
    section(
      'What leaves the clients',
      paint(
        report.entries.some(({ via }) => via !== 'secure') ? 'warning' : 'safe',
        String(report),
      ),
    ),
  ].join('\n\n');
}

/** The tensor computations in a block, each once, in the order in which they occur. */
export function graphsIn(node: BuildingBlock): readonly GraphEntry[] {
  const found = new Map<string, { block: Compiled; uses: number }>();
  const visit = (inner: BuildingBlock): void => {
    if (inner.kind === 'compiled') {
      const key = `${graphHash(inner.graph)} ${compactNotation(inner.type)}`;
      const known = found.get(key);
      if (known === undefined) found.set(key, { block: inner, uses: 1 });
      else known.uses++;
    }
    for (const child of childBlocks(inner)) visit(child);
  };
  visit(node);
  return [...found.values()].map(({ block, uses }) => ({
    block,
    uses,
    size: graphSize(block.graph),
  }));
}

function printGraphs(node: BuildingBlock, paint: Paint, whole: boolean): string {
  const entries = graphsIn(node);
  if (entries.length === 0) return paint('dim', 'none');
  const rows = entries.map(({ block, size, uses }) => [
    block.name,
    `${size.nodes} nodes`,
    `${size.constants} constants`,
    bytes(size.bytes),
    uses === 1 ? '' : `used ${uses} times`,
  ]);
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return entries
    .map(({ block }, index) => {
      const cells = (rows[index] ?? []).map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? paint('name', cell.padEnd(width)) : cell.padStart(width);
      });
      const line = `${cells.join('  ').trimEnd()}\n  ${paint('type', compactNotation(block.type))}`;
      return whole ? `${line}\n${printGraph(block.graph, { indent: '  ' })}` : line;
    })
    .join('\n');
}

/** How often the computation calls something at a place, before and after it was compiled. */
function calls(written: BuildingBlock, compiled: BuildingBlock): string {
  const [before, after] = [written, compiled].map((node) => countCalls(node));
  return `(${before} ${before === 1 ? 'call' : 'calls'} of intrinsics before, ${after} after)`;
}

function countCalls(node: BuildingBlock): number {
  const own = node.kind === 'call' && node.function.kind === 'intrinsic' ? 1 : 0;
  return childBlocks(node).reduce((count, child) => count + countCalls(child), own);
}

function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  const kib = count / 1024;
  return kib < 1024 ? `${kib.toFixed(1)} KiB` : `${(kib / 1024).toFixed(1)} MiB`;
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ');
}
