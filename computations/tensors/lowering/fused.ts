/** @file Fused products, taken apart: the fused kernel of wasm takes few of the shapes that tfjs allows. */

import type { ValueId } from '../graph.ts';
import type { LoweredNode, LoweringRule } from './rule.ts';

export const fusedProduct: LoweringRule = (node) => {
  if (node.target.name !== 'wasm') return null;
  const { a, b, bias } = node.inputs() as Readonly<Record<'a' | 'b' | 'bias', ValueId | undefined>>;
  const { transposeA = false, transposeB = false } = node.attributes;
  const product = node.emit(
    'BatchMatMul',
    { a: a as ValueId, b: b as ValueId },
    { transposeA, transposeB },
  );
  const shifted = bias === undefined ? product : node.emit('Add', { a: product, b: bias });
  return [activate(node, shifted)];
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
