/** @file What a step is measured through: the same for the backends here and for jax-js. */

import { type Backend, type DeviceTensor, traceTensors } from '../../computations/tensors/index.ts';
import { argumentTypes, argumentValues, type Step, tfjsStep } from './models.ts';

export interface Trainer {
  /** Makes a step from the parameters that the last one made, and reads the loss. */
  step(): number;
  /** What a client does: uploads parameters and data, makes a step, and reads all of its results. */
  stepFromHost(): number;
}

export function backendTrainer(backend: Backend, step: Step): Trainer {
  const { graph } = traceTensors(argumentTypes(step), tfjsStep(step));
  const program = backend.prepare(graph);
  const values = argumentValues(step);
  const parameters = values.map((value) => backend.upload(value));
  const data = parameters.splice(-2);
  const loss = (results: readonly DeviceTensor[]): number => {
    const value = results.at(-1)?.read();
    if (value === undefined || value instanceof Promise) throw new Error('The loss is not here.');
    return Number(value.data[0]);
  };
  return {
    step() {
      const results = program.run([...parameters, ...data]);
      const read = loss(results);
      const used = parameters.splice(0, parameters.length, ...results.slice(0, -1));
      for (const tensor of used) tensor.dispose();
      results.at(-1)?.dispose();
      return read;
    },
    stepFromHost() {
      const inputs = values.map((value) => backend.upload(value));
      const results = program.run(inputs);
      for (const tensor of results) tensor.read();
      const read = loss(results);
      for (const tensor of [...inputs, ...results]) tensor.dispose();
      return read;
    },
  };
}
