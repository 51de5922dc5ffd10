/** @file The kernels that run on the host. */

import type { ConcreteAttributes } from '../kernels/definition.ts';
import { KERNELS } from '../kernels/index.ts';
import type { HostKernel, HostTensor } from './arrays.ts';
import { EXACT_KERNELS } from './exact.ts';
import { INTEGER_KERNELS } from './integers.ts';
import { MOVING_KERNELS } from './moving.ts';
import { RANDOM_KERNELS } from './random.ts';

/** Kernels that run on the host with every backend. */
export const HOST_KERNELS: Readonly<Record<string, HostKernel>> = {
  ...INTEGER_KERNELS,
  ...MOVING_KERNELS,
  ...RANDOM_KERNELS,
};

/** The host's version of a kernel, whether or not backends have one too. */
export function hostKernel(
  kernel: string,
  inputs: readonly Pick<HostTensor, 'dtype'>[],
  attributes: ConcreteAttributes,
): HostKernel | undefined {
  return (
    HOST_KERNELS[kernel] ??
    (isVague(kernel, inputs, attributes) ? undefined : EXACT_KERNELS[kernel])
  );
}

// How a float that is no int32 converts to one, and how a range of floats is rounded, is left to
// each backend.
function isVague(
  kernel: string,
  inputs: readonly Pick<HostTensor, 'dtype'>[],
  { dtype }: ConcreteAttributes,
): boolean {
  if (kernel === 'Range') return dtype !== 'int32';
  return kernel === 'Cast' && inputs[0]?.dtype === 'float32' && dtype === 'int32';
}

/** Names of a kernel's inputs in the order in which a host kernel receives them. */
export function inputOrder(kernel: string): readonly string[] | 'list' {
  const definition = KERNELS[kernel];
  if (definition === undefined || definition.inputs === 'list') return 'list';
  return [...definition.inputs, ...(definition.optional ?? [])];
}
