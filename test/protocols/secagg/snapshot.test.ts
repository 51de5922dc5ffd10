/**
 * @file A client whose process ends goes on from its saved state, or is refused; it never does a step
 * twice, however often its state is restored.
 */

import { createHash } from 'node:crypto';
import {
  memoryLedger,
  type ProtocolError,
  restoreSecAggClient,
  type SecAggClientState,
  SecretBytes,
  saveSecAggClient,
} from 'fedloom/protocols';
import { describe, expect, test } from 'vitest';
import { expectKind } from '../support.ts';
import { clientStep, sumOf, sumsIn } from './cohort.ts';
import { VICTIM } from './refusals/client-refusal.ts';
import { configure, STAGES_OF } from './refusals/steps.ts';
import { everythingPrinted, isShownIn, secretsIn } from './secrets.ts';
import { SHAPES, type Shape, StagedRound } from './staged.ts';

const shapes = Object.keys(SHAPES) as Shape[];
const EVERYWHERE = shapes.flatMap((shape) => STAGES_OF[shape].map((at) => [shape, at] as const));

describe('a client that is restored', () => {
  test.each(shapes)('before every step finishes the round (%s)', (shape) => {
    const round = lasting(shape);
    for (const at of STAGES_OF[shape]) {
      round.to(at);
      round.states.set(VICTIM, restored(round, saveSecAggClient(stateOf(round))));
    }
    const end = round.finish();
    if (end.kind === 'fault') throw new Error(end.message);
    expect(sumsIn(end)).toEqual(sumOf(round.cohort, round.cohort.configs.keys()));
    expect(end.report.clients).toContain(VICTIM);
  });

  test.each(EVERYWHERE)('does not do again what was done (%s, %s)', (shape, at) => {
    const round = lasting(shape).to(at);
    const saved = saveSecAggClient(stateOf(round));
    const message = round.messages.get(VICTIM)!;
    round.answer(VICTIM);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const again = restored(round, saved);
      const secrets = secretsIn(again.peek().content);
      expect(clientStep(round.cohort, VICTIM, again, at, message)).toEqual({
        kind: 'fault',
        stage: at,
        code: 'session-used',
        message: expect.stringContaining(at),
      });
      expect(secrets.filter(({ erased }) => !erased)).toEqual([]);
    }
  });

  test('is the one that goes on, if it was first; its state of before is refused', () => {
    const round = lasting('complete').to('unmask');
    const before = stateOf(round);
    const message = round.messages.get(VICTIM)!;
    const after = restored(round, saveSecAggClient(before));
    expectKind(clientStep(round.cohort, VICTIM, after, 'unmask', message)!, 'finish');
    const late = clientStep(round.cohort, VICTIM, before, 'unmask', message);
    expect(late).toMatchObject({ kind: 'fault', code: 'session-used' });
  });

  test('from before it masked does not mask other values (two-time pad)', () => {
    const round = lasting('complete').to('mask-vectors');
    const saved = saveSecAggClient(stateOf(round));
    const message = round.messages.get(VICTIM)!;
    round.answer(VICTIM);
    (round.cohort.inputs as number[][][])[VICTIM] = [[0, 0, 0]];
    const outcome = clientStep(
      round.cohort,
      VICTIM,
      restored(round, saved),
      'mask-vectors',
      message,
    );
    expect(outcome).toMatchObject({ kind: 'fault', code: 'session-used' });
  });

  test('checks by its policy of now, not of when it was saved', () => {
    const round = lasting('complete').to('mask-vectors');
    const saved = saveSecAggClient(stateOf(round));
    const { policy } = round.cohort.configs[VICTIM]!;
    configure(round, { policy: { ...policy, minimumClients: 6 } });
    round.states.set(VICTIM, restored(round, saved));
    expect(round.step(VICTIM)).toMatchObject({ kind: 'fault', code: 'too-few-clients' });
  });
});

test('a client that is restored without its key cannot confirm, and keeps nothing', () => {
  const round = lasting('complete').to('confirm-survivors');
  const { signingKey: _, ...config } = round.cohort.configs[VICTIM]!;
  const state = restoreSecAggClient(saveSecAggClient(stateOf(round)), config);
  const secrets = secretsIn(state.peek().content);
  round.states.set(VICTIM, state);
  expect(() => round.step(VICTIM)).toThrow(/invalid-argument.*signing key/);
  expect(secrets.filter(({ erased }) => !erased)).toEqual([]);
});

describe('a saved state', () => {
  test('does not print', () => {
    const round = lasting('complete').to('confirm-survivors');
    const saved = saveSecAggClient(stateOf(round));
    const secrets = secretsIn(stateOf(round).peek().content).map((secret) => secret.reveal());
    const text = everythingPrinted({ saved });
    expect(secrets.filter((secret) => isShownIn(text, secret))).toEqual([]);
    expect(text).toContain(`[secret of ${saved.length} bytes]`);
    // They are in its bytes: whoever has those has the secrets.
    const bytes = Buffer.from(saved.reveal());
    expect(secrets.every((secret) => bytes.includes(Buffer.from(secret)))).toBe(true);
  });

  test('does not hold the long-term key', () => {
    const round = lasting('complete').to('unmask');
    const bytes = Buffer.from(saveSecAggClient(stateOf(round)).reveal());
    const { signingKey } = round.cohort.configs[VICTIM]!;
    expect(bytes.includes(Buffer.from(signingKey!.reveal()))).toBe(false);
  });

  test('that is cut, damaged, longer or none is refused', () => {
    const round = lasting('complete').to('mask-vectors');
    const bytes = saveSecAggClient(stateOf(round)).reveal();
    const damaged = [
      new Uint8Array(0),
      new Uint8Array(31),
      new Uint8Array(200),
      bytes.subarray(0, bytes.length - 1),
      Uint8Array.of(...bytes, 0),
      ...[0, 30, 40, 100, bytes.length - 40, bytes.length - 1].map((at) =>
        bytes.with(at, bytes[at]! ^ 4),
      ),
    ];
    for (const wrong of damaged) {
      expect(() => restored(round, new SecretBytes(wrong))).toThrow(/malformed-message/);
    }
    restored(round, new SecretBytes(bytes));
  });

  test('whose parts were changed, and hashed anew, is refused as well', () => {
    const round = lasting('complete').to('mask-vectors');
    const bytes = saveSecAggClient(stateOf(round)).reveal();
    const body = bytes.subarray(0, bytes.length - 32);
    const hashed = (changed: Uint8Array) =>
      new SecretBytes(Uint8Array.of(...changed, ...createHash('sha256').update(changed).digest()));
    restored(round, hashed(body));
    for (const changed of [
      // Of another kind, of another version; no announcement in it; more behind it.
      body.with(0, body[0]! ^ 1),
      body.with(29, body[29]! ^ 3),
      body.with(36, body[36]! ^ 1),
      Uint8Array.of(...body, 0),
    ]) {
      expect(() => restored(round, hashed(changed))).toThrow(/malformed-message/);
    }
  });

  test.each(['save', 'restore'])('needs a ledger that lasts, to %s', (what) => {
    const round = what === 'save' ? StagedRound.of('complete') : lasting('complete');
    round.to('share-keys');
    const { ledger: _, ...config } = round.cohort.configs[VICTIM]!;
    const attempt = () =>
      what === 'save'
        ? saveSecAggClient(stateOf(round))
        : restoreSecAggClient(saveSecAggClient(stateOf(round)), config);
    expect(attempt).toThrow(
      expect.objectContaining<Partial<ProtocolError>>({ code: 'invalid-argument' }),
    );
  });

  test('is of a state that was not used', () => {
    const round = lasting('complete').to('share-keys');
    const state = stateOf(round);
    round.answer(VICTIM);
    expect(() => saveSecAggClient(state)).toThrow(/state-consumed/);
  });

  test('leaves the state as it was', () => {
    const round = lasting('complete').to('share-keys');
    const state = stateOf(round);
    const secrets = secretsIn(state.peek().content);
    saveSecAggClient(state).erase();
    expect(state.consumed).toBe(false);
    expect(secrets.every(({ erased }) => !erased)).toBe(true);
    expect(round.step(VICTIM).kind).toBe('continue');
  });
});

/** A round in which the victim has a ledger that outlives its process. */
function lasting(shape: Shape): StagedRound {
  const round = StagedRound.of(shape);
  configure(round, { ledger: memoryLedger() });
  return round;
}

function stateOf({ states }: StagedRound): SecAggClientState {
  return states.get(VICTIM)!;
}

/** As another process would, that has the bytes and the client's own configuration. */
function restored({ cohort }: StagedRound, saved: SecretBytes): SecAggClientState {
  return restoreSecAggClient(saved.reveal().slice(), cohort.configs[VICTIM]!);
}
