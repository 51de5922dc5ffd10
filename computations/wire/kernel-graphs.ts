/**
 * @file Kernel graphs as `fedloom.v1.KernelGraph` messages and back. Reading a message checks its
 * form only; `typecheckGraph` judges the graph.
 */

import { create } from '@bufbuild/protobuf';
import type {
  Attributes,
  AttributeValue,
  GraphParameter,
  KernelGraph,
  KernelNode,
  NodeInputs,
  TensorSpec,
} from '../tensors/graph.ts';
import { isInputList } from '../tensors/graph.ts';
import { isSizeExpression, normalizeSize, type Size } from '../tensors/sizes.ts';
import { TensorValue } from '../types/index.ts';
import { fromArrayMessage, toArrayMessage } from './arrays.ts';
import { fromDataType, toDataType } from './dtypes.ts';
import { decodeFault, required, safeInteger, sizeOf } from './faults.ts';
import {
  AttributeListSchema,
  type AttributeValue as AttributeValueMessage,
  AttributeValueSchema,
  InputListSchema,
  type KernelGraph as KernelGraphMessage,
  KernelGraphSchema,
  NamedInputsSchema,
  type Node as NodeMessage,
  NodeSchema,
  type Parameter as ParameterMessage,
  ParameterSchema,
  type Size as SizeMessage,
  SizeSchema,
  type TensorSpec as TensorSpecMessage,
  TensorSpecSchema,
} from './gen/fedloom/v1/kernel_graph_pb.ts';

/** @param name shown to people; without meaning. */
export function toGraphMessage(graph: KernelGraph, name: string): KernelGraphMessage {
  return create(KernelGraphSchema, {
    version: graph.version,
    kernelSet: graph.kernelSet,
    name,
    unknowns: graph.unknowns,
    parameters: graph.parameters.map(toParameter),
    constants: graph.constants.map(({ dtype, shape, data }) =>
      toArrayMessage(new TensorValue(dtype, shape, data), 'content'),
    ),
    nodes: graph.nodes.map(toNode),
    results: [...graph.results],
  });
}

/** @throws GraphError `graph.decode` for a message that has not the form of a graph. */
export function fromGraphMessage(message: KernelGraphMessage): KernelGraph {
  return {
    version: message.version,
    kernelSet: message.kernelSet,
    unknowns: message.unknowns,
    parameters: message.parameters.map(fromParameter),
    constants: message.constants.map((constant) => {
      const { dtype, shape, data } = fromArrayMessage(constant);
      return { dtype, shape, data };
    }),
    nodes: message.nodes.map(fromNode),
    results: message.results,
  };
}

function toParameter({ dtype, shape, unknowns }: GraphParameter): ParameterMessage {
  return create(ParameterSchema, {
    dtype: toDataType(dtype),
    dims: shape.map((size) => BigInt(size ?? UNKNOWN_SIZE)),
    unknowns: [...unknowns],
  });
}

function fromParameter({ dtype, dims, unknowns }: ParameterMessage): GraphParameter {
  const shape = dims.map((size) =>
    size === BigInt(UNKNOWN_SIZE) ? null : sizeOf(size, 'a dimension of a parameter'),
  );
  return { kind: 'tensor', dtype: fromDataType(dtype), shape, unknowns };
}

function toNode({ kernel, inputs, attributes, outputs }: KernelNode): NodeMessage {
  return create(NodeSchema, {
    kernel,
    inputs: toInputs(inputs),
    attributes: sorted(attributes).map(([name, value]) => ({ name, value: toAttribute(value) })),
    outputs: outputs.map(toSpec),
  });
}

function fromNode({ kernel, inputs, attributes, outputs }: NodeMessage): KernelNode {
  const named = new Map<string, AttributeValue>();
  for (const { name, value } of attributes) {
    if (named.has(name)) throw decodeFault(`a node ${kernel} has its attribute ${name} twice`);
    named.set(name, fromAttribute(required(value, 'the value of an attribute')));
  }
  return {
    kernel,
    inputs: fromInputs(inputs, kernel),
    attributes: Object.fromEntries(named) satisfies Attributes,
    outputs: outputs.map(fromSpec),
  };
}

function toInputs(inputs: NodeInputs): NodeMessage['inputs'] {
  if (isInputList(inputs)) {
    return { case: 'list', value: create(InputListSchema, { ids: [...inputs] }) };
  }
  const named = sorted(inputs).map(([name, id]) => ({ name, id }));
  return { case: 'named', value: create(NamedInputsSchema, { inputs: named }) };
}

function fromInputs(inputs: NodeMessage['inputs'], kernel: string): NodeInputs {
  switch (inputs.case) {
    case 'list':
      return inputs.value.ids;
    case 'named': {
      const named = new Map(inputs.value.inputs.map(({ name, id }) => [name, id]));
      if (named.size !== inputs.value.inputs.length) {
        throw decodeFault(`a node ${kernel} has an input twice`);
      }
      return Object.fromEntries(named);
    }
    default:
      throw decodeFault(`a node ${kernel} does not state its inputs`);
  }
}

/** Entries by name, so that equal graphs have equal bytes. */
function sorted<T>(record: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}

function toAttribute(attribute: AttributeValue): AttributeValueMessage {
  return create(AttributeValueSchema, { value: attributeVariant(attribute) });
}

function attributeVariant(attribute: AttributeValue): AttributeValueMessage['value'] {
  if (typeof attribute === 'boolean') return { case: 'boolean', value: attribute };
  if (typeof attribute === 'string') return { case: 'text', value: attribute };
  if (typeof attribute === 'number') return { case: 'number', value: attribute };
  if (isSizeExpression(attribute)) return { case: 'size', value: toSize(attribute) };
  const values = attribute.map(toAttribute);
  return { case: 'list', value: create(AttributeListSchema, { values }) };
}

function fromAttribute({ value }: AttributeValueMessage): AttributeValue {
  switch (value.case) {
    case 'boolean':
    case 'text':
    case 'number':
      return value.value;
    case 'size':
      return fromSize(value.value);
    case 'list':
      return value.value.values.map(fromAttribute);
    default:
      throw decodeFault('an attribute has no value');
  }
}

function toSpec({ dtype, shape }: TensorSpec): TensorSpecMessage {
  return create(TensorSpecSchema, { dtype: toDataType(dtype), shape: shape.map(toSize) });
}

function fromSpec({ dtype, shape }: TensorSpecMessage): TensorSpec {
  return { dtype: fromDataType(dtype), shape: shape.map(fromSize) };
}

function toSize(size: Size): SizeMessage {
  return typeof size === 'number'
    ? create(SizeSchema, { constant: BigInt(size) })
    : create(SizeSchema, {
        constant: BigInt(size.constant),
        factors: size.factors.map(BigInt),
      });
}

function fromSize({ constant, factors }: SizeMessage): Size {
  return normalizeSize(
    safeInteger(constant, 'the constant of a size'),
    factors.map((factor) => safeInteger(factor, 'a factor of a size')),
  );
}

const UNKNOWN_SIZE = -1;
