import { expect, test } from 'vitest';
import { literal } from '../../../computations/building-blocks.ts';
import { loadBackend } from '../../../computations/tensors/index.ts';
import {
  int32,
  int64,
  type MaterializedValue,
  sequence,
  string,
  struct,
  TensorValue,
} from '../../../computations/types/index.ts';
import { addSizes, SizeMeter, SizingExecutor } from '../../../executors/watching/sizing.ts';
import { leafExecutor } from '../../../runtime/leaf-executor.ts';
import { addConstant, INT, int, ints } from '../blocks.ts';

async function sizing(): Promise<{ executor: SizingExecutor; meter: SizeMeter }> {
  const meter = new SizeMeter();
  const leaf = leafExecutor(await loadBackend());
  return { executor: new SizingExecutor(leaf, 'clients', meter), meter };
}

test('counts elements and bytes by dtype, in both directions, each time', async () => {
  const { executor, meter } = await sizing();
  const fn = addConstant(1);
  using callee = await executor.createValue(fn, fn.type);
  using x = await executor.createValue(int(1), INT);
  using _literal = await executor.createValue(literal(ints(1, 2), int32(2)), int32(2));
  using wide = await executor.createValue(
    new TensorValue('int64', [2], BigInt64Array.of(1n, 2n)),
    int64(2),
  );
  using result = await executor.createCall(callee, x);
  await result.compute();
  await result.compute();
  await wide.compute();
  expect(meter.read()).toEqual({
    clients: {
      to: {
        elements: 5,
        bytes: 28,
        byDType: { int32: { elements: 3, bytes: 12 }, int64: { elements: 2, bytes: 16 } },
      },
      from: {
        elements: 4,
        bytes: 24,
        byDType: { int32: { elements: 2, bytes: 8 }, int64: { elements: 2, bytes: 16 } },
      },
    },
  });
  await executor.close();
});

test('counts texts by their UTF-8 form, and sequences by their elements', async () => {
  const { executor, meter } = await sizing();
  const texts = ['a', 'ü', '€', '𝄞', '\ud800'];
  using _ = await executor.createValue(new TensorValue('string', [5], texts), string(5));
  const bytes = new TextEncoder().encode(texts.join('')).length;
  expect(meter.take().clients?.to).toMatchObject({ elements: 5, bytes });

  const type = struct([sequence(INT), INT]);
  const elements = [int(1), int(2), int(3)];
  const value: MaterializedValue = {
    kind: 'struct',
    elements: [{ kind: 'sequence', elements }, int(4)],
  };
  using _array = await executor.createValue(value, type);
  expect(meter.take().clients?.to.elements).toBe(4);
  await executor.close();
});

test('counts the elements of a lazy sequence as they are read', async () => {
  const { executor, meter } = await sizing();
  function* lazily(): Generator<MaterializedValue> {
    yield int(1);
    yield int(2);
  }
  using value = await executor.createValue({ kind: 'sequence', elements: lazily() }, sequence(INT));
  expect(meter.read()).toEqual({});
  await value.compute();
  expect(meter.read().clients?.to.elements).toBe(2);
  expect(meter.read().clients?.from.elements).toBe(2);
  await executor.close();
});

test('adds sizes, and begins anew after they were taken', () => {
  const meter = new SizeMeter();
  meter.tally('server', 'to')('int32', 2, 8);
  const first = meter.take();
  expect(meter.read()).toEqual({});
  meter.tally('server', 'to')('float32', 1, 4);
  meter.tally('clients', 'from')('int32', 1, 4);
  const sum = addSizes(first, meter.take());
  expect(sum.server?.to).toEqual({
    elements: 3,
    bytes: 12,
    byDType: { int32: { elements: 2, bytes: 8 }, float32: { elements: 1, bytes: 4 } },
  });
  expect(sum.clients?.from.bytes).toBe(4);
  expect(sum.clients?.to.bytes).toBe(0);
});
