/** @file A backend that knows every tensor it ever gave out, so that tests can see what leaks. */

import { type Backend, type DeviceTensor, loadBackend } from '../../computations/tensors/index.ts';

export interface TrackedBackend extends Backend {
  /** Tensors that were given out and not disposed. */
  live(): number;
  /** Tensors read back to the host so far. */
  reads(): number;
}

export async function trackedBackend(): Promise<TrackedBackend> {
  const inner = await loadBackend();
  const given: DeviceTensor[] = [];
  let reads = 0;
  const track = (tensor: DeviceTensor): DeviceTensor => {
    const read = tensor.read.bind(tensor);
    Reflect.set(tensor, 'read', () => {
      reads++;
      return read();
    });
    given.push(tensor);
    return tensor;
  };
  return {
    name: inner.name,
    reason: inner.reason,
    prepare(graph) {
      const program = inner.prepare(graph);
      return { graph, run: (inputs) => program.run(inputs).map(track) };
    },
    upload: (value) => track(inner.upload(value)),
    close: () => {},
    live: () => given.filter((tensor) => !tensor.disposed).length,
    reads: () => reads,
  };
}
