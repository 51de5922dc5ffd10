/**
 * @file The steps of models.ts with jax-js, for comparison: the only use of jax-js. There, an array
 * is used up by each operation that takes it, unless it is passed as `.ref`.
 */

import {
  defaultDevice,
  init,
  type Array as JaxArray,
  jit,
  lax,
  nn,
  numpy,
  valueAndGrad,
} from '@jax-js/jax';
import { argumentValues, type ModelSpec, type Step } from './models.ts';
import type { Trainer } from './trainer.ts';

/** A trainer on the wasm device of jax-js. */
export async function jaxTrainer(step: Step): Promise<Trainer> {
  await init('cpu', 'wasm');
  defaultDevice('wasm');
  const update = jit(updateOf(step.model));
  const upload = (): JaxArray[] => argumentValues(step).map((value, i) => toJax(step, value, i));
  const kept = upload();
  const data = kept.splice(-2);
  return {
    step() {
      const arrays = [...kept, ...data.map((array) => array.ref)];
      const [loss, ...updated] = update(arrays);
      kept.splice(0, kept.length, ...updated);
      return (loss as JaxArray).item() as number;
    },
    stepFromHost() {
      const [loss, ...updated] = update(upload());
      for (const array of updated) array.dataSync();
      return (loss as JaxArray).item() as number;
    },
  };
}

function updateOf(model: ModelSpec): (arrays: JaxArray[]) => JaxArray[] {
  return (arrays) => {
    const parameters = arrays.slice(0, -2);
    const [x, y] = arrays.slice(-2) as [JaxArray, JaxArray];
    const loss = (given: JaxArray[]): JaxArray => {
      const output = forward(model, given, x);
      if (model.kind !== 'linear') {
        return numpy.mean(numpy.sum(y.mul(nn.logSoftmax(output)), 1)).neg();
      }
      const difference = output.sub(y);
      return numpy.mean(difference.ref.mul(difference));
    };
    const [value, gradients] = valueAndGrad(loss)(parameters.map((array) => array.ref));
    return [value, ...parameters.map((p, i) => p.sub((gradients[i] as JaxArray).mul(0.1)))];
  };
}

function forward(model: ModelSpec, parameters: readonly JaxArray[], x: JaxArray): JaxArray {
  if (model.kind === 'convolutional') {
    let image = x;
    for (const filter of parameters.slice(0, -1)) {
      image = pool(nn.relu(lax.convGeneralDilated(image, filter, [1, 1], 'SAME')));
    }
    const batch = image.shape[0] ?? 0;
    const rows = numpy.transpose(image, [0, 2, 3, 1]).reshape([batch, -1]);
    return numpy.matmul(rows, parameters.at(-1) as JaxArray);
  }
  let output = x;
  for (let i = 0; i < parameters.length; i += 2) {
    if (i > 0) output = nn.relu(output);
    output = numpy.matmul(output, parameters[i] as JaxArray);
    const bias = parameters[i + 1];
    if (bias !== undefined) output = output.add(bias);
  }
  return output;
}

/** The largest of each 2x2 pixels of an NCHW image. */
function pool(image: JaxArray): JaxArray {
  const [batch = 0, channels = 0, height = 0, width = 0] = image.shape;
  return numpy.max(image.reshape([batch, channels, height / 2, 2, width / 2, 2]), [3, 5]);
}

/** Images become NCHW and filters OIHW; the rest stays as it is. */
function toJax(
  { model }: Step,
  { shape, data }: ReturnType<typeof argumentValues>[number],
  index: number,
): JaxArray {
  const array = numpy.array(new Float32Array(data), { shape: [...shape] });
  if (model.kind !== 'convolutional' || shape.length !== 4) return array;
  const isFilter = index < model.channels.length - 1;
  return numpy.transpose(array, isFilter ? [3, 2, 0, 1] : [0, 3, 1, 2]);
}
