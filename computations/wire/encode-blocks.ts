/** @file Building blocks as `federated_language.Computation` messages. */

import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import type { BuildingBlock, Compiled } from '../building-blocks.ts';
import {
  type Computation as ComputationMessage,
  ComputationSchema,
} from './gen/federated_language/proto/computation_pb.ts';
import { KernelGraphSchema } from './gen/fedloom/v1/kernel_graph_pb.ts';
import { toGraphMessage } from './kernel-graphs.ts';
import { literalVariant, splitLiteral } from './literals.ts';
import { toTypeMessage } from './types.ts';

export const KERNEL_GRAPH_URL = 'type.fedloom.dev/fedloom.v1.KernelGraph';

/**
 * Selections are by index, and a literal of a struct becomes a struct of literals; everything else
 * keeps its form.
 * @throws ValueError for a literal that cannot be sent.
 */
export function toComputationMessage(node: BuildingBlock): ComputationMessage {
  if (node.kind === 'literal' && node.value.kind === 'struct') {
    return toComputationMessage(splitLiteral(node));
  }
  return create(ComputationSchema, {
    type: toTypeMessage(node.type),
    computation: variantOf(node),
  });
}

type Variant = NonNullable<MessageInitShape<typeof ComputationSchema>['computation']>;

function variantOf(node: BuildingBlock): Variant {
  switch (node.kind) {
    case 'reference':
      return { case: 'reference', value: { name: node.name } };
    case 'selection': {
      const source = toComputationMessage(node.source);
      return { case: 'selection', value: { source, index: node.index } };
    }
    case 'struct': {
      const element = node.elements.map(({ name, value }) => ({
        name: name ?? '',
        value: toComputationMessage(value),
      }));
      return { case: 'struct', value: { element } };
    }
    case 'call': {
      const fn = toComputationMessage(node.function);
      return node.argument === null
        ? { case: 'call', value: { function: fn } }
        : { case: 'call', value: { function: fn, argument: toComputationMessage(node.argument) } };
    }
    case 'lambda': {
      const result = toComputationMessage(node.result);
      return { case: 'lambda', value: { parameterName: node.parameter ?? '', result } };
    }
    case 'block': {
      const local = node.locals.map(({ name, value }) => ({
        name,
        value: toComputationMessage(value),
      }));
      return { case: 'block', value: { local, result: toComputationMessage(node.result) } };
    }
    case 'intrinsic':
      return { case: 'intrinsic', value: { uri: node.uri } };
    case 'data':
      return { case: 'data', value: { data: { case: 'uri', value: node.uri } } };
    case 'compiled':
      return { case: 'tensorflow', value: { graphDef: toGraphDef(node) } };
    case 'placement':
      return { case: 'placement', value: { uri: node.uri } };
    case 'literal':
      return literalVariant(node);
  }
}

function toGraphDef({ graph, name }: Compiled): { typeUrl: string; value: Uint8Array } {
  return {
    typeUrl: KERNEL_GRAPH_URL,
    value: toBinary(KernelGraphSchema, toGraphMessage(graph, name)),
  };
}
