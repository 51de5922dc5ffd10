/** @file Failures by data: the code comes from an attribute of the node. */

import { ExecutionError, type ExecutionErrorCode } from '../../types/errors.ts';
import type { ConcreteAttributes } from '../kernels/definition.ts';

/** Throws with the code in attribute `name`, or `execution.kernel_failed`. */
export function failWith(attributes: ConcreteAttributes, name: string, message: string): never {
  const code = attributes[name];
  throw new ExecutionError(
    typeof code === 'string' ? (code as ExecutionErrorCode) : 'execution.kernel_failed',
    message,
  );
}
