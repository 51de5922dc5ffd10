/**
 * @file Fused products and convolutions, taken apart: the fused kernels of wasm take few of the shapes
 * that tfjs allows, and the products of the others are of two matrices with elements.
 */

import type { ValueId } from '../graph.ts';
import { paddedBefore } from './convolution.ts';
import type { LoweredNode, LoweringRule } from './rule.ts';

type Inputs = Readonly<Record<'a' | 'b', ValueId>> & { readonly bias?: ValueId };

export const fusedProduct: LoweringRule = (node) => {
  const { a, b, bias } = node.inputs() as Inputs;
  const simple = [a, b].every((x) => node.shape(x).length === 2 && !node.shape(x).includes(0));
  if (node.target.name !== 'wasm' && simple) return null;
  const { transposeA = false, transposeB = false } = node.attributes;
  const product = node.emit('BatchMatMul', { a, b }, { transposeA, transposeB });
  const shifted = bias === undefined ? product : node.emit('Add', { a: product, b: bias });
  return [activate(node, shifted)];
};

/** wasm takes a bias for each channel and no other. */
export const fusedConvolution: LoweringRule = (node) => {
  const { bias, x, filter } = node.inputs() as Readonly<
    Record<'x' | 'filter', ValueId> & { bias?: ValueId }
  >;
  const channels = node.outputs()[0]?.shape[3];
  if (node.target.name !== 'wasm' || bias === undefined) return paddedBefore(node);
  if (String(node.shape(bias)) === String([channels])) return paddedBefore(node);
  const { activation: _, leakyreluAlpha: __, ...attributes } = node.attributes;
  const plain = node.kernel === 'FusedConv2D' ? 'Conv2D' : 'DepthwiseConv2dNative';
  const result = node.emit(plain, { x, filter }, attributes);
  return [activate(node, node.emit('Add', { a: result, b: bias }))];
};

function activate(node: LoweredNode, x: ValueId): ValueId {
  const activation = node.call().text('activation');
  switch (activation) {
    case 'linear':
      return x;
    case 'prelu':
      return node.emit('Prelu', { x, alpha: node.input('preluActivationWeights') });
    case 'leakyrelu':
      return node.emit('LeakyRelu', { x }, { alpha: node.call().number('leakyreluAlpha', 0.2) });
    default:
      return node.emit(ACTIVATIONS[activation] as string, { x });
  }
}

const ACTIVATIONS: Readonly<Record<string, string>> = {
  relu: 'Relu',
  relu6: 'Relu6',
  elu: 'Elu',
  sigmoid: 'Sigmoid',
};
