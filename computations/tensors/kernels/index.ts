/** @file The kernel table: every kernel that a graph may name, and its typing rule. */

import { GraphError } from '../../types/errors.ts';
import { type ConcreteSpec, shapeSize } from '../graph.ts';
import { CREATION } from './creation.ts';
import {
  type AttributeKind,
  type ConcreteAttributes,
  type ConcreteInputs,
  elements,
  KernelCall,
  type KernelDefinition,
  type KernelTable,
} from './definition.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { HOST } from './host.ts';
import { MATRIX } from './matrix.ts';
import { REDUCTIONS } from './reductions.ts';
import { SHAPING } from './shaping.ts';

export const KERNELS: KernelTable = Object.freeze(
  Object.assign(Object.create(null), ELEMENTWISE, REDUCTIONS, MATRIX, SHAPING, CREATION, HOST),
);

/** The definition of a kernel. @throws GraphError `graph.unknown_kernel` */
export function kernelDefinition(kernel: string): KernelDefinition {
  const definition = KERNELS[kernel];
  if (definition === undefined) {
    throw new GraphError(
      'graph.unknown_kernel',
      `'${String(kernel).slice(0, 60)}' is not in the kernel table.`,
    );
  }
  return definition;
}

/**
 * The types of a kernel's outputs, by rule; nothing is computed.
 * @throws GraphError `graph.unknown_kernel`, or `graph.type_mismatch` if the kernel does not take
 *   such inputs or attributes.
 */
export function abstractEval(
  kernel: string,
  inputs: ConcreteInputs,
  attributes: ConcreteAttributes,
): readonly ConcreteSpec[] {
  const definition = kernelDefinition(kernel);
  const call = new KernelCall(kernel, inputs, attributes);
  checkInputs(call, definition, inputs);
  checkAttributes(call, definition, attributes);
  return definition.infer(call).map((output) => checkSize(call, output));
}

/** An estimate of the floating point operations of one use of a kernel. */
export function estimateFlops(
  kernel: string,
  inputs: ConcreteInputs,
  attributes: ConcreteAttributes,
  outputs: readonly ConcreteSpec[],
): number {
  const call = new KernelCall(kernel, inputs, attributes);
  return (
    kernelDefinition(kernel).flops?.(call, outputs) ??
    elements(Object.values(inputs)) + elements(outputs)
  );
}

/** The largest rank that the kernels of every backend take. */
const MAX_RANK = 6;
const MAX_ELEMENTS = 2 ** 31 - 1;

function checkSize(call: KernelCall, output: ConcreteSpec): ConcreteSpec {
  const valid =
    output.shape.length <= MAX_RANK &&
    output.shape.every((size) => Number.isSafeInteger(size) && size >= 0) &&
    shapeSize(output.shape) <= MAX_ELEMENTS;
  if (!valid) call.fail(`[${output.shape.join(',')}] is no shape that a tensor can have`);
  return output;
}

function checkInputs(call: KernelCall, definition: KernelDefinition, inputs: ConcreteInputs): void {
  if (definition.inputs === 'list') {
    if (!Array.isArray(inputs) || inputs.length === 0) call.fail('it takes a list of inputs');
    return;
  }
  if (Array.isArray(inputs)) call.fail('it takes inputs by name, not a list');
  for (const name of definition.inputs) {
    if (!Object.hasOwn(inputs, name)) call.fail(`input '${name}' is missing`);
  }
  for (const name of Object.keys(inputs)) {
    if (!definition.inputs.includes(name) && !definition.optional?.includes(name)) {
      call.fail(`it has no input '${name}'`);
    }
  }
}

function checkAttributes(
  call: KernelCall,
  definition: KernelDefinition,
  attributes: ConcreteAttributes,
): void {
  for (const [name, kind] of Object.entries(definition.attributes)) {
    const optional = kind.endsWith('?');
    const value = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
    if (value === undefined) {
      if (!optional) call.fail(`attribute '${name}' is missing`);
      continue;
    }
    const base = (optional ? kind.slice(0, -1) : kind) as AttributeKind;
    if (!MATCHERS[base](value)) call.fail(`attribute '${name}' is not of kind ${base}`);
  }
  for (const name of Object.keys(attributes)) {
    if (!Object.hasOwn(definition.attributes, name)) call.fail(`it has no attribute '${name}'`);
  }
}

const isInt = (value: unknown): boolean => Number.isSafeInteger(value) && !Object.is(value, -0);
const isInts = (value: unknown): boolean => Array.isArray(value) && value.every(isInt);
const isPairs = (value: unknown): boolean =>
  Array.isArray(value) && value.every((pair) => isInts(pair) && pair.length === 2);

const MATCHERS: Readonly<Record<AttributeKind, (value: unknown) => boolean>> = {
  int: isInt,
  ints: (value) => isInt(value) || isInts(value),
  number: (value) => typeof value === 'number' && !Number.isNaN(value),
  flag: (value) => typeof value === 'boolean',
  text: (value) => typeof value === 'string',
  dtype: (value) => typeof value === 'string',
  padding: (value) => typeof value === 'string' || isInt(value) || isPairs(value),
  pairs: isPairs,
};
