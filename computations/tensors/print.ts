/**
 * @file Graphs as text, in a stable notation that tests can pin. One node a line:
 * `%2:float32[n0,10] = BatchMatMul(a=%0, b=%1) {transposeA: false}`.
 */

import { printAttribute } from './attributes.ts';
import {
  type GraphConstant,
  type GraphParameter,
  isInputList,
  type KernelGraph,
  type KernelNode,
  parameterSpec,
  type TensorSpec,
} from './graph.ts';
import { outputStarts } from './simplify.ts';
import { printSize } from './sizes.ts';

export interface PrintOptions {
  /** One line with `; ` between the parts, in the place of one line each. */
  readonly oneLine?: boolean;
  /** Text in front of each line. */
  readonly indent?: string;
}

/** The graph as text. */
export function printGraph(graph: KernelGraph, options: PrintOptions = {}): string {
  const starts = outputStarts(graph);
  const constants = graph.constants.map(
    (constant, index) =>
      `%${graph.parameters.length + index}:${printSpec(constant)} = ${printConstant(constant)}`,
  );
  const nodes = graph.nodes.map((node, index) => printNode(node, starts[index] ?? 0));
  const parameters = graph.parameters.map(printParameter).join(', ');
  const results = graph.results.map((id) => `%${id}`).join(', ');
  const head = `(${parameters}) => (${results})`;
  const lines = [...constants, ...nodes];
  if (options.oneLine) return `${head} {${lines.join('; ')}}`;
  const indent = options.indent ?? '';
  return [`${head} {`, ...lines.map((line) => `  ${line}`), '}']
    .map((line) => indent + line)
    .join('\n');
}

/** `float32[n0,10]`. */
export function printSpec({ dtype, shape }: TensorSpec): string {
  return shape.length === 0 ? dtype : `${dtype}[${shape.map(printSize).join(',')}]`;
}

function printParameter(parameter: GraphParameter, index: number): string {
  return `%${index}:${printSpec(parameterSpec(parameter))}`;
}

function printNode({ kernel, inputs, attributes, outputs }: KernelNode, start: number): string {
  const targets = outputs.map((spec, output) => `%${start + output}:${printSpec(spec)}`).join(', ');
  const given = isInputList(inputs)
    ? inputs.map((id) => `%${id}`)
    : Object.keys(inputs)
        .sort()
        .map((name) => `${name}=%${inputs[name]}`);
  const settings = Object.keys(attributes)
    .sort()
    .map((name) => `${name}: ${printAttribute(attributes[name] ?? '')}`);
  const tail = settings.length === 0 ? '' : ` {${settings.join(', ')}}`;
  return `${targets} = ${kernel}(${given.join(', ')})${tail}`;
}

const SHOWN = 8;

function printConstant({ data }: GraphConstant): string {
  const shown = Array.from(data.slice(0, SHOWN) as ArrayLike<unknown>, (value) =>
    typeof value === 'string' ? JSON.stringify(value) : String(value),
  );
  const more = data.length > SHOWN ? `, … ${data.length} in all` : '';
  return `constant(${shown.join(', ')}${more})`;
}
