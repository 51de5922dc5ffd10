/** @file Which clients are still in a sum, and why the others are not. */

import { ProtocolAbortError } from '../../../computations/types/index.ts';
import type { Lost, Survivors } from '../cohort.ts';
import { faultError } from '../faults.ts';
import type { Participant, SecureSum } from '../protocol.ts';
import type { Verdict } from './verdict.ts';

type Refusal = NonNullable<Verdict['refusal']>;

export class Cohort {
  readonly #lost = new Map<string, Lost>();
  readonly #minimumClients: number;
  readonly #blamed: { readonly client: string; readonly code: string }[] = [];
  #present: readonly Participant[];

  constructor(clients: readonly Participant[], minimumClients: number) {
    this.#present = clients;
    this.#minimumClients = minimumClients;
  }

  get present(): readonly Participant[] {
    return this.#present;
  }

  /** Who was lost, and which of them are to blame. */
  account(): Required<Pick<SecureSum, 'lost' | 'blamed'>> {
    return { lost: [...this.#lost.values()], blamed: this.#blamed };
  }

  /**
   * Goes on without those who were lost.
   * @throws ProtocolAbortError `protocol.too_few_clients`, naming them, where too few are left.
   */
  lose(lost: readonly Lost[]): void {
    for (const loss of lost) this.#lost.set(loss.client, loss);
    this.#present = this.#present.filter(({ name }) => !this.#lost.has(name));
    if (this.#present.length < this.#minimumClients) throw this.#tooFew();
  }

  /** The results of those who are still there, after losing the others. */
  keep<T>({ results, lost }: Survivors<T>): readonly T[] {
    this.lose(lost);
    return results.filter((result) => result !== undefined);
  }

  /** Loses a client whose message was refused. */
  refuse(client: string, stage: string, { code, message }: Refusal): void {
    this.#blamed.push({ client, code });
    const cause = faultError({ kind: 'fault', stage, code, message, offender: client });
    this.lose([{ client, stage, reason: 'failed', cause }]);
  }

  #tooFew(): ProtocolAbortError {
    const lost = [...this.#lost.values()];
    const named = lost.slice(0, NAMED_AT_MOST).map(describe);
    const rest = lost.length > NAMED_AT_MOST ? ` and ${lost.length - NAMED_AT_MOST} more` : '';
    const stage = lost.at(-1)?.stage ?? 'input';
    return new ProtocolAbortError(
      'protocol.too_few_clients',
      `The secure aggregation stopped in stage '${stage}': ${this.#present.length} clients are left, at least ${this.#minimumClients} are asked for. No part of the sum was revealed. Lost: ${named.join(', ')}${rest}.`,
      {
        stage,
        reason: 'too-few-inputs',
        ...(lost.length === 1 && { offender: lost[0]?.client }),
        missing: lost.map(({ client }) => client),
        cause: lost[0]?.cause,
      },
    );
  }
}

function describe({ client, stage, reason, cause }: Lost): string {
  const why =
    reason === 'timeout' ? 'no answer in time' : cause instanceof Error ? cause.message : reason;
  return `${client} in '${stage}' (${why})`;
}

const NAMED_AT_MOST = 10;
