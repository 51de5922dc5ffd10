/**
 * @file Seeded simulations of whole rounds, a few of those that the slow suite has; and flawed clients,
 * to show that the simulator sees what it looks for.
 */

import { describe, expect, test } from 'vitest';
import { Bitmap, ProtocolError, type SecAggClientState } from '../../../protocols/index.ts';
import { clientState, type MaskedState } from '../../../protocols/secagg/client/state.ts';
import { pairChannel } from '../../../protocols/secagg/statements.ts';
import {
  type ClientSteps,
  type Plan,
  type Rule,
  realSteps,
  replayCommand,
  type SimulationOptions,
  type SimulationResult,
  simulate,
} from './simulator/index.ts';

const SEEDS = 250;

test(`${SEEDS} seeds keep every invariant, and go everywhere`, () => {
  const seen = new Map<string, number>();
  const count = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);
  for (let seed = 0; seed < SEEDS; seed += 1) {
    const { plan, ends, clientFaults, refusals } = faultless(seed);
    const setting = `${plan.model}, ${plan.graph}, ${plan.server}`;
    count(setting);
    for (const end of ends) count(`${setting}: ${end.kind}`);
    for (const end of ends) if (end.kind === 'fault') count(end.code);
    for (const code of clientFaults) count(`client: ${code}`);
    for (const code of refusals) count(`server: ${code}`);
  }
  for (const what of EVERYWHERE) expect(seen.get(what) ?? 0, what).toBeGreaterThan(0);
});

test.each([
  ['active', 'complete'],
  ['active', 'sparse'],
  ['semi-honest', 'complete'],
  ['semi-honest', 'sparse'],
] as const)('%s, %s: keeps every invariant', (model, graph) => {
  let finished = 0;
  for (let seed = 0; seed < (graph === 'sparse' ? 12 : 25); seed += 1) {
    const { ends } = faultless(1_000_000 + seed, { changes: { model, graph } });
    finished += ends.filter(({ kind }) => kind === 'finish').length;
  }
  expect(finished).toBeGreaterThan(3);
});

test('a seed is the same every time', () => {
  const traces = [0, 0].map(() => {
    const lines: string[] = [];
    for (const seed of [7, 8, 9]) simulate(seed, { trace: (line) => lines.push(line) });
    return lines;
  });
  expect(traces[0]!.length).toBeGreaterThan(50);
  expect(traces[1]).toEqual(traces[0]);
});

describe('sees what flawed clients do', () => {
  test('notes that are lost with a process: two messages of one step', () => {
    expectBreach('two-messages', {
      adjust: (plan) => ({ ...restless(plan), server: 'honest' }),
      flaws: { forgetful: true },
    });
  });

  test('both kinds of shares', () => {
    expectBreach('both-kinds', {
      adjust: (plan) => ({ ...plan, server: 'honest' }),
      flaws: { steps: givingBothKinds },
    });
  });

  test('shares that nobody confirmed the survivors for: a sum of too few', () => {
    const options: SimulationOptions = {
      changes: { model: 'active', graph: 'complete', server: 'equivocating', clients: 5 },
      adjust: (plan) => ({ ...plan, threshold: 3, minimumClients: 3, corrupt: [] }),
      flaws: { steps: withoutConsistencyCheck },
    };
    // That a sum of too few comes of it, byzantine.test.ts shows by trying everything.
    expectBreach('too-few-behind', options);
  });

  test('shares that nobody acknowledged the client for', () => {
    const options: SimulationOptions = {
      changes: { model: 'active', graph: 'sparse', server: 'equivocating', clients: 12 },
      flaws: { steps: acknowledgingItself },
    };
    expectBreach('too-few-behind', options);
    expectBreach('small-sum', options);
  });

  test('a threshold of half of the honest and all corrupt clients: a client is isolated', () => {
    const options: SimulationOptions = {
      changes: { model: 'active', graph: 'complete', server: 'equivocating', clients: 4 },
      // 2t = n + C; clients that reckon with no corrupt ones at all take it.
      adjust: (plan) => ({ ...plan, threshold: 3, minimumClients: 2, corrupt: [1, 2] }),
      flaws: {
        policy: { models: ['active'], minimumClients: 2, corruptRate: 0, securityBits: 40 },
      },
    };
    expectBreach('exposure', options);
    expectBreach('small-sum', options);
  });

  test('an error of another kind', () => {
    expectBreach('uncaught-throw', {
      flaws: {
        steps(state, message, context) {
          if (message.kind === 'dealt-shares') throw new TypeError('not a protocol error');
          return realSteps(state, message, context);
        },
      },
    });
  });

  test('a throw where a fault is due', () => {
    expectBreach('uncaught-throw', {
      flaws: {
        steps(state, message, context) {
          const outcome = realSteps(state, message, context);
          if (outcome.kind === 'fault') throw new ProtocolError('invalid-argument', 'a fault');
          return outcome;
        },
      },
    });
  });

  test('a secret in a message', () => {
    expectBreach('secret-sent', {
      flaws: {
        steps(state, message, context) {
          const outcome = realSteps(state, message, context);
          if (outcome.kind !== 'continue' || outcome.message.kind !== 'shared-secrets') {
            return outcome;
          }
          const { content } = outcome.state.peek();
          if (content.stage !== 'shared') return outcome;
          const seedCommitment = content.selfSeed.reveal().slice();
          return { ...outcome, message: { ...outcome.message, seedCommitment } };
        },
      },
    });
  });

  test('secrets that are kept', () => {
    expectBreach('secret-left', {
      flaws: {
        steps(state, message, context) {
          if (message.kind === 'survivor-set') {
            state?.consume();
            return { kind: 'fault', stage: 'unmask', code: 'wrong-set', message: 'given up' };
          }
          return realSteps(state, message, context);
        },
      },
    });
  });

  test('inputs that are not the ones to be summed', () => {
    expectBreach('wrong-sum', {
      changes: { server: 'honest' },
      adjust: (plan) => ({ ...plan, corrupt: [] }),
      flaws: {
        steps: (state, message, context) =>
          realSteps(state, message, {
            ...context,
            input: { ...context.input, vectors: context.input.vectors.map(zeros) },
          }),
      },
    });
  });
});

/** Runs a seed in which nothing may be wrong. */
function faultless(seed: number, options: SimulationOptions = {}): SimulationResult {
  const result = simulate(seed, options);
  if (result.violations.length > 0) {
    const found = result.violations.map(({ rule, text }) => `[${rule}] ${text}`).join('\n');
    throw new Error(`seed ${seed}:\n${found}\n${replayCommand(result.plan, options.changes)}`);
  }
  return result;
}

/** Some seed shows it. */
function expectBreach(rule: Rule, options: SimulationOptions): void {
  for (let seed = 0; seed < 150; seed += 1) {
    if (simulate(seed, options).violations.some((found) => found.rule === rule)) return;
  }
  expect.fail(`no seed shows [${rule}]`);
}

function restless(plan: Plan): Plan {
  return {
    ...plan,
    corrupt: [],
    hosts: { crash: 0.3, rollback: 0.7, twin: 0.3, careless: false },
  };
}

function zeros({ length }: ArrayLike<number | bigint>): number[] {
  return new Array<number>(length).fill(0);
}

/** Takes the survivors that it is told of, as in the semi-honest model, and confirms nothing. */
const withoutConsistencyCheck: ClientSteps = (state, message, context) => {
  if (message.kind !== 'survivor-set' || state?.peek().content.stage !== 'masked') {
    return realSteps(state, message, context);
  }
  const { content, ...step } = (state as SecAggClientState<MaskedState>).consume();
  const believing = {
    ...content,
    agreement: { ...content.agreement, model: 'semi-honest' },
  } as const;
  return realSteps(
    clientState({ ...step, content: believing }),
    { ...message, included: [] },
    {
      ...context,
      confirms: false,
    },
  );
};

/** Takes whatever it is told for acknowledgements of all who hold its shares. */
const acknowledgingItself: ClientSteps = (state, message, context) => {
  const content = state?.consumed === false ? state.peek().content : undefined;
  if (message.kind !== 'confirmations' || content?.stage !== 'confirmed') {
    return realSteps(state, message, context);
  }
  const { client, holders } = content;
  const forged = {
    ...message,
    from: Bitmap.of(holders.length, holders.keys()),
    statements: holders.map((holder) => pairChannel(holder.keys, holder.client, client).tag('ack')),
  };
  return realSteps(state, forged, context);
};

/** Gives the last dealer's other share where it should give its own. */
const givingBothKinds: ClientSteps = (state, message, context) => {
  const content = state?.consumed === false ? state.peek().content : undefined;
  const held = content !== undefined && 'dealers' in content ? content.dealers : [];
  const last = held[held.length - 1];
  const other = [last?.maskShare, last?.selfShare].map((share) => share?.reveal().slice());
  const outcome = realSteps(state, message, context);
  if (outcome.kind !== 'finish' || outcome.message.kind !== 'revealed-shares') return outcome;
  const { given, shares } = outcome.message;
  const both = other.find((share) => share && !shares.some((given) => equal(share, given)));
  if (both === undefined) return outcome;
  return { ...outcome, message: { ...outcome.message, given, shares: [...shares, both] } };
};

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.join() === right.join();
}

/** What a few hundred seeds have all come across. */
const EVERYWHERE = [
  'active, complete, honest: finish',
  'active, complete, meddling: finish',
  'active, complete, equivocating',
  'semi-honest, complete, honest: finish',
  'active, complete, honest: crash',
  'too-few-clients',
  'too-few-shares',
  'wrong-secret',
  'client: session-used',
  'client: too-few-confirmations',
  'client: too-few-survivors',
  'client: unknown-survivor',
  'client: bad-signature',
  'client: wrong-session',
  'client: wrong-step',
  'server: duplicate-message',
  'server: stage-closed',
  'server: wrong-session',
  'server: context-mismatch',
  'server: bad-signature',
];
