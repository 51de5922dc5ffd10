/**
 * @file A server that tries to learn about a value from when, and for what price, a release of it fails.
 * That a value could not be made is one bit of it and costs a round of the day; no question is free, and
 * none is one that only some answers are charged for.
 */

import { describe, expect, test } from 'vitest';
import {
  type BuildingBlock,
  call,
  intrinsic,
  lambda,
  literal,
} from '../../../computations/building-blocks.ts';
import { func, sequence, structOf } from '../../../computations/types/index.ts';
import { failUnlessSmall, INT, int, pair, unnamed } from '../blocks.ts';
import { failureOf } from '../secure/parties.ts';
import { participant } from './support.ts';
import { advertise, describeVictim, guard, make, put, refusedBy, SECRET } from './victim.ts';

describeVictim();

/** Fails for the secret. */
const FAILING = call(failUnlessSmall, SECRET);

/** Whether the client gives the value to a masked sum, and what it says. */
async function released(node: BuildingBlock): Promise<Error> {
  using advertised = await advertise();
  using state = await guard.createSelection(advertised, 0);
  using value = await put(node);
  const party = participant('clients/0', guard);
  return await failureOf(party.request('masking_mask_input', [state, new Uint8Array(9), value]));
}

describe('asks for a release that will be refused', () => {
  test('of a value that could not be made: it is refused as any other, and no round is spent', async () => {
    make({ protocols: { masking: {} }, roundsPerDay: 1, largestBitWidth: 4 });
    await refusedBy('largestBitWidth', released(SECRET).then(thrown));
    await refusedBy('largestBitWidth', released(FAILING).then(thrown));
    await refusedBy('largestBitWidth', released(FAILING).then(thrown));
  });
});

describe('asks for a release of a sequence, which is made only when it is read', () => {
  const mapped = (fn: BuildingBlock): BuildingBlock => {
    const map = intrinsic(
      'sequence_map',
      func(structOf([unnamed(fn.type), unnamed(sequence(INT))]), sequence(INT)),
    );
    const once = literal({ kind: 'sequence', elements: [int(1)] }, sequence(INT));
    return call(map, pair(fn, once));
  };
  const whole = lambda('x', INT, SECRET);
  const failing = lambda('x', INT, FAILING);

  test.each([
    ['that can be made', whole],
    ['that cannot', failing],
  ])('%s: it is refused before it is read', async (_, fn) => {
    make({ protocols: { masking: {} }, roundsPerDay: 1 });
    await refusedBy('privateValues', released(mapped(fn)).then(thrown));
    await refusedBy('privateValues', released(pair(SECRET, mapped(fn))).then(thrown));
    // Neither spent a round.
    expect((await released(SECRET)).message).not.toContain('roundsPerDay');
  });
});

function thrown(error: Error): never {
  throw error;
}
