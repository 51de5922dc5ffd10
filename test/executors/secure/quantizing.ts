/** @file Programs on floats, and stacks that quantise them, for the tests of quantised sums. */

import {
  atClients,
  ExecutionContext,
  federatedComputation,
  federatedMean,
  federatedSum,
  float32,
  isLostInput,
  type LocalExecutorFactoryOptions,
  localExecutorFactory,
  type MaterializedValue,
  type ProtocolParties,
  type QuantizedAggregationOptions,
  type SecureAggregation,
  type SecureAggregationProtocol,
  type SecureSum,
  type SecureSumTask,
  secureAggregation,
  type TensorValue,
  withContext,
} from 'fedloom';
import { type Meddling, MeddlingExecutor } from './meddling.ts';

export const Pair = float32(2);
export const mean = federatedComputation([atClients(Pair)], (x) => federatedMean(x));
export const sum = federatedComputation([atClients(Pair)], (x) => federatedSum(x));
export const weightedMean = federatedComputation(
  [atClients(Pair), atClients(float32())],
  (x, weight) => federatedMean(x, { weight }),
);
export const ROWS = [
  [1, 2],
  [3, 4],
  [5, 6],
];

export async function withStack<T>(
  secure: SecureAggregation,
  body: () => Promise<T>,
  options: LocalExecutorFactoryOptions = {},
): Promise<T> {
  await using context = new ExecutionContext(
    localExecutorFactory({ secureAggregation: secure, ...options }),
  );
  return await withContext(context, body);
}

/** A stack of which one client meddles. */
export function withMeddler<T>(
  secure: SecureAggregation,
  who: string,
  meddling: Meddling,
  body: () => Promise<T>,
): Promise<T> {
  return withStack(secure, body, {
    wrapLeaf: (leaf, placement, index) =>
      `${placement}/${index}` === who ? new MeddlingExecutor(leaf, meddling) : leaf,
  });
}

/** Adds up in the clear what it gets, and goes on without those who were lost. */
export function open(
  watch: (task: SecureSumTask) => void = () => {},
  change: (sum: SecureSum) => SecureSum = (made) => made,
): SecureAggregationProtocol {
  const total = async (task: SecureSumTask, { clients }: ProtocolParties): Promise<SecureSum> => {
    watch(task);
    const present = task.inputs.flatMap((input, i) =>
      isLostInput(input) ? [] : [{ input, name: clients[i]?.name ?? '' }],
    );
    const values = await Promise.all(
      present.map(async ({ input }) => vectorsOf(await input.compute())),
    );
    const sums = task.terms.map(({ length }, term) =>
      Array.from({ length }, (_, i) =>
        values.reduce((all, value) => all + Number(value[term]?.[i]), 0),
      ),
    );
    return change({ sums, clients: present.map(({ name }) => name) });
  };
  return {
    name: 'open',
    roles: [],
    operators: [],
    timeoutMs: 400,
    open: (parties) => ({ sum: (task) => total(task, parties), close: () => {} }),
  };
}

function vectorsOf(value: MaterializedValue): ArrayLike<number>[] {
  if (value.kind === 'struct') return value.elements.flatMap(vectorsOf);
  return [(value as TensorValue<'int32'>).data];
}

export const quantizing = (
  protocol: SecureAggregationProtocol = open(),
  quantization: QuantizedAggregationOptions = {},
) => secureAggregation(protocol, { quantization });
