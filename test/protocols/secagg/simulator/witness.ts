/** @file Turns one step of an honest client into evidence. */

import { type ClientMessage, type ServerMessage, toHex } from '../../../../protocols/index.ts';
import type { ClientContent } from '../../../../protocols/secagg/client/state.ts';
import type { Evidence } from './evidence.ts';

export interface Step {
  readonly cause: ServerMessage;
  /** The state before; its secrets may be erased by now. */
  readonly before: ClientContent | undefined;
  readonly after: ClientContent | undefined;
  readonly message: ClientMessage;
}

export function recordStep(evidence: Evidence, { cause, before, after, message }: Step): void {
  switch (message.kind) {
    case 'advertisement':
      if (after?.stage === 'advertised') evidence.advertised(after);
      break;
    case 'shared-secrets':
      if (
        after?.stage === 'shared' &&
        (before?.stage === 'advertised' || before?.stage === 'chosen') &&
        cause.kind === 'neighbourhood'
      ) {
        evidence.shared(after, cause, message, before.maskKey);
      }
      break;
    case 'masked-vectors':
      if (
        before?.stage === 'shared' &&
        after?.stage === 'masked' &&
        cause.kind === 'dealt-shares'
      ) {
        evidence.masked(before, cause.present, after, toHex(message.contextHash));
      }
      break;
    case 'confirmation':
      if (after?.stage === 'confirmed') evidence.confirmed(after);
      break;
    case 'revealed-shares':
      if (before?.stage === 'confirmed') {
        evidence.revealed(before, aliveIn(before, before.alive), message);
      } else if (before?.stage === 'masked' && cause.kind === 'survivor-set') {
        evidence.revealed(before, aliveIn(before, cause.alive.places()), message);
      }
      break;
    case 'neighbour-choice':
      break;
  }
}

function aliveIn(
  { agreement, dealers }: Extract<ClientContent, { readonly stage: 'masked' | 'confirmed' }>,
  places: readonly number[],
): ReadonlySet<number> {
  return new Set(
    agreement.graph === 'complete' ? places : places.map((place) => dealers[place]!.client),
  );
}
