/**
 * @file Steps of gradient descent on each backend that is here, and on jax-js for comparison, in one
 * process. All make the same steps, and their losses are compared.
 */

import { type Backend, loadBackend } from '../../computations/tensors/index.ts';
import { jaxTrainer } from '../support/jax-steps.ts';
import { SMALL_STEP, STEPS, type Step } from '../support/models.ts';
import { backendTrainer, type Trainer } from '../support/trainer.ts';

export default {
  name: 'backends',
  target: 'none: what to choose a backend by',
  async run(): Promise<Array<{ case: string; unit: string; value: number }>> {
    const backends = await presentBackends();
    const figures = [];
    for (const step of STEPS) {
      const times = measure(await trainers(step, backends), (trainer) => trainer.step());
      for (const [name, time] of times) {
        figures.push({ case: `${step.name}: ${name}`, unit: 'ms/step', value: time });
      }
    }
    const clients = measure(await trainers(SMALL_STEP, backends), (trainer) => {
      for (let client = 1; client < CLIENTS; client++) trainer.stepFromHost();
      return trainer.stepFromHost();
    });
    for (const [name, time] of clients) {
      figures.push({ case: `1,000 clients, ${SMALL_STEP.name}: ${name}`, unit: 'ms', value: time });
    }
    return figures;
  },
};

const CLIENTS = 1000;
const ROUNDS = 7;
/** A round repeats a step for so many milliseconds at least. */
const ROUND_TIME = 40;

async function presentBackends(): Promise<readonly Backend[]> {
  const native = await loadBackend({ prefer: 'native' }).catch(() => null);
  const wasm = await loadBackend({ prefer: 'wasm' });
  return native === null ? [wasm] : [native, wasm];
}

async function trainers(
  step: Step,
  backends: readonly Backend[],
): Promise<ReadonlyMap<string, Trainer>> {
  const all = new Map<string, Trainer>();
  for (const backend of backends) all.set(backend.name, backendTrainer(backend, step));
  all.set('jax-js', await jaxTrainer(step));
  return all;
}

/** Median milliseconds by name; rounds alternate, so that a busy machine slows all of them down. */
function measure(
  trainers: ReadonlyMap<string, Trainer>,
  action: (trainer: Trainer) => number,
): ReadonlyMap<string, number> {
  const losses = [...trainers].map(([, trainer]) => action(trainer));
  const [expected = Number.NaN] = losses;
  for (const loss of losses) {
    if (Math.abs(loss - expected) > 1e-3) throw new Error(`The losses differ: ${losses}`);
  }
  const runs = [...trainers].map(([name, trainer]) => {
    const once = timed(() => action(trainer), 1);
    // Some take seconds; one time of those is enough.
    const rounds = once > 1000 ? 0 : ROUNDS;
    return { name, trainer, rounds, repetitions: Math.ceil(ROUND_TIME / once), times: [once] };
  });
  for (let round = 0; round < ROUNDS; round++) {
    for (const { trainer, rounds, repetitions, times } of runs) {
      if (round < rounds) times.push(timed(() => action(trainer), repetitions));
    }
  }
  return new Map(runs.map(({ name, times }) => [name, median(times)]));
}

function timed(action: () => void, repetitions: number): number {
  const start = performance.now();
  for (let i = 0; i < repetitions; i++) action();
  return (performance.now() - start) / repetitions;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
