/** @file Kernels that cannot be traced, and why: each refusal says what to do instead. */

import { TraceError } from '../../types/errors.ts';

/** The error for a kernel that is not in the kernel table. */
export function unsupportedKernel(kernel: string): TraceError {
  if (DATA_DEPENDENT.has(kernel)) {
    return new TraceError(
      'trace.data_dependent_shape',
      `${kernel} gives a tensor whose shape depends on the data, so its type cannot be known before it runs. Keep the shape fixed: mask values with tf.where(condition, x, zeros) instead of selecting them.`,
    );
  }
  if (RANDOM.has(kernel)) {
    return new TraceError(
      'trace.host_randomness',
      `${kernel} draws random numbers outside the graph. Use the random module with an explicit key.`,
    );
  }
  if (COMPLEX.has(kernel) || TEXT.has(kernel)) {
    const what = COMPLEX.has(kernel) ? 'complex numbers' : 'strings';
    return new TraceError(
      'trace.unsupported_dtype',
      `${kernel} works on ${what}; tensors in a traced body are float32, int32 or bool.`,
    );
  }
  if (kernel === 'Einsum') {
    return new TraceError(
      'trace.unsupported_kernel',
      'tf.einsum is not traced, because not every backend has it; write it with tf.matMul, tf.transpose and tf.sum.',
    );
  }
  return new TraceError(
    'trace.unsupported_kernel',
    `The kernel ${kernel} is not in Fedloom's kernel table, so it cannot be part of a computation.`,
  );
}

const DATA_DEPENDENT = new Set([
  'Where',
  'Unique',
  'NonMaxSuppressionV3',
  'NonMaxSuppressionV4',
  'NonMaxSuppressionV5',
  'SparseFillEmptyRows',
  'SparseReshape',
  'SparseSegmentMean',
  'SparseSegmentSum',
  'RaggedGather',
  'RaggedRange',
  'RaggedTensorToTensor',
]);
const RANDOM = new Set(['Multinomial']);
const COMPLEX = new Set(['Complex', 'Real', 'Imag', 'ComplexAbs', 'FFT', 'IFFT']);
const TEXT = new Set([
  'StringNGrams',
  'StringSplit',
  'StringToHashBucketFast',
  'StaticRegexReplace',
]);
