/** @file Whether data has the dtype, the shape and the structure that its type says. */

import {
  allocate,
  type MaterializedValue,
  RereadableElements,
  type TensorType,
  type TensorValue,
  type Type,
} from '../../computations/types/index.ts';

/**
 * Makes the error for a value that does not fit.
 * @param place where inside the value, e.g. `[2]`; empty for the whole.
 * @param problem what is wrong with it, as the end of a sentence.
 */
export type Complaint = (place: string, problem: string) => Error;

/**
 * Throws what `complain` makes unless the value fits. The elements of lazy sequences are checked as
 * they are read.
 * @returns the value to use from then on.
 */
export function checkValue(
  value: MaterializedValue,
  type: Type,
  complain: Complaint,
): MaterializedValue {
  return check(value, type, '', complain);
}

function check(
  value: MaterializedValue,
  type: Type,
  place: string,
  complain: Complaint,
): MaterializedValue {
  if (value.kind !== type.kind) throw complain(place, `is a ${value.kind}`);
  if (value.kind === 'tensor' && type.kind === 'tensor') {
    const problem = tensorProblem(value, type);
    if (problem !== null) throw complain(place, problem);
    return value;
  }
  if (value.kind === 'struct' && type.kind === 'struct') {
    if (value.elements.length !== type.elements.length) {
      throw complain(place, `has ${value.elements.length} elements`);
    }
    const elements = type.elements.map(({ name, type: element }, i) =>
      check(value.elements[i] as MaterializedValue, element, `${place}.${name ?? i}`, complain),
    );
    return { kind: 'struct', elements };
  }
  if (value.kind === 'federated' && type.kind === 'federated') {
    const members = value.members.map((member, i) =>
      check(member, type.member, `${place}[${type.placement} ${i}]`, complain),
    );
    return { kind: 'federated', members };
  }
  if (value.kind === 'sequence' && type.kind === 'sequence') {
    const checkOne = (element: MaterializedValue, i: number): MaterializedValue =>
      check(element, type.element, `${place}[${i}]`, complain);
    const { elements } = value;
    if (Array.isArray(elements)) return { kind: 'sequence', elements: elements.map(checkOne) };
    const open = () => checkedElements(elements, checkOne);
    const isRereadable = elements instanceof RereadableElements;
    return { kind: 'sequence', elements: isRereadable ? new RereadableElements(open) : open() };
  }
  return value;
}

async function* checkedElements(
  elements: Iterable<MaterializedValue> | AsyncIterable<MaterializedValue>,
  checkOne: (element: MaterializedValue, index: number) => MaterializedValue,
): AsyncGenerator<MaterializedValue> {
  let index = 0;
  for await (const element of elements) yield checkOne(element, index++);
}

/** What is wrong with a tensor, if anything. */
function tensorProblem({ dtype, shape, data }: TensorValue, type: TensorType): string | null {
  if (dtype !== type.dtype) return `holds ${dtype}`;
  const fits =
    type.shape === null ||
    (shape.length === type.shape.length &&
      type.shape.every((size, axis) => size === null || size === shape[axis]));
  if (!fits) return `has shape [${shape.join(', ')}]`;
  if (!(data instanceof allocate(dtype, 0).constructor)) {
    return `keeps ${dtype} in a ${data.constructor.name}`;
  }
  const size = shape.reduce((product, each) => product * each, 1);
  if (data.length !== size) {
    return `has ${data.length} elements for the shape [${shape.join(', ')}]`;
  }
  if (dtype === 'bool' && (data as Uint8Array).some((element) => element > 1)) {
    return 'holds a bool that is neither 0 nor 1';
  }
  return null;
}
