/**
 * @file Makes one graph from recordings of the same body at several sizes. What differs between
 * the recordings must be affine in the unknown sizes.
 */

import { TraceError } from '../../types/errors.ts';
import type { TensorType } from '../../types/types.ts';
import { GraphBuilder } from '../builder.ts';
import type { Attributes, AttributeValue, KernelGraph, ValueId } from '../graph.ts';
import { inputIds, mapInputs } from '../graph.ts';
import type { ConcreteAttribute } from '../kernels/definition.ts';
import { fitSize } from '../sizes.ts';
import type { RecordedConstant, RecordedEntry, RecordedNode, Recording } from './recording.ts';

/** A parameter and the unknown sizes that its `null`s stand for. */
export interface BoundParameter {
  readonly type: TensorType;
  readonly unknowns: readonly number[];
}

/**
 * The graph of recordings made at `samplePoints(unknowns)`, in that order.
 * @throws TraceError `trace.batch_dimension` if they do not unify.
 */
export function unifyRecordings(
  parameters: readonly BoundParameter[],
  recordings: readonly Recording[],
  unknowns: number,
): KernelGraph {
  const [first, ...others] = recordings as [Recording, ...Recording[]];
  for (const other of others) {
    if (other.entries.length !== first.entries.length) {
      throw batchDimension(
        `it makes ${first.entries.length} kernel calls for one size and ${other.entries.length} for another (a loop over an unknown dimension?)`,
      );
    }
  }
  const builder = new GraphBuilder();
  const ids: ValueId[] = parameters.map(({ type, unknowns: indices }) =>
    builder.parameter(type, { unknowns: indices }),
  );
  first.entries.forEach((entry, index) => {
    const versions = recordings.map((recording) => recording.entries[index] as RecordedEntry);
    if (entry.kind === 'constant') ids.push(builder.constant(sameConstant(entry, versions)));
    else ids.push(...addNode(builder, entry, versions, ids, unknowns));
  });
  if (others.some((other) => String(other.results) !== String(first.results))) {
    throw batchDimension('its results come from different calls for different sizes');
  }
  return builder.build(first.results.map((id) => ids[id] as ValueId));
}

/** True if two recordings at the same sizes did the same. */
export function equalRecordings(a: Recording, b: Recording): boolean {
  return (
    a.entries.length === b.entries.length &&
    String(a.results) === String(b.results) &&
    a.entries.every((entry, index) => {
      const other = b.entries[index] as RecordedEntry;
      return entry.kind === 'constant' ? equalConstants(entry, other) : equalNodes(entry, other);
    })
  );
}

function addNode(
  builder: GraphBuilder,
  node: RecordedNode,
  versions: readonly RecordedEntry[],
  ids: readonly ValueId[],
  unknowns: number,
): readonly ValueId[] {
  const nodes = versions.map((version) => {
    const same =
      version.kind === 'node' &&
      version.kernel === node.kernel &&
      String(inputIds(version.inputs)) === String(inputIds(node.inputs)) &&
      String(Object.keys(version.attributes)) === String(Object.keys(node.attributes));
    if (!same)
      throw batchDimension(`it does not call the same kernels for every size (${node.kernel})`);
    return version;
  });
  const attributes: Record<string, AttributeValue> = {};
  for (const name of Object.keys(node.attributes)) {
    attributes[name] = unifyAttribute(
      `attribute '${name}' of ${node.kernel}`,
      nodes.map((version) => version.attributes[name] as ConcreteAttribute),
      unknowns,
    );
  }
  const inputs = mapInputs(node.inputs, (id) => ids[id] as ValueId);
  try {
    return builder.node(node.kernel, inputs, attributes satisfies Attributes);
  } catch (error) {
    throw batchDimension(error instanceof Error ? error.message : String(error), error);
  }
}

function unifyAttribute(
  what: string,
  values: readonly ConcreteAttribute[],
  unknowns: number,
): AttributeValue {
  const first = values[0] as ConcreteAttribute;
  if (Array.isArray(first)) {
    return first.map((_, position) =>
      unifyAttribute(
        what,
        values.map((value) => {
          const list = value as readonly ConcreteAttribute[];
          if (list.length !== first.length) throw batchDimension(`${what} changes its length`);
          return list[position] as ConcreteAttribute;
        }),
        unknowns,
      ),
    );
  }
  if (values.every((value) => Object.is(value, first))) return first as boolean | string | number;
  const size = fitSize(
    values.map((value) => (typeof value === 'number' ? value : Number.NaN)),
    unknowns,
  );
  if (size !== null) return size;
  throw batchDimension(
    `${what} takes the values ${values.slice(0, 3).join(', ')}, …, which are not of the form k*n + c. A number computed from a size in JavaScript (such as 1 / x.shape[0]) does this: write tf.div(y, x.shape[0]) or tf.mean`,
  );
}

function sameConstant(first: RecordedConstant, versions: readonly RecordedEntry[]) {
  if (!versions.every((version) => equalConstants(first, version))) {
    throw batchDimension(
      `a constant of shape [${first.spec.shape}] is made from an unknown size in JavaScript; make it with tf.range, tf.fill or tf.oneHot`,
    );
  }
  return { ...first.spec, data: first.data };
}

function equalConstants(a: RecordedConstant, b: RecordedEntry): boolean {
  return (
    b.kind === 'constant' &&
    a.spec.dtype === b.spec.dtype &&
    String(a.spec.shape) === String(b.spec.shape) &&
    a.data.every((value, index) => Object.is(value, b.data[index]))
  );
}

function equalNodes(a: RecordedNode, b: RecordedEntry): boolean {
  return (
    b.kind === 'node' &&
    a.kernel === b.kernel &&
    JSON.stringify(a.inputs) === JSON.stringify(b.inputs) &&
    equalAttributes(a.attributes, b.attributes)
  );
}

function equalAttributes(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return Object.is(a, b);
  }
  const entries = Object.entries(a);
  return (
    entries.length === Object.keys(b).length &&
    entries.every(([name, value]) => equalAttributes(value, (b as Record<string, unknown>)[name]))
  );
}

function batchDimension(reason: string, cause?: unknown): TraceError {
  return new TraceError(
    'trace.batch_dimension',
    `The body cannot be traced for unknown (null) sizes: ${reason}.`,
    { cause },
  );
}
