import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Backend, GraphBuilder, loadBackend } from '../../../computations/tensors/index.ts';
import { KERNELS } from '../../../computations/tensors/kernels/index.ts';
import type { TensorValue } from '../../../computations/types/index.ts';
import { BACKENDS, deviceOnly, expectClose, runGraph } from './backends.helpers.ts';
import type { KernelCase } from './kernel-arbitraries.helpers.ts';
import { KERNEL_CASES } from './kernel-cases.helpers.ts';

const cpu = await deviceOnly('cpu');
const others = await Promise.all(
  BACKENDS.filter((name) => name !== 'cpu').map(async (name) => deviceOnly(name)),
);
const shortcut = await loadBackend({ prefer: 'cpu' });

function graphOf({ inputs, attributes }: KernelCase, kernel: string) {
  const builder = new GraphBuilder();
  const add = (value: TensorValue): number => builder.parameter(value);
  const ids = Array.isArray(inputs)
    ? inputs.map(add)
    : Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, add(value)]));
  return builder.build(builder.node(kernel, ids, attributes));
}

async function run(backend: Backend, kernel: string, example: KernelCase): Promise<TensorValue[]> {
  return runGraph(backend, graphOf(example, kernel), Object.values(example.inputs));
}

// Pooling gradients need the output of the forward pass as an input; traces cover them.
const COVERED_ELSEWHERE = new Set(['MaxPoolGrad']);

describe('kernels on every backend', () => {
  it('has cases for every kernel of the table that backends run', () => {
    const missing = Object.keys(KERNELS).filter(
      (kernel) =>
        !kernel.startsWith('fl.') && !COVERED_ELSEWHERE.has(kernel) && !KERNEL_CASES[kernel],
    );
    expect(missing).toEqual([]);
  });

  for (const [kernel, cases] of Object.entries(KERNEL_CASES)) {
    // A replay checks the types that come out against the rule, so this tests abstractEval too.
    it(`${kernel}: the rule holds on cpu, and the others agree`, async () => {
      await fc.assert(
        fc.asyncProperty(cases, async (example) => {
          const expected = await run(cpu, kernel, example);
          for (const backend of [...others, shortcut]) {
            expectClose(await run(backend, kernel, example), expected);
          }
        }),
        { numRuns: Number(process.env.FEDLOOM_CONFORMANCE_RUNS ?? 40) },
      );
    });
  }
});
