/** @file A progress bar on the terminal, fed by the progress events of a context. */

import type { ExecutionContext, ProgressEvent } from 'fedloom';
import { Progress } from './terminal.ts';

/**
 * Shows how far the rounds are, and what happens within the round.
 * @param computation whose invocations are the rounds; others are not shown.
 */
export class RoundProgress implements Disposable {
  readonly #line: Progress;
  readonly #stop: () => void;
  #done = 0;
  #remark = '';

  constructor(
    context: ExecutionContext,
    computation: { readonly name: string },
    { rounds }: { readonly rounds: number },
  ) {
    this.#line = new Progress('rounds', rounds);
    this.#stop = context.on('progress', (event) => {
      if (event.computation === computation.name) this.#show(event);
    });
  }

  /** Adds a remark on the last round. */
  remark(text: string): void {
    this.#remark = text;
    this.#line.update(this.#done, text);
  }

  [Symbol.dispose](): void {
    this.#stop();
    this.#line[Symbol.dispose]();
  }

  #show(event: ProgressEvent): void {
    if (event.stage === 'done') this.#done += 1;
    this.#line.update(this.#done, `${this.#remark}  ${describe(event)}`.trim());
  }
}

function describe(event: ProgressEvent): string {
  if (event.stage !== 'run') return event.stage;
  const { step } = event;
  switch (step.kind) {
    case 'intrinsic':
      return step.uri;
    case 'clients':
      return `${step.work}: ${step.done} of ${step.total} clients`;
    case 'client-lost':
      return `${step.client} lost in ${step.stage}`;
    case 'dropped-clients':
      return `${step.uri} of ${step.clients.length} clients`;
    case 'protocol':
      return `${step.stage}: ${step.done} of ${step.total}`;
    case 'secure-sum':
      return `sum of ${step.clients.length} clients`;
  }
}
