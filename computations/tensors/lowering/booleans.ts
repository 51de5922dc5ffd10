/** @file Booleans on wasm: some of its kernels read and write four bytes for each one. */

import type { ValueId } from '../graph.ts';
import type { LoweringRule } from './rule.ts';

/** wasm truncates a number before it asks whether it is zero, so 0.5 would be false. */
export const castToBool: LoweringRule = (node) => {
  const x = node.input('x');
  const { dtype } = node.spec(x);
  if (node.target.name !== 'wasm' || node.attributes.dtype !== 'bool' || dtype === 'bool')
    return null;
  const b = node.emit('Fill', {}, { shape: [], value: 0, dtype });
  return [node.emit('NotEqual', { a: x, b })];
};

/** The choice between booleans by logic. */
export const selectBool: LoweringRule = (node) => {
  const { condition, t, e } = node.inputs() as Readonly<Record<'condition' | 't' | 'e', ValueId>>;
  if (node.target.name !== 'wasm' || node.spec(t).dtype !== 'bool') return null;
  const whenTrue = node.emit('LogicalAnd', { a: condition, b: t });
  const whenFalse = node.emit('LogicalAnd', { a: node.emit('LogicalNot', { x: condition }), b: e });
  return [node.emit('LogicalOr', { a: whenTrue, b: whenFalse })];
};
