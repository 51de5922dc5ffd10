/** @file Replays a graph: the steps of its plan, one after the other, on a device. */

import { ExecutionError, FedloomError } from '../../types/errors.ts';
import { bindUnknowns } from '../builder.ts';
import { type ConcreteSpec, equalShapes, type KernelGraph } from '../graph.ts';
import type { DeviceTensor, Program } from './backend.ts';
import type { Device, DeviceHandle } from './device.ts';
import { checkIndices } from './index-check.ts';
import { makePlan, type Plan, type PlanOptions, releasePlan, type Step } from './plan.ts';
import { Storage, StoredTensor } from './storage.ts';

/** Plans for this many argument shapes are kept, those used last. */
const MAX_PLANS = 16;

export class DeviceProgram implements Program {
  readonly graph: KernelGraph;
  readonly #device: Device;
  readonly #options: PlanOptions;
  readonly #plans: Plan[] = [];

  constructor(graph: KernelGraph, device: Device, options: PlanOptions) {
    this.#options = options;
    this.graph = graph;
    this.#device = device;
  }

  run(inputs: readonly DeviceTensor[]): DeviceTensor[] {
    const arguments_ = inputs.map((input) => this.#own(input));
    const plan = this.#planFor(arguments_);
    const values = plan.constants.slice();
    arguments_.forEach((argument, id) => {
      values[id] = new StoredTensor(argument.storage.retain(), argument.shape);
    });
    try {
      for (const step of plan.steps) {
        this.#runStep(step, plan.device, values);
        for (const id of step.frees) values[id]?.dispose();
      }
      return plan.results.map((id) => {
        const value = values[id] as StoredTensor;
        return new StoredTensor(value.storage.retain(), value.shape);
      });
    } finally {
      values.forEach((value, id) => {
        if (value !== plan.constants[id]) value?.dispose();
      });
    }
  }

  /** Drops the plans and their constants. The program can still run. */
  release(): void {
    for (const plan of this.#plans.splice(0)) releasePlan(plan);
  }

  #runStep(step: Step, device: Device, values: (StoredTensor | undefined)[]): void {
    const inputs = step.inputs.map((id) => values[id] as StoredTensor);
    if (step.kind === 'alias') {
      const { shape } = step.outputs[0] as ConcreteSpec;
      values[step.firstOutput] = new StoredTensor(
        (inputs[0] as StoredTensor).storage.retain(),
        shape,
      );
      return;
    }
    try {
      if (step.kind === 'host') {
        const outputs = step.run(
          inputs.map((input) => input.host()),
          step.attributes,
          step.outputs,
        );
        step.outputs.forEach(({ dtype, shape }, output) => {
          const storage = new Storage(this.#device, dtype, outputs[output] ?? null, null);
          values[step.firstOutput + output] = new StoredTensor(storage, shape);
        });
        return;
      }
      if (step.kind === 'bound') {
        const handle = step.run(inputs.map(({ storage, shape }) => storage.handle(shape, device)));
        const storage = new Storage(this.#device, handle.dtype, null, handle, device);
        values[step.firstOutput] = new StoredTensor(storage, handle.shape);
        return;
      }
      checkIndices(step, inputs);
      const outputs = device.run(step.kernel, deviceInputs(step, device, inputs), step.attributes);
      outputs.forEach((handle, output) => {
        const storage = new Storage(this.#device, handle.dtype, null, handle, device);
        values[step.firstOutput + output] = new StoredTensor(storage, handle.shape);
      });
      checkOutputs(step, outputs);
    } catch (error) {
      if (error instanceof FedloomError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new ExecutionError(
        'execution.kernel_failed',
        `${step.kernel} failed on the ${device.name} backend: ${reason}`,
        { cause: error },
      );
    }
  }

  #planFor(inputs: readonly StoredTensor[]): Plan {
    const index = this.#plans.findIndex(({ parameters }) => fits(parameters, inputs));
    const found = this.#plans[index];
    if (found !== undefined) {
      if (index > 0) this.#plans.unshift(...this.#plans.splice(index, 1));
      return found;
    }
    bindUnknowns(this.graph, inputs);
    const specs = inputs.map(({ dtype, shape }) => ({ dtype, shape }));
    const plan = makePlan(this.graph, specs, this.#device, this.#options);
    this.#plans.unshift(plan);
    for (const old of this.#plans.splice(MAX_PLANS)) releasePlan(old);
    return plan;
  }

  #own(input: DeviceTensor): StoredTensor {
    if (input instanceof StoredTensor && input.storage.owner === this.#device) return input;
    throw new ExecutionError(
      'execution.unsupported_value',
      `The tensor (${input.dtype}[${input.shape.join(',')}]) belongs to another backend; upload it to the ${this.#device.name} backend first.`,
    );
  }
}

function fits(parameters: readonly ConcreteSpec[], inputs: readonly StoredTensor[]): boolean {
  return (
    parameters.length === inputs.length &&
    parameters.every(({ dtype, shape }, index) => {
      const input = inputs[index] as StoredTensor;
      return dtype === input.dtype && equalShapes(shape, input.shape);
    })
  );
}

function deviceInputs(step: Step, device: Device, inputs: readonly StoredTensor[]) {
  if (step.names === null) return inputs.map(({ storage, shape }) => storage.handle(shape, device));
  const named: Record<string, DeviceHandle> = {};
  for (let i = 0; i < inputs.length; i++) {
    const { storage, shape } = inputs[i] as StoredTensor;
    named[step.names[i] as string] = storage.handle(shape, device);
  }
  return named;
}

// The kernel table says what comes out; a backend that differs would corrupt what follows.
function checkOutputs(step: Step, outputs: readonly DeviceHandle[]): void {
  const agrees =
    outputs.length === step.outputs.length &&
    outputs.every(({ dtype, shape }, index) => {
      const expected = step.outputs[index] as ConcreteSpec;
      return dtype === expected.dtype && equalShapes(shape, expected.shape);
    });
  if (agrees) return;
  const print = (specs: readonly { dtype: string; shape: readonly number[] }[]): string =>
    specs.map(({ dtype, shape }) => `${dtype}[${shape.join(',')}]`).join(', ');
  throw new ExecutionError(
    'execution.kernel_failed',
    `${step.kernel} gave ${print(outputs)} where the kernel table expects ${print(step.outputs)}.`,
  );
}
