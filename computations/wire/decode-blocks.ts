/**
 * @file `federated_language.Computation` messages as building blocks. Blocks read here have the
 * types that the message states; `typecheckBlock` judges them.
 */

import type { BuildingBlock } from '../building-blocks.ts';
import type { FunctionType, Type } from '../types/index.ts';
import { fromArrayMessage } from './arrays.ts';
import { KERNEL_GRAPH_URL } from './encode-blocks.ts';
import { decodeFault, parseMessage, required } from './faults.ts';
import type {
  Computation as ComputationMessage,
  Data as DataMessage,
  TensorFlow as TensorFlowMessage,
} from './gen/federated_language/proto/computation_pb.ts';
import { KernelGraphSchema } from './gen/fedloom/v1/kernel_graph_pb.ts';
import { SequenceLiteralSchema } from './gen/fedloom/v1/literal_pb.ts';
import { fromGraphMessage } from './kernel-graphs.ts';
import { fromSequenceLiteral, SEQUENCE_LITERAL_URL } from './literals.ts';
import { fromTypeMessage } from './types.ts';

/** @throws GraphError `graph.decode` for a message that has not the form of a building block. */
export function readComputation(message: ComputationMessage, maxDepth: number): BuildingBlock {
  const type = fromTypeMessage(required(message.type, 'the type of a computation'));
  const read = (inner: ComputationMessage | undefined, field: string): BuildingBlock =>
    readComputation(required(inner, field), maxDepth);

  const { computation } = message;
  switch (computation.case) {
    case 'reference':
      return { kind: 'reference', name: computation.value.name, type };
    case 'selection': {
      const source = read(computation.value.source, 'the source of a selection');
      return { kind: 'selection', source, index: computation.value.index, type };
    }
    case 'struct': {
      const elements = computation.value.element.map(({ name, value }) => ({
        name: name === '' ? null : name,
        value: read(value, 'the value of a struct element'),
      }));
      return { kind: 'struct', elements, type };
    }
    case 'call': {
      const { function: fn, argument } = computation.value;
      return {
        kind: 'call',
        function: read(fn, 'the function of a call'),
        argument: argument === undefined ? null : readComputation(argument, maxDepth),
        type,
      };
    }
    case 'lambda': {
      const { parameterName, result } = computation.value;
      return {
        kind: 'lambda',
        parameter: parameterName === '' ? null : parameterName,
        result: read(result, 'the result of a lambda'),
        // Checked with everything else.
        type: type as FunctionType,
      };
    }
    case 'block': {
      const locals = computation.value.local.map(({ name, value }) => ({
        name: required(name || undefined, 'the name of a local'),
        value: read(value, 'the value of a local'),
      }));
      const result = read(computation.value.result, 'the result of a block');
      return { kind: 'block', locals, result, type };
    }
    case 'intrinsic':
      return { kind: 'intrinsic', uri: computation.value.uri, type };
    case 'data':
      return readData(computation.value, type, maxDepth);
    case 'tensorflow':
      return readCompiled(computation.value, type, maxDepth);
    case 'placement':
      return { kind: 'placement', uri: computation.value.uri, type };
    case 'literal': {
      const value = fromArrayMessage(required(computation.value.value, 'the value of a literal'));
      return { kind: 'literal', value, type };
    }
    case 'xla':
      throw decodeFault('a computation is in XLA, which does not run here');
    default:
      throw decodeFault('a computation is empty, or of a kind that is not known');
  }
}

function readCompiled(message: TensorFlowMessage, type: Type, maxDepth: number): BuildingBlock {
  const { typeUrl, value } = required(message.graphDef, 'the graph of a tensor computation');
  if (typeUrl !== KERNEL_GRAPH_URL) {
    throw decodeFault(
      `a tensor computation is a ${JSON.stringify(typeUrl)}; only ${KERNEL_GRAPH_URL} runs here`,
    );
  }
  const graph = parseMessage(KernelGraphSchema, value, maxDepth);
  return {
    kind: 'compiled',
    name: graph.name,
    graph: fromGraphMessage(graph),
    // Checked with everything else.
    type: type as FunctionType,
  };
}

function readData({ data }: DataMessage, type: Type, maxDepth: number): BuildingBlock {
  if (data.case === 'uri') return { kind: 'data', uri: data.value, type };
  if (data.case === undefined) throw decodeFault('data has neither a URI nor a content');
  const { typeUrl, value } = data.value;
  if (typeUrl !== SEQUENCE_LITERAL_URL) {
    throw decodeFault(`data is a ${JSON.stringify(typeUrl)}, which is not known here`);
  }
  const literal = parseMessage(SequenceLiteralSchema, value, maxDepth);
  return { kind: 'literal', value: fromSequenceLiteral(literal, type), type };
}
