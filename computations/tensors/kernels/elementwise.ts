/** @file Kernels that work element by element, with broadcasting where they take two tensors. */

import type { DType } from '../../types/dtypes.ts';
import {
  type AttributeSchema,
  broadcast,
  DEVICE_DTYPES,
  type KernelDefinition,
  type KernelTable,
  NUMERIC,
  spec,
} from './definition.ts';

const FLOAT: readonly DType[] = ['float32'];
const BOOL: readonly DType[] = ['bool'];

function unary(
  accepts: readonly DType[],
  options: { readonly result?: DType; readonly attributes?: AttributeSchema } = {},
): KernelDefinition {
  return {
    inputs: ['x'],
    attributes: options.attributes ?? {},
    infer: (call) => {
      const x = call.typed('x', accepts);
      return [spec(options.result ?? x.dtype, x.shape)];
    },
  };
}

function binary(accepts: readonly DType[], result?: DType): KernelDefinition {
  return {
    inputs: ['a', 'b'],
    attributes: {},
    infer: (call) => {
      const a = call.typed('a', accepts);
      const b = call.typed('b', accepts);
      call.require(a.dtype === b.dtype, `the dtypes ${a.dtype} and ${b.dtype} differ`);
      return [spec(result ?? a.dtype, broadcast(call, a.shape, b.shape))];
    },
  };
}

const table = (names: string, definition: KernelDefinition): KernelTable =>
  Object.fromEntries(names.split(' ').map((name) => [name, definition]));

export const ELEMENTWISE: KernelTable = {
  ...table(
    'Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Elu Erf Exp Expm1 Floor Log Log1p Reciprocal Relu Relu6 Round Rsqrt Selu Sigmoid Sign Sin Sinh Softplus Sqrt Tan Tanh',
    unary(FLOAT),
  ),
  ...table('Abs Neg Square', unary(NUMERIC)),
  ...table('ZerosLike OnesLike Identity', unary(DEVICE_DTYPES)),
  ...table('IsNan IsInf IsFinite', unary(FLOAT, { result: 'bool' })),
  LogicalNot: unary(BOOL),
  Step: unary(FLOAT, { attributes: { alpha: 'number?' } }),
  LeakyRelu: unary(FLOAT, { attributes: { alpha: 'number' } }),
  ClipByValue: {
    inputs: ['x'],
    attributes: { clipValueMin: 'number', clipValueMax: 'number' },
    infer: (call) => {
      const x = call.typed('x', FLOAT);
      const ordered = call.number('clipValueMin') <= call.number('clipValueMax');
      call.require(ordered, 'clipValueMin is above clipValueMax');
      return [x];
    },
  },

  ...table('Add Sub Multiply Maximum Minimum SquaredDifference', binary(NUMERIC)),
  ...table('RealDiv Atan2 Pow Mod', binary(FLOAT)),
  FloorDiv: binary(['int32']),
  ...table('Greater GreaterEqual Less LessEqual', binary(NUMERIC, 'bool')),
  ...table('Equal NotEqual', binary(DEVICE_DTYPES, 'bool')),
  ...table('LogicalAnd LogicalOr', binary(BOOL, 'bool')),

  AddN: {
    inputs: 'list',
    attributes: {},
    infer: (call) => {
      const [first, ...others] = call.list();
      if (first === undefined || !NUMERIC.includes(first.dtype)) {
        return call.fail('it takes float32 or int32 tensors');
      }
      for (const { dtype, shape } of others) {
        call.require(
          dtype === first.dtype && String(shape) === String(first.shape),
          'all inputs must have one dtype and shape',
        );
      }
      return [first];
    },
  },
  EluGrad: {
    inputs: ['dy', 'y'],
    attributes: {},
    infer: (call) => {
      const dy = call.typed('dy', FLOAT);
      const y = call.typed('y', FLOAT);
      call.require(String(dy.shape) === String(y.shape), 'dy and y must have one shape');
      return [y];
    },
  },
  Prelu: {
    inputs: ['x', 'alpha'],
    attributes: {},
    infer: (call) => {
      const x = call.typed('x', FLOAT);
      const alpha = call.typed('alpha', FLOAT);
      return [spec('float32', broadcast(call, x.shape, alpha.shape))];
    },
  },
  Select: {
    inputs: ['condition', 't', 'e'],
    attributes: {},
    infer: (call) => {
      const condition = call.typed('condition', BOOL);
      const t = call.typed('t', DEVICE_DTYPES);
      const e = call.typed('e', [t.dtype]);
      call.require(
        String(t.shape) === String(e.shape) && String(condition.shape) === String(t.shape),
        'condition, t and e must have one shape',
      );
      return [t];
    },
  },
  Cast: {
    inputs: ['x'],
    attributes: { dtype: 'dtype' },
    infer: (call) => {
      const x = call.typed('x', DEVICE_DTYPES);
      return [spec(call.text('dtype', DEVICE_DTYPES) as DType, x.shape)];
    },
  },
};
