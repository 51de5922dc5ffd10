/** @file What everybody in a simulation shares: time, chance, and those who take notes. */

import {
  type IntegerVector,
  type Rng,
  type SecAggAgreement,
  toHex,
} from '../../../../protocols/index.ts';
import type { Chooser } from './chooser.ts';
import type { VirtualClock } from './clock.ts';
import type { Evidence } from './evidence.ts';
import type { Identities } from './identities.ts';
import type { Plan } from './plan.ts';
import type { SecretWatch } from './secret-watch.ts';
import { drawInputs } from './vectors.ts';

export interface World {
  readonly plan: Plan;
  readonly clock: VirtualClock;
  readonly chooser: Chooser;
  /** For keys. */
  readonly rng: Rng;
  readonly identities: Identities;
  readonly watch: SecretWatch;
  readonly evidence: Evidence;
  readonly inputs: Inputs;
  /** A line of the trace. */
  readonly say: (who: string, what: () => string) => void;
}

/** The inputs of all clients: drawn when they are asked for, and the same ones ever after. */
export class Inputs {
  readonly #chooser: Chooser;
  readonly #known = new Map<string, readonly IntegerVector[]>();

  constructor(chooser: Chooser) {
    this.#chooser = chooser;
  }

  of(
    client: number,
    { session, round, vectors }: Pick<SecAggAgreement, 'session' | 'round' | 'vectors'>,
  ): readonly IntegerVector[] {
    const shape = vectors.map(({ id, length, modulus }) => `${id} ${length} ${modulus}`);
    const place = [client, toHex(session), round, ...shape].join();
    let inputs = this.#known.get(place);
    if (inputs === undefined) {
      inputs = drawInputs(this.#chooser.fork(place), vectors);
      this.#known.set(place, inputs);
    }
    return inputs;
  }
}
