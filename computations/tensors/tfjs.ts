/**
 * @file The only place where TensorFlow.js is imported, and the parts of its engine that are not in
 * its published types. The union package is needed: without it there are no gradients in Node.
 */

import * as tf from '@tensorflow/tfjs';

export { tf };

/** A backend as tfjs's storage of tensors sees it. */
export type TfBackend = InstanceType<typeof tf.KernelBackend>;
export type TfTensor = tf.Tensor;
export type TfTensorInfo = tf.TensorInfo;

/** What is used of the engine beyond its declared types. */
export interface Engine {
  backendName: string | null | undefined;
  backendInstance: TfBackend | null | undefined;
  readonly registry: Readonly<Record<string, TfBackend>>;
  readonly state: {
    readonly tensorInfo: WeakMap<object, { readonly backend: TfBackend }>;
    readonly registeredVariables: Readonly<Record<string, tf.Variable>>;
  };
  startScope(name?: string): void;
  endScope(result?: tf.TensorContainer): void;
  disposeTensor(tensor: tf.Tensor): void;
  keep<T extends tf.Tensor>(tensor: T): T;
  disposeVariable(variable: tf.Variable): void;
  makeTensorFromTensorInfo(info: tf.TensorInfo, backend: TfBackend): tf.Tensor;
  runKernel(kernel: string, inputs: unknown, attributes: unknown): tf.Tensor | tf.Tensor[];
}

/** The engine; tfjs has one a process. Its private members are stated in `Engine` above. */
export function engine(): Engine {
  // The published types hide `backendInstance`, so the widening goes through `unknown`.
  const instance: unknown = tf.engine();
  return instance as Engine;
}
